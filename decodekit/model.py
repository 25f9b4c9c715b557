"""A Hugging Face model, wrapped: which memory it gets, and what the rest of decodekit may ask about it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import nn

from decodekit.cache import CacheFactory, Slots
from decodekit.errors import DecodekitError, ModelError
from decodekit.memory import check, masks
from decodekit.memory.base import Memory
from decodekit.memory.caller import Caller, Runner, eager, name_of
from decodekit.memory.hybrid import HybridSlots
from decodekit.memory.layers import LayerKinds
from decodekit.memory.level import LevelHybrid, LevelMemory
from decodekit.memory.replay import SingleRows
from decodekit.memory.rewinding import FEEDINGS, Feeding, RewindingMemory
from decodekit.memory.rope import ApartSlots, Boundary, BoundedMemory, boundary_of
from decodekit.memory.slots import SlotMemory
from decodekit.memory.uncached import UncachedMemory

PATHS = ("slots", "hybrid", "level", "replay", "uncached")
"""From fast to slow; each model gets the first one that is right for it."""

WITHOUT_SLOTS = ("replay", "uncached")
"""Paths on which no layer is in slots, so that no KV cache backend is asked."""

_Slots = TypeVar("_Slots", bound=SlotMemory)
_LIMITS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")


class CausalModel:
    """A causal language model and the way in which its rows are remembered.

    Made by `wrap`. The model itself is not changed, except that it is put into eval mode and, where its attention
    implementation cannot express ragged rows, switched to another one (`notes` says so).

    Attributes:
        model: The Hugging Face model.
        device: Where token ids go.
        dtype: Of the weights.
        vocab_size: Width of the logits.
        max_length: Tokens that a row may hold; None where there is no limit.
        path: "slots", "hybrid", "level", "replay" or "uncached".
        reason: Why this path, with the figures of the check.
        exact: Whether the KV cache backend keeps what it is given bit for bit.
        notes: What was changed about the model, in words.
        seconds: Second models that requests have named, with what they were named by; see `second_model`.
    """

    def __init__(self, model: Any, caller: Caller, factory: CacheFactory) -> None:
        self.model = model
        self.caller = caller
        self.factory = factory
        self.device = caller.device
        self.dtype: torch.dtype = next(model.parameters()).dtype
        self.config = model.config.get_text_config(decoder=True)
        self.kinds = LayerKinds.of(model.config)
        self.boundary: Boundary | None = None
        self.feeding: Feeding = "together"
        self.notes: list[str] = []
        self.path = ""
        self.reason = ""
        self.exact = factory.exact
        self.vocab_size = 0
        self.max_length: int | None = None
        self.seconds: dict[str | int, tuple[Any, CausalModel]] = {}
        self._bytes_per_token: float | None = None

    @classmethod
    def wrap(
        cls, model: Any, *, cache: CacheFactory | None = None, runner: Runner | None = None, path: str | None = None
    ) -> CausalModel:
        """Find out how to decode with a model.

        The check compares two short ragged rows with the uncached forward pass; it is deterministic, leaves the global
        random state alone, and costs about eight forward passes of nine tokens; more where the first path is wrong.

        Args:
            model: Any causal language model of transformers.
            cache: KV cache backend; slots by default.
            runner: How the forward pass runs; eagerly by default.
            path: Take this path only, instead of the first that is right.

        Raises:
            ModelError: The model is not causal, its forward pass does not run, or the path asked for is wrong for it.
        """
        if path is not None and path not in PATHS:
            raise ModelError(f"there is no path {path!r}", hint=f"one of {', '.join(PATHS)}")
        _refuse_what_is_no_decoder(model)
        masks.register()
        embedding = model.get_input_embeddings()
        weight = getattr(embedding, "weight", None)
        device = weight.device if weight is not None else next(model.parameters()).device
        wrapped = cls(model, Caller.of(model, device), cache or Slots())
        with wrapped.caller.turn.taken(), torch.inference_mode(), check.quiet(device):
            wrapped._settle()
            probe = wrapped._probe()
            wrapped._choose(path, probe)
            if runner is not None and runner is not eager:
                wrapped._run_with(runner, probe)
        return wrapped

    def memory(self) -> Memory:
        """Make a memory with no rows."""
        return self._makers()[self.path]()

    @property
    def bytes_per_token(self) -> float | None:
        """What a token of a row takes in the attention layers; None where nobody but transformers holds them.

        Found by one forward pass of one token, when first asked for.
        """
        if self._bytes_per_token is None:
            memory = self.memory()
            inner = getattr(memory, "inner", memory)
            if isinstance(inner, SlotMemory):
                inner.join(1)
                inner.forward(torch.zeros(1, 1, dtype=torch.int64, device=self.device), [1], [1])
                self._bytes_per_token = inner.bytes_per_token()
        return self._bytes_per_token

    @cached_property
    def key_shapes(self) -> list[tuple[int, int] | None]:
        """Heads and dims of each layer's keys; None for a layer without any, and empty where they are not in slots.

        Found by one forward pass of one token, when first asked for.
        """
        memory = self.memory()
        inner = getattr(memory, "inner", memory)
        if not isinstance(inner, SlotMemory):
            return []
        inner.join(1)
        inner.forward(torch.zeros(1, 1, dtype=torch.int64, device=self.device), [1], [1])
        _, kept = SlotMemory.save(inner, 0)
        return [None if part is None else (part[0].shape[1], part[0].shape[3]) for part in kept]

    def describe(self) -> dict[str, Any]:
        """Tell what was found, for people and for logs."""
        return {
            "path": self.path,
            "reason": self.reason,
            "layers": {
                "total": self.kinds.count,
                "attention": len(self.kinds.attention),
                "recurrent": len(self.kinds.recurrent),
            },
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": str(self.device),
            "vocab_size": self.vocab_size,
            "context": self.max_length,
            "bytes_per_token": self.bytes_per_token,
            "position_offset": self.caller.position_offset,
            "attention": self.config._attn_implementation,
            "cache": type(self.factory).__name__,
            "runner": name_of(self.caller.runner),
            "exact": self.exact,
            "notes": list(self.notes),
        }

    def _settle(self) -> None:
        """Bring the model into a state in which rows can be ragged."""
        if self.model.training:
            self.model.eval()
            self.notes.append("was in training mode, is in eval mode now")
        used = self.config._attn_implementation
        if used not in masks.SUPPORTED:
            for other in masks.SUPPORTED:
                try:
                    self.model.set_attn_implementation(other)
                except (ValueError, ImportError):
                    continue
                self.notes.append(f"attention {used!r} cannot express ragged rows; switched to {other!r}")
                return
            raise ModelError(
                f"attention implementation {used!r} cannot express rows of different lengths",
                hint="load the model with attn_implementation='sdpa'",
            )

    def _probe(self) -> check.Probe:
        vocab = int(self.config.vocab_size)
        padding = self._padding()
        try:
            return check.probe(self.caller, vocab, padding, self.dtype)
        except ModelError:
            raise
        except Exception as error:
            # Mixtures of experts run a grouped product that knows no float64.
            if self.dtype == torch.float64 and hasattr(self.model, "set_experts_implementation"):
                self.model.set_experts_implementation("eager")
                self.notes.append("experts switched to the eager implementation, which alone runs in float64")
                return check.probe(self.caller, vocab, padding, self.dtype)
            name = type(self.model).__name__
            raise ModelError(f"the forward pass of {name} raises {type(error).__name__}: {error}") from error

    def _padding(self) -> int | None:
        padding = getattr(self.config, "pad_token_id", None)
        return padding if isinstance(padding, int) and padding >= 0 else None

    def _choose(self, asked: str | None, probe: check.Probe) -> None:
        self.vocab_size = self.caller.vocab_size = int(probe.truth[0].shape[-1])
        far = check.far_position(self.model, self._limit())
        self.caller.position_offset, coupling = check.position_offset(self.caller, probe, self._padding(), far)
        self.max_length = self._limit()
        bounded = coupling > probe.tolerance
        if bounded:
            self.boundary = boundary_of(self.model)
        story: list[str] = []
        makers = self._makers(check.stretching(self._judged_backend), check.view_length(self.config))
        for path in [asked] if asked else self._candidates(bounded):
            rewinding = path in ("hybrid", "replay") or (path == "level" and bool(self.kinds.recurrent))
            found: dict[Feeding, float] = {}
            for self.feeding in FEEDINGS if rewinding else FEEDINGS[:1]:
                off, error = check.try_path(makers[path], probe, self.device)
                found[self.feeding] = off
                figure = error or f"off by {off:.1e} standard deviations"
                story.append(f"{path}{'' if self.feeding == 'together' else f', {self.feeding}'}: {figure}")
                if off <= probe.tolerance:
                    break
            self.feeding = min(found, key=found.__getitem__)
            if found[self.feeding] <= self._tolerance(path, probe):
                taken = story.pop(list(found).index(self.feeding) - len(found))
                self.path, self.reason = path, self._because(taken, story, coupling)
                self._hold_backend(probe)
                return
        raise ModelError(
            f"no way to decode with {type(self.model).__name__} agrees with its own uncached forward pass "
            f"(tolerance {probe.tolerance}): {'; '.join(story)}",
            hint="choose another path" if asked else "a model adapter may be needed",
        )

    @property
    def _judged_backend(self) -> CacheFactory:
        """What path and runner are judged with; what an approximate backend changes is measured on its own."""
        return self.factory if self.exact else Slots()

    def _hold_backend(self, probe: check.Probe) -> None:
        """Refuse a backend that would be left unused, and say how far an approximate one is off."""
        name = type(self.factory).__name__
        recurrent = bool(self.kinds.recurrent) and not self.kinds.attention
        left_out = (recurrent or self.path in WITHOUT_SLOTS) and self.path != getattr(self.factory, "path", None)
        if left_out and type(self.factory) is not Slots:
            raise ModelError(
                f"{name} cannot hold what {type(self.model).__name__} remembers "
                f"(path {self.path!r}{', no attention layers' if recurrent else ''})",
                hint="leave the KV cache option out for this model",
            )
        if not self.exact:
            off, error = check.try_path(self._makers()[self.path], probe, self.device, limit=float("inf"))
            if error or off == float("inf"):
                raise ModelError(f"{name} does not run with {type(self.model).__name__}: {error or 'not a number'}")
            self.notes.append(f"{name} keeps approximately what it is given: logits off by {off:.1e} of their spread")

    def _tolerance(self, path: str, probe: check.Probe) -> float:
        scans = path != "replay" and bool(self.kinds.recurrent)
        return max(probe.tolerance, check.SCAN_TOLERANCE) if scans else probe.tolerance

    def _run_with(self, runner: Runner, probe: check.Probe) -> None:
        """Hand the forward passes over to a runner, once it has run those of the check right."""
        self.caller.runner = runner
        try:
            off = check.trial(self._makers(self._judged_backend)[self.path](), probe, self.device)
            why = f"is off by {off:.1e} standard deviations" if off > self._tolerance(self.path, probe) else ""
        except DecodekitError:
            raise
        except Exception as error:
            why = f"raises {type(error).__name__}: {str(error).strip().partition(chr(10))[0]:.200}"
        if why:
            raise ModelError(
                f"{name_of(runner)!r} (model runner) cannot run {type(self.model).__name__} on the path {self.path!r}: "
                f"it {why}",
                hint="leave it out",
            )

    def _because(self, taken: str, others: list[str], coupling: float) -> str:
        parts = [f"agrees with the uncached forward pass ({taken})"]
        if others:
            parts.append("not " + "; not ".join(others))
        if self.kinds.foreign:
            parts.append(f"cache layers of its own: {', '.join(sorted(set(self.kinds.foreign)))}")
        if self.boundary is not None:
            parts.append(
                f"a row beside a far one changes by {coupling:.2g}: rows on the two sides of {self.boundary.tokens} "
                f"tokens are kept apart" + (", and run uncached beyond" if self.boundary.stretches else "")
            )
        elif coupling > check.TOLERANCE.get(self.dtype, 1e-2):
            parts.append(f"a row beside a far one changes by {coupling:.2g}, at no boundary that could be found")
        return "; ".join(parts)

    def _candidates(self, bounded: bool) -> list[str]:
        name = self.caller.cache_argument
        if bounded:
            # transformers' own cache is wrong across the boundary, so only slots know how to respect it.
            kept = self.boundary is not None and not self.kinds.recurrent and not self.kinds.foreign
            return ["slots", "uncached"] if kept else ["uncached"]
        if name is None:
            return ["uncached"]
        if name == "state" or self.kinds.foreign:
            return ["replay", "uncached"]
        return ["hybrid" if self.kinds.recurrent else "slots", "level", "replay", "uncached"]

    def _makers(self, factory: CacheFactory | None = None, stretched: int = 0) -> dict[str, Callable[[], Memory]]:
        """Give a way to make each kind of memory; for the check, with views of at least `stretched` keys."""
        kinds, caller, limit = self.kinds, self.caller, self.max_length
        factory = factory or self.factory

        def slots(kind: type[_Slots]) -> _Slots:
            made = kind(caller, factory, layers=kinds.objects(), count=kinds.count, limit=limit)
            made.bucket = stretched or made.bucket
            return made

        def ragged() -> Memory:
            boundary = self.boundary
            return slots(SlotMemory) if boundary is None else BoundedMemory(caller, slots(ApartSlots), boundary)

        def hybrid(kind: type[HybridSlots] = HybridSlots) -> Memory:
            inner = kind(
                caller,
                factory,
                layers=kinds.objects(),
                recurrent=kinds.recurrent,
                count=kinds.count,
                limit=limit,
            )
            inner.bucket = stretched or inner.bucket
            return RewindingMemory(inner, feeding=self.feeding)

        return {
            "slots": ragged,
            "hybrid": hybrid,
            "level": lambda: hybrid(LevelHybrid) if kinds.recurrent else slots(LevelMemory),
            "replay": lambda: RewindingMemory(SingleRows(caller), feeding=self.feeding),
            "uncached": lambda: UncachedMemory(caller),
        }

    def _limit(self) -> int | None:
        """Find the context limit: a table's end, or what a rotary encoding was made for."""
        attends = bool(self.kinds.attention) or not self.kinds.count
        if not attends or self.caller.cache_argument == "state" or getattr(self.config, "alibi", False) is True:
            return None
        limit = next((getattr(self.config, name) for name in _LIMITS if getattr(self.config, name, None)), None)
        # XLNet has none, and says -1.
        if not isinstance(limit, int) or limit <= 0:
            return None
        boundary = boundary_of(self.model)
        if boundary is not None and boundary.stretches:
            parameters = getattr(self.config, "rope_parameters", None) or {}
            return int(limit * float(parameters.get("factor", 1.0)))
        return limit - (self.caller.position_offset or 0)


def _refuse_what_is_no_decoder(model: Any) -> None:
    name = type(model).__name__
    if not isinstance(model, nn.Module) or not hasattr(model, "config"):
        raise ModelError(f"{name} is not a transformers model", hint="pass the model, not its name or its config")
    if hasattr(model, "peft_config") and hasattr(model, "get_base_model"):
        raise ModelError(
            f"{name} is a wrapper of PEFT's",
            hint="make the decoder of the base model and give the wrapped one to requests, lora=…; "
            "or decode with merge_and_unload()",
        )
    if getattr(model.config, "is_encoder_decoder", False):
        raise ModelError(
            f"{name} is an encoder-decoder model, which decodekit does not decode with",
            hint="use a decoder-only model, or the decoder alone (for instance BartForCausalLM)",
        )
    if "input_ids" not in inspect.signature(model.forward).parameters:
        raise ModelError(f"the forward pass of {name} takes no input_ids")
