"""The laws of a logits processor, to be inherited by a plugin's test class."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from decodekit.law import Law
from decodekit.techniques import BuildContext, Stage, Technique
from decodekit.testing.factories import altered, as_candidates, difference
from decodekit.testing.scenes import STEPS, Scene, is_stateful, start
from decodekit.testing.toys import built, toy_context
from decodekit.testing.values import Snapshot, random_generators, same
from decodekit.testing.variants import nearby
from decodekit.types import State, TokenIds


class ProcessorLaws:
    """What every logits processor must satisfy: gather, row, position, purity and mask law, and honest declarations.

        class TestMinP(ProcessorLaws):
            make = staticmethod(lambda: MinP(ratio=0.3))

    Attributes:
        make: Gives the technique, or a piece that is built already; a new one each time.
        variants: More techniques that differ only in numbers, for the law of stacking; by default made from the fields.
        vocab_sizes: Widths of the laws; raise them where the technique names tokens beyond.
        seeds: Of the random scenes.
        tolerance: Relative and absolute difference of two float64 logits that counts as rounding.
    """

    make: ClassVar[Any]
    variants: ClassVar[Sequence[Any]] = ()
    vocab_sizes: ClassVar[Sequence[int]] = (12, 300)
    seeds: ClassVar[Sequence[int]] = (0, 1)
    tolerance: ClassVar[float] = 1e-9
    _scenes: ClassVar[dict[tuple[int, int], Scene]] = {}

    def context(self, vocab_size: int) -> BuildContext:
        """Give what the technique is built with."""
        return toy_context(vocab_size)

    def piece(self, vocab_size: int) -> Any:
        """Make a new working piece."""
        return built(type(self).make(), self.context(vocab_size))

    def scenes(self) -> Iterator[Scene]:
        """Give every scene that a law is checked on."""
        for vocab_size in self.vocab_sizes:
            for seed in self.seeds:
                played = type(self)._played(self, vocab_size, seed)
                yield played.copy(self.piece(vocab_size))

    @classmethod
    def _played(cls, laws: ProcessorLaws, vocab_size: int, seed: int) -> Scene:
        scenes: dict[tuple[int, int], Scene] = cls.__dict__.get("_scenes") or {}
        if (vocab_size, seed) not in scenes:
            scenes[vocab_size, seed] = Scene.play(lambda: laws.piece(vocab_size), vocab_size, seed)
            cls._scenes = scenes
        return scenes[vocab_size, seed]

    def check(self, given: Law, scene: Scene, index: Sequence[int], what: str) -> None:
        """Assert that laws are those of these positions when each was asked alone."""
        assert len(given.logits) == len(index), f"{what}: {len(index)} positions went in, {len(given.logits)} came out"
        for i, position in enumerate(index):
            found = self.compare(given.index_select(torch.tensor([i])), scene.after[position], scene.vocab_size)
            assert found is None, f"{what}: not what position {position} gets alone: {found}"

    def compare(self, left: Law, right: Law, vocab_size: int) -> str | None:
        """Say where two laws differ beyond rounding, or give None."""
        return difference(left, right, vocab_size, self.tolerance)

    def test_row_law_a_position_in_a_batch_gets_what_it_gets_alone(self) -> None:
        for scene in self.scenes():
            self.check(scene.piece(scene.law, scene.at), scene, range(scene.count), "in a batch, padded")

    def test_position_law_a_draft_scored_at_once_is_scored_token_by_token(self) -> None:
        for scene in self.scenes():
            for first in range(0, scene.count, STEPS + 1):
                for index in (range(first, first + STEPS + 1), range(first + STEPS, first - 1, -1)):
                    self.check(self.call(scene, list(index)), scene, index, "a row's positions at once")

    def test_gather_law_processing_and_gathering_commute(self) -> None:
        for scene in self.scenes():
            random = np.random.default_rng(5)
            for size in (scene.count, 2 * scene.count, 3):
                index = random.integers(scene.count, size=size).tolist()
                self.check(self.call(scene, index), scene, index, "after a gather")

    def test_purity_inputs_are_not_edited(self) -> None:
        for scene in self.scenes():
            for law in (scene.law, as_candidates(scene.law)):
                watch, generators = Snapshot(law=law, at=scene.at), random_generators()
                scene.piece(law, scene.at)
                assert not watch.changed(), f"edited in place: {', '.join(watch.changed())}"
                assert same(generators, random_generators()), "a global random generator was used or seeded"

    def test_purity_the_same_call_twice_gives_the_same_law(self) -> None:
        for scene in self.scenes():
            first, second = (scene.piece(scene.law, scene.at) for _ in range(2))
            found = self.compare(first, second, scene.vocab_size)
            assert found is None, f"the second call differs: {found}"

    def test_purity_dtype_and_device_are_kept(self) -> None:
        for scene in self.scenes():
            for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
                at = altered(scene.at, device=torch.device(device))
                for dtype in (torch.float32, torch.float64):
                    for law in (scene.law, as_candidates(scene.law)):
                        given = scene.piece(_to(law, device, dtype), at)
                        assert given.logits.dtype == dtype, f"{dtype} became {given.logits.dtype}"
                        assert given.logits.device.type == device, f"{device} became {given.logits.device}"
                        assert given.ids is None or given.ids.dtype == torch.int64, "token ids are not int64"

    def test_purity_full_width_and_candidate_set_agree(self) -> None:
        for scene in self.scenes():
            given = scene.piece(as_candidates(scene.law), scene.at)
            self.check(given, scene, range(scene.count), "as a candidate set in another order")

    def test_purity_logits_that_numpy_cannot_read_agree(self) -> None:
        """Logits that gradients are wanted of stand for those on an accelerator: neither may be read by numpy."""
        for scene in self.scenes():
            for law in (scene.law, as_candidates(scene.law)):
                given = scene.piece(Law(law.logits.clone().requires_grad_(), law.ids), scene.at)
                seen = Law(given.logits.detach(), given.ids)
                found = self.compare(seen, scene.piece(law, scene.at), scene.vocab_size)
                assert found is None, f"it depends on where the logits are: {found}"

    def test_purity_candidates_never_repeat_a_token(self) -> None:
        for scene in self.scenes():
            for law in (scene.law, as_candidates(scene.law)):
                given = scene.piece(law, scene.at)
                if given.ids is not None:
                    possible = [ids[kept] for ids, kept in zip(given.ids, given.allowed, strict=True)]
                    once = all(len(ids.unique()) == len(ids) for ids in possible)
                    assert once, "a possible token stands in two columns"
                    outside = int(given.ids.min()) < 0 or int(given.ids.max()) >= scene.vocab_size
                    assert not outside, "a token id out of range"

    def test_mask_law_a_masked_token_stays_masked(self) -> None:
        for scene in self.scenes():
            for law in (scene.law, as_candidates(scene.law)):
                before = law.full(scene.vocab_size).allowed
                after = scene.piece(law, scene.at).full(scene.vocab_size).allowed
                back = (after & ~before).nonzero().tolist()
                assert not back, f"impossible tokens became possible, [position, token]: {back[:3]}"

    def test_mask_law_a_law_is_never_empty_and_has_no_nan(self) -> None:
        for scene in self.scenes():
            for dtype in (torch.float32, torch.float64):
                logits = scene.piece(_to(scene.law, "cpu", dtype), scene.at).logits
                assert not bool(logits.isnan().any()), f"NaN at positions {logits.isnan().any(-1).nonzero().tolist()}"
                assert not bool((logits == torch.inf).any()), "+inf among the logits"
                empty = (logits.amax(dim=-1) == -torch.inf).nonzero().flatten().tolist()
                # Bans that leave nothing are lifted by the loop, which alone knows what the constraint allows.
                if getattr(scene.piece, "stage", None) is not Stage.BAN:
                    assert not empty, f"nothing is possible at positions {empty}"

    def test_argmax_invariant_is_declared_truly(self) -> None:
        for scene in self.scenes():
            if getattr(scene.piece, "argmax_invariant", False):
                for law in (scene.law, as_candidates(scene.law)):
                    before, after = law.argmax(), scene.piece(law, scene.at).argmax()
                    moved = (before != after).nonzero().flatten().tolist()
                    assert not moved, f"the most likely token changes at positions {moved[:5]}"

    def test_needs_history_is_declared_where_history_is_read(self) -> None:
        for scene in self.scenes():
            if getattr(scene.piece, "needs_history", False):
                continue
            for width in (0, scene.at.history_array.shape[1]):
                history = np.full((scene.count, width), scene.vocab_size - 1, dtype=np.int64)
                given = scene.piece(scene.law, altered(scene.at, history_array=history))
                self.check(given, scene, range(scene.count), "without needs_history, with another history")

    def test_reads_law_is_declared_where_advance_looks_at_the_law(self) -> None:
        for scene in self.scenes():
            if not is_stateful(scene.piece):
                continue
            for i in range(scene.count):
                full = scene.after[i].full(scene.vocab_size)
                other = as_candidates(full) if getattr(scene.piece, "reads_law", False) else None
                states = [scene.piece.advance(scene.at.states[i], scene.tokens[i], law) for law in (full, other)]
                what = "depends on the law's form" if other else "depends on a law that is not declared (reads_law)"
                assert same(states[0], states[1], self.tolerance), f"advance {what}: {states!r}"

    def test_states_are_values_that_advance_never_edits(self) -> None:
        for scene in self.scenes():
            assert not scene.changed, f"advance edited its {', '.join(sorted(set(scene.changed)))}"
            watch = Snapshot(states=scene.at.states)
            for _ in range(2):
                scene.piece(scene.law, scene.at)
                for i in range(scene.count if is_stateful(scene.piece) else 0):
                    self.advance(scene.piece, scene.at.states[i], scene.tokens[i], scene.after[i])
            assert not watch.changed(), "a state changed after it had been handed out"

    def test_forks_of_a_row_do_not_disturb_each_other(self) -> None:
        for scene in self.scenes():
            if not is_stateful(scene.piece):
                continue
            for first in range(0, scene.count, STEPS + 1):
                i = first + STEPS // 2
                shared, then = scene.at.states[i], scene.tokens[i + 1]
                forks = [int(t) for t in scene.after[i].full(scene.vocab_size).allowed[0].nonzero().flatten()[:3]]
                grown = [self.advance(scene.piece, shared, token, scene.after[i]) for token in forks]
                grown = [self.advance(scene.piece, state, then, scene.after[i + 1]) for state in grown]
                for token, state in zip(forks, grown, strict=True):
                    alone = self.replay(scene, first, [*scene.tokens[first:i], token, then])
                    assert same(state, alone, self.tolerance), f"{state!r} after a fork, {alone!r} alone"

    def test_stackable_is_declared_truly(self) -> None:
        from decodekit.pipeline import stack

        for scene in self.scenes():
            if not getattr(scene.piece, "stackable", False):
                continue
            made = type(self).make()
            others = list(self.variants) or (nearby(made) if isinstance(made, Technique) else [])
            pieces = [scene.piece, *(built(each, self.context(scene.vocab_size)) for each in others)]
            chosen = [pieces[i % len(pieces)] for i in range(scene.count)]
            for law in (scene.law, as_candidates(scene.law)):
                together = stack(chosen, law.logits.dtype, law.logits.device)(law, scene.at)
                for i, piece in enumerate(chosen):
                    alone = piece(law.index_select(torch.tensor([i])), scene.at.index_select([i]))
                    found = self.compare(together.index_select(torch.tensor([i])), alone, scene.vocab_size)
                    assert found is None, f"stacked, {piece!r} does not get what it gets alone: {found}"

    def call(self, scene: Scene, index: list[int]) -> Law:
        """Ask the piece for these positions in one call."""
        return scene.piece(scene.law.index_select(torch.tensor(index)), scene.at.index_select(index))

    def advance(self, piece: Any, state: State, token: int, law: Law) -> State:
        """Advance as the loop does: with a law only where it is declared."""
        return piece.advance(state, token, law if getattr(piece, "reads_law", False) else None)

    def replay(self, scene: Scene, first: int, tokens: TokenIds) -> State:
        """Give the state of a new piece after these tokens of the row that begins at position `first`."""
        piece = self.piece(scene.vocab_size)
        state = start(piece, scene.at.history_array[first, : scene.at.lengths_array[first]].tolist())
        for step, token in enumerate(tokens):
            state = copy.deepcopy(self.advance(piece, state, token, scene.after[first + step]))
        return state


def _to(law: Law, device: str, dtype: torch.dtype) -> Law:
    return Law(law.logits.to(device, dtype), None if law.ids is None else law.ids.to(device))
