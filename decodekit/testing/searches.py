"""The laws of a search, to be inherited by a plugin's test class."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import BuildContext, Expansion, GroupView
from decodekit.testing.factories import altered, as_candidates, positions, random_law
from decodekit.testing.toys import built, toy_context
from decodekit.testing.values import Snapshot, random_generators, same

_KINDS = (((-1,), True), ((), False), ((-1, 2), False))
"""End tokens that are played with, -1 being the last token of the vocabulary; and whether the loop ends rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Play:
    """One step of a group that grows: what the search was given and what it gave."""

    law: Law
    group: GroupView
    given: Expansion

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Give parent and token of all that goes on or ends."""
        running = zip(self.given.parents, self.given.tokens, strict=True)
        return [*running, *((parent, token) for parent, token, _ in self.given.finished)]


class SearchLaws:
    """What every search must satisfy.

    Parents in range, possible tokens, no more rows than it declares, scores that add up, ends that are not lost, no
    hidden memory, and the same answer wherever a row stands in its group. A group is played under random laws, also
    with rows that the loop ends on the way.

    Attributes:
        make: Gives the technique, or a piece that is built already.
        vocab_size: Width of the laws.
        steps: How long a text may become.
        seeds: Of the random laws.
        repeats: Whether the group may hold the same text twice.
        draws_by_place: Whether random numbers go by a row's place, so that the gather law holds for frequencies only.
    """

    make: ClassVar[Any]
    vocab_size: ClassVar[int] = 9
    steps: ClassVar[int] = 6
    seeds: ClassVar[tuple[int, ...]] = (0, 1)
    repeats: ClassVar[bool] = False
    draws_by_place: ClassVar[bool] = False

    def context(self) -> BuildContext:
        """Give what the technique is built with."""
        return toy_context(self.vocab_size, max_new_tokens=self.steps)

    def piece(self) -> Any:
        """Make a new working piece."""
        return built(type(self).make(), self.context())

    def logprob(self, score: float, length: int) -> float | None:
        """Give the log-probability of a text with that score; override where a score is something else.

        None leaves out the law that scores add up.
        """
        return score

    def play(self, piece: Any, seed: int, ends: tuple[int, ...] = (-1,), *, stops: bool = False) -> list[Play]:
        """Let a group grow under random laws until it is decided or full.

        Args:
            piece: The search.
            seed: Of the laws.
            ends: End tokens.
            stops: Whether the loop ends a row at each step, as at a stop string.
        """
        ends = tuple(token % self.vocab_size for token in ends)
        group = GroupView([0.0], [0], [self.steps], ends, [], piece.start(), _places([[0]], seed))
        played: list[Play] = []
        for step in range(self.steps):
            law = random_law(len(group.scores), self.vocab_size, 100 * seed + step, first=step + seed)
            given = piece(law, group)
            played.append(Play(law, group, given))
            if given.done or not given.parents:
                break
            group = _grown(group, given, seed, step % 2 if stops and len(given.parents) > 1 else None)
        return played

    def plays(self, piece: Any) -> list[Play]:
        """Give the steps of groups of every kind."""
        return [
            one for seed in self.seeds for ends, stops in _KINDS for one in self.play(piece, seed, ends, stops=stops)
        ]

    def test_parents_and_tokens_are_possible(self) -> None:
        for one in self.plays(self.piece()):
            counts = len(one.given.parents), len(one.given.tokens), len(one.given.scores)
            assert len(set(counts)) == 1, f"parents, tokens and scores: {counts}"
            for parent, token in one.pairs:
                assert 0 <= parent < len(one.group.scores), f"parent {parent} of {len(one.group.scores)} rows"
                assert 0 <= token < self.vocab_size, f"token {token} outside of the vocabulary"
                assert float(one.law.logits[parent, token]) > -math.inf, f"row {parent} goes on with impossible {token}"

    def test_no_text_comes_twice(self) -> None:
        for one in [] if self.repeats else self.plays(self.piece()):
            assert len(set(one.pairs)) == len(one.pairs), "a row is continued twice with one token"

    def test_a_group_has_at_most_the_declared_rows(self) -> None:
        piece = self.piece()
        for one in self.plays(piece):
            assert len(one.given.parents) <= piece.rows, f"{len(one.given.parents)} rows, declared are {piece.rows}"

    def test_scores_are_numbers(self) -> None:
        for one in self.plays(self.piece()):
            scores = [*one.given.scores, *(score for _, _, score in one.given.finished)]
            assert not any(math.isnan(score) for score in scores), f"NaN among the scores {scores}"
            assert all(score < math.inf for score in scores), f"+inf among the scores {scores}"

    def test_scores_add_up_the_log_probabilities_of_parent_and_token(self) -> None:
        for one in self.plays(self.piece()):
            logprobs = one.law.logprobs()
            scores = [*one.given.scores, *(score for _, _, score in one.given.finished)]
            for (parent, token), score in zip(one.pairs, scores, strict=True):
                length = one.group.new_tokens[parent]
                before, after = self.logprob(one.group.scores[parent], length), self.logprob(score, length + 1)
                if before is not None and after is not None:
                    wanted = before + float(logprobs[parent, token])
                    assert math.isclose(after, wanted, rel_tol=1e-6, abs_tol=1e-6), (
                        f"row {parent} with {before} and token {token} with {float(logprobs[parent, token])} "
                        f"make {wanted}, the score says {after}"
                    )

    def test_end_tokens_finish_a_text(self) -> None:
        for one in self.plays(self.piece()):
            assert not set(one.given.tokens) & set(one.group.end_tokens), "a row goes on after an end token"

    def test_an_end_is_not_lost(self) -> None:
        for likely in (False, True):
            for seed in self.seeds:
                piece, end = self.piece(), self.vocab_size - 1
                for one in self.play(piece, seed):
                    law = _ending(one.law, end, likely)
                    ended = [token for _, token, _ in piece(law, one.group).finished]
                    where = f"{len(one.group.scores)} rows, {one.group.new_tokens[0]} tokens"
                    assert end in ended, f"the end token is the {'likeliest' if likely else 'only'} one, lost ({where})"

    def test_a_text_of_the_greatest_length_is_not_lost(self) -> None:
        for one in self.plays(self.piece()):
            if one.group.remaining[0] == 1 and not one.group.finished:
                assert one.pairs, "no text has ended, and the last token of all of them is not taken"

    def test_a_group_that_is_not_done_has_rows_left(self) -> None:
        for one in self.plays(self.piece()):
            going = one.given.done or one.given.parents or one.given.finished
            assert going, "not done, but nothing is expanded"

    def test_purity_inputs_are_not_edited_and_the_same_call_gives_the_same_expansion(self) -> None:
        piece = self.piece()
        for one in self.plays(piece):
            watch, generators = Snapshot(law=one.law, group=one.group, at=one.group.at), random_generators()
            again = piece(one.law, one.group)
            assert _alike(one.given, again), f"first {one.given}, then {again}"
            assert not watch.changed(), f"edited in place: {', '.join(watch.changed())}"
            assert same(generators, random_generators()), "a global random generator was used or seeded"

    def test_gather_law_a_row_is_treated_alike_wherever_it_stands(self) -> None:
        piece = self.piece()
        for number, one in enumerate([] if self.draws_by_place else self.plays(piece)):
            rows = len(one.group.scores)
            if len({round(score, 9) for score in one.group.scores}) < rows:
                continue  # which of equal rows comes first is told by their places
            law = Law(random_law(rows, self.vocab_size, 7000 + number, first=0).logits + _untie(rows, self.vocab_size))
            order = np.random.default_rng(number).permutation(rows).tolist()
            straight = _texts(piece(law, one.group), range(rows))
            moved = _texts(piece(law.index_select(torch.tensor(order)), _gathered(one.group, order)), order)
            assert same(straight, moved, 1e-7), f"in order {straight}, with rows {order} {moved}"

    def test_what_stands_beyond_the_histories_changes_nothing(self) -> None:
        piece = self.piece()
        for one in self.plays(piece):
            at = one.group.at
            padding = np.full((len(at), 5), self.vocab_size - 1)
            wider = altered(at, history_array=np.concatenate([at.history_array, padding], axis=1))
            assert _alike(one.given, piece(one.law, replace(one.group, at=wider))), "padding of a history was read"

    def test_full_width_and_candidate_set_agree(self) -> None:
        piece = self.piece()
        for one in self.plays(piece):
            for seed in range(2):
                narrow = piece(as_candidates(one.law, seed), one.group)
                assert _alike(one.given, narrow), f"at full width {one.given}, as candidates {narrow}"

    def test_laws_of_few_columns_are_taken_and_agree_with_full_width(self) -> None:
        piece = self.piece()
        for one in self.plays(piece):
            for columns in range(1, 4):
                few = one.law.candidates(columns)
                wide, narrow = piece(few.full(self.vocab_size), one.group), piece(few, one.group)
                assert _alike(wide, narrow), f"at full width {wide}, as {columns} candidates {narrow}"

    def test_a_constant_added_to_the_logits_changes_nothing(self) -> None:
        piece = self.piece()
        for one in self.plays(piece):
            moved = piece(Law(one.law.logits + torch.arange(1.0, len(one.law.logits) + 1)[:, None]), one.group)
            assert _alike(one.given, moved), "scores depend on how logits are normalised"

    def test_laws_of_32_bits_are_taken(self) -> None:
        piece = self.piece()
        for one in self.plays(piece):
            given = piece(Law(one.law.logits.float()), one.group)
            assert given.done or given.parents or given.finished, "in float32 nothing is expanded"

    def test_rank_orders_all_finished_texts_of_one_length_by_score(self) -> None:
        order = self.piece().rank([-1.0, -3.0, -0.5], [4, 4, 4])
        assert sorted(order) == [0, 1, 2], f"rank gives {order} for three texts"
        assert order == [2, 0, 1], f"the scores -1, -3, -0.5 are ranked {order}"


def _grown(group: GroupView, given: Expansion, seed: int, stopped: int | None) -> GroupView:
    """Give the group after a step; the loop ends the row `stopped`."""
    length = group.new_tokens[0] + 1
    finished = [*group.finished, *((score, length) for _, _, score in given.finished)]
    on = [i for i in range(len(given.parents)) if i != stopped]
    if stopped is not None:
        finished.append((given.scores[stopped], length))
    texts = [[*group.at.history_array[given.parents[i]].tolist(), given.tokens[i]] for i in on]
    return GroupView(
        [given.scores[i] for i in on],
        [length] * len(on),
        [group.remaining[0] - 1] * len(on),
        group.end_tokens,
        finished,
        given.state,
        _places(texts, seed),
    )


def _places(texts: list[list[int]], seed: int) -> Positions:
    rows = len(texts)
    return positions(histories=texts, prompt_lengths=[1] * rows, seeds=[seed] * rows, samples=[0] * rows)


def _ending(law: Law, end: int, likely: bool) -> Law:
    """Make the end token the only one, or by far the likeliest one."""
    best = law.logits.amax(dim=-1)
    logits = law.logits.clone() if likely else torch.full_like(law.logits, -math.inf)
    logits[:, end] = best + 60
    return Law(logits)


def _untie(rows: int, vocab_size: int) -> torch.Tensor:
    return torch.linspace(0, 0.1, rows * vocab_size, dtype=torch.float64).sin().view(rows, vocab_size)


def _gathered(group: GroupView, order: list[int]) -> GroupView:
    return replace(
        group,
        scores=[group.scores[i] for i in order],
        new_tokens=[group.new_tokens[i] for i in order],
        remaining=[group.remaining[i] for i in order],
        at=group.at.index_select(order),
    )


def _texts(given: Expansion, rows: Any) -> list[tuple[int, int, float, bool]]:
    """List what goes on and what ends, by the row that it comes from."""
    names = list(rows)
    running = zip(given.parents, given.tokens, given.scores, strict=True)
    found = [(names[parent], token, score, False) for parent, token, score in running]
    found += [(names[parent], token, score, True) for parent, token, score in given.finished]
    return sorted(found)


def _alike(left: Expansion, right: Expansion) -> bool:
    return same(_listed(left), _listed(right), 1e-7)


def _listed(given: Expansion) -> Expansion:
    return replace(given, parents=list(given.parents), tokens=list(given.tokens), scores=list(given.scores))
