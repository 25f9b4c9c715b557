"""The laws of a verifier, to be inherited by a plugin's test class: any draft, and still the target law.

The law of the text is worked out, not sampled: every draft is tried, with its probability, at the points of a Sobol net
for the uniform numbers. Laws are multiples of 1/4, so that most thresholds lie on the net and the result is exact. Only
whether calls are independent of one another is sampled, because each of them is right by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import qmc

from decodekit import rng
from decodekit.builtin import Argmax
from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import BuildContext, Draft, TokenSelector, Verdict
from decodekit.testing.factories import as_candidates, positions
from decodekit.testing.statistics import chi_square, samples_needed, total_variation
from decodekit.testing.toys import built, inverse_cdf, toy_context
from decodekit.testing.values import Snapshot, random_generators, same
from decodekit.types import Int64, Tensor

VOCAB = 3
POINTS = 256
TARGETS = ((1, 1, 2), (2, 2, 0), (2, 1, 1), (0, 0, 4), (1, 2, 1), (0, 3, 1))
DRAFTS = ((2, 1, 1), (1, 1, 2), (2, 2, 0), (1, 2, 1), (4, 0, 0), (0, 2, 2))
HORIZON = 4
Text = tuple[int, ...]


class Drawing(TokenSelector, follows_law=True):
    """Draws from the law, which is what the ratio rules are for."""

    def __call__(self, law: Law, at: Positions) -> Int64[Tensor, "position"]:
        return inverse_cdf(law, at)


class Leaning(TokenSelector):
    """Draws, but prefers low token ids: a selector whose text does not follow the law that it is given."""

    def __call__(self, law: Law, at: Positions) -> Int64[Tensor, "position"]:
        ids = torch.arange(law.logits.shape[-1]) if law.ids is None else law.ids
        return inverse_cdf(law.with_logits(law.logits - ids), at)


class Net:
    """Uniform numbers for a whole batch: row r stands at point r of a Sobol net, with one axis per draw.

    Args:
        points: How many points.
    """

    def __init__(self, points: int = POINTS) -> None:
        self.table = qmc.Sobol(12, scramble=False).random(points)
        self.axes: dict[tuple[str, int], int] = {}

    def __call__(
        self, seeds: NDArray[np.uint64], samples: NDArray[np.uint64], new: NDArray[np.uint64], purpose: str
    ) -> NDArray[np.float64]:
        out = np.empty(len(seeds))
        for place in np.unique(new).tolist():
            axis = self.axes.setdefault((purpose, int(place)), len(self.axes))
            chosen = new == place
            out[chosen] = self.table[seeds[chosen].astype(np.int64) % len(self.table), axis]
        return out


class VerifierLaws:
    """What every verifier must satisfy: the target law for any draft, nothing impossible, rows that stand alone.

    Attributes:
        make: Gives the technique, or a piece that is built already.
        token_for_token: Whether the text must be the one that the selector alone would give.
        tolerance: Total variation distance that counts as the resolution of the net.
    """

    make: ClassVar[Any]
    token_for_token: ClassVar[bool] = False
    tolerance: ClassVar[float] = 8e-3

    def context(self) -> BuildContext:
        """Give what the technique is built with."""
        return toy_context(VOCAB)

    def piece(self) -> Any:
        """Make a new working piece."""
        return built(type(self).make(), self.context())

    def judge(
        self,
        drafts: Sequence[tuple[Text, Law | None]],
        shift: int,
        draw: Any = None,
        form: Callable[[Law], Law] | None = None,
        select: TokenSelector | None = None,
        begun: Sequence[Text] | None = None,
    ) -> tuple[list[Verdict], Law, Positions]:
        """Ask for verdicts of many rows in one call; row r has seed r and begins with `begun[r]`."""
        texts = [((), text) if begun is None else (begun[row], text) for row, (text, _) in enumerate(drafts)]
        histories = [[0, *before, *text[:i]] for before, text in texts for i in range(len(text) + 1)]
        seeds = [row for row, (text, _) in enumerate(drafts) for _ in range(len(text) + 1)]
        target = Law(_table(shift).index_select(0, torch.tensor([_number(text[1:]) for text in histories])))
        target = target if form is None else form(target)
        at = positions(histories=histories, prompt_lengths=[1] * len(histories), seeds=seeds, draw=draw)
        given = [Draft(list(text), law) for text, law in drafts]
        return self.piece()(target, at, given, select or Drawing()), target, at

    def text_law(self, depth: int, shift: int, random: bool) -> dict[Text, float]:
        """Work out the law of the first `depth` + 1 tokens when `depth` tokens are drafted."""
        texts = list(product(range(VOCAB), repeat=depth))
        # Uneven, because a rule that is wrong for each draft may be right on average over all of them.
        uneven = [2.0**i / (2 ** len(texts) - 1) for i in range(len(texts))]
        weights = [_mass(text, shift, _draft) for text in texts] if random else uneven
        tried = [(text, weight) for text, weight in zip(texts, weights, strict=True) if weight > 0]
        laws = [_draft_law(text, shift) if random else None for text, _ in tried]
        rows = [(text, law) for (text, _), law in zip(tried, laws, strict=True) for _ in range(POINTS)]
        verdicts, _, _ = self.judge(rows, shift, Net())
        found: dict[Text, float] = {}
        for row, verdict in enumerate(verdicts):
            text, weight = tried[row // POINTS]
            begun = (*text[: verdict.kept], verdict.token)
            found[begun] = found.get(begun, 0.0) + weight / POINTS
        whole: dict[Text, float] = {}
        for begun, weight in found.items():
            for rest in product(range(VOCAB), repeat=depth + 1 - len(begun)):
                mass = weight * _mass((*begun, *rest), shift, _target, since=len(begun))
                whole[*begun, *rest] = whole.get((*begun, *rest), 0.0) + mass
        return {text: mass for text, mass in whole.items() if mass > 0}

    def test_draft_law_the_text_follows_the_target_law(self) -> None:
        for depth, shifts in ((1, range(len(TARGETS))), (2, (0, 5))):
            for shift in shifts if getattr(self.piece(), "exact", True) else ():
                self.compare(self.text_law(depth, shift, random=True), depth, shift, "drawn at random")

    def test_draft_law_a_draft_that_was_not_drawn_at_random_changes_nothing(self) -> None:
        for depth, shifts in ((1, (0, 3, 4, 5)), (2, (1,))):
            for shift in shifts if getattr(self.piece(), "exact", True) else ():
                self.compare(self.text_law(depth, shift, random=False), depth, shift, "given without a law")

    def test_a_row_without_a_draft_gets_a_token_of_the_target_law(self) -> None:
        for shift in range(len(TARGETS)):
            self.compare(self.text_law(0, shift, random=True), 0, shift, "empty")

    def test_nothing_impossible_is_kept_or_added(self) -> None:
        edges = (0.0, 2.0**-53, 1 - 2.0**-53)
        for shift, edge in product(range(len(TARGETS)), edges):
            rows = [(text, law) for text in product(range(VOCAB), repeat=2) for law in (_draft_law(text, shift), None)]
            rows = [(text, law) for text, law in rows if law is None or _mass(text, shift, _draft) > 0]
            verdicts, _, _ = self.judge(rows, shift, lambda seeds, *_, edge=edge: np.full(len(seeds), edge))
            for (text, _), verdict in zip(rows, verdicts, strict=True):
                begun = (*text[: verdict.kept], verdict.token)
                impossible = getattr(self.piece(), "exact", True) and _mass(begun, shift, _target) == 0
                assert not impossible, f"{begun} is impossible (draft {text}, uniform numbers {edge!r})"

    def test_row_law_a_ragged_batch_gets_what_its_rows_get_alone(self) -> None:
        rows = self.ragged()
        verdicts, target, at = self.judge(rows, 0)
        assert len(verdicts) == len(rows), f"{len(verdicts)} verdicts for {len(rows)} rows"
        first = 0
        for (text, law), verdict in zip(rows, verdicts, strict=True):
            assert 0 <= verdict.kept <= len(text), f"{verdict.kept} of {len(text)} tokens are kept"
            index = list(range(first, first + len(text) + 1))
            given = target.index_select(torch.tensor(index)), at.index_select(index)
            alone = self.piece()(*given, [Draft(list(text), law)], Drawing())[0]
            assert alone == verdict, f"draft {text}: {verdict} in a batch, {alone} alone"
            first += len(index)

    def test_full_width_and_candidate_set_agree_on_either_side_in_any_dtype(self) -> None:
        rows = self.ragged()
        wanted = self.judge(rows, 0)[0]
        narrow = [(text, law and as_candidates(law)) for text, law in rows]
        single = [(text, law and law.with_logits(law.logits.float())) for text, law in narrow]
        mixed = [pair if i % 2 else other for i, (pair, other) in enumerate(zip(rows, narrow, strict=True))]
        for form, given in product((None, as_candidates), (rows, narrow, single, mixed)):
            found = self.judge(given, 0, form=form)[0]
            assert found == wanted, f"laws in another form give {found} instead of {wanted}"

    def test_purity_inputs_are_not_edited_and_the_same_call_gives_the_same_verdicts(self) -> None:
        rows, generators = self.ragged(), random_generators()
        _, target, at = self.judge(rows, 1)
        drafts = [Draft(list(text), law) for text, law in rows]
        watch = Snapshot(target=target, at=at, laws=[d.law.logits if d.law else None for d in drafts])
        piece = self.piece()
        first, second = (piece(target, at, drafts, Drawing()) for _ in range(2))
        assert not watch.changed(), f"edited in place: {', '.join(watch.changed())}"
        assert [list(draft.tokens) for draft in drafts] == [list(text) for text, _ in rows], "a draft was edited"
        assert first == second, "the same call twice gives two verdicts"
        assert same(generators, random_generators()), "a global random generator was used or seeded"

    def test_draft_law_calls_are_independent_of_one_another(self) -> None:
        shift, count = 2, samples_needed(VOCAB**HORIZON, 0.12)
        texts: list[Text] = [()] * count
        while open_rows := [row for row in range(count) if len(texts[row]) < HORIZON]:
            drafts = self.drawn([texts[row] for row in open_rows], open_rows, shift)
            # Row r of a call has seed r, so rows that are done stay, with an empty draft and an answer nobody reads.
            given: list[tuple[Text, Law | None]] = [((), None)] * count
            for row, draft in zip(open_rows, drafts, strict=True):
                given[row] = draft
            verdicts = self.judge(given, shift, begun=[text[: HORIZON - 1] for text in texts])[0]
            for row in open_rows:
                verdict = verdicts[row]
                texts[row] = (*texts[row], *given[row][0][: verdict.kept], verdict.token)
        if getattr(self.piece(), "exact", True):
            every = product(range(VOCAB), repeat=HORIZON)
            chi_square(Counter(texts), {text: mass for text in every if (mass := _mass(text, shift, _target)) > 0})

    def test_token_for_token_where_it_is_promised(self) -> None:
        if self.token_for_token:
            self.keeps_the_text(Drawing())

    def test_draft_law_a_deterministic_selector_keeps_its_text(self) -> None:
        self.keeps_the_text(Argmax())

    def test_draft_law_a_selector_that_does_not_follow_the_law_keeps_its_text(self) -> None:
        self.keeps_the_text(Leaning())

    def keeps_the_text(self, select: TokenSelector) -> None:
        """Assert that the text is what the selector chooses; how much of a draft is kept is a matter of speed."""
        rows = self.ragged()
        verdicts, target, at = self.judge(rows, 0, select=select)
        chosen, first = select(target, at).tolist(), 0
        for (text, _), verdict in zip(rows, verdicts, strict=True):
            alone = chosen[first : first + len(text) + 1]
            agree = next((i for i, token in enumerate(text) if token != alone[i]), len(text))
            kept = min(verdict.kept, agree)
            assert verdict == Verdict(kept, alone[kept]), f"draft {text}, selector {alone}, but {verdict}"
            first += len(text) + 1

    def drawn(self, begun: Sequence[Text], seeds: Sequence[int], shift: int) -> list[tuple[Text, Law | None]]:
        """Draw drafts, token i of each with a number that belongs to the place where the draft begins, and to i."""
        roots = np.array([len(text) for text in begun], dtype=np.uint64)
        keys = np.array(seeds, dtype=np.uint64), np.zeros(len(seeds), dtype=np.uint64)
        numbers = np.stack([rng.uniform(*keys, roots, f"draft {i}") for i in range(HORIZON - 1)], axis=1).tolist()
        drafts: list[tuple[Text, Law | None]] = []
        for text, row in zip(begun, numbers, strict=True):
            grown = text
            for number in row[: HORIZON - 1 - len(text)]:
                grown = (*grown, sum(number >= limit for limit in _limits(grown, shift)))
            drafts.append((grown[len(text) :], _draft_law(grown, shift, len(text))))
        return drafts

    def ragged(self) -> list[tuple[Text, Law | None]]:
        """Give drafts of 0 to 3 tokens, with and without a law."""
        random = np.random.default_rng(2)
        texts = [tuple(random.integers(VOCAB, size=i % 4).tolist()) for i in range(48)]
        drawn = [i % 3 != 0 and _mass(text, 0, _draft) > 0 for i, text in enumerate(texts)]
        return [(text, _draft_law(text, 0) if law else None) for text, law in zip(texts, drawn, strict=True)]

    def compare(self, found: dict[Text, float], depth: int, shift: int, what: str) -> None:
        """Assert that a law of texts is the target's."""
        texts = product(range(VOCAB), repeat=depth + 1)
        target = {text: mass for text in texts if (mass := _mass(text, shift, _target)) > 0}
        impossible = [text for text in found if text not in target]
        assert not impossible, f"{impossible[:3]} is impossible (drafts of {depth} tokens, {what}, case {shift})"
        distance = total_variation(found, target)
        assert distance < self.tolerance, f"off by {distance:.4f} (drafts of {depth} tokens, {what}, case {shift})"


@cache
def _table(shift: int) -> Tensor:
    prefixes = [text for length in range(4) for text in product(range(VOCAB), repeat=length)]
    return torch.stack([_target(text, shift) for text in prefixes]).log()


def _number(prefix: Sequence[int]) -> int:
    shorter = sum(VOCAB**length for length in range(len(prefix)))
    return shorter + sum(token * VOCAB**i for i, token in enumerate(reversed(prefix)))


@cache
def _target(prefix: Text, shift: int) -> Tensor:
    return torch.tensor(TARGETS[(shift + sum(prefix) + len(prefix)) % len(TARGETS)], dtype=torch.float64) / 4


@cache
def _draft(prefix: Text, shift: int) -> Tensor:
    return torch.tensor(DRAFTS[(shift + 2 * sum(prefix) + len(prefix)) % len(DRAFTS)], dtype=torch.float64) / 4


@cache
def _draft_law(text: Text, shift: int, since: int = 0) -> Law | None:
    laws = [_draft(text[:i], shift) for i in range(since, len(text))]
    return Law(torch.stack(laws).log()) if laws else None


@cache
def _limits(prefix: Text, shift: int) -> list[float]:
    return _draft(prefix, shift).cumsum(0)[:-1].tolist()


@cache
def _mass(text: Text, shift: int, law: Callable[[Text, int], Tensor], since: int = 0) -> float:
    mass = 1.0
    for i in range(since, len(text)):
        mass *= float(law(text[:i], shift)[text[i]])
    return mass
