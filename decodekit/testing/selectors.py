"""The laws of a token selector, to be inherited by a plugin's test class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import BuildContext
from decodekit.testing.factories import as_candidates, positions, random_law
from decodekit.testing.statistics import chi_square, samples_needed
from decodekit.testing.toys import built, toy_context
from decodekit.testing.values import Snapshot, random_generators, same
from decodekit.types import Float, Tensor, TokenIds

EDGES = (0.0, 2.0**-53, 0.25, 0.5, 0.75, 1 - 2.0**-24, 1 - 2.0**-53)
"""Uniform numbers at which an off-by-one in an inverse CDF shows."""


class SelectorLaws:
    """What every token selector must satisfy: possible tokens, the law's frequencies, rows that stand alone.

    Attributes:
        make: Gives the technique, or a piece that is built already.
        vocab_sizes: Widths of the laws.
        tv: Total variation distance that the frequency tests see with power 0.999 at alpha 1e-6.
    """

    make: ClassVar[Any]
    vocab_sizes: ClassVar[Sequence[int]] = (8, 300)
    tv: ClassVar[float] = 0.02

    def context(self, vocab_size: int) -> BuildContext:
        """Give what the technique is built with."""
        return toy_context(vocab_size)

    def piece(self, vocab_size: int) -> Any:
        """Make a new working piece."""
        return built(type(self).make(), self.context(vocab_size))

    def expected(self, law: Law) -> Float[Tensor, "position candidate"]:
        """Give the law that tokens must follow; override where the selector means another one."""
        return law.probs()

    def cases(self) -> list[tuple[Any, Law, Positions]]:
        """Give a piece, laws and positions for every width."""
        return [(self.piece(size), random_law(32, size, seed=3), _places(32, size)) for size in self.vocab_sizes]

    def test_the_answer_is_one_int64_token_per_position(self) -> None:
        for piece, law, at in self.cases():
            tokens = piece(law, at)
            assert tokens.dtype == torch.int64, f"tokens are {tokens.dtype}"
            assert tokens.shape == (len(at),), f"shape {list(tokens.shape)} for {len(at)} positions"
            assert tokens.device == law.logits.device, f"tokens are on {tokens.device}"

    def test_the_token_is_always_possible(self) -> None:
        for size in self.vocab_sizes:
            piece = self.piece(size)
            for dtype in (torch.float32, torch.float64):
                for seed in range(6):
                    law = random_law(32, size, seed, dtype)
                    for form in (law, as_candidates(law)):
                        _assert_possible(law, piece(form, _places(32, size, first_seed=100 * seed)), f"seed {seed}")

    def test_the_token_is_possible_at_the_edges_of_the_uniform_numbers(self) -> None:
        for size in self.vocab_sizes:
            piece = self.piece(size)
            for dtype in (torch.float32, torch.float64):
                law = random_law(32, size, 1, dtype)
                for edge in EDGES:
                    at = _places(32, size, draw=lambda seeds, *_, edge=edge: np.full(len(seeds), edge))
                    for form in (law, as_candidates(law)):
                        _assert_possible(law, piece(form, at), f"uniform number {edge!r}")

    def test_a_law_that_is_unusable_gives_a_token_all_the_same(self) -> None:
        """The loop says whose fault such a law is, which it cannot where the token is no column of the law."""
        for size in self.vocab_sizes:
            piece = self.piece(size)
            for wrong in (torch.nan, -torch.inf, torch.inf):
                law = Law(torch.full((8, size), wrong, dtype=torch.float64))
                for form in (law, Law(law.logits[:, 1:], torch.arange(size - 1, 0, -1).repeat(8, 1))):
                    tokens = piece(form, _places(8, size)).tolist()
                    outside = [token for token in tokens if not 0 <= token < size]
                    assert not outside, f"all logits {wrong} give tokens {outside[:3]} of a vocabulary of {size}"

    def test_row_law_a_position_in_a_batch_gets_what_it_gets_alone(self) -> None:
        for piece, law, at in self.cases():
            together = piece(law, at).tolist()
            alone = [_one(piece, law, at, i) for i in range(len(at))]
            assert together == alone, f"in a batch {together}, alone {alone}"

    def test_gather_law_choosing_and_gathering_commute(self) -> None:
        for piece, law, at in self.cases():
            index = np.random.default_rng(7).integers(len(at), size=50).tolist()
            gathered = piece(law.index_select(torch.tensor(index)), at.index_select(index)).tolist()
            direct = piece(law, at).tolist()
            assert gathered == [direct[i] for i in index], "after a gather a position gets another token"

    def test_full_width_and_candidate_set_agree_token_for_token(self) -> None:
        for piece, law, at in self.cases():
            full = piece(law, at).tolist()
            for seed in range(3):
                shuffled = piece(as_candidates(law, seed), at).tolist()
                assert full == shuffled, f"full width {full}, candidates in another order {shuffled}"

    def test_purity_inputs_are_not_edited(self) -> None:
        for piece, law, at in self.cases():
            for form in (law, as_candidates(law)):
                watch, generators = Snapshot(law=form, at=at), random_generators()
                piece(form, at)
                assert not watch.changed(), f"edited in place: {', '.join(watch.changed())}"
                assert same(generators, random_generators()), "a global random generator was used or seeded"

    def test_purity_the_same_call_twice_gives_the_same_tokens(self) -> None:
        for piece, law, at in self.cases():
            first, second = piece(law, at).tolist(), piece(law, at).tolist()
            assert first == second, f"first {first}, then {second}"

    def test_deterministic_is_declared_truly(self) -> None:
        for piece, law, at in self.cases():
            if getattr(piece, "deterministic", False):
                others = [_places(len(at), law.logits.shape[-1], first_seed=seed) for seed in (1000, 2000, 3000)]
                tokens = [piece(law, other).tolist() for other in (at, *others)]
                assert all(each == tokens[0] for each in tokens), "declared deterministic, but the seed matters"

    def test_tokens_follow_the_law_over_seeds(self) -> None:
        self.follow(lambda n: {"seeds": list(range(n))})

    def test_tokens_follow_the_law_over_positions_of_one_text(self) -> None:
        self.follow(lambda n: {"seeds": [11] * n, "histories": [[0] * (1 + i % 9) for i in range(n)], "spread": 9})

    def test_tokens_follow_the_law_over_samples_of_one_request(self) -> None:
        self.follow(lambda n: {"seeds": [12] * n, "samples": list(range(n))})

    def test_tokens_of_one_text_are_independent(self) -> None:
        piece = self.piece(8)
        if getattr(piece, "deterministic", False):
            return
        law = _small_law()
        expected = self.expected(law)[0].tolist()
        joint = {(a, b): p * q for a, p in enumerate(expected) for b, q in enumerate(expected) if p * q > 0}
        n = samples_needed(len(joint), 2 * self.tv)
        wide = law.index_select(torch.zeros(n, dtype=torch.int64))
        first = piece(wide, positions(n)).tolist()
        second = piece(wide, positions(n, histories=[[0, 1]] * n, prompt_lengths=[1] * n)).tolist()
        chi_square(Counter(zip(first, second, strict=True)), joint)

    def follow(self, keys: Callable[[int], dict[str, Any]]) -> None:
        """Assert that tokens of one law, drawn with these random keys, have the law's frequencies."""
        piece = self.piece(8)
        if getattr(piece, "deterministic", False):
            return
        law = _small_law()
        expected = {t: p for t, p in enumerate(self.expected(law)[0].tolist()) if p > 0}
        n = samples_needed(len(expected), self.tv)
        given = keys(n)
        spread = given.pop("spread", None)
        if spread:
            given["samples"] = [i // spread for i in range(n)]
            given["prompt_lengths"] = [1] * n
        tokens = piece(law.index_select(torch.zeros(n, dtype=torch.int64)), positions(n, **given))
        chi_square(Counter(tokens.tolist()), expected)


def _small_law() -> Law:
    probabilities = torch.tensor([[0.05, 0.0, 0.3, 0.02, 0.3, 0.2, 0.0, 0.13]], dtype=torch.float64)
    return Law(probabilities.log() + 1.5)


def _places(count: int, vocab_size: int, first_seed: int = 0, draw: Any = None) -> Positions:
    random = np.random.default_rng(first_seed)
    histories: list[TokenIds] = [random.integers(vocab_size, size=1 + i % 5).tolist() for i in range(count)]
    seeds = [first_seed + i // 4 for i in range(count)]
    samples = [i % 2 for i in range(count)]
    return positions(histories=histories, prompt_lengths=[1] * count, seeds=seeds, samples=samples, width=9, draw=draw)


def _one(piece: Any, law: Law, at: Positions, i: int) -> int:
    return int(piece(law.index_select(torch.tensor([i])), at.index_select([i])))


def _assert_possible(law: Law, tokens: Tensor, when: str) -> None:
    size = law.logits.shape[-1]
    outside = [token for token in tokens.tolist() if not 0 <= token < size]
    assert not outside, f"tokens {outside[:3]} are outside of a vocabulary of {size} ({when})"
    wrong = (law.logits.gather(-1, tokens[:, None]).squeeze(-1) == -torch.inf).nonzero().flatten().tolist()
    assert not wrong, f"impossible tokens at positions {wrong[:5]} ({when})"
