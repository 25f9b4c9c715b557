"""The check at wrap time: which memory is right for this model, found by trying, never by a list of names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from decodekit.cache import BUCKET_TOKENS, CacheFactory, LayerCache, Placement
from decodekit.errors import ModelError
from decodekit.memory.base import Memory
from decodekit.memory.caller import Caller
from decodekit.memory.rope import calm
from decodekit.types import Float, Tensor

TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-2, torch.float16: 0.1, torch.bfloat16: 0.4}
"""Largest |Δ logit|, in standard deviations of the logits, that counts as rounding.

Right memories stay far below, wrong ones far above (bfloat16: at most 0.20 against at least 0.75). In float64 the slack
is for models that compute partly in float32.
"""

SCAN_TOLERANCE = 0.03
"""The same for recurrent layers: scans in chunks and step by step add up differently, in float32 whatever the weights
are (nemotron_h and zamba2 differ by 0.003 to 0.01 where they are right; wrong states by 0.5 and more)."""

LONG, SHORT = 9, 6
"""Tokens of the two rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """Two rows, and what the model says about them without any cache, on its own terms.

    Attributes:
        rows: Token ids.
        truth: Logits of each row.
        scale: Standard deviation of the logits.
        tolerance: Largest deviation, in units of `scale`, that counts as rounding.
    """

    rows: tuple[list[int], list[int]]
    truth: tuple[Float[Tensor, "query vocab"], Float[Tensor, "query vocab"]]
    scale: float
    tolerance: float

    def off(self, given: Tensor, truth: Tensor) -> float:
        """Give the largest deviation in units of the scale; infinite where anything is not a number."""
        worst = float((given.double() - truth.double()).abs().max()) / self.scale
        return worst if worst == worst else float("inf")


def _ids(vocab: int, length: int, salt: int, avoid: int | None) -> list[int]:
    """Give token ids that look unordered; never the padding token, at which some models stop counting positions."""
    ids = [(salt + 7 * step + step * step * 3) % vocab for step in range(length)]
    return [(token + 1) % vocab if token == avoid else token for token in ids]


def probe(caller: Caller, vocab: int, padding: int | None, dtype: torch.dtype) -> Probe:
    """Run the two rows without a cache, and refuse a model that is not causal.

    Raises:
        ModelError: The model gives no logits, or a later token changes an earlier one's.
    """
    rows = (_ids(vocab, LONG, 3, padding), _ids(vocab, LONG, 5, padding))
    # The second row is run in the batch with three more tokens, then alone without them: two passes show what a later
    # token changes, and what a neighbour does.
    together = caller(torch.tensor(rows, device=caller.device), uncached=True)
    short = rows[1][:SHORT]
    alone = caller(torch.tensor([short], device=caller.device), uncached=True)
    logits = [getattr(output, "logits", torch.empty(0)) for output in (together, alone)]
    name = type(caller.model).__name__
    if any(one.ndim != 3 or one.shape[1] != length for one, length in zip(logits, (LONG, SHORT), strict=True)):
        raise ModelError(
            f"{name} gives no logits for each token, so it has no language-model head",
            hint="load the model with AutoModelForCausalLM",
        )
    if not all(bool(one.isfinite().all()) for one in logits):
        raise ModelError(f"{name} gives logits that are not finite", hint="look at its weights and its dtype")
    truth = (logits[0][0], logits[1][0])
    scale = max(float(truth[0].double().std()), 1e-12)
    made = Probe((rows[0], short), truth, scale, TOLERANCE.get(dtype, 1e-2))
    off = made.off(logits[0][1, :SHORT], truth[1])
    if off > made.tolerance:
        raise ModelError(
            f"{name} is not causal: later tokens change the logits of earlier ones by {off:.2g} standard deviations",
            hint="an encoder cannot generate; some have a decoder mode (is_decoder=True in the config)",
        )
    return made


def position_offset(caller: Caller, probe: Probe, padding: int | None, far: int | None) -> tuple[int | None, float]:
    """Find how the model takes positions, and how much a row changes beside one at far positions.

    Args:
        caller: Calls the model; its `position_offset` is set to what is found.
        probe: The rows.
        padding: The padding token, after which some models count their positions.
        far: First of the far positions; None where there are none.

    Returns:
        What the model adds to 0, 1, ... when it makes position ids itself, None where it takes none or no offset
        explains it; and the change of the row, in standard deviations.
    """
    near = torch.arange(SHORT, device=caller.device)
    row = probe.rows[1]
    if caller.position_offset is None and not _takes_more_positions(caller, probe, near):
        return None, 0.0
    for offset in dict.fromkeys((0, (padding or 0) + 1)):
        caller.position_offset = offset
        coupling = 0.0
        if far is not None:
            # One pass answers both questions, if the answers are those of most models.
            coupling = _off_at(caller, probe, [row, row], torch.stack([near, near + far - offset]))
            calm(caller)
            if coupling == float("inf") and _off_at(caller, probe, [row], near[None] + far - offset) == coupling:
                # A row that cannot stand there alone (its keys are looked up by position) says nothing about others.
                coupling = 0.0
            elif coupling <= probe.tolerance:
                return offset, coupling
        if _off_at(caller, probe, [row], near[None]) <= probe.tolerance:
            return offset, coupling
    caller.position_offset = None
    return None, 0.0


def _takes_more_positions(caller: Caller, probe: Probe, near: Tensor) -> bool:
    """Say whether positions get through to a model inside the model, whose forward pass does not name them itself."""
    parameters = inspect.signature(caller.model.forward).parameters.values()
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return False
    caller.position_offset = 0
    apart = _off_at(caller, probe, [probe.rows[1]], 3 * near[None])
    caller.position_offset = None
    return probe.tolerance < apart < float("inf")


def _off_at(caller: Caller, probe: Probe, rows: list[list[int]], positions: Tensor) -> float:
    """Give how far the first row is off at these positions; infinite where the model cannot run at them."""
    try:
        logits = caller(torch.tensor(rows, device=caller.device), positions=positions, uncached=True).logits[0]
    except Exception:
        return float("inf")
    return probe.off(logits, probe.truth[1])


def trial(memory: Memory, probe: Probe, device: torch.device, limit: float | None = None) -> float:
    """Take a memory through prompts, steps, drafts, a rewind and a fork, all ragged; give its worst deviation.

    It ends at the first one beyond the limit, by default at the first that no rounding explains.
    """
    rows = [0, 1]
    worst, limit = 0.0, max(probe.tolerance, SCAN_TOLERANCE) if limit is None else limit

    def run(counts: list[int]) -> None:
        nonlocal worst
        if worst > limit:
            return
        here = [slice(start, start + count) for start, count in zip(memory.lengths, counts, strict=True)]
        pieces = [probe.rows[row][part] for row, part in zip(rows, here, strict=True)]
        padded = torch.tensor([piece + [0] * (max(counts) - len(piece)) for piece in pieces], device=device)
        logits = memory.forward(padded, counts, counts).logits
        truth = torch.cat([probe.truth[row][part] for row, part in zip(rows, here, strict=True)])
        worst = max(worst, probe.off(logits, truth))

    memory.join(2)
    run([5, 2])
    run([1, 1])
    run([3, 3])
    if worst > limit:
        return worst
    memory.rewind([7, 4])
    memory.gather([1, 0, 1])
    rows = [1, 0, 1]
    run([1, 2, 1])
    run([1, 0, 1])
    return worst


def try_path(
    make: Callable[[], Memory], probe: Probe, device: torch.device, limit: float | None = None
) -> tuple[float, str]:
    """Try a memory; give its deviation and, where it does not run at all, why."""
    try:
        return trial(make(), probe, device, limit), ""
    except Exception as error:  # whatever a foreign model raises means: not this path
        text = str(error).splitlines()[0][:100] if str(error) else ""
        return float("inf"), f"{type(error).__name__}: {text}"


class Stretched(LayerCache):
    """A layer's storage as it looks when its buffer is long: zeros behind what it holds.

    Some models read more off the number of keys than a mask says (gpt_neo its local window), and are wrong only once
    the buffer is longer than the window. The zeros are made one layer at a time, so the check needs no long buffers.

    Args:
        inner: The real storage.
        length: Positions of it that are really there.
    """

    def __init__(self, inner: LayerCache, length: int = 4 * BUCKET_TOKENS) -> None:
        self.inner = inner
        self.length = length

    def reserve(self, slots: int, length: int) -> None:
        self.inner.reserve(slots, min(length, self.length))

    def write(self, keys: Tensor, values: Tensor, place: Placement) -> None:
        self.inner.write(keys, values, place)

    def read(self, place: Placement) -> tuple[Tensor, Tensor]:
        more = place.length - self.length
        if more <= 0:
            return self.inner.read(place)
        keys, values = self.inner.read(replace(place, length=self.length))
        return nn.functional.pad(keys, (0, 0, 0, more)), nn.functional.pad(values, (0, 0, 0, more))

    def copy(self, sources: Sequence[int], targets: Sequence[int], length: int) -> None:
        self.inner.copy(sources, targets, length)

    def bytes(self) -> int:
        return self.inner.bytes()


@dataclass(slots=True)
class _Stretching:
    factory: CacheFactory
    exact: bool

    def __call__(self, layer: int) -> LayerCache:
        return Stretched(self.factory(layer))


def stretching(factory: CacheFactory) -> CacheFactory:
    """Make a backend look as it does when its buffers are long."""
    return _Stretching(factory, factory.exact)


LONGEST_VIEW = 8192
"""Keys that the check shows a layer at most; a window longer than this goes unseen, for the sake of memory."""


def view_length(config: Any) -> int:
    """Give a number of keys that is longer than any window or chunk the config speaks of."""
    sizes = [
        value
        for name, value in config.to_dict().items()
        if isinstance(value, int) and ("window" in name or "chunk" in name)
    ]
    longest = min(max(sizes, default=0), LONGEST_VIEW)
    return (longest // BUCKET_TOKENS + 2) * BUCKET_TOKENS


def far_position(model: nn.Module, limit: int | None) -> int | None:
    """Give a position that shows an encoding which depends on the batch, and that no table of positions lacks."""
    # Only where positions become angles can they lie beyond the limit.
    if any(name.rpartition(".")[2].endswith("inv_freq") for name, _ in model.named_buffers()):
        return 2 * (limit or 4096) + SHORT
    return limit - SHORT if limit is not None and limit > 2 * SHORT else None


def quiet(device: torch.device) -> Any:
    """Keep the check from moving the global random state (a few models draw numbers even in eval mode)."""
    devices = [device] if device.type == "cuda" else []
    return torch.random.fork_rng(devices=devices)
