"""Companions: memories of a second prompt or a second model, one row for each row of the batch, that follow it.

They are the same kind of resource as the memory of the target model: `gather` and `rewind` keep them in step with rows
that fork, end or reject a draft. Rows without a companion are empty there and cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from decodekit.errors import GenerationError, blamed_on
from decodekit.memory.watch import Watch
from decodekit.model import CausalModel
from decodekit.plan import Hook
from decodekit.rows import Row, place_of
from decodekit.types import Float, Tensor, TokenIds

MakeWatch = Callable[[bool], Watch | None]
"""Makes the watch of a forward pass: of all model hooks, or only of those that change the model."""


class Track:
    """The companions of one hook that are read by one model.

    Args:
        name: The hook.
        model: Reads them.
        own: Whether that is the decoder's own model.
        drafts: Whether they are read only when a drafter asks.
        width: Width of the decoder's logits.
    """

    def __init__(self, name: str, model: CausalModel, *, own: bool, drafts: bool, width: int) -> None:
        self.name, self.model, self.own, self.drafts, self.width = name, model, own, drafts, width
        self.memory = model.memory()

    def hook(self, row: Row) -> Hook | None:
        """Give the row's hook, if its companion is read here."""
        for hook in row.group.plan.hooks:
            if hook.name == self.name and hook.companion is not None and self.own == (hook.companion.model is None):
                return hook if self.own or hook.companion.model is self.model else None
        return None

    def tokens(self, row: Row) -> TokenIds | None:
        """Give the tokens of a row's companion, or None where it has none here."""
        hook = self.hook(row)
        if hook is None or hook.companion is None:
            return None
        own = row.group.plan.prompt
        return row.tokens if hook.companion.prompt is None else [*hook.companion.prompt, *row.tokens[len(own) :]]

    def feed(self, texts: Mapping[int, Sequence[int]], wanted: Mapping[int, int], watch: Watch | None) -> Tensor:
        """Read what rows lack of their texts; give the logits of the last `wanted` tokens of each, at full width."""
        held = self.memory.lengths
        pending = [list(texts[i][held[i] :]) if i in texts else [] for i in range(len(held))]
        counts = [len(part) for part in pending]
        asked = [wanted.get(i, 0) for i in range(len(held))]
        longest = max(counts)
        padded = [part + [0] * (longest - len(part)) for part in pending]
        tokens = torch.tensor(padded, dtype=torch.int64, device=self.model.device)
        logits = wide(self.memory.forward(tokens, counts, asked, watch=watch if self.own else None).logits)
        # Vocabularies are padded to different widths; the ids beyond the narrower one are nobody's.
        missing = self.width - logits.shape[-1]
        if missing > 0:
            return torch.nn.functional.pad(logits, (0, missing), value=float("-inf"))
        return logits[:, : self.width]


class Companions:
    """All tracks of a batch.

    Args:
        model: The decoder's model.
    """

    def __init__(self, model: CausalModel) -> None:
        self.model = model
        self.tracks: dict[tuple[str, int, bool], Track] = {}
        self.rows = 0

    def join(self, rows: Sequence[Row]) -> None:
        """Let rows join, as empty rows of every track."""
        for track in self.tracks.values():
            track.memory.join(len(rows))
        self.rows += len(rows)
        for hook in (hook for row in rows for hook in row.group.plan.hooks if hook.companion is not None):
            assert hook.companion is not None
            model, own = hook.companion.model or self.model, hook.companion.model is None
            key = (hook.name, id(model), own)
            if key not in self.tracks:
                track = Track(hook.name, model, own=own, drafts=hook.drafts, width=self.model.vocab_size)
                track.memory.join(self.rows)
                self.tracks[key] = track

    def gather(self, index: Sequence[int]) -> None:
        """Go on with these rows in this order, repeats allowed."""
        for track in self.tracks.values():
            track.memory.gather(index)
        self.rows = len(index)

    def rewind(self, rows: Sequence[Row | None]) -> None:
        """Forget what companions hold beyond their rows, whose last token they have still to read."""
        for track in self.tracks.values():
            lengths = list(track.memory.lengths)
            for i, row in enumerate(rows):
                tokens = track.tokens(row) if row is not None else None
                if tokens is not None:
                    lengths[i] = min(lengths[i], len(tokens) - 1)
            track.memory.rewind(lengths)

    def read(
        self, rows: Sequence[Row], drafts: Sequence[Sequence[int]], first: Sequence[int], watch: MakeWatch
    ) -> dict[str, tuple[Float[Tensor, "place vocab"], dict[int, int]]]:
        """Let the companions that follow the rows read what the rows have read.

        Args:
            rows: The rows.
            drafts: Drafted tokens of each row.
            first: First position of each row.
            watch: Makes the watch of a pass of the decoder's own model.

        Returns:
            Per hook: logits, and which of their rows belongs to which position.

        Raises:
            GenerationError: A companion's forward pass raised; names the hook.
        """
        found: dict[str, tuple[list[Tensor], dict[int, int]]] = {}
        for track in self.tracks.values():
            texts: dict[int, list[int]] = {}
            for i, row in enumerate(rows):
                tokens = None if track.drafts else track.tokens(row)
                if tokens is not None:
                    texts[i] = [*tokens, *drafts[i]]
            if not texts:
                continue
            wanted = {i: len(drafts[i]) + 1 for i in texts}
            logits, index = found.setdefault(track.name, ([], {}))
            at = sum(map(len, logits))
            try:
                with blamed_on(track.name):
                    logits.append(track.feed(texts, wanted, watch(True) if track.own else None))
            except GenerationError as error:
                error.locate(place_of([rows[i] for i in texts]))
                raise
            for place in (first[i] + depth for i in texts for depth in range(wanted[i])):
                index[place] = at
                at += 1
        return {name: (torch.cat(logits), index) for name, (logits, index) in found.items()}

    def track(self, hook: Hook) -> Track:
        """Give the track on which a hook's companion is."""
        assert hook.companion is not None
        return self.tracks[hook.name, id(hook.companion.model or self.model), hook.companion.model is None]


def wide(logits: Tensor) -> Tensor:
    """Give at least float32: laws of 16 bits lose the order of likely tokens."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
