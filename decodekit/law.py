"""A law: a distribution over the next token, for many positions at once, at full width or as a candidate set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from decodekit.types import Bool, Float, Int64, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """Unnormalised log-probabilities of the next token; -inf is impossible.

    At full width (`ids` is None) column t is token t. A candidate set names the token of each column and leaves out
    only impossible ones, so both forms are the same distribution. Candidates have no order that anybody may rely on; a
    position never repeats a possible token (padding is -inf with any id of the vocabulary). So that both forms lead to
    the same text, whatever breaks ties or sums up goes by token id.

    Args:
        logits: Shape [position, candidate].
        ids: Shape [position, candidate], or None at full width.
    """

    logits: Float[Tensor, "position candidate"]
    ids: Int64[Tensor, "position candidate"] | None = None

    @property
    def allowed(self) -> Bool[Tensor, "position candidate"]:
        """Which columns are possible."""
        return self.logits > float("-inf")

    def with_logits(self, logits: Float[Tensor, "position candidate"]) -> Law:
        """Replace the values and keep the columns."""
        return Law(logits, self.ids)

    def keep(self, mask: Bool[Tensor, "position candidate"]) -> Law:
        """Make every column outside of `mask` impossible."""
        return Law(torch.where(mask, self.logits, float("-inf")), self.ids)

    def without(self, mask: Bool[Tensor, "position candidate"]) -> Law:
        """Make every column in `mask` impossible."""
        return Law(torch.where(mask, float("-inf"), self.logits), self.ids)

    def logprobs(self) -> Float[Tensor, "position candidate"]:
        """Normalise; impossible columns stay -inf."""
        return torch.log_softmax(self.logits, dim=-1)

    def probs(self) -> Float[Tensor, "position candidate"]:
        """Normalise to probabilities."""
        return torch.softmax(self.logits, dim=-1)

    def argmax(self) -> Int64[Tensor, "position"]:
        """Give the most likely token; among equals the one with the lowest id."""
        if self.ids is None:
            array = on_host(self.logits)
            # numpy finds it ten times faster than torch does on a CPU.
            return self.logits.argmax(dim=-1) if array is None else torch.from_numpy(array.argmax(axis=-1))
        best = self.logits.amax(dim=-1, keepdim=True)
        return self.ids.masked_fill(self.logits < best, torch.iinfo(torch.int64).max).amin(dim=-1)

    def tokens(self, columns: Int64[Tensor, "position k"]) -> Int64[Tensor, "position k"]:
        """Translate columns into token ids."""
        return columns if self.ids is None else self.ids.gather(-1, columns)

    def candidates(self, k: int) -> Law:
        """Reduce to the k likeliest columns, sorted downwards; the rest becomes impossible."""
        values, columns = self.logits.topk(min(k, self.logits.shape[-1]), dim=-1)
        return Law(values, self.tokens(columns))

    def index_select(self, index: Int64[Tensor, "chosen"]) -> Law:
        """Give the laws of these positions, in this order, repeats allowed."""
        return Law(self.logits.index_select(0, index), None if self.ids is None else self.ids.index_select(0, index))

    def at(self, places: Sequence[int]) -> Law:
        """Give the laws at these places, as `pick` does."""
        return Law(pick(self.logits, places), None if self.ids is None else pick(self.ids, places))

    def full(self, vocab_size: int) -> Law:
        """Spread a candidate set to full width. Cost: [position, vocab] memory."""
        if self.ids is None:
            return self
        wide = self.logits.new_full((len(self.logits), vocab_size), float("-inf"))
        return Law(wide.scatter_reduce(-1, self.ids, self.logits, reduce="amax"))

    def normaliser(self) -> Float[Tensor, "position"]:
        """Give the log of the summed weights; NaN where nothing is possible."""
        # On CPU logsumexp is ten times slower than this once a law has impossible tokens.
        return self.logits.amax(dim=-1) - torch.log_softmax(self.logits, dim=-1).amax(dim=-1)

    def logits_at(self, rows: Sequence[int], tokens: Sequence[int]) -> list[float]:
        """Give single weights as numbers; -inf where a token is not a candidate."""
        values = on_host(self.logits)
        if values is None:
            device = self.logits.device
            here, taken = whole_numbers(rows, device), whole_numbers(tokens, device)
            return self._weights(self.logits[here], None if self.ids is None else self.ids[here], taken).tolist()
        # As above, in a fraction of the time that torch takes to begin.
        if self.ids is None:
            return [values.item(row, token) for row, token in zip(rows, tokens, strict=True)]
        ids = self.ids.numpy()
        if len(rows) != len(ids) or list(rows) != list(range(len(ids))):
            values, ids = values[rows], ids[rows]
        found = np.where(ids == np.array(tokens)[:, None], values, values.dtype.type("-inf"))
        return found.max(axis=-1).tolist()

    def logprob_of(self, tokens: Int64[Tensor, "position"]) -> Float[Tensor, "position"]:
        """Give the log-probability of one token per position; -inf where it is not a candidate."""
        return self._weights(self.logits, self.ids, tokens) - self.normaliser()

    @staticmethod
    def _weights(logits: Tensor, ids: Tensor | None, tokens: Tensor) -> Tensor:
        if ids is None:
            return logits.gather(-1, tokens[:, None]).squeeze(-1)
        return logits.masked_fill(ids != tokens[:, None], float("-inf")).amax(dim=-1)

    @classmethod
    def certain(cls, tokens: Int64[Tensor, "position"], dtype: torch.dtype) -> Law:
        """Give the law that puts everything on one token per position."""
        return cls(torch.zeros((len(tokens), 1), dtype=dtype, device=tokens.device), tokens[:, None])


def on_host(values: Tensor) -> NDArray[Any] | None:
    """Show what is in the CPU's memory as an array, without a copy.

    None for tensors elsewhere, for those that gradients are wanted of, and for bfloat16.
    """
    try:
        return values.numpy()
    except (TypeError, RuntimeError):
        return None


def whole_numbers(values: Sequence[int], device: torch.device) -> Int64[Tensor, "number"]:
    """Give a short list as a tensor; `torch.tensor` takes three times as long."""
    return torch.from_numpy(np.array(values, dtype=np.int64)).to(device)


def neighbours(places: Sequence[int]) -> slice | None:
    """Give the slice of places that stand side by side, ascending: what is there can be read without a copy."""
    first = places[0] if places else 0
    return slice(first, first + len(places)) if list(places) == list(range(first, first + len(places))) else None


def pick(values: Tensor, places: Sequence[int]) -> Tensor:
    """Give some rows of a tensor, repeats allowed; a view where they stand side by side."""
    beside = neighbours(places)
    return values.index_select(0, whole_numbers(places, values.device)) if beside is None else values[beside]


def concat(laws: Sequence[Law], vocab_size: int) -> Law:
    """Put the positions of several laws one after another; forms that differ are spread to full width."""
    if len(laws) == 1:
        return laws[0]
    if any(law.ids is None for law in laws):
        return Law(torch.cat([law.full(vocab_size).logits for law in laws]))
    widest = max(law.logits.shape[-1] for law in laws)
    padded = [
        (
            torch.nn.functional.pad(law.logits, (0, widest - law.logits.shape[-1]), value=float("-inf")),
            torch.nn.functional.pad(law.ids, (0, widest - law.logits.shape[-1])),
        )
        for law in laws
        if law.ids is not None
    ]
    return Law(torch.cat([logits for logits, _ in padded]), torch.cat([ids for _, ids in padded]))
