"""The basic laws of a search, to be inherited by a plugin's test class."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import torch

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import BuildContext, Expansion, GroupView
from decodekit.testing.factories import as_candidates, positions, random_law
from decodekit.testing.toys import built, toy_context
from decodekit.testing.values import Snapshot, random_generators, same


class SearchLaws:
    """What every search must satisfy: parents in range, possible tokens, scores that are numbers, no hidden memory.

    Attributes:
        make: Gives the technique, or a piece that is built already.
        vocab_size: Width of the laws; its last token ends a text.
        steps: How long a text may become.
        seeds: Of the random laws.
    """

    make: ClassVar[Any]
    vocab_size: ClassVar[int] = 9
    steps: ClassVar[int] = 6
    seeds: ClassVar[tuple[int, ...]] = (0, 1, 2)

    def context(self) -> BuildContext:
        """Give what the technique is built with."""
        return toy_context(self.vocab_size, max_new_tokens=self.steps)

    def piece(self) -> Any:
        """Make a new working piece."""
        return built(type(self).make(), self.context())

    def play(self, piece: Any, seed: int) -> list[tuple[Law, GroupView, Expansion]]:
        """Let a group grow under random laws until it is decided or full."""
        end = (self.vocab_size - 1,)
        group = GroupView([0.0], [0], [self.steps], end, [], piece.start(), _places([[0]]))
        played: list[tuple[Law, GroupView, Expansion]] = []
        for step in range(self.steps):
            law = random_law(len(group.scores), self.vocab_size, 100 * seed + step, first=step)
            given = piece(law, group)
            played.append((law, group, given))
            if given.done or not given.parents:
                break
            finished = [*group.finished, *((score, step + 1) for _, _, score in given.finished)]
            rows = len(given.parents)
            texts = [
                [*group.at.history_array[parent].tolist(), token]
                for parent, token in zip(given.parents, given.tokens, strict=True)
            ]
            group = GroupView(
                list(given.scores),
                [step + 1] * rows,
                [self.steps - step - 1] * rows,
                end,
                finished,
                given.state,
                _places(texts),
            )
        return played

    def test_parents_and_tokens_are_possible(self) -> None:
        for seed in self.seeds:
            for law, group, given in self.play(self.piece(), seed):
                same_length = len(given.parents) == len(given.tokens) == len(given.scores)
                assert same_length, (
                    f"{len(given.parents)} parents, {len(given.tokens)} tokens, {len(given.scores)} scores"
                )
                pairs = [*zip(given.parents, given.tokens, strict=True), *((p, t) for p, t, _ in given.finished)]
                for parent, token in pairs:
                    assert 0 <= parent < len(group.scores), f"parent {parent} of {len(group.scores)} rows"
                    assert 0 <= token < self.vocab_size, f"token {token} outside of the vocabulary"
                    assert float(law.logits[parent, token]) > -math.inf, f"row {parent} goes on with impossible {token}"
                assert len(set(pairs)) == len(pairs), "a row is continued twice with one token"

    def test_scores_are_numbers(self) -> None:
        for seed in self.seeds:
            for _, _, given in self.play(self.piece(), seed):
                scores = [*given.scores, *(score for _, _, score in given.finished)]
                assert not any(math.isnan(score) for score in scores), f"NaN among the scores {scores}"
                assert all(score < math.inf for score in scores), f"+inf among the scores {scores}"

    def test_end_tokens_finish_a_text(self) -> None:
        for seed in self.seeds:
            for _, group, given in self.play(self.piece(), seed):
                assert not set(given.tokens) & set(group.end_tokens), "a row goes on after an end token"

    def test_a_group_that_is_not_done_has_rows_left(self) -> None:
        for seed in self.seeds:
            for _, _, given in self.play(self.piece(), seed):
                assert given.done or given.parents or given.finished, "not done, but nothing is expanded"

    def test_purity_inputs_are_not_edited_and_the_same_call_gives_the_same_expansion(self) -> None:
        for seed in self.seeds:
            piece = self.piece()
            for law, group, given in self.play(piece, seed):
                watch, generators = Snapshot(law=law, group=group), random_generators()
                again = piece(law, group)
                assert _alike(given, again), f"first {given}, then {again}"
                assert not watch.changed(), f"edited in place: {', '.join(watch.changed())}"
                assert same(generators, random_generators()), "a global random generator was used or seeded"

    def test_full_width_and_candidate_set_agree(self) -> None:
        for seed in self.seeds:
            piece = self.piece()
            for law, group, given in self.play(piece, seed):
                narrow = piece(as_candidates(law), group)
                assert _alike(given, narrow), f"at full width {given}, as candidates {narrow}"

    def test_a_constant_added_to_the_logits_changes_nothing(self) -> None:
        for seed in self.seeds:
            piece = self.piece()
            for law, group, given in self.play(piece, seed):
                moved = piece(Law(law.logits + torch.arange(1.0, len(law.logits) + 1)[:, None]), group)
                assert _alike(given, moved), "scores depend on how logits are normalised"

    def test_rank_orders_all_finished_texts(self) -> None:
        order = self.piece().rank([-1.0, -3.0, -0.5], [3, 9, 1])
        assert sorted(order) == [0, 1, 2], f"rank gives {order} for three texts"


def _places(texts: list[list[int]]) -> Positions:
    rows = len(texts)
    return positions(histories=texts, prompt_lengths=[1] * rows, seeds=[7] * rows, samples=[0] * rows)


def _alike(left: Expansion, right: Expansion) -> bool:
    return same(_sorted(left), _sorted(right), 1e-7)


def _sorted(given: Expansion) -> Expansion:
    return replace(given, parents=list(given.parents), tokens=list(given.tokens), scores=list(given.scores))
