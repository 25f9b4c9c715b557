"""Model hooks in the loop: who stands around a forward pass, what they wrote down, what they may ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from decodekit.companions import Companions
from decodekit.memory.base import Memory
from decodekit.memory.watch import Block, Watch, cut, find
from decodekit.rows import Row, Rows
from decodekit.techniques import Draft
from decodekit.types import Float, Tensor
from decodekit.views import Seen

CompanionLogits = dict[str, tuple[Float[Tensor, "place vocab"], dict[int, int]]]
"""Per hook: its companions' logits, and which of their rows belongs to which position."""


def _own(block: Block) -> Any:
    """Give a note's values on their own: a view would keep those of the whole batch alive."""
    return block.values[: block.count].clone() if isinstance(block.values, Tensor) else block.values


class Hooking:
    """The model hooks of a batch.

    Args:
        rows: The running rows.
        memory: What the target model remembers of them.
        companions: Their companions.
    """

    def __init__(self, rows: Rows, memory: Memory, companions: Companions) -> None:
        self.rows, self.memory, self.companions = rows, memory, companions

    def watch(self, changing: bool = False) -> Watch | None:
        """Make the watch of a forward pass: of all rows' hooks, or only of those that change the model."""
        hooks: dict[str, list[Any]] = {}
        for i, row in enumerate(self.rows.items):
            for hook in row.group.plan.hooks:
                if hook.watches and (hook.changes_model or not changing):
                    hooks.setdefault(hook.name, [None] * len(self.rows))[i] = hook.piece
        return Watch(hooks) if hooks else None

    def take_notes(self, watch: Watch | None) -> None:
        """Let rows keep what was written down about their tokens."""
        for name, notes in () if watch is None else watch.notes.items():
            for i, blocks in notes.items():
                row = self.rows.items[i]
                hook = next(hook for hook in row.group.plan.hooks if hook.name == name)
                old = row.notes.get(name, []) if hook.remembers else []
                for block in blocks:
                    kept = block if not hook.remembers else Block(block.start, block.count, _own(block))
                    old = [*cut(old, block.start), kept]
                row.notes[name] = old

    def follow(self, drafts: Sequence[Draft]) -> CompanionLogits:
        """Let the companions read what the rows have read."""
        if not self.companions.tracks:
            return {}
        tokens = [draft.tokens for draft in drafts] or [()] * len(self.rows)
        first = [0, *np.cumsum([len(drafted) + 1 for drafted in tokens]).tolist()]
        return self.companions.read(self.rows.items, tokens, first, self.watch)

    def see(self, companions: CompanionLogits, rows: Sequence[Row], depths: Sequence[int]) -> Seen | None:
        """Give what the hooks of a step see; None where there is no hook.

        Args:
            companions: The logits of companions.
            rows: Row of each position.
            depths: Drafted tokens before each position.
        """
        if not any(row.group.plan.hooks for row in self.rows.items):
            return None

        def peek(name: str, places: Sequence[int], tokens: Tensor) -> list[list[Any]]:
            chosen = [(self.rows.items.index(rows[p]), len(rows[p].tokens) + depths[p]) for p in places]
            return self._peek(name, chosen, tokens.tolist())

        return Seen(rows, depths, peek, companions)

    def _peek(self, name: str, chosen: Sequence[tuple[int, int]], tokens: list[list[int]]) -> list[list[Any]]:
        """Read each of some tokens after row i, cut to a length, on copies of the rows; give the notes."""
        rows, choices = len(self.rows), len(tokens[0])
        copies = [i for i, _ in chosen for _ in range(choices)]
        lengths = [length for _, length in chosen for _ in range(choices)]
        hooks: dict[str, list[Any]] = {}
        for place, i in enumerate(copies, rows):
            for hook in self.rows.items[i].group.plan.hooks:
                if hook.watches and (hook.changes_model or hook.name == name):
                    hooks.setdefault(hook.name, [None] * (rows + len(copies)))[place] = hook.piece
        watch = Watch(hooks)
        self.memory.gather([*range(rows), *copies])
        self.memory.rewind([*self.memory.lengths[:rows], *lengths])
        fed = torch.tensor([[0]] * rows + [[token] for row in tokens for token in row], device=self.rows.device)
        counts = [0] * rows + [1] * len(copies)
        self.memory.forward(fed, counts, counts, watch=watch)
        self.memory.gather(list(range(rows)))
        if name not in watch.notes:
            raise LookupError(f"{name!r} looks ahead, and has no around() to write notes")
        found = watch.notes[name]
        notes = [find(found.get(rows + j, ()), length) for j, length in enumerate(lengths)]
        return [notes[j : j + choices] for j in range(0, len(notes), choices)]
