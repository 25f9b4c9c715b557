"""Sources with free text around documents: behind a trigger, or between tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from decodekit.errors import SchemaError
from decodekit.vocabulary import Vocabulary
from decodekit_json.around import Calls, Tagged, behind
from decodekit_json.compiled import Compiled
from decodekit_json.compiler import KEPT
from decodekit_json.machine import Thread, Threads
from decodekit_json.sources import SchemaSource, Source, blamed_on

_NUMBER_GOES_ON = frozenset("0123456789.eE+-")
_NUMBER_BEGINS = frozenset(b"-0123456789")


@dataclass(frozen=True, slots=True)
class AfterSource(Source):
    """Free text up to the first trigger, and from there on the texts of a source.

    Attributes:
        source: What comes behind the trigger.
        trigger: Where the free text ends.
    """

    source: Source
    trigger: str

    @property
    def alone(self) -> tuple[str, ...]:
        """Say what its source does."""
        return self.source.alone

    def threads(self, name: str) -> Threads:
        """Give the threads before the first byte."""
        return behind(self.trigger.encode(), self.source.threads(name))

    def compile(self, vocabulary: Vocabulary, width: int, name: str) -> Compiled:
        """Compile, or give what was compiled before."""
        return _compiled(self.threads(name), vocabulary, width, name)


@dataclass(frozen=True, slots=True)
class TagSource:
    """A document between two texts.

    Attributes:
        begin: What stands before it.
        document: The document.
        end: What stands behind it.
    """

    begin: str
    document: SchemaSource
    end: str


@dataclass(frozen=True, slots=True)
class CallsSource(Source):
    """Free text with tagged documents in it.

    Attributes:
        tags: The documents.
        triggers: Texts that only a tag may go on from.
        least: Fewest documents.
        most: Most documents, behind which the text ends; None without end.
    """

    tags: tuple[TagSource, ...]
    triggers: tuple[str, ...]
    least: int
    most: int | None

    @property
    def alone(self) -> tuple[str, ...]:
        """Say that of free text nothing else is followed."""
        return (
            "tagged documents stand in free text, of which nothing else can be asked",
            "put what the other asks of the documents into their schemas, or leave it out",
        )

    def threads(self, name: str) -> Threads:
        """Give the threads before the first byte."""
        documents: list[Thread] = []
        for tag in self.tags:
            with blamed_on(f"{name}: {tag.begin!r:.80}"):
                documents += tag.document.threads(name)

        def make() -> Calls:
            _check_triggers([tag.begin for tag in self.tags], self.triggers, name)
            _check_ends(self.tags, documents, name)
            tags = [
                Tagged(tag.begin.encode(), document, tag.end.encode())
                for tag, document in zip(self.tags, documents, strict=True)
            ]
            return Calls(tags, [trigger.encode() for trigger in self.triggers], self.least, self.most)

        around = tuple((tag.begin, tag.end) for tag in self.tags)
        return KEPT.get((around, self.triggers, self.least, self.most, *documents), make).start()

    def compile(self, vocabulary: Vocabulary, width: int, name: str) -> Compiled:
        """Compile, or give what was compiled before."""
        return _compiled(self.threads(name), vocabulary, width, name)


def _compiled(threads: Threads, vocabulary: Vocabulary, width: int, name: str) -> Compiled:
    key = (*threads, vocabulary.fingerprint, width, name)
    return KEPT.get(key, lambda: Compiled(threads, vocabulary, width, name))


def first_of(begins: Sequence[str]) -> tuple[str, ...]:
    """Give the beginnings that start with no other."""
    found: list[str] = []
    for begin in sorted(begins):  # behind a text come those that start with it
        if not found or not begin.startswith(found[-1]):
            found.append(begin)
    return tuple(found)


def _check_triggers(begins: Sequence[str], triggers: Sequence[str], name: str) -> None:
    """Refuse beginnings and triggers that cannot be told apart.

    Raises:
        SchemaError: For two equal beginnings, one without a trigger, a trigger without one, and a trigger in another.
    """
    twice, count = Counter(begins).most_common(1)[0]
    if count > 1:
        raise SchemaError(f"{name}: {count} tags begin with {twice!r}", hint="the text could not tell them apart")
    for begin in begins:
        if not begin.startswith(tuple(triggers)):
            raise SchemaError(f"{name}: the tag {begin!r} begins with none of the triggers {list(triggers)}")
    for trigger in triggers:
        if not any(begin.startswith(trigger) for begin in begins):
            raise SchemaError(f"{name}: no tag begins with the trigger {trigger!r}")
        within = next((other for other in triggers if other != trigger and trigger in other), None)
        if within is not None:
            raise SchemaError(
                f"{name}: the trigger {trigger!r} is in {within!r}, which could then never be written",
                hint="triggers that are no parts of one another",
            )


def _check_ends(tags: Sequence[TagSource], documents: Sequence[Thread], name: str) -> None:
    """Refuse what could be read in two ways.

    Raises:
        SchemaError: For a number with nothing behind it that says where it ends, and for a beginning that goes on from
            another as the other's document may begin.
    """
    for tag, document in zip(tags, documents, strict=True):
        first = frozenset(byte for byte in document.place.bytes() if document.step(byte))
        if first & _NUMBER_BEGINS and (not tag.end or tag.end[0] in _NUMBER_GOES_ON):
            raise SchemaError(
                f"{name}: behind the tag {tag.begin!r} a number may come, and the end {tag.end!r} does not show where "
                "it ends",
                hint='an end such as "</call>", or a schema of an object',
            )
        for other in tags:
            more = other.begin.removeprefix(tag.begin).encode()
            if other is not tag and other.begin.startswith(tag.begin) and more[0] in first:
                raise SchemaError(
                    f"{name}: the tag {other.begin!r} goes on from {tag.begin!r} as its document may begin",
                    hint="let beginnings end with what no name has, such as '>'",
                )


__all__ = ["AfterSource", "CallsSource", "TagSource", "first_of"]
