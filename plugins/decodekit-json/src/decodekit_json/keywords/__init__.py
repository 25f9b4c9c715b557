"""What each keyword asks of a value of one type, and what its negation asks: a table, one function per keyword.

A handler gives alternatives (a list of lists of terms, of which one list holds entirely): `[[]]` is always true, `[]`
never. A term is a group; a literal: a schema that must hold or must not; or a choice: alternatives again. Keywords that
are not in the table are annotations, as the specification says.
"""

from decodekit_json.keywords import applicators, arrays, objects, scalars, values
from decodekit_json.keywords.objects import absent, forbidden, value_of
from decodekit_json.keywords.reading import exact, listed, may_have_type, strings, type_of, types_of, whole
from decodekit_json.keywords.table import (
    ALWAYS,
    FALSE,
    MAX_ALTERNATIVES,
    NEVER,
    Alternatives,
    Handler,
    Terms,
    handler_of,
    is_read,
    known,
    relevant,
    span,
)

__all__ = [
    "ALWAYS",
    "FALSE",
    "MAX_ALTERNATIVES",
    "NEVER",
    "Alternatives",
    "Handler",
    "Terms",
    "absent",
    "applicators",
    "arrays",
    "exact",
    "forbidden",
    "handler_of",
    "is_read",
    "known",
    "listed",
    "may_have_type",
    "objects",
    "relevant",
    "scalars",
    "span",
    "strings",
    "type_of",
    "types_of",
    "value_of",
    "values",
    "whole",
]
