"""Which rows share a forward pass, when they bring different numbers of tokens."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

WASTE_TOKENS = 64
"""Padding that is cheaper than another forward pass: reading the weights costs as much as some dozens of tokens."""

PASS_TOKENS = 16384
"""Tokens of one forward pass at most, where several rows bring them: activations of a prompt take memory too."""


def by_width(counts: Sequence[int], fresh: Sequence[bool]) -> list[list[int]]:
    """Group rows so that no group holds more padding than `WASTE_TOKENS`; rows with 0 tokens are left out.

    Fresh rows keep to themselves if they bring a prompt: a prompt attends to itself alone, without a mask and without
    reading the cache.
    """
    groups: list[list[int]] = []
    prompts = [row for row, count in enumerate(counts) if fresh[row] and count > 1]
    others = [row for row, count in enumerate(counts) if count and not (fresh[row] and count > 1)]
    for rows in (others, prompts):
        padding = 0
        group: list[int] = []
        for row in sorted(rows, key=counts.__getitem__):
            # Widening the group to this row's count pads every row that is in it.
            padding += (counts[row] - counts[group[-1]]) * len(group) if group else 0
            if padding > WASTE_TOKENS or (group and counts[row] * (len(group) + 1) > PASS_TOKENS):
                groups.append(group)
                group, padding = [], 0
            group.append(row)
        groups += [group] if group else []
    return groups


def by_key(counts: Sequence[int], keys: Sequence[Hashable]) -> list[list[int]]:
    """Group rows that bring equally many tokens and agree in their key; rows with 0 tokens are left out."""
    groups: dict[Hashable, list[int]] = {}
    for row, count in enumerate(counts):
        if count:
            groups.setdefault((count, keys[row]), []).append(row)
    return list(groups.values())
