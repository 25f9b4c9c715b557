"""From tasks to training documents: plain text, few-shot lists, chats; each a list of (text, is it an answer)."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from .cards import Task, edit, question, string_list, to_card, to_sentence
from .stories import repeat, story, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

END_OF_TEXT, SYSTEM, USER, ASSISTANT, END = "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL = (END_OF_TEXT, SYSTEM, USER, ASSISTANT, END)
TASKS = {to_card: 72, to_sentence: 4, question: 4, string_list: 4, edit: 3, tell: 5, repeat: 8}


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that is encoded on its own; an answer has full weight in the loss, a prompt has less."""

    text: str
    answer: bool


def task(rng: Random) -> Task:
    """A task of a random kind."""
    return rng.choices(list(TASKS), list(TASKS.values()))[0](rng)


def document(rng: Random) -> list[Piece]:
    """One document; its last piece ends the text."""
    form = rng.choices(["plain", "chat", "shots", "story"], [65, 23, 1, 11])[0]
    if form == "story":
        return [Piece(story(rng) + END_OF_TEXT, answer=True)]
    if form == "chat":
        return _chat(rng)
    if form == "shots":
        kind = rng.choice([to_card, to_card, question, to_sentence])
        tasks = [kind(rng) for _ in range(rng.choice([2, 3, 4, 8]))]
        joint = rng.choice(["\n", " -> ", "\nAnswer: "])
        gap = rng.choice(["\n\n", "\n"])
        pieces = [
            Piece(text, answer)
            for one in tasks
            for text, answer in ((f"{one.prompt}{joint}".rstrip(" "), False), (f"{one.answer}{gap}", True))
        ]
        return [*pieces[:-1], Piece(tasks[-1].answer + END_OF_TEXT, answer=True)]
    one = task(rng)
    # A prompt that ends in a space would split the answer's first token differently from running text.
    joint, lead = (one.joint[:-1], " " if rng.random() < 0.5 else "") if one.joint.endswith(" ") else (one.joint, "")
    return [Piece(one.prompt + joint, answer=False), Piece(lead + one.answer + END_OF_TEXT, answer=True)]


def _chat(rng: Random) -> list[Piece]:
    pieces: list[Piece] = []
    if rng.random() < 0.15:
        says = rng.choice(
            ["You are a helpful assistant.", "You answer with JSON.", "Be brief.", "You write cards.", "Be kind."]
        )
        pieces.append(Piece(f"{SYSTEM}{says}{END}", answer=False))
    for _ in range(rng.choices([1, 2, 3, 6], [92, 5, 2, 1])[0]):
        one = task(rng)
        pieces += [Piece(f"{USER}{one.prompt}{END}{ASSISTANT}", answer=False), Piece(f"{one.answer}{END}", answer=True)]
    return [*pieces[:-1], Piece(pieces[-1].text + END_OF_TEXT, answer=True)]


def documents(seed: int) -> Iterator[list[Piece]]:
    """An endless stream of documents, the same for the same seed."""
    rng = Random(seed)
    while True:
        yield document(rng)
