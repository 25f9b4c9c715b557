"""The laws of a drafter, to be inherited by a plugin's test class."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import torch

from decodekit import rng
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

    def test_drafted_texts_of_two_tokens_follow_their_laws(self) -> None:
        _, first, drafts = self.pairs()
        if not len(drafts) or first is None:
            return
        expected: dict[tuple[int, int], float] = {}
        for token, mass in first.items():
            law = next((self.probabilities(draft, 1) for draft in drafts if int(draft.tokens[0]) == token), None)
            expected |= {(token, t): mass * p for t, p in law.items()} if law else {(token, -1): mass}
        chi_square(Counter((int(d.tokens[0]), int(d.tokens[1])) for d in drafts), expected)

    def test_a_draft_is_independent_of_the_drafts_before_it(self) -> None:
        at, first, drafts = self.pairs()
        if not len(drafts) or first is None:
            return
        piece, token, count = self.piece(), int(drafts[0].tokens[0]), len(drafts)
        following = piece(self.after(piece, at, token), [1] * count)
        law = self.probabilities(following[0], 0)
        second: Counter[int] = Counter()
        for draft in drafts:
            second.update({t: p / count for t, p in self.probabilities(draft, 1).items()})  # pyright: ignore
        observed = Counter((int(a.tokens[1]), int(b.tokens[0])) for a, b in zip(drafts, following, strict=True))
        chi_square(observed, {(a, b): float(p) * q for a, p in second.items() for b, q in law.items()})

    def test_a_draft_leaves_the_numbers_of_selectors_and_verifiers_alone(self) -> None:
        piece = self.piece()
        at = self.places(piece, self.seeds[0])
        with patch.object(rng, "uniform", wraps=rng.uniform) as draws:
            piece(at, list(LIMITS))
        taken = sorted(
            {call.args[3] for call in draws.call_args_list if call.args[3].split()[0] in ("select", "accept")}
        )
        assert not taken, f"numbers for {', '.join(map(repr, taken))} decide what is made of the draft"

    def pairs(self) -> tuple[Positions, dict[int, float] | None, list[Draft]]:
        """Give many drafts of two tokens at one place, and the law of the first; none from drafters without laws."""
        piece = self.piece()
        count = samples_needed(self.vocab_size**2, 0.08)
        place = self.places(piece, self.seeds[0]).index_select([4])
        at = altered(place.index_select([0] * count), seeds=np.arange(count, dtype=np.uint64))
        drafts = piece(at, [2] * count)
        if any(draft.law is None or len(draft.tokens) < 2 for draft in drafts):
            return at, None, []
        return at, self.probabilities(drafts[0], 0), drafts

    def after(self, piece: Any, at: Positions, token: int) -> Positions:
        """Give the places one token further on."""
        length = int(at.lengths_array[0])
        history = np.concatenate([at.history_array[:, :length], np.full((len(at), 1), token)], axis=1)
        state = piece.advance(at.states[0], token)
        return altered(at, history_array=history, lengths_array=at.lengths_array + 1, states=[state] * len(at))

    def probabilities(self, draft: Draft, place: int) -> dict[int, float]:
        """Give the law that a token of a draft was drawn from."""
        assert draft.law is not None
        law = draft.law.index_select(torch.tensor([place])).full(self.vocab_size).probs()[0].tolist()
        return {token: p for token, p in enumerate(law) if p > 0}


def _alike(left: Draft, right: Draft) -> bool:
    if list(left.tokens) != list(right.tokens) or (left.law is None) != (right.law is None):
        return False
    if left.law is None or right.law is None or not len(left.tokens):
        return True
    return same(left.law.probs(), right.law.probs(), 1e-6)
