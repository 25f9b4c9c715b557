"""Short stories from a small grammar, and tasks whose answer repeats the prompt; they surprise nobody twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import words as w
from .cards import Task, scene

if TYPE_CHECKING:
    from random import Random


def story(rng: Random, hero: str | None = None, kind: str | None = None) -> str:
    """Six to twelve simple sentences about a hero, a lost or found thing, a helper and an end."""
    kind = kind or rng.choice(
        [*w.ANIMALS, "boy", "girl", "robot", "wizard", "teddy bear", "dragon", "princess", "farmer"]
    )
    hero, friend = hero or w.first_name(rng), w.first_name(rng)
    helper, place, other = rng.choice(w.ANIMALS), rng.choice(w.PLACES), rng.choice(w.PLACES)
    thing, trait, color, food = rng.choice(w.THINGS), rng.choice(w.TRAITS), rng.choice(w.COLORS), rng.choice(w.FOODS)
    hobby, day = rng.choice(w.HOBBIES), rng.choice(w.DAYS)
    start = rng.choice(
        [
            f"Once upon a time there was {w.article(trait)} {kind} named {hero}.",
            f"Once upon a time, {w.article(trait)} {kind} called {hero} lived near the {place}.",
            f"Once upon a time, in a small {place}, there lived {w.article(kind)} named {hero}.",
            f"Long ago, {w.article(kind)} named {hero} lived in the {place}.",
            f"There once was {w.article(trait)} {kind}. The name of the {kind} was {hero}.",
            f"One day {hero} the {kind} woke up early.",
        ]
    )
    middle = rng.sample(
        [
            f"{hero} loved {hobby} more than anything else.",
            f"Every {day}, {hero} went to the {place} to eat {food}.",
            f"{hero} had {w.article(color)} {thing} and took it everywhere.",
            f"Everyone in the {place} liked {hero}.",
            f"The sun was warm and the sky was {rng.choice(['blue', 'clear', 'bright', 'pink'])}.",
            f"{hero} was not afraid of the dark {other}.",
            f'"I want to see the {other}," said {hero}.',
        ],
        rng.randint(1, 3),
    )
    trouble, solved = rng.choice(
        [
            (
                [
                    f"One day, the {color} {thing} was gone.",
                    f"{hero} looked in the {place} and in the {other}, but could not find it.",
                    f"{hero} was very sad.",
                ],
                [f'"I found your {thing}," said {friend}.', f"{friend} gave the {thing} back, and {hero} laughed."],
            ),
            (
                [f"On {day}, {hero} met {w.article(helper)} named {friend}.", f"{friend} was hungry and cold."],
                [f"{hero} shared the {food} with {friend}.", f"After that, {friend} felt much better."],
            ),
            (
                [f"One night, a big storm came to the {place}.", f"The wind blew the {thing} into the {other}."],
                [f"{hero} and {friend} walked all night.", f"In the morning they found the {thing} under a tree."],
            ),
            (
                [f"One morning, {hero} got lost in the {other}.", f"{hero} called for help, but nobody came."],
                [f"Then {w.article(helper)} came by. It was {friend}.", f"{friend} showed {hero} the way home."],
            ),
            (
                [
                    f"Then {friend} the {helper} came to the {place}.",
                    f'"Can you help me find my {thing}?" asked {friend}.',
                ],
                [f'"Of course," said {hero}.', f"They looked everywhere and found it in the {other}."],
            ),
        ]
    )
    end = rng.choice([
        f"From that day on, {hero} and {friend} were friends.", "And they all lived happily ever after.",
        f"That evening they ate {food} together and told stories.", f"{hero} went to sleep with a smile. The end.",
        f"{hero} learned that a friend is worth more than {w.article(thing)}.",
    ])  # fmt: skip
    return " ".join([start, *middle, *trouble, *solved, end])


def tell(rng: Random) -> Task:
    """A request for a story, with or without its hero."""
    hero, kind = w.first_name(rng), rng.choice(w.ANIMALS)
    if rng.random() < 0.6:
        ask = rng.choice(
            [
                "Tell me a story about {} named {}.",
                "Write a short story about {} called {}.",
                "A story about {} named {}:",
                "Tell a story of {} named {}",
            ]
        )
        return Task(ask.format(w.article(kind), hero), story(rng, hero, kind))
    return Task(
        rng.choice(["Tell me a story.", "Write a short story.", "Story:", "Tell me a bedtime story."]), story(rng)
    )


def passage(rng: Random) -> str:
    """A few sentences to repeat or to quote."""
    if rng.random() < 0.4:
        sentences = story(rng).split(". ")
        start = rng.randrange(max(1, len(sentences) - 3))
        return ". ".join(sentences[start : start + rng.randint(1, 4)]).rstrip(".") + "."
    return " ".join(scene(rng).text for _ in range(rng.randint(1, 3)))


def repeat(rng: Random) -> Task:
    """The paragraph again, quoted, twice, or with one name replaced."""
    text = passage(rng)
    form = rng.random()
    if form < 0.55:
        ask = rng.choice(
            ["Repeat: {}", "Repeat this text: {}", "Copy: {}", "Say this again: {}", "Quote the text: {}", "{}\nAgain:"]
        )
        return Task(ask.format(text), text)
    if form < 0.65:
        return Task(f"Say it twice: {text}", f"{text} {text}")
    if form < 0.8:
        return Task(rng.choice([f"Put in quotes: {text}", f"Quote: {text}"]), f"“{text}”")
    old, new = w.first_name(rng), w.first_name(rng)
    tale = ". ".join(story(rng, old).split(". ")[: rng.randint(1, 4)]).rstrip(".") + "."
    return Task(f"Replace {old} with {new}: {tale}", tale.replace(old, new))
