"""The laws of a model's memory, to be inherited by the test class of a KV cache, a runner or a memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from decodekit.memory.base import Memory
from decodekit.model import CausalModel
from decodekit.techniques import Technique
from decodekit.testing.toys import tiny_llama, toy_context
from decodekit.types import Float, Tensor, TokenIds

LONGEST = 40


class CacheLaws:
    """What every memory must satisfy: logits with it are the logits of a full recompute, whatever happened to its rows.

        class TestPaged(CacheLaws):
            make = staticmethod(lambda: Paged(page_tokens=4))

    Attributes:
        make: Gives the KV cache technique, or a cache factory; used by `make_model`.
        tolerance: Largest absolute error of a logit, in float64. A backend that is not exact says here by how much.
        programs: How many random sequences of operations are run.
    """

    make: ClassVar[Any] = staticmethod(lambda: None)
    tolerance: ClassVar[float] = 1e-10
    programs: ClassVar[int] = 6

    def make_model(self) -> CausalModel:
        """Wrap a tiny Llama in float64 with the cache under test; override to test another model or runner."""
        made = type(self).make()
        factory = made.build(toy_context(32)) if isinstance(made, Technique) else made
        return CausalModel.wrap(tiny_llama(32), cache=factory)

    def bench(self, model: CausalModel | None = None, seed: int = 0) -> Bench:
        """Give a fresh memory with the means to check it; override where the truth is another than the model's own."""
        return Bench(model or self.make_model(), self.tolerance, seed)

    def test_a_prompt_at_once_is_a_prompt_token_by_token(self) -> None:
        bench = self.bench()
        bench.join(2)
        text = bench.text(9)
        bench.forward([text, text[:1]], [9, 1])
        for token in text[1:]:
            bench.forward([[], [token]], [0, 1])

    def test_ragged_rows_and_rows_that_sit_out(self) -> None:
        bench = self.bench()
        bench.join(4)
        bench.forward([bench.text(n) for n in (3, 11, 1, 6)], [1, 1, 1, 1])
        for counts in ((1, 1, 1, 1), (1, 0, 1, 0), (4, 1, 3, 2), (0, 0, 0, 5), (1, 1, 1, 1)):
            bench.forward([bench.text(n) for n in counts], list(counts))

    def test_a_rejected_draft_leaves_no_trace(self) -> None:
        bench = self.bench()
        bench.join(3)
        bench.forward([bench.text(n) for n in (5, 2, 8)], [1, 1, 1])
        for kept in ((0, 3, 1), (3, 0, 2), (1, 1, 1)):
            before = list(bench.memory.lengths)
            bench.forward([bench.text(4) for _ in range(3)], [4, 4, 4])
            bench.rewind([length + 1 + keep for length, keep in zip(before, kept, strict=True)])
            bench.forward([bench.text(1) for _ in range(3)], [1, 1, 1])

    def test_gather_copies_drops_and_reorders_rows(self) -> None:
        bench = self.bench()
        bench.join(4)
        bench.forward([bench.text(n) for n in (3, 7, 5, 2)], [1, 1, 1, 1])
        for index in ([3, 2, 1, 0], [1, 1, 1, 0], [0, 3], [1, 0, 1, 0, 1], [4, 2, 0]):
            bench.gather(index)
            bench.forward([bench.text(1) for _ in index], [1] * len(index))
            bench.forward([bench.text(1 + i % 3) for i in range(len(index))], [1 + i % 3 for i in range(len(index))])

    def test_rows_join_a_batch_that_is_running(self) -> None:
        bench = self.bench()
        bench.join(1)
        bench.forward([bench.text(6)], [2])
        bench.join(2)
        bench.forward([bench.text(1), bench.text(4), bench.text(9)], [1, 4, 2])
        bench.gather([2, 0])
        bench.join(1)
        bench.forward([bench.text(1), bench.text(2), bench.text(3)], [1, 2, 3])

    def test_a_saved_row_is_put_back_anywhere(self) -> None:
        bench = self.bench()
        bench.join(2)
        bench.forward([bench.text(6), bench.text(9)], [1, 1])
        saved, text = bench.memory.save(1), list(bench.texts[1])
        bench.forward([bench.text(3), bench.text(1)], [1, 1])
        bench.gather([1, 0, 1])
        other = self.bench(bench.model, seed=1)
        for one in (bench, other, bench):
            one.join(2)
            one.load(saved, text)
            rows = len(one.texts)
            one.forward([one.text(1 + i % 2) for i in range(rows)], [1] * rows)
            one.rewind([len(known) - (i == rows - 1) for i, known in enumerate(one.texts)])
            one.forward([one.text(1)] * rows, [1] * rows)

    def test_many_interleaved_rows_that_bring_very_different_counts(self) -> None:
        bench = self.bench()
        bench.join(20)
        bench.forward([bench.text(3) for _ in range(20)], [1] * 20)
        for counts in ([1 + 7 * (i % 2) for i in range(20)], [8 - 7 * (i % 2) for i in range(20)], [1] * 20):
            bench.forward([bench.text(count) for count in counts], counts)
        bench.gather([i for i in range(20) if i % 3])
        bench.join(4)
        counts = [1 + 5 * (i % 2) for i in range(13)] + [2, 9, 1, 30]
        bench.forward([bench.text(count) for count in counts], counts)
        bench.forward([bench.text(1) for _ in range(17)], [1] * 17)

    def test_prompts_are_fed_in_pieces_beside_fresh_rows(self) -> None:
        bench = self.bench()
        bench.join(3)
        bench.forward([[], bench.text(1), []], [0, 1, 0])
        bench.forward([bench.text(2), bench.text(1), bench.text(2)], [1, 1, 1])
        bench.forward([bench.text(1)] * 3, [1, 1, 1])

    def test_any_sequence_of_operations(self) -> None:
        model = self.make_model()
        for seed in range(self.programs):
            self.bench(model, seed).play(14)

    def test_an_exact_backend_is_declared_so(self) -> None:
        model = self.make_model()
        assert model.exact == (self.tolerance <= 1e-10), f"exact is {model.exact}, the tolerance {self.tolerance}"

    def test_bytes_held_are_counted(self) -> None:
        bench = self.bench()
        bench.join(2)
        empty = bench.memory.bytes()
        bench.forward([bench.text(120), bench.text(9)], [1, 1])
        assert bench.memory.bytes() > empty or bench.model.path == "uncached", "129 tokens take no memory"


class Bench:
    """A memory beside the plain texts that it should hold.

    Args:
        model: The wrapped model.
        tolerance: Largest absolute error of a logit.
        seed: Of texts and operations.
    """

    def __init__(self, model: CausalModel, tolerance: float, seed: int = 0) -> None:
        self.model = model
        self.memory: Memory = model.memory()
        self.tolerance = tolerance
        self.random = np.random.default_rng(seed)
        self.texts: list[TokenIds] = []
        self.done: list[str] = []

    def text(self, length: int) -> TokenIds:
        """Make up tokens."""
        return self.random.integers(self.model.vocab_size, size=length).tolist()

    def join(self, rows: int) -> None:
        """Add empty rows."""
        self.memory.join(rows)
        self.texts += [[] for _ in range(rows)]
        self._check(f"join({rows})")

    def gather(self, index: Sequence[int]) -> None:
        """Go on with these rows."""
        self.memory.gather(list(index))
        self.texts = [list(self.texts[row]) for row in index]
        self._check(f"gather({list(index)})")

    def rewind(self, lengths: Sequence[int]) -> None:
        """Cut rows."""
        self.memory.rewind(list(lengths))
        self.texts = [text[:length] for text, length in zip(self.texts, lengths, strict=True)]
        self._check(f"rewind({list(lengths)})")

    def load(self, saved: Any, text: TokenIds) -> None:
        """Put what was saved of a row into the last one."""
        self.memory.load(len(self.texts) - 1, saved)
        self.texts[-1] = list(text)
        self._check("load")

    def forward(self, tokens: Sequence[TokenIds], wanted: Sequence[int]) -> None:
        """Append tokens and compare every wanted position with a full recompute."""
        counts = [len(each) for each in tokens]
        padded = self.random.integers(self.model.vocab_size, size=(len(tokens), max(counts)))
        for row, each in enumerate(tokens):
            padded[row, : len(each)] = each
        given = torch.from_numpy(padded).to(self.model.device)
        with torch.inference_mode():
            logits = self.memory.forward(given, counts, list(wanted)).logits
        self.texts = [[*text, *each] for text, each in zip(self.texts, tokens, strict=True)]
        self._check(f"forward({counts}, wanted={list(wanted)})")
        assert len(logits) == sum(wanted), f"{sum(wanted)} positions wanted, {len(logits)} given, {self.story()}"
        first = 0
        for row, count in enumerate(wanted):
            if count:
                truth = self.recompute(self.texts[row])[-count:]
                off = float((logits[first : first + count].double() - truth.double()).abs().max())
                assert off <= self.tolerance, f"row {row} is off by {off:.1e}, {self.story()}"
            first += count

    def recompute(self, text: TokenIds) -> Float[Tensor, "query vocab"]:
        """Give the logits of a text without any memory."""
        arguments = {"use_cache": False} if self.model.caller.takes_use_cache else {}
        with torch.inference_mode():
            return self.model.model(input_ids=torch.tensor([text], device=self.model.device), **arguments).logits[0]

    def play(self, steps: int) -> None:
        """Do random things."""
        self.join(int(self.random.integers(1, 4)))
        self.forward([self.text(int(self.random.integers(1, 9))) for _ in self.texts], [1] * len(self.texts))
        for _ in range(steps):
            rows = len(self.texts)
            match self.random.choice(["step", "draft", "gather", "join"], p=[0.4, 0.25, 0.2, 0.15]):
                case "gather":
                    self.gather(self.random.integers(rows, size=int(self.random.integers(1, 6))).tolist())
                case "join" if rows < 6:
                    self.join(1)
                    self.forward([*([[]] * rows), self.text(int(self.random.integers(1, 7)))], [0] * rows + [1])
                case "draft" if max(map(len, self.texts)) < LONGEST:
                    counts = self.random.integers(1, 5, size=rows).tolist()
                    before = [len(text) for text in self.texts]
                    self.forward([self.text(n) for n in counts], counts)
                    kept = [int(self.random.integers(1, n + 1)) for n in counts]
                    self.rewind([length + keep for length, keep in zip(before, kept, strict=True)])
                case _:
                    self.forward([self.text(1) for _ in self.texts], [1] * rows)

    def story(self) -> str:
        """Tell what was done."""
        return "after " + ", ".join(self.done)

    def _check(self, what: str) -> None:
        self.done.append(what)
        lengths = [len(text) for text in self.texts]
        assert list(self.memory.lengths) == lengths, f"lengths {self.memory.lengths}, not {lengths}, {self.story()}"
