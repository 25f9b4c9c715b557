"""Models that users make by hand: numbers as they mean them, and what does not fit told in our own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from decodekit.errors import RequestError
from decodekit.faults import explain, hint
from decodekit.plain_values import check_plain


class CheckedMeta(type(BaseModel)):
    """Turns what pydantic raises where a user calls the class; models inside of others are told with their place."""

    if not TYPE_CHECKING:  # type checkers would take its signature for that of every model

        def __call__(cls, *args: Any, **fields: Any) -> Any:
            try:
                return super().__call__(*args, **fields)
            except ValidationError as error:
                name = getattr(cls, "name", "") or cls.__name__.lower()
                raise RequestError(explain(error, name), hint=hint(error, cls)) from error


class Checked(BaseModel, metaclass=CheckedMeta):
    """Frozen fields, and no others.

    Raises:
        RequestError: For a value that does not fit, or a field that there is not, with the nearest one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        return check_plain(value, cls.model_fields[info.field_name or ""].annotation)


__all__ = ["Checked", "CheckedMeta"]
