"""Sentence <-> JSON card pairs: which scenes exist, how often, and in which forms a pair is asked for and answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import people, things
from . import words as w
from .facts import Json, KeyStyle, Scene, dumps, key_style, select, to_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

KINDS: dict[Callable[[Random], Scene], int] = {
    people.companion: 120, people.person: 20, people.resident: 5, people.pet: 6, people.team: 4, things.animal: 5,
    things.book: 6, things.recipe: 5, things.town: 5, things.order: 7, things.event: 5, things.product: 4,
    things.climate: 4, things.review: 4, things.call: 7, things.attributes: 9,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """Something to ask and its answer; `joint` says what stands between them in running text."""

    prompt: str
    answer: str
    joint: str = "\n"


def scene(rng: Random) -> Scene:
    """A scene of a random kind."""
    return rng.choices(list(KINDS), list(KINDS.values()))[0](rng)


def card(rng: Random, of: Scene) -> dict[str, Json]:
    """The card of a scene, with some of its fields in some style."""
    made = to_json(select(rng, of.facts), key_style(rng))
    assert isinstance(made, dict)  # facts always make an object
    return made


def to_card(rng: Random) -> Task:
    """Sentence to JSON, at times with the wanted keys, at times without any separator."""
    of = scene(rng)
    made = card(rng, of)
    text = of.text
    if rng.random() < 0.6:
        keys = ", ".join(made)
        text += rng.choices(
            [f"\nKeys: {keys}", f"\nFields: {keys}", f" (keys: {keys})", f" with the keys {w.listed(list(made))}"],
            [85, 5, 5, 5],
        )[0]
    elif rng.random() < 0.15:
        text = rng.choice([f"Write JSON: {text}", f"Make a JSON card: {text}", f"To JSON: {text}", f"Sentence: {text}"])
    joint = rng.choices(["\n", "", " ", "\nJSON:", "\nJSON:\n", " -> ", "\nAnswer: "], [72, 10, 4, 4, 4, 3, 3])[0]
    return Task(text, dumps(rng, made), joint)


def to_sentence(rng: Random) -> Task:
    """JSON to the sentence that states it."""
    of = scene(rng)
    made = to_json(tuple(fact for fact in of.facts if fact.stated), key_style(rng))
    ask = rng.choice(["", "In words: ", "Say it in words: ", "Describe this card: ", "Sentence for "])
    return Task(ask + dumps(rng, made), of.text, rng.choice(["\n", "\n", "\nSentence: ", " -> "]))


def question(rng: Random) -> Task:
    """A question about one field of a sentence or card; the answer is the bare value."""
    of = scene(rng)
    style = KeyStyle("plain", 0)
    known = [fact for fact in of.facts if fact.stated and not isinstance(fact.value, tuple | list)] or list(
        of.facts[:1]
    )
    fact = rng.choice(known)
    context = of.text if rng.random() < 0.6 else dumps(rng, to_json(of.facts, key_style(rng)))
    answer = _plain(to_json(fact.value, style))
    ask = rng.choice(["What is the {}?", "Which {}?", "Question: what is the {}?", "Give the {}."]).format(
        fact.names[0]
    )
    return Task(f"{context}\n{ask}", answer, rng.choice(["\n", "\nAnswer: "]))


def _plain(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(_plain(item) for item in value.values())
    return {True: "yes", False: "no", None: "none"}[value] if value is None or isinstance(value, bool) else str(value)


def string_list(rng: Random) -> Task:
    """Enumerations to JSON arrays of strings or numbers."""
    name, pool = rng.choice(
        [
            ("fruits and foods", w.FOODS),
            ("animals", w.ANIMALS),
            ("colors", w.COLORS),
            ("hobbies", w.HOBBIES),
            ("cities", w.CITIES),
            ("jobs", w.JOBS),
            ("things", w.THINGS),
            ("names", w.FIRST),
        ]
    )
    if rng.random() < 0.25:
        count = rng.randint(2, 6)
        ask = f"{rng.choice(['Name', 'List', 'Give me'])} {rng.choice([w.NUMBERS[count], str(count)])} {name}"
        return Task(ask, dumps(rng, list(w.some(rng, pool, count, count))))
    items: list[Json] = list(w.some(rng, pool, 1, 6))
    if rng.random() < 0.2:
        name = "numbers"
        items = [
            rng.randint(0, 999) if rng.random() < 0.7 else rng.randint(0, 99) / 10 for _ in range(rng.randint(1, 6))
        ]
    said = w.listed([str(item) for item in items])
    ask = rng.choice(
        [f"List the {name}: {said}", f"{said}", f"Array of {name}: {said}", f"I see these {name}: {said}."]
    )
    return Task(ask, dumps(rng, items))


def edit(rng: Random) -> Task:
    """Change, add or remove one field of a card; most of the answer stands in the prompt."""
    of = scene(rng)
    old = card(rng, of)
    new = dict(old)
    key = rng.choice(list(old))
    value = old[key]
    if len(old) > 1 and rng.random() < 0.3:
        del new[key]
        ask = f"Remove {key}"
    else:
        if isinstance(value, bool):
            new[key] = not value
        elif isinstance(value, int):
            new[key] = rng.randint(0, 99)
        elif isinstance(value, str):
            new[key] = rng.choice([w.coined(rng), rng.choice(w.HOBBIES), rng.choice(w.FIRST)])
        else:
            key, new = "note", {**old, "note": w.coined(rng)}
        ask = f"Set {key} to {_plain(new[key])}"
    state = rng.getstate()
    before = dumps(rng, old)
    rng.setstate(state)
    return Task(f"{ask}: {before}", dumps(rng, new))
