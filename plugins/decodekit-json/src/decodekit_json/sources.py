"""What a constraint is made of, as a value: compiled for any vocabulary, and met with another exactly or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from decodekit.errors import SchemaError, UnsatisfiableSchemaError
from decodekit.vocabulary import Vocabulary
from decodekit_json import compiler
from decodekit_json.compiled import Compiled
from decodekit_json.expressions import Node as Expression
from decodekit_json.expressions import both
from decodekit_json.fixed import fixed_texts
from decodekit_json.machine import End, Reading, Thread, Threads
from decodekit_json.strings import plain_terminal
from decodekit_json.terminal import Terminal
from decodekit_json.texts import matches
from decodekit_json.whitespace import MOST_SPACES

_JOINT = "urn:decodekit:joint:"


class Source(Protocol):
    """What a constraint is made of."""

    def threads(self, name: str) -> Threads:
        """Give the threads before the first byte, for any vocabulary."""
        ...

    def compile(self, vocabulary: Vocabulary, width: int, name: str) -> Compiled:
        """Compile, or give what was compiled before."""
        ...

    def meet(self, other: Source) -> Source | None:
        """Give the texts of both, exactly; None where that is not possible."""
        ...


@dataclass(frozen=True, slots=True)
class SchemaSource:
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

    def meet(self, other: Source) -> SchemaSource | None:
        """Give the documents that satisfy both, where both are read in the same way; None elsewhere.

        Keys keep the order of the schema that names them; those of the two may mix.
        """
        if not isinstance(other, SchemaSource):
            return None
        policies = {self.options.whitespace, other.options.whitespace} - {"flexible"}
        whitespace = policies.pop() if policies else "flexible"
        if policies or (isinstance(whitespace, int) and whitespace > MOST_SPACES and self.options != other.options):
            return None  # two policies that have hardly a text in common
        ours, theirs = (replace(source.options, whitespace=whitespace) for source in (self, other))
        shared = self.documents.keys() & other.documents.keys()
        if ours != theirs or any(self.documents[uri] != other.documents[uri] for uri in shared):
            return None
        parts = {f"{_JOINT}{_place(source)}": source.schema for source in (self, other)}
        whole = {"allOf": [{"$ref": uri} for uri in parts]}
        return SchemaSource(whole, ours, {**self.documents, **other.documents, **parts})


@dataclass(frozen=True, slots=True)
class TextSource:
    """Texts of an expression, or some of a list.

    Attributes:
        expression: The texts; None for a list.
        choices: The list.
    """

    expression: Expression | None = None
    choices: tuple[str, ...] = ()

    def threads(self, name: str) -> Threads:
        """Give the threads before the first byte."""
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

    def meet(self, other: Source) -> TextSource | None:
        """Give the texts of both; None where the other is not of this kind."""
        if not isinstance(other, TextSource):
            return None
        if self.expression is not None and other.expression is not None:
            return TextSource(both(self.expression, other.expression))
        few, test = (other, self) if self.expression is not None else (self, other)
        return TextSource(choices=tuple(text for text in few.choices if test.has(text)))

    def has(self, text: str) -> bool:
        """Say whether a text is one of them."""
        return text in self.choices if self.expression is None else matches(self.expression, text)


@contextmanager
def blamed_on(name: str) -> Iterator[None]:
    """Begin the messages of schema errors with `name`."""
    try:
        yield
    except SchemaError as error:
        if not str(error).startswith(f"{name}:"):
            error.args = (f"{name}: {error}", *error.args[1:])
        raise


def _place(source: SchemaSource) -> str:
    from hashlib import blake2b

    return blake2b(json.dumps(source.schema, sort_keys=True).encode(), digest_size=12).hexdigest()


def _beginning(terminal: Terminal, name: str) -> Threads:
    """Give the threads before the first byte; where the empty text will do, one of them is at the end."""
    start = terminal.start()
    if start is None:
        raise UnsatisfiableSchemaError(f"{name}: no text satisfies it", hint="it contradicts itself: loosen it")
    return Reading(terminal, start).reached(start, Thread(End(), None), None)


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
