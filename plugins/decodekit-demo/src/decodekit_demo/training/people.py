"""Scenes about people, pets and toys; the kind of the demonstration prompt is `companion`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import words as w
from .facts import Fact, Facts, Scene

if TYPE_CHECKING:
    from random import Random

AGE = ("age", "years", "age in years")
HOBBY = ("hobby", "interest", "favorite activity", "pastime")
CITY = ("city", "home town", "lives in", "location")
JOB = ("job", "occupation", "profession", "work")


def name_facts(rng: Random, first: str, last: str | None, stated: bool = True) -> Facts:
    """A name in one field or in two."""
    if last is not None and rng.random() < 0.65:
        return (
            Fact(("first name", "given name", "name", "first"), first, stated),
            Fact(("last name", "family name", "surname", "last"), last, stated),
        )
    return (Fact(("name", "full name"), f"{first} {last}" if last is not None else first, stated),)


def years(rng: Random) -> int:
    """An age in years, all two-digit numbers equally common."""
    return rng.randint(1, 99) if rng.random() < 0.97 else rng.randint(100, 450)


def companion(rng: Random) -> Scene:
    """Say all but the name: "Describe my 33-year-old teddy bear who likes reading"."""
    being, age, hobby = rng.choice(w.BEINGS), years(rng), rng.choice(w.HOBBIES)
    first, last = w.first_name(rng), w.last_name(rng)
    named = rng.random() < 0.25
    trait = rng.choice(w.TRAITS) if rng.random() < 0.1 else None
    who = f"{age}-year-old {trait + ' ' if trait else ''}{being}"
    whose = rng.choice(["my"] * 16 + ["our", "the", "your", f"{w.first_name(rng)}'s"])
    likes = "who likes"
    if rng.random() < 0.25:
        likes = rng.choice(
            ["that likes", "who loves", "who enjoys", "fond of", "whose hobby is", "with a passion for", "who is into"]
        )
    facts: list[Fact] = list(name_facts(rng, first, last, stated=named))
    text = f"{whose} {who}"
    if named:
        called = f"{first} {last}" if len(facts) == 2 or facts[0].value != first else first
        text = rng.choice(
            [f"{called}, {text}", f"{text} {called}", f"{text} called {called}", f"{text} named {called}"]
        )
    parts = [Fact(AGE, age)]
    town = w.city(rng) if rng.random() < 0.1 else None
    if town:
        text += f" from {town}"
    if rng.random() < 0.92:
        text += f" {likes} {hobby}"
        parts.append(Fact(HOBBY, hobby))
    else:
        hobbies = w.some(rng, w.HOBBIES, 2, 3)
        text += f" {likes} {w.listed(hobbies)}"
        parts.append(Fact(("hobbies", "interests", "likes"), list(hobbies)))
    if town:
        parts.append(Fact(CITY, town))
    if trait:
        parts.append(Fact(("trait", "character", "personality"), trait))
    if rng.random() < 0.1:
        parts.append(Fact(("kind", "type", "species", "role"), being))
    opener = "Describe"
    if rng.random() < 0.3:
        opener = rng.choice(["Tell me about", "Write a card for", "Make a card for", "Introduce", "Card for", ""])
    text = f"{opener} {text}".strip()
    return Scene(text + ("." if rng.random() < 0.15 else ""), (*facts, *parts))


def person(rng: Random) -> Scene:
    """Statements about one person, in any order, with booleans, nulls and decimals."""
    first, last = w.first_name(rng), w.last_name(rng) if rng.random() < 0.75 else None
    age, town, job, hobby = years(rng), w.city(rng), rng.choice(w.JOBS), rng.choice(w.HOBBIES)
    height, married, kids = rng.randint(110, 209) / 100, rng.random() < 0.5, rng.randint(0, 7)
    mail = f"{first.lower()}@{w.coined(rng).lower()}.{rng.choice(['com', 'org', 'net', 'io'])}"
    hobbies, tongues = w.some(rng, w.HOBBIES, 2, 4), w.some(rng, w.LANGUAGES, 1, 3)
    pool: list[tuple[list[str], Fact]] = [
        ([f"is {age} years old", f"is {age}", f"just turned {age}"], Fact(AGE, age)),
        ([f"lives in {town}", f"comes from {town}"], Fact(CITY, town)),
        ([f"works as {w.article(job)}", f"is {w.article(job)}"], Fact(JOB, job)),
        ([f"likes {hobby}", f"loves {hobby}", f"enjoys {hobby}"], Fact(HOBBY, hobby)),
        ([f"is {height} m tall"], Fact(("height", "height m", "size"), height)),
        (["is married"] if married else ["is not married", "is single"], Fact(("married", "is married"), married)),
        (
            [f"has {w.NUMBERS[kids] if kids else 'no'} children", f"has {kids} children"],
            Fact(("children", "kids"), kids),
        ),
        ([f"has the email {mail}"], Fact(("email", "mail", "email address"), mail)),
        (["has no phone"], Fact(("phone", "phone number"), None)),
        ([f"likes {w.listed(hobbies)}"], Fact(("hobbies", "interests", "likes"), list(hobbies))),
        ([f"speaks {w.listed(tongues)}"], Fact(("languages", "speaks"), list(tongues))),
        ([f"was born in {2026 - age}"], Fact(("birth year", "born", "year of birth"), 2026 - age)),
    ]
    picked = rng.sample(pool, rng.randint(1, 5))
    clauses = [rng.choice(phrases) for phrases, _ in picked]
    subject = f"{first} {last}" if last else first
    half = len(clauses) if len(clauses) < 3 or rng.random() < 0.6 else 2
    text = f"{subject} {w.listed(clauses[:half])}."
    if clauses[half:]:
        text += f" {rng.choice([first, first, 'She', 'He', 'They'])} {w.listed(clauses[half:])}."
    return Scene(text, (*name_facts(rng, first, last), *(fact for _, fact in picked)))


def resident(rng: Random) -> Scene:
    """A person with a nested address."""
    first, last, town = w.first_name(rng), w.last_name(rng), w.city(rng)
    street, number, code = f"{rng.choice(w.STREETS)} Street", rng.randint(1, 250), f"{rng.randint(10000, 99999)}"
    place = [Fact(("street", "road"), street), Fact(("number", "house number"), number), Fact(("city", "town"), town)]
    where = rng.choice([f"{number} {street} in {town}", f"{number} {street}, {town}"])
    if rng.random() < 0.5:
        place.append(Fact(("zip", "postal code", "zip code"), code))
        where += f" {code}"
    age = years(rng)
    facts = [*name_facts(rng, first, last)]
    text = rng.choice([f"{first} {last} lives at {where}", f"The address of {first} {last} is {where}"])
    if rng.random() < 0.5:
        facts.append(Fact(AGE, age))
        text += f" and is {age} years old"
    return Scene(f"{text}.", (*facts, Fact(("address", "home"), tuple(place))))


def pet(rng: Random) -> Scene:
    """An animal with a nested owner."""
    animal, name, color, age = rng.choice(w.ANIMALS), w.first_name(rng), rng.choice(w.COLORS), rng.randint(1, 20)
    owner, owner_age, trained = w.first_name(rng), years(rng), rng.random() < 0.5
    facts = [Fact(("name", "pet name"), name), Fact(("species", "animal", "kind"), animal)]
    text = rng.choice([f"{name} is {w.article(color)} {animal}", f"My {color} {animal} is called {name}"])
    facts.append(Fact(("color", "fur color"), color))
    if rng.random() < 0.7:
        text += rng.choice([f", {age} years old", f" and is {age} years old"])
        facts.append(Fact(AGE, age))
    text += "."
    if rng.random() < 0.7:
        person_facts = [Fact(("name", "full name"), owner)]
        says = f" {rng.choice(['The', 'Its'])} owner is {owner}"
        if rng.random() < 0.6:
            says += f", who is {owner_age}"
            person_facts.append(Fact(AGE, owner_age))
        text += f"{says}."
        facts.append(Fact(("owner", "belongs to"), tuple(person_facts)))
    if rng.random() < 0.4:
        text += f" {name} is {'' if trained else 'not '}trained."
        facts.append(Fact(("trained", "is trained"), trained))
    return Scene(text, tuple(facts))


def team(rng: Random) -> Scene:
    """A group with a list of member objects."""
    title = f"{rng.choice(w.COLORS).capitalize()} {rng.choice(w.ANIMALS).capitalize()}s"
    members = [(w.first_name(rng), rng.choice(w.ROLES)) for _ in range(rng.randint(2, 4))]
    said = w.listed([f"{name} is the {role}" for name, role in members])
    people: list[Facts] = [(Fact(("name", "person"), name), Fact(("role", "position"), role)) for name, role in members]
    return Scene(
        f"In the team {title}, {said}.",
        (Fact(("team", "name", "team name"), title), Fact(("members", "people", "players"), list(people))),
    )
