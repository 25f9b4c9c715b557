"""The laws of a model runner: it runs the model that it is given, on what it is given, and leaves both as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, ClassVar

import torch

from decodekit.memory.watch import Pass, Watch
from decodekit.model import CausalModel
from decodekit.testing.caches import Bench
from decodekit.testing.hooks import changed, state_of
from decodekit.testing.toys import built, tiny_llama
from decodekit.testing.values import Snapshot, same
from decodekit.types import Tensor


class Halving:
    """The piece of a model hook that writes down what the first layer is given, and halves what it gives."""

    @contextmanager
    def around(self, run: Pass) -> Iterator[None]:
        """Stand around a forward pass."""

        def hook(module: Any, inputs: Any, output: Any) -> Any:
            run.note(inputs[0])
            return output / 2

        handle = run.model.model.layers[0].register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


class ModelRunnerLaws:
    """What every model runner must satisfy, on a tiny Llama.

    Attributes:
        make: Gives the technique, or a runner.
        tolerance: Largest absolute error of a logit, in float64.
    """

    make: ClassVar[Any]
    tolerance: ClassVar[float] = 1e-10

    def make_model(self) -> Any:
        """Give a tiny transformers model in float64, a Llama; override to test another size."""
        return tiny_llama(32)

    def model(self, *, fresh: bool = False) -> CausalModel:
        """Wrap the model, and let the runner run it without the check that a decoder makes; a new one if `fresh`."""
        make = _model.__wrapped__ if fresh else _model
        return make(type(self))

    def test_logits_are_those_of_the_model_whatever_happens_to_rows(self) -> None:
        bench = Bench(self.model(), self.tolerance)
        bench.join(3)
        bench.forward([bench.text(n) for n in (5, 2, 8)], [1, 1, 1])
        for _ in range(3):
            bench.forward([bench.text(1) for _ in range(3)], [1, 1, 1])
        bench.forward([bench.text(n) for n in (3, 1, 3)], [3, 1, 3])
        bench.rewind([length - 1 for length in bench.memory.lengths])
        bench.gather([2, 0, 2, 1])
        for counts in ([1, 1, 1, 1], [1, 0, 1, 1], [2, 2, 2, 2]):
            bench.forward([bench.text(n) for n in counts], counts)
        bench.forward([bench.text(40)] + [bench.text(1)] * 3, [2, 1, 1, 1])
        bench.gather([3])
        bench.forward([bench.text(1)], [1])

    def test_purity_inputs_are_not_edited_and_a_pass_is_repeated(self) -> None:
        model = self.model()
        inputs = {"input_ids": torch.tensor([[3, 1, 4], [1, 5, 9]]), "position_ids": torch.arange(3).expand(2, 3)}
        watch = Snapshot(**inputs)
        with torch.inference_mode():
            first, second = (model.caller.runner(model.model, **inputs, use_cache=False).logits for _ in range(2))
        assert not watch.changed(), "the inputs were edited in place"
        assert same(first, second), "the same pass gives other logits the second time"

    def test_the_model_is_left_as_it_was(self) -> None:
        model = self.model(fresh=True)
        before = state_of(model.model)
        memory = model.memory()
        memory.join(2)
        memory.forward(torch.tensor([[3, 1], [4, 1]]), [2, 2], [1, 1])
        assert (why := changed(before, model.model)) is None, why

    def test_model_hooks_reach_the_pass(self) -> None:
        model = self.model()
        (logits, notes), (expected, written) = _halved(model), _halved(CausalModel.wrap(model.model))
        off = float((logits - expected).abs().max())
        assert off <= self.tolerance, f"logits are off by {off:.1e} where a hook changes the model"
        assert len(notes) == len(written), f"{len(notes)} notes of a hook, not {len(written)}"
        off = max(float((note - truth).abs().max()) for note, truth in zip(notes, written, strict=True))
        assert off <= self.tolerance, f"what a hook sees is off by {off:.1e}"


def _halved(model: CausalModel) -> tuple[Tensor, list[Tensor]]:
    """Give logits of two rows with a hook around, and what it wrote down about their tokens."""
    memory, watch = model.memory(), Watch({"halving": [Halving(), Halving()]})
    memory.join(2)
    tokens = torch.tensor([[3, 1, 4], [1, 5, 9]])
    memory.forward(tokens, [3, 3], [1, 1])  # what is captured is captured here
    memory.rewind([0, 0])
    logits = memory.forward(tokens, [3, 3], [1, 1], watch=watch).logits
    return logits, [block.values for row in range(2) for block in watch.notes["halving"].get(row, ())]


@lru_cache(maxsize=16)
def _model(laws: type[ModelRunnerLaws]) -> CausalModel:
    nothing: Any = None
    model = CausalModel.wrap(laws().make_model())
    model.caller.runner = built(laws.make(), nothing)
    return model
