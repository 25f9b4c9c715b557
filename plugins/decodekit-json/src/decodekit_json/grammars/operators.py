"""Rules that have themselves at both ends, as in `sum: sum "+" sum | "-" sum | NUMBER`, written with repeats.

Such a rule has many trees for one text, and a parser that follows them all takes long. The texts are those of operands
with operators between them: prefixes, a plain alternative, suffixes; then an operator and the same again.
"""

from __future__ import annotations

from decodekit_json.grammars.syntax import Body, Definition, Either, Name, Row, Times


def flattened(definition: Definition) -> Body:
    """Give a body with the same texts; the definition's own where no alternative has the rule at both ends."""
    name, body = definition.name, definition.body
    between: list[Body] = []
    before: list[Body] = []
    behind: list[Body] = []
    plain: list[Body] = []
    for option in body.options if isinstance(body, Either) else (body,):
        items = option.items if isinstance(option, Row) else (option,)
        first, last = (bool(items) and _is(items[0], name)), (bool(items) and _is(items[-1], name))
        if len(items) == 1 and first:
            continue
        if first and last:
            between.append(Row(items[1:-1]))
        elif first:
            behind.append(Row(items[1:]))
        elif last:
            before.append(Row(items[:-1]))
        else:
            plain.append(option)
    if not between:
        return body

    def any_of(options: list[Body]) -> Body:
        return Times(Either(tuple(options)), 0, None, definition.at)

    operand = Row((any_of(before), Either(tuple(plain)), any_of(behind)))
    return Row((operand, Times(Row((Either(tuple(between)), operand)), 0, None, definition.at)))


def _is(body: Body, name: str) -> bool:
    return isinstance(body, Name) and body.name == name


__all__ = ["flattened"]
