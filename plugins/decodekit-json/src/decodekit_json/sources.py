"""What a constraint is made of, as a value, and compiled for any vocabulary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from decodekit.errors import SchemaError, UnsatisfiableSchemaError
from decodekit.vocabulary import Vocabulary
from decodekit_json import compiler
from decodekit_json.compiled import Compiled
from decodekit_json.expressions import Node as Expression
from decodekit_json.fixed import fixed_texts
from decodekit_json.machine import End, Reading, Thread, Threads
from decodekit_json.plain_texts import plain_terminal
from decodekit_json.terminal import INFINITE, Terminal


class Source(ABC):
    """What a constraint is made of."""

    __slots__ = ()

    @property
    def alone(self) -> tuple[str, ...]:
        """Say why it is met with no other, and what to do instead; empty where it is met."""
        return ()

    @abstractmethod
    def threads(self, name: str) -> Threads:
        """Give the threads before the first byte, for any vocabulary."""

    @abstractmethod
    def compile(self, vocabulary: Vocabulary, width: int, name: str) -> Compiled:
        """Compile, or give what was compiled before."""


@dataclass(frozen=True, slots=True)
class SchemaSource(Source):
    """Documents of a JSON Schema.

    Attributes:
        schema: A dict, true or false.
        options: How it is read.
        documents: Other schemas by URI.
    """

    schema: Any
    options: compiler.Options
    documents: Mapping[str, Any] = field(default_factory=dict)

    def lowered(self, name: str) -> compiler.CompiledSchema:
        """Give the schema for any vocabulary."""
        return compiler.lowered(self.schema, self.options, self.documents, name)

    def threads(self, name: str) -> Threads:
        """Give the thread before the first byte."""
        return (self.lowered(name).start,)

    def compile(self, vocabulary: Vocabulary, width: int, name: str) -> Compiled:
        """Compile, or give what was compiled before."""
        return compiler.compiled(self.schema, self.options, self.documents, vocabulary, width, name)


@dataclass(frozen=True, slots=True)
class TextSource(Source):
    """Texts of an expression, or some of a list.

    Attributes:
        expression: The texts; None for a list.
        choices: The list.
    """

    expression: Expression | None = None
    choices: tuple[str, ...] = ()

    def threads(self, name: str) -> Threads:
        """Give the threads before the first byte."""
        if self.expression is not None and self.expression.low >= INFINITE:
            raise UnsatisfiableSchemaError(
                f"{name}: no text of it is short enough to be written", hint="ask for fewer repetitions"
            )
        return _beginning(self._terminal(), name)

    def compile(self, vocabulary: Vocabulary, width: int, name: str) -> Compiled:
        """Compile, or give what was compiled before."""

        def make() -> Compiled:
            return Compiled(self.threads(name), vocabulary, width, name)

        return compiler.KEPT.get((self, vocabulary.fingerprint, width, name), make)

    def _terminal(self) -> Terminal:
        if self.expression is not None:
            return plain_terminal(self.expression)
        return fixed_texts(text.encode() for text in self.choices)


@contextmanager
def blamed_on(name: str) -> Iterator[None]:
    """Begin the messages of schema errors with `name`."""
    try:
        yield
    except SchemaError as error:
        if not str(error).startswith(f"{name}:"):
            error.args = (f"{name}: {error}", *error.args[1:])
        raise


def _beginning(terminal: Terminal, name: str) -> Threads:
    """Give the threads before the first byte; where the empty text will do, one of them is at the end."""
    start = terminal.start()
    if start is None:
        raise UnsatisfiableSchemaError(f"{name}: no text satisfies it", hint="it contradicts itself: loosen it")
    return Reading(terminal, start).arrived(Thread(End(), None), None)


def choices_of(texts: Iterable[str], name: str) -> TextSource:
    """Give the source of a list of texts.

    Raises:
        SchemaError: For a text with a lone surrogate, which has no UTF-8.
    """
    kept = tuple(dict.fromkeys(texts))
    refuse_surrogates(kept, name)
    return TextSource(choices=kept)


def refuse_surrogates(texts: Iterable[str], name: str) -> None:
    """Refuse texts that have no UTF-8.

    Raises:
        SchemaError: For a text with a lone surrogate.
    """
    for text in texts:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise SchemaError(f"{name}: {text!r:.80} has a lone surrogate, which no text can have")


__all__ = ["SchemaSource", "Source", "TextSource", "blamed_on", "choices_of", "refuse_surrogates"]
