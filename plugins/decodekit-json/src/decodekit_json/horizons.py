"""Which states of an expression differ only in counters that lie beyond the bytes one looks ahead."""

from __future__ import annotations

from decodekit_json import languages as lg
from decodekit_json.expressions import Node
from decodekit_json.terminal import INFINITE

_MOST_STATES = 24


def slack(node: Node) -> int | None:
    """Give the most code points that a text needs from any place that the expression leads to.

    None where lengths have gaps, or an end, somewhere: counters then matter wherever they are. Looked for among a few
    states only; None past them.
    """
    if node.loose:
        return 0
    if "slack" not in node.notes:
        node.notes["slack"] = _explored(node)
    return node.notes["slack"]


def _explored(node: Node) -> int | None:
    seen, pending, most = {node}, [node], 0
    while pending:
        one = pending.pop()
        if not one.positive or one.high < INFINITE:
            return None
        lengths = lg.lengths(one)
        if len(lengths) != 1 or lengths[0].period != 1 or lengths[0].terms < INFINITE:
            return None
        most = max(most, one.low)
        for target in lg.successors(one):
            if target not in seen:
                seen.add(target)
                pending.append(target)
        if len(seen) > _MOST_STATES:
            return None
    return most


__all__ = ["slack"]
