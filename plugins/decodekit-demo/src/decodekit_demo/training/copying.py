"""Short documents whose answers stand in their prompts word by word: the warm-up before the mixture.

An earlier model of this size, trained on a more varied mixture alone with AdamW, could not copy after 700 steps.
"""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

from . import words as w
from .documents import END_OF_TEXT, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator


def word(rng: Random) -> str:
    """A word that cannot be guessed: from any list, coined, or a number."""
    kind = rng.random()
    if kind < 0.25:
        return str(rng.randint(0, 9 if rng.random() < 0.3 else 99))
    if kind < 0.45:
        made = w.coined(rng)
        return made if rng.random() < 0.5 else made.lower()
    return rng.choice(rng.choice([w.HOBBIES, w.THINGS, w.FOODS, w.COLORS, w.FIRST, w.CITIES, w.KEYS, w.ANIMALS]))


def again(rng: Random) -> tuple[str, str]:
    """Random words, and the same words."""
    text = rng.choice([" ", ", "]).join(word(rng) for _ in range(rng.randint(2, 10)))
    return f"Repeat: {text}\n", text


def pairs(rng: Random) -> tuple[str, str]:
    """Keys with random values, and a card of some of them, in the order asked for."""
    keys = w.some(rng, w.KEYS, 1, 4)
    values = {key.replace(" ", "_"): int(v) if (v := word(rng)).isdecimal() else v for key in keys}
    asked = rng.sample(list(values), rng.randint(1, len(values)))
    said = ", ".join(f"{key}: {value}" for key, value in values.items())
    return f"{said}\nKeys: {', '.join(asked)}\n", json.dumps({key: values[key] for key in asked}, ensure_ascii=False)


def companion(rng: Random) -> tuple[str, str]:
    """The demonstration prompt without names, its hobby at times any word."""
    age, being = rng.randint(1, 99), rng.choice(w.BEINGS)
    hobby = rng.choice(w.HOBBIES) if rng.random() < 0.6 else f"{word(rng)} {word(rng)}"
    made = {"age": age, "hobby": hobby} if rng.random() < 0.8 else {"hobby": hobby, "age": age}
    asked = f"Keys: {', '.join(made)}\n" if rng.random() < 0.7 else ""
    return f"Describe my {age}-year-old {being} who likes {hobby}\n{asked}", json.dumps(made, ensure_ascii=False)


def copies(seed: int) -> Iterator[list[Piece]]:
    """An endless stream of short documents, the same for the same seed."""
    rng = Random(seed)
    while True:
        prompt, answer = rng.choices([again, pairs, companion], [45, 20, 35])[0](rng)
        yield [Piece(prompt, answer=False), Piece(answer + END_OF_TEXT, answer=True)]
