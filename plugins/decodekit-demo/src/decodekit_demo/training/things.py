"""Scenes about everything but people: animals, books, recipes, cities, orders, events, tool calls, lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import words as w
from .facts import Fact, Facts, Scene

if TYPE_CHECKING:
    from random import Random


def animal(rng: Random) -> Scene:
    """An animal with decimals and booleans."""
    what, color, trait, place = rng.choice(w.ANIMALS), rng.choice(w.COLORS), rng.choice(w.TRAITS), rng.choice(w.PLACES)
    weight, legs = rng.randint(1, 900) / rng.choice([1, 2, 10, 10]), rng.choice([0, 2, 4, 6])
    weight = int(weight) if weight == int(weight) else weight
    facts = [Fact(("animal", "species", "name"), what), Fact(("color", "colour"), color)]
    text = f"The {trait} {color} {what}" if rng.random() < 0.5 else f"The {color} {what}"
    if trait in text:
        facts.append(Fact(("trait", "character", "temper"), trait))
    extra = [
        (f"weighs {weight} kg", Fact(("weight", "weight kg", "mass"), weight)),
        (f"lives in the {place}", Fact(("habitat", "place", "lives in"), place)),
        (f"has {legs or 'no'} legs", Fact(("legs", "leg count"), legs)),
        ("can fly" if what in w.FLYERS else "cannot fly", Fact(("can fly", "flies"), what in w.FLYERS)),
    ]
    picked = rng.sample(extra, rng.randint(1, 4))
    return Scene(f"{text} {w.listed([clause for clause, _ in picked])}.", (*facts, *(fact for _, fact in picked)))


def book_title(rng: Random) -> str:
    """A title, at times with a quote or an emoji in it."""
    title = rng.choice(
        [
            f"The {rng.choice(w.COLORS).capitalize()} {rng.choice(w.THINGS).capitalize()}",
            f"{w.coined(rng)} and the {rng.choice(w.ANIMALS).capitalize()}",
            f"A {rng.choice(w.THINGS).capitalize()} for {w.first_name(rng)}",
            f"Night in {w.city(rng)}",
            f"The {rng.choice(w.ANIMALS).capitalize()} of {w.city(rng)}",
        ]
    )
    if rng.random() < 0.05:
        return f'The "{w.coined(rng)}" {rng.choice(w.THINGS).capitalize()}'
    return f"{title} {rng.choice(w.EMOJI)}" if rng.random() < 0.08 else title


def book(rng: Random) -> Scene:
    """A book with its author, pages, genres and stock."""
    title, author, year, pages = (
        book_title(rng),
        f"{w.first_name(rng)} {w.last_name(rng)}",
        rng.randint(1890, 2026),
        rng.randint(40, 990),
    )
    genres, stock = w.some(rng, w.GENRES, 1, 3), rng.random() < 0.5
    facts = [Fact(("title", "name", "book"), title), Fact(("author", "writer", "written by"), author)]
    text = rng.choice([f"{title} by {author}", f"{author} wrote {title}", f"The book {title} was written by {author}"])
    if rng.random() < 0.7:
        text += f" in {year}" if "wrote" in text or "written" in text else f" came out in {year}"
        facts.append(Fact(("year", "published", "publication year"), year))
    text += "."
    if rng.random() < 0.5:
        text += f" It has {pages} pages."
        facts.append(Fact(("pages", "page count", "length"), pages))
    if rng.random() < 0.4:
        text += f" The genres are {w.listed(genres)}." if len(genres) > 1 else f" The genre is {genres[0]}."
        facts.append(Fact(("genres", "tags"), list(genres)))
    if rng.random() < 0.3:
        text += " It is in stock." if stock else " It is sold out."
        facts.append(Fact(("in stock", "available"), stock))
    return Scene(text, tuple(facts))


def recipe(rng: Random) -> Scene:
    """A dish with a list of ingredients, as strings or as objects."""
    foods = w.some(rng, w.FOODS, 2, 4)
    dish, people, minutes = f"{foods[0]} {rng.choice(w.DISHES)}", rng.randint(1, 8), 5 * rng.randint(1, 24)
    amounts = [
        (food, rng.choice([1, 2, 3, 4, 5, 10, 50, 100, 150, 200, 250, 500]), rng.choice(w.UNITS)) for food in foods
    ]
    facts: list[Fact] = [Fact(("dish", "name", "recipe", "title"), dish)]
    if rng.random() < 0.5:
        needs = w.listed([f"{amount} {unit} of {food}" for food, amount, unit in amounts])
        rows: list[Facts] = [
            (
                Fact(("name", "item", "food"), food),
                Fact(("amount", "quantity"), amount),
                Fact(("unit", "measure"), unit),
            )
            for food, amount, unit in amounts
        ]
        facts.append(Fact(("ingredients", "items"), list(rows)))
    else:
        needs = w.listed(foods)
        facts.append(Fact(("ingredients", "items"), list(foods)))
    text = rng.choice([f"For {w.article(dish)} you need {needs}.", f"To make {dish}, take {needs}."])
    if rng.random() < 0.6:
        text += f" It serves {people}."
        facts.append(Fact(("servings", "serves", "portions"), people))
    if rng.random() < 0.6:
        text += f" It takes {minutes} minutes."
        facts.append(Fact(("minutes", "time", "duration min"), minutes))
    return Scene(text, tuple(facts))


def town(rng: Random) -> Scene:
    """A city with its country, population and mayor."""
    name, country, count = w.city(rng), rng.choice(w.COUNTRIES), rng.randint(1, 900) * rng.choice([1000, 10000])
    mayor, sights, capital = f"{w.first_name(rng)} {w.last_name(rng)}", w.some(rng, w.PLACES, 1, 3), rng.random() < 0.4
    facts = [Fact(("city", "name", "town"), name), Fact(("country", "nation"), country)]
    text = f"{name} is {rng.choice(['a city', 'a town', 'a place'])} in {country}."
    if capital:
        text = f"{name} is the capital of {country}."
        facts.append(Fact(("capital", "is capital"), True))
    if rng.random() < 0.6:
        text += rng.choice([f" It has {count} inhabitants.", f" {count} people live there."])
        facts.append(Fact(("population", "inhabitants", "people"), count))
    if rng.random() < 0.4:
        text += f" The mayor is {mayor}."
        facts.append(Fact(("mayor", "mayor name"), mayor))
    if rng.random() < 0.4:
        text += f" Visit the {w.listed(sights)}."
        facts.append(Fact(("sights", "attractions", "landmarks"), list(sights)))
    return Scene(text, tuple(facts))


def order(rng: Random) -> Scene:
    """A customer's order with line items."""
    customer, paid = w.first_name(rng), rng.random() < 0.5
    goods = [
        (thing, rng.randint(1, 12), rng.randint(1, 200) + rng.choice([0.5, 0.95, 0.99, 0.25]))
        for thing in w.some(rng, w.THINGS, 1, 4)
    ]
    priced = rng.random() < 0.5
    rows: list[Facts] = []
    said: list[str] = []
    for thing, count, price in goods:
        row = [Fact(("product", "item", "name"), thing), Fact(("quantity", "count", "qty"), count)]
        noun = thing if count == 1 else f"{thing}s"
        said.append(f"{count} {noun} at {price} each" if priced else f"{count} {noun}")
        rows.append((*row, Fact(("price", "unit price"), price)) if priced else tuple(row))
    number = rng.randint(100, 9999)
    facts = [Fact(("customer", "client", "buyer"), customer), Fact(("items", "lines", "products"), list(rows))]
    text = rng.choice([f"{customer} orders {w.listed(said)}.", f"{customer} bought {w.listed(said)}."])
    if rng.random() < 0.4:
        text = f"Order {number}: {text}"
        facts.insert(0, Fact(("order id", "order number", "id"), number))
    if rng.random() < 0.5:
        text += " The order is paid." if paid else " The order is not paid yet."
        facts.append(Fact(("paid", "is paid"), paid))
    return Scene(text, tuple(facts))


def event(rng: Random) -> Scene:
    """A date in words that becomes ISO 8601, and a time."""
    what, place = (
        rng.choice(["party", "concert", "meeting", "lesson", "wedding", "picnic", "match", "fair"]),
        w.city(rng),
    )
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2020, 2030)
    clock = f"{rng.randint(7, 22):02}:{rng.choice(['00', '15', '30', '45'])}"
    guests = [w.first_name(rng) for _ in range(rng.randint(1, 4))]
    when = rng.choice([f"{day} {w.MONTHS[month - 1]} {year}", f"{w.MONTHS[month - 1]} {day}, {year}"])
    facts: list[Fact] = [
        Fact(("event", "title", "name"), what),
        Fact(("date", "day", "event date"), f"{year}-{month:02}-{day:02}"),
    ]
    text = f"The {what} is on {when}"
    if rng.random() < 0.5:
        text += f" at {clock}"
        facts.append(Fact(("time", "start time", "starts at"), clock))
    if rng.random() < 0.5:
        text += f" in {place}"
        facts.append(Fact(("place", "location", "city"), place))
    text += "."
    if rng.random() < 0.4:
        text += f" {w.listed(guests)} will come."
        facts.append(Fact(("guests", "people", "invited"), list(guests)))
    return Scene(text, tuple(facts))


def product(rng: Random) -> Scene:
    """A thing for sale; no discount is null."""
    thing, color, price = rng.choice(w.THINGS), rng.choice(w.COLORS), rng.randint(100, 99999) / 100
    rebate, stock = rng.choice([None, 5, 10, 20, 25, 50]), rng.random() < 0.5
    facts: list[Fact] = [
        Fact(("product", "name", "item"), thing),
        Fact(("color", "colour"), color),
        Fact(("price", "cost"), price),
    ]
    text = rng.choice([f"The {color} {thing} costs {price}", f"{w.article(color).capitalize()} {thing} for {price}"])
    if rng.random() < 0.5:
        text += f", {rebate} percent off" if rebate else ", no discount"
        facts.append(Fact(("discount", "rebate", "discount percent"), rebate))
    if rng.random() < 0.5:
        text += ", in stock" if stock else ", sold out"
        facts.append(Fact(("in stock", "available"), stock))
    return Scene(f"{text}.", tuple(facts))


def climate(rng: Random) -> Scene:
    """A weather report with negative and decimal numbers."""
    place, sky, humid = w.city(rng), rng.choice(w.WEATHER), rng.randint(5, 100)
    warmth = rng.randint(-20, 40) if rng.random() < 0.5 else rng.randint(-200, 400) / 10
    facts = [
        Fact(("city", "place", "location"), place),
        Fact(("condition", "weather", "sky"), sky),
        Fact(("temperature", "temp", "degrees"), warmth),
    ]
    text = rng.choice([f"It is {sky} in {place} at {warmth} degrees", f"{place} is {sky} today with {warmth} degrees"])
    if rng.random() < 0.4:
        text += f" and {humid} percent humidity"
        facts.append(Fact(("humidity", "humidity percent"), humid))
    return Scene(f"{text}.", tuple(facts))


def review(rng: Random) -> Scene:
    """An opinion whose polarity is a closed choice."""
    thing, mood = rng.choice(w.THINGS + w.DISHES), rng.choice(["positive", "negative", "neutral"])
    says = {
        "positive": [
            "I love this {}",
            "Great {}",
            "The {} is wonderful",
            "Best {} ever",
            "I am very happy with the {}",
        ],
        "negative": ["I hate this {}", "Terrible {}", "The {} broke at once", "Worst {} ever", "The {} is awful"],
        "neutral": [
            "The {} is okay",
            "An average {}",
            "The {} does its job",
            "It is just a {}",
            "Not good, not bad, this {}",
        ],
    }[mood]
    stars = {"positive": (4, 5), "negative": (1, 2), "neutral": (3, 3)}[mood]
    facts = [Fact(("sentiment", "mood", "opinion"), mood), Fact(("product", "subject", "topic"), thing)]
    if rng.random() < 0.5:
        facts.append(Fact(("stars", "rating", "score"), rng.randint(*stars), stated=False))
    face = {"positive": "😍", "negative": "😡", "neutral": "😐"}[mood] if rng.random() < 0.2 else ""
    return Scene(
        rng.choice(says).format(thing) + rng.choice(["", ".", "!"]) + (f" {face}" if face else ""), tuple(facts)
    )


def call(rng: Random) -> Scene:
    """A wish that becomes a tool call with arguments."""
    place, who, count = w.city(rng), w.first_name(rng), rng.randint(1, 90)
    a, b, tongue = rng.randint(1, 99), rng.randint(1, 99), rng.choice(w.LANGUAGES)
    room, on, unit = (
        rng.choice(["kitchen", "bedroom", "hall", "garden", "office"]),
        rng.random() < 0.5,
        rng.choice(["celsius", "fahrenheit"]),
    )
    sign, operation = rng.choice([("+", "add"), ("-", "subtract"), ("*", "multiply")])
    word = rng.choice(w.THINGS)
    name, text, arguments = rng.choice(
        [
            ("get_weather", f"What is the weather in {place} in {unit}?", {"city": place, "unit": unit}),
            ("get_weather", f"How is the weather in {place}?", {"city": place}),
            ("set_timer", f"Set a timer for {count} minutes", {"minutes": count}),
            ("send_message", f"Tell {who} that I am in {place}", {"to": who, "text": f"I am in {place}"}),
            ("call_person", f"Call {who}", {"name": who}),
            ("calculate", f"What is {a} {sign} {b}?", {"operation": operation, "a": a, "b": b}),
            ("set_light", f"Turn {'on' if on else 'off'} the light in the {room}", {"room": room, "on": on}),
            ("translate", f"Translate {word} to {tongue}", {"text": word, "language": tongue}),
            ("search", f"Search for a {word} in {place}", {"query": word, "city": place}),
            ("buy", f"Buy {count} {word}s", {"item": word, "quantity": count}),
        ]
    )
    inner = tuple(Fact((key,), value) for key, value in arguments.items())
    return Scene(text, (Fact(("name", "tool", "function"), name), Fact(("arguments", "args", "parameters"), inner)))


def attributes(rng: Random) -> Scene:
    """Arbitrary keys and values in one line, so that any key may be asked for."""
    keys = w.some(rng, w.KEYS, 1, 5)
    facts: list[Fact] = []
    for key in keys:
        value = rng.choice(
            [
                w.coined(rng),
                rng.choice(w.COLORS),
                rng.choice(w.THINGS),
                rng.randint(0, 999),
                rng.random() < 0.5,
                rng.randint(1, 999) / 10,
                rng.choice(w.EMOJI),
                None,
            ]
        )
        facts.append(Fact((key,), value))
    shown = {True: "yes", False: "no", None: "none"}
    said = [(fact.names[0], shown[v] if (v := fact.value) is None or isinstance(v, bool) else v) for fact in facts]
    link, comma = rng.choice([" = ", ": ", " is ", " "]), rng.choice([", ", "; ", " and "])
    return Scene(
        rng.choice(["", "", "A card with ", "Card: "]) + comma.join(f"{key}{link}{value}" for key, value in said),
        tuple(facts),
    )
