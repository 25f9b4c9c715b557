"""From a schema to a constraint, with what was compiled before reused."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from decodekit.errors import RequestError, SchemaError, UnsupportedSchemaError
from decodekit.schemas import SchemaLike, load_schema
from decodekit.vocabulary import Vocabulary
from decodekit_json.before import Value
from decodekit_json.compiled import Compiled
from decodekit_json.dialects import DRAFTS
from decodekit_json.handed import JOINT
from decodekit_json.located import Documents
from decodekit_json.lowering import Lowering
from decodekit_json.machine import End, Thread
from decodekit_json.nodes import Node, Nodes
from decodekit_json.remarks import Remark, remarks, tell
from decodekit_json.survey import Survey
from decodekit_json.terminal import INFINITE
from decodekit_json.whitespace import Policy, Whitespace, check_policy

KeyOrder = Literal["schema", "any"]
_KEPT = 256


@dataclass(frozen=True, slots=True)
class Options:
    """How a schema is to be read.

    Attributes:
        key_order: "schema": keys that the schema names come in its order; "any": in any order.
        whitespace: "flexible", "compact", or the spaces of a level.
        formats: Whether `format` is asserted; otherwise it is an annotation.
        unsupported: "refuse" a keyword that cannot be kept exactly, or "check" it at the end.
        draft: What the schema is where it has no `$schema`, or one of which nothing is known: "4", "6", "7",
            "2019-09", "2020-12"; "" reads it as 2020-12 with the older spellings too.
        typed: Whether a type reads the documents, which then checks formats that nobody else knows.
    """

    key_order: KeyOrder = "schema"
    whitespace: Policy = "flexible"
    formats: bool = False
    unsupported: Literal["refuse", "check"] = "refuse"
    draft: str = ""
    typed: bool = field(default=False, compare=False)


@dataclass(slots=True)
class CompiledSchema:
    """A schema that was lowered, for any vocabulary; it grows as documents are written.

    Attributes:
        root: What the document must satisfy.
        start: The thread before the first byte.
        loosened: What is not kept while writing, and has to be checked at the end.
        remarks: What it says and is not followed.
    """

    root: Node
    start: Thread
    loosened: list[UnsupportedSchemaError] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def lower(schema: Any, options: Options, documents: Mapping[str, Any] | None = None) -> CompiledSchema:
    """Lower a schema as far as its first byte needs, and as far as something of it can be refused.

    Raises:
        SchemaError: For a schema that is not valid.
        UnsupportedSchemaError: For a keyword that cannot be kept exactly.
        UnsatisfiableSchemaError: Where no document satisfies it.
    """
    if options.draft and options.draft not in DRAFTS:
        raise SchemaError(f"unknown draft {options.draft!r}", hint=f"drafts are {', '.join(DRAFTS)}")
    loosened: list[UnsupportedSchemaError] = []

    def loosen(error: UnsupportedSchemaError) -> bool:
        loosened.append(error)
        return True

    found = Documents(schema, documents, options.draft)
    lowering = Lowering(found, options.formats, loosen if options.unsupported == "check" else None)
    nodes = Nodes(lowering, options.key_order == "any")
    try:
        survey = Survey(found, options.formats)
        root = nodes.node(frozenset([(found.root, True)]))
        survey.walk(root)
        if root.distance >= INFINITE:
            from decodekit_json.blame import blame

            raise blame(root)
    except RecursionError:
        raise UnsupportedSchemaError(
            "the schema nests too deeply, or items that must differ contain themselves",
            hint="at most about 100 schemas inside one another can be read; leave uniqueItems out where items recur",
        ) from None
    start = Thread(Value(root, 0, 0, Whitespace(options.whitespace)), Thread(End(), None))
    return CompiledSchema(root, start, loosened, remarks(found, survey.schemas, options.formats and not options.typed))


class _Kept:
    """The schemas that were used last."""

    def __init__(self) -> None:
        self._found: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._found.clear()

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        made = make()
        with self._lock:
            found = self._found.setdefault(key, made)
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
        return found


KEPT = _Kept()
"""What was compiled, by what it was compiled from."""


def compile(
    schema: SchemaLike,
    vocabulary: Vocabulary,
    *,
    width: int | None = None,
    documents: Mapping[str, Any] | None = None,
    key_order: KeyOrder = "schema",
    whitespace: Policy = "flexible",
    formats: bool = False,
    unsupported: Literal["refuse", "check"] = "refuse",
    draft: str = "",
    name: str = "json_schema",
    parse: Callable[[str], Any] | None = None,
) -> Compiled:
    """Compile a schema for a vocabulary; the same schema again gives what was compiled before.

    Args:
        schema: What `json_schema` takes: a dict, true or false; JSON text; a path; a type that pydantic understands.
        vocabulary: The tokens.
        width: Width of the model's logits; by default the vocabulary's size.
        documents: Other schemas by URI, for `$ref`.
        key_order: See `Options`, as the next four.
        whitespace: "flexible", "compact", or the spaces of a level.
        formats: Whether `format` is asserted.
        unsupported: "refuse" or "check".
        draft: The draft where the schema has no `$schema`, or one of which nothing is known.
        name: What to call it in messages.
        parse: Turns a complete text into the result; by default the type does, or `json.loads`.

    Raises:
        SchemaError: For a schema that is not valid.
        UnsupportedSchemaError: For a keyword that cannot be kept exactly.
        UnsatisfiableSchemaError: Where no document satisfies it, or none in tokens of this vocabulary.
        RequestError: For something else than a vocabulary, and for an option that there is not.

    Warns:
        SchemaWarning: Of what the schema says and is not followed; once for each schema.
    """
    chosen = Options(key_order, whitespace, formats, unsupported, draft)
    _refuse_options(chosen, name)
    loaded, read = (schema, json.loads) if isinstance(schema, list) else load_schema(schema, name)  # refused below
    if not isinstance(vocabulary, Vocabulary):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RequestError(
            f"{name}: the vocabulary is {type(vocabulary).__name__}, not decodekit.Vocabulary",
            hint="Vocabulary.from_tokenizer(tokenizer)",
        )
    width = vocabulary.size if width is None else width
    parse = parse or (None if read is json.loads else read)
    return compiled(loaded, chosen, documents, vocabulary, width, name, parse)


def _refuse_options(options: Options, name: str) -> None:
    known: dict[str, tuple[Any, ...]] = {
        "key_order": ("schema", "any"),
        "formats": (True, False),
        "unsupported": ("refuse", "check"),
    }
    for option, values in known.items():
        if getattr(options, option) not in values:
            wanted = " or ".join(map(repr, values))
            raise RequestError(f"{name}: {option} is {wanted}, got {getattr(options, option)!r:.80}")
    try:
        check_policy(options.whitespace)
    except ValueError as error:
        raise RequestError(f"{name}: whitespace={options.whitespace!r:.80}: {error}") from None


def compiled(
    schema: Any,
    options: Options,
    documents: Mapping[str, Any] | None,
    vocabulary: Vocabulary,
    width: int,
    name: str,
    parse: Callable[[str], Any] | None = None,
) -> Compiled:
    """Do what `compile` does, with its options as one."""
    text = _text(schema, documents, name)

    def make() -> Compiled:
        found = _lowered(text, options, documents, name)
        made = Compiled(found.start, vocabulary, width, name, parse or json.loads)
        made.lowered = found
        return made

    return KEPT.get((text, options, vocabulary.fingerprint, width, name, parse), make)


def lowered(schema: Any, options: Options, documents: Mapping[str, Any], name: str) -> CompiledSchema:
    """Give what `lower` gives, or gave before."""
    return _lowered(_text(schema, documents, name), options, documents, name)


def _lowered(text: str, options: Options, documents: Mapping[str, Any] | None, name: str) -> CompiledSchema:
    def make() -> CompiledSchema:
        found = lower(_read(text, name), options, documents)
        if JOINT not in text:  # of its parts each was told before
            tell(name, found.remarks)
        return found

    return KEPT.get((text, options), make)


def _too_deep(name: str) -> UnsupportedSchemaError:
    hint = "fewer than about 100 schemas inside one another can be read"
    return UnsupportedSchemaError(f"{name}: the schema nests too deeply", hint=hint)


def _read(text: str, name: str) -> Any:
    try:
        return json.loads(text)[0]
    except RecursionError:
        raise _too_deep(name) from None


def _text(schema: Any, documents: Mapping[str, Any] | None, name: str) -> str:
    try:
        return json.dumps([schema, documents or {}], allow_nan=False)
    except RecursionError:
        raise _too_deep(name) from None
    except (TypeError, ValueError) as error:
        raise SchemaError(f"{name}: the schema is not JSON: {error}") from error


__all__ = ["KEPT", "CompiledSchema", "KeyOrder", "Options", "compile", "compiled", "lower", "lowered"]
