"""The laws of prompts: a rewritten prompt still says what the user said, and is made without side effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from decodekit.techniques import Technique
from decodekit.testing.values import Snapshot, random_generators, same

Message = dict[str, Any]


class PromptLaws:
    """What every prompt technique must satisfy: pure, text stays text, a chat stays a chat, nothing said is lost.

    Attributes:
        make: Gives the technique.
        techniques: All techniques of the request that it is part of.
        texts: Prompts of text; braces in them are what they are and are never evaluated.
        chats: Prompts of chat messages.
    """

    make: ClassVar[Any]
    techniques: ClassVar[tuple[Technique, ...]] = ()
    texts: ClassVar[tuple[str, ...]] = ("What is 2 + 2?", "{{ 7 * 7 }} {% if x %}", "ein Bär\n\nund 🐻", "<|end|>")
    chats: ClassVar[tuple[tuple[Message, ...], ...]] = (
        ({"role": "user", "content": "What is {{ 2 + 2 }}?"},),
        (
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "1"},
            {"role": "user", "content": "Two?"},
        ),
    )

    def rewritten(self, prompt: str | list[Message]) -> Any:
        """Give what a newly made technique makes of a prompt."""
        return type(self).make()(prompt, {"techniques": self.techniques, "tokenizer": None})

    def prompts(self) -> list[Any]:
        """Give every prompt."""
        return [*self.texts, *([dict(message) for message in chat] for chat in self.chats)]

    def test_text_stays_text_and_a_chat_stays_a_chat(self) -> None:
        for prompt in self.prompts():
            given = self.rewritten(prompt)
            if isinstance(prompt, str):
                assert isinstance(given, str), f"a text became {given!r}"
            else:
                assert isinstance(given, list), f"a chat became {given!r}"
                assert given, "a chat became empty"
                wrong = [m for m in given if not (isinstance(m, dict) and isinstance(m.get("role"), str))]
                assert not wrong, f"not a message: {wrong[0]!r}"

    def test_nothing_that_was_said_is_lost(self) -> None:
        for prompt in self.prompts():
            given = self.rewritten(prompt)
            if isinstance(prompt, str):
                assert prompt.strip() in given, f"{prompt!r} is not in {given!r}"
            else:
                lost = _lost(prompt, given)
                assert not lost, f"not said any more, or in another order: {lost[0]!r}"

    def test_purity_inputs_are_not_edited_and_the_same_call_gives_the_same_prompt(self) -> None:
        for prompt in self.prompts():
            technique, generators = type(self).make(), random_generators()
            context = {"techniques": self.techniques, "tokenizer": None}
            watch = Snapshot(prompt=prompt, context=context)
            first, second = technique(prompt, context), technique(prompt, context)
            assert first == second, "the same prompt becomes two different ones"
            assert self.rewritten(prompt) == first, "what it makes of a prompt depends on prompts before"
            assert not watch.changed(), f"edited in place: {', '.join(watch.changed())}"
            assert same(generators, random_generators()), "a global random generator was used or seeded"


def _lost(before: Sequence[Message], after: Sequence[Message]) -> list[Message]:
    """List messages whose text does not stand, in this order, in messages of the same role."""
    rest = iter(after)
    return [m for m in before if not any(m["role"] == n["role"] and m["content"] in n["content"] for n in rest)]
