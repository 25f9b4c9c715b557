"""Models that users make by hand: numbers as they mean them, and what does not fit told in our own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, dataclass_transform

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, ValidationInfo, field_validator

from decodekit.errors import DecodekitError, RequestError
from decodekit.faults import explain, hint
from decodekit.plain_values import check_plain


@dataclass_transform(kw_only_default=False, frozen_default=True, field_specifiers=(Field, PrivateAttr))
class CheckedMeta(type(BaseModel)):
    """Turns what pydantic raises where a user calls the class; models inside of others are told with their place.

    Type checkers learn from it that fields may be given in order: `TopP(0.9)`.
    """

    if not TYPE_CHECKING:  # type checkers would take its signature for that of every model

        def __call__(cls, *args: Any, **fields: Any) -> Any:
            try:
                return super().__call__(**_in_order(cls, args, fields), **fields)
            except ValidationError as error:
                causes = [fault.get("ctx", {}).get("error") for fault in error.errors(include_url=False)]
                if own := next((cause for cause in causes if isinstance(cause, DecodekitError)), None):
                    raise own from None
                raise RequestError(explain(error, _called(cls)), hint=hint(error, cls)) from error


class Checked(BaseModel, metaclass=CheckedMeta):
    """Frozen fields, by name or in order, and no others.

    Raises:
        RequestError: For a value that does not fit, or a field that there is not, with the nearest one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        return check_plain(value, cls.model_fields[info.field_name or ""].annotation)


def _in_order(cls: type[BaseModel], args: tuple[Any, ...], fields: dict[str, Any]) -> dict[str, Any]:
    """Give what was given without a name under the fields' names.

    Raises:
        RequestError: For more values than fields, or a field that was given by name as well.
    """
    if not args:
        return {}
    aliases = {name: info.alias or name for name, info in cls.model_fields.items()}
    names = list(aliases.values())
    if len(args) > len(names):
        raise RequestError(
            f"{_called(cls)}: {len(args)} values, and there are {len(names)} fields",
            hint=f"its fields are {', '.join(names)}" if names else None,
        )
    found = dict(zip(names, args, strict=False))
    twice = sorted(found.keys() & {aliases.get(name, name) for name in fields})
    if twice:
        raise RequestError(f"{_called(cls)}: {' and '.join(twice)} given in order and by name as well")
    return found


def _called(cls: type[BaseModel]) -> str:
    return getattr(cls, "name", "") or cls.__name__.lower()


__all__ = ["Checked", "CheckedMeta"]
