"""The laws of a drafter, to be inherited by a plugin's test class."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any, ClassVar

import numpy as np
import torch

from decodekit.positions import Positions
from decodekit.techniques import BuildContext, Draft
from decodekit.testing.factories import altered, positions
from decodekit.testing.statistics import chi_square, samples_needed
from decodekit.testing.toys import built, toy_context
from decodekit.testing.values import Snapshot, random_generators, same
from decodekit.types import TokenIds

ROWS = 8
LIMITS = (0, 1, 2, 5, 5, 3, 1, 4)


class DrafterLaws:
    """What every drafter must satisfy: within its limits, the same in any batch, drafts that follow their own law.

    Attributes:
        make: Gives the technique, or a piece that is built already.
        vocab_size: Width of the laws and bound of the tokens.
        seeds: Of the random histories.
    """

    make: ClassVar[Any]
    vocab_size: ClassVar[int] = 6
    seeds: ClassVar[tuple[int, ...]] = (0, 1, 2)

    def context(self) -> BuildContext:
        """Give what the technique is built with."""
        return toy_context(self.vocab_size)

    def piece(self) -> Any:
        """Make a new working piece."""
        return built(type(self).make(), self.context())

    def places(self, piece: Any, seed: int) -> Positions:
        """Give rows that have grown, with the states that the drafter reached along them."""
        random = np.random.default_rng(seed)
        histories: list[TokenIds] = [random.integers(4, size=2 + 3 * row).tolist() for row in range(ROWS)]
        states: list[Any] = []
        for row, text in enumerate(histories):
            prompt = 1 + row % 2
            state = piece.start(tuple(text[:prompt]))
            for token in text[prompt:]:
                state = piece.advance(state, token)
            states.append(state)
        width = max(map(len, histories)) + 4
        padding = random.integers(self.vocab_size, size=(ROWS, width))
        prompts = [1 + row % 2 for row in range(ROWS)]
        return positions(histories=histories, prompt_lengths=prompts, states=states, width=width, padding=padding)

    def test_drafts_keep_within_their_limits_and_the_vocabulary(self) -> None:
        for seed in self.seeds:
            piece = self.piece()
            drafts = piece(self.places(piece, seed), list(LIMITS))
            assert len(drafts) == ROWS, f"{len(drafts)} drafts for {ROWS} positions"
            for draft, limit in zip(drafts, LIMITS, strict=True):
                assert len(draft.tokens) <= limit, f"{len(draft.tokens)} tokens where {limit} may be proposed"
                wrong = [t for t in draft.tokens if not 0 <= t < self.vocab_size]
                assert not wrong, f"tokens {wrong} are outside of the vocabulary"

    def test_the_law_of_a_draft_makes_its_tokens_possible(self) -> None:
        for seed in self.seeds:
            piece = self.piece()
            for draft in piece(self.places(piece, seed), list(LIMITS)):
                if draft.law is None or not len(draft.tokens):
                    continue
                assert len(draft.law.logits) == len(draft.tokens), "the draft's law has another length than the draft"
                given = draft.law.logprob_of(torch.tensor(list(draft.tokens)))
                assert bool((given > -torch.inf).all()), f"drafted {list(draft.tokens)}, impossible under its own law"

    def test_row_law_a_row_in_a_batch_gets_the_draft_it_gets_alone(self) -> None:
        for seed in self.seeds:
            piece = self.piece()
            at = self.places(piece, seed)
            together = piece(at, list(LIMITS))
            for row in (3, 0, 7, 4, 1):
                length = int(at.lengths_array[row])
                place = at.index_select([row])
                alone = piece(altered(place, history_array=place.history_array[:, :length].copy()), [LIMITS[row]])
                assert _alike(alone[0], together[row]), f"row {row}: {together[row]} in a batch, {alone[0]} alone"

    def test_gather_law_drafting_and_gathering_commute(self) -> None:
        piece = self.piece()
        at = self.places(piece, self.seeds[0])
        index = [5, 5, 0, 3, 7, 2]
        together, gathered = piece(at, list(LIMITS)), piece(at.index_select(index), [LIMITS[i] for i in index])
        assert all(_alike(gathered[i], together[row]) for i, row in enumerate(index)), (
            "a gathered row gets another draft"
        )

    def test_purity_inputs_and_states_are_not_edited(self) -> None:
        piece = self.piece()
        at = self.places(piece, self.seeds[0])
        watch, generators = Snapshot(at=at), random_generators()
        first, second = piece(at, list(LIMITS)), piece(at, list(LIMITS))
        for state in at.states:
            before = copy.deepcopy(state)
            following = piece.advance(state, 1)
            assert same(following, piece.advance(state, 1)), "the same advance twice gives two states"
            assert same(state, before), "advance edited its state"
        assert not watch.changed(), f"edited in place: {', '.join(watch.changed())}"
        assert all(map(_alike, first, second)), "the same call twice gives two drafts"
        assert same(generators, random_generators()), "a global random generator was used or seeded"

    def test_drafted_tokens_follow_their_law(self) -> None:
        piece = self.piece()
        place = self.places(piece, self.seeds[0]).index_select([4])
        n = samples_needed(self.vocab_size, 0.05)
        drafts = piece(altered(place.index_select([0] * n), seeds=np.arange(n, dtype=np.uint64)), [1] * n)
        drawn = [draft for draft in drafts if draft.law is not None and len(draft.tokens)]
        if not drawn or drawn[0].law is None:
            return
        law = drawn[0].law.full(self.vocab_size).probs()[0].tolist()
        chi_square(Counter(int(draft.tokens[0]) for draft in drawn), {t: p for t, p in enumerate(law) if p > 0})


def _alike(left: Draft, right: Draft) -> bool:
    if list(left.tokens) != list(right.tokens) or (left.law is None) != (right.law is None):
        return False
    if left.law is None or right.law is None or not len(left.tokens):
        return True
    return same(left.law.probs(), right.law.probs(), 1e-6)
