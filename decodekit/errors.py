"""Every error and warning that decodekit raises on purpose.

Messages say what happened with the values, where (plugin, row, step), lowercase and without a full stop; what to do
goes into `hint`, which the traceback shows on a line of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from decodekit.results import Result


class DecodekitError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: What happened, with the values.
        hint: What the caller can do about it.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")


class RequestError(DecodekitError, ValueError):
    """A request that cannot be served as it stands; raised before the first forward pass."""


class PromptError(RequestError):
    """A prompt that is empty, too long, or not in the model's vocabulary."""


class UnknownTechniqueError(RequestError):
    """A technique or option that no installed plugin offers."""


class IncompatibleTechniquesError(RequestError):
    """Techniques that cannot be combined, or that the model cannot serve."""


class SchemaError(RequestError):
    """A schema or regular expression that is not valid."""


class UnsupportedSchemaError(SchemaError):
    """A schema with a keyword that the engine would not honour exactly; raised before the first forward pass.

    Args:
        message: What cannot be kept, with its value.
        keyword: The keyword; "" where whoever raises does not know it, `at` adds it.
        pointer: JSON pointer of the schema that has it, as a URI fragment.
        hint: What to write instead.
    """

    def __init__(self, message: str, *, keyword: str = "", pointer: str = "#", hint: str | None = None) -> None:
        super().__init__(f"{keyword} at {pointer}: {message}" if keyword else message, hint=hint)
        self.message, self.keyword, self.pointer = message, keyword, pointer

    def at(self, keyword: str, pointer: str) -> UnsupportedSchemaError:
        """Give the same error with its place, unless it has one."""
        if self.keyword:
            return self
        return UnsupportedSchemaError(self.message, keyword=keyword, pointer=pointer, hint=self.hint)


class UnsatisfiableSchemaError(SchemaError):
    """A schema or regular expression that no text satisfies, or none within the tokens that the request has.

    Args:
        message: What contradicts what.
        keyword: One of the keywords that contradict one another; "" where that is not known.
        pointer: JSON pointer of the schema that has it, as a URI fragment.
        hint: What to do.
    """

    def __init__(self, message: str, *, keyword: str = "", pointer: str = "#", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.keyword, self.pointer = keyword, pointer


class ModelError(DecodekitError):
    """A model that cannot be decoded with: not causal, without a usable forward pass, and so on."""


class PluginError(DecodekitError):
    """A plugin that is wrong: a broken registration, a name taken twice, a hook that returns something else."""


class GenerationError(DecodekitError, RuntimeError):
    """An error in the middle of generation.

    Attributes:
        results: What every request of the batch had generated when the error came up, in the order of the batch.
        where: In which rows and at which step, where that is known.
    """

    def __init__(self, message: str, *, hint: str | None = None, results: Sequence[Any] = ()) -> None:
        super().__init__(message, hint=hint)
        self.results: list[Result] = list(results)
        self.where = ""

    def locate(self, where: str) -> None:
        """Add to the message in which rows and at which step it happened, unless it says so already."""
        if not self.where:
            self.where = where
            self.args = (f"{self.args[0]} ({where})", *self.args[1:])


class blamed_on:  # noqa: N801  # reads like a sentence: with blamed_on("top_p"): …
    """Name the plugin whose piece raises inside of the block; a `DecodekitError` passes as it is.

    Args:
        name: Flat name of the technique.
        where: What it was doing or for whom, if that is known.
    """

    __slots__ = ("name", "where")

    def __init__(self, name: str, where: str = "") -> None:
        self.name = name
        self.where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, DecodekitError):
            where = f" ({self.where})" if self.where else ""
            raise GenerationError(f"{self.name} raised {type(error).__name__}: {error}{where}") from error


class DeadEndError(GenerationError):
    """A law without a single possible token."""


class GenerationInterrupted(KeyboardInterrupt):
    """Ctrl-C during generation; `results` holds what was generated until then.

    It is a `KeyboardInterrupt`, so a program that does not care about the texts ends as it would have.
    """

    def __init__(self, results: Sequence[Any]) -> None:
        super().__init__("interrupted; the texts so far are in .results")
        self.results: list[Result] = list(results)


class PluginWarning(UserWarning):
    """A plugin was left out because it does not load, or a drafter because it failed or reads no further."""


class SchemaWarning(UserWarning):
    """Something that a schema says, and that is not followed: an unknown dialect or format, a misspelt keyword."""


for _public in list(vars().values()):
    if isinstance(_public, type) and issubclass(_public, BaseException | Warning):
        _public.__module__ = "decodekit"
