"""What the rules keep on average, by formula and by paper, and the edges of their arithmetic."""

from fractions import Fraction
from itertools import product

import pytest
import torch

from decodekit.law import Law
from decodekit.techniques import Draft, TokenSelector, Verdict
from decodekit.testing import positions
from decodekit.testing.factories import as_candidates
from decodekit.testing.verifiers import Drawing
from decodekit_speculative import BlockRule, TokenRule
from decodekit_speculative.block_rule import carried, kept_chance
from decodekit_speculative.rule import excess
from decodekit_speculative.token_rule import accepted

BELOW_ONE = 1 - 2.0**-53


def law(*rows):
    return Law(torch.tensor(rows, dtype=torch.float64).log())


def judge(rule, target, draft, tokens, count=1, number=None, select=None):
    """Ask about `count` rows that are alike but for their random numbers."""
    size = len(tokens) + 1
    index = torch.arange(size).repeat(count)
    draw = None if number is None else lambda seeds, *_: torch.full((len(seeds),), number, dtype=torch.float64).numpy()
    at = positions(
        histories=[[0, *tokens[:i]] for i in range(size)] * count,
        prompt_lengths=[1] * (size * count),
        seeds=[row for row in range(count) for _ in range(size)],
        draw=draw,
    )
    return rule(target.index_select(index), at, [Draft(tokens, draft)] * count, select or Drawing())


def kept_by_formula(rule, target, draft, size):
    """Work out how many tokens of an iid draft are kept on average, exactly."""
    total = Fraction(0)
    for text in product(range(len(target)), repeat=size):
        mass = Fraction(1)
        for token in text:
            mass *= draft[token]
        if mass == 0:
            continue
        if rule is TokenRule:
            chances, running = [], Fraction(1)
            for token in text:
                running *= min(Fraction(1), target[token] / draft[token])
                chances.append(running)
            total += mass * sum(chances)
            continue
        weights = [Fraction(1)]
        for token in text:
            weights.append(min(weights[-1] * target[token] / draft[token], Fraction(1)))
        left = Fraction(1)
        for i in range(size, 0, -1):
            over = sum(max(weights[i] * q - p, Fraction(0)) for q, p in zip(target, draft, strict=True))
            rest = over + 1 - weights[i]
            chance = weights[i] if i == size else over / rest if rest else Fraction(1)
            total += mass * left * chance * i
            left *= 1 - chance
    return total


def kept_in_fact(rule, target, draft, size, count):
    """Draft `count` times at random and count what is kept."""
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.tensor([float(p) for p in draft], dtype=torch.float64)
    texts = torch.multinomial(probabilities, size * count, replacement=True, generator=generator).view(count, size)
    q, p = (law([float(x) for x in one]) for one in (target, draft))
    index = torch.zeros(count * (size + 1), dtype=torch.int64)
    seeds = [row for row in range(count) for _ in range(size + 1)]
    histories = [[0] * (1 + i) for _ in range(count) for i in range(size + 1)]
    at = positions(histories=histories, prompt_lengths=[1] * len(seeds), seeds=seeds)
    drafts = [Draft(text, p.index_select(torch.zeros(size, dtype=torch.int64))) for text in texts.tolist()]
    kept = torch.tensor([v.kept for v in rule(q.index_select(index), at, drafts, Drawing())], dtype=torch.float64)
    return float(kept.mean()), float(kept.std()) / count**0.5


THIRDS = [Fraction(1, 3), Fraction(2, 3)]
PAIRS = [
    (THIRDS, THIRDS[::-1]),
    ([Fraction(n, 10) for n in (5, 3, 2)], [Fraction(n, 10) for n in (2, 2, 6)]),
    ([Fraction(n, 10) for n in (0, 4, 6)], [Fraction(n, 10) for n in (7, 3, 0)]),
]


def test_the_example_of_the_paper():
    assert kept_by_formula(TokenRule, *PAIRS[0], 2) == Fraction(10, 9)
    assert kept_by_formula(BlockRule, *PAIRS[0], 2) == Fraction(11, 9)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_token_rule_keeps_what_the_geometric_series_says_and_the_block_rule_no_less(pair, size):
    alpha = sum(map(min, *pair))
    assert 1 + kept_by_formula(TokenRule, *pair, size) == (1 - alpha ** (size + 1)) / (1 - alpha)
    assert kept_by_formula(BlockRule, *pair, size) >= kept_by_formula(TokenRule, *pair, size)


@pytest.mark.parametrize("rule", [TokenRule, BlockRule])
@pytest.mark.parametrize("pair", PAIRS)
def test_as_much_is_kept_as_the_formula_says(rule, pair):
    mean, error = kept_in_fact(rule(), *pair, 2, 2500)
    assert abs(mean - float(kept_by_formula(rule, *pair, 2))) < 5 * error


@pytest.mark.parametrize("pair", PAIRS)
def test_the_parts_of_the_block_rule_are_those_of_the_algorithm(pair):
    target, draft = pair
    q, p = (law(*[[float(x) for x in one]] * 3) for one in pair)
    for text in product(range(len(target)), repeat=2):
        if not all(draft[token] for token in text):
            continue
        weights, exact = carried([float(target[t]) for t in text], [float(draft[t]) for t in text]), [Fraction(1)]
        for token in text:
            exact.append(min(exact[-1] * target[token] / draft[token], Fraction(1)))
        assert weights == pytest.approx([float(w) for w in exact], abs=1e-15)
        left = excess(q, [1], [Draft(list(text), p)], [1], [weights[1]])[0]
        wanted = [max(exact[1] * a - b, Fraction(0)) for a, b in zip(target, draft, strict=True)]
        assert left.tolist() == pytest.approx([float(w) for w in wanted], abs=1e-15)
        rest = sum(wanted) + 1 - exact[1]
        if rest:
            assert kept_chance(float(left.sum()), weights[1]) == pytest.approx(float(sum(wanted) / rest), abs=1e-14)


@pytest.mark.parametrize("rule", [TokenRule(), BlockRule()])
def test_equal_laws_keep_every_draft_whole(rule):
    laws = law(*[[0.2, 0.5, 0.3]] * 4)
    draft = laws.index_select(torch.arange(3))
    assert {v.kept for v in judge(rule, laws, draft, [1, 0, 2], 300)} == {3}
    assert judge(rule, laws, draft, [1, 0, 2], number=BELOW_ONE)[0].kept == 3


@pytest.mark.parametrize("rule", [TokenRule(), BlockRule()])
@pytest.mark.parametrize("number", [0.0, BELOW_ONE, None])
def test_disjoint_supports_keep_nothing_and_give_one_token_of_the_target(rule, number):
    verdicts = judge(rule, law(*[[0, 0, 0.5, 0.5]] * 3), law(*[[0.5, 0.5, 0, 0]] * 2), [1, 0], 50, number)
    assert {v.kept for v in verdicts} == {0}
    assert {v.token for v in verdicts} <= {2, 3}


def test_the_coin_zero_keeps_nothing_impossible():
    assert accepted([0.0], [0.5], [0.0]) == 0
    assert accepted([0.25, 0.25], [0.5, 0.5], [0.4999, 0.5]) == 1
    assert carried([0.0, 0.5], [0.5, 0.5]) == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("rule", [TokenRule(), BlockRule()])
def test_where_nothing_is_left_of_the_residual_the_target_law_replaces_it(rule):
    # The draft law is the target law but for the last digit: the rejection is due to rounding alone.
    target, draft = law([0.5, 0.5], [0.5, 0.5]), law([0.5, 0.5])
    draft = draft.with_logits(draft.logits + torch.tensor([1e-15, 0.0]))
    for verdict in judge(rule, target, draft, [0], 20, BELOW_ONE):
        assert verdict.token in (0, 1)
    assert bool((excess(target, [0], [Draft([0], target.index_select(torch.tensor([0])))], [0], [1.0]) == 0).all())


@pytest.mark.parametrize("rule", [TokenRule(), BlockRule()])
def test_a_draft_law_may_be_wider_or_narrower_than_the_target(rule):
    target = law([0.5, 0.3, 0.2, 0.0], [0.25] * 4)
    wide = law([0.1, 0.6, 0.1, 0.1, 0.1])
    narrow = law([0.2, 0.8])
    forms = (wide, narrow, as_candidates(wide), as_candidates(narrow))
    for draft, form in product(forms, (target, as_candidates(target))):
        probabilities = draft.full(5).probs()[0].tolist()
        probabilities += [0.0] * (4 - len(probabilities))
        left = excess(form, [0], [Draft([1], draft)], [0], [1.0])
        wide_left = Law(left.log(), None if form.ids is None else form.ids[:1]).full(4).logits.exp()[0]
        wanted = [max(q - p, 0) for q, p in zip(target.probs()[0].tolist(), probabilities, strict=False)]
        assert wide_left.tolist()[:4] == pytest.approx(wanted, abs=1e-15)
        assert len(judge(rule, form, draft, [1], 10)) == 10


class Shifted(TokenSelector, follows_law=True, stackable=True):
    """Draws with a shifted number, so that it has a parameter in which requests can differ."""

    shift: float = 0.0

    def __call__(self, law, at):
        number = (at.uniform("select") + torch.as_tensor(self.shift).flatten()) % 1
        return (law.full(3).probs().cumsum(-1) <= number[:, None]).sum(-1).clamp(max=2)


@pytest.mark.parametrize("rule", [TokenRule(), BlockRule()])
def test_numbers_in_which_requests_differ_go_with_their_rows(rule):
    target = law(*[[0.2, 0.5, 0.3]] * 5)
    at = positions(histories=[[0], [0, 1], [0, 1, 1], [0], [0, 2]], prompt_lengths=[1] * 5, seeds=[1, 1, 1, 2, 2])
    drafts = [Draft([1, 1], law([0.1, 0.8, 0.1], [0.1, 0.8, 0.1])), Draft([2], None)]
    shifts = torch.tensor([[0.1], [0.1], [0.1], [0.6], [0.6]], dtype=torch.float64)
    together = rule(target, at, drafts, Shifted.model_construct(shift=shifts))
    for draft, index, verdict, shift in zip(drafts, ([0, 1, 2], [3, 4]), together, (0.1, 0.6), strict=True):
        alone = rule(target.index_select(torch.tensor(index)), at.index_select(index), [draft], Shifted(shift))
        assert alone == [verdict]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_draft_laws_of_16_bits_are_read_in_32(dtype):
    target, draft = law(*[[0.2, 0.5, 0.3]] * 2), law([0.5, 0.25, 0.25])
    half = Law(draft.logits.to(dtype))
    single = Law(half.logits.float())
    assert judge(TokenRule(), target, half, [0], 200) == judge(TokenRule(), target, single, [0], 200)


@pytest.mark.parametrize("form", [lambda law: law, as_candidates], ids=["full", "candidates"])
@pytest.mark.parametrize("rule", [TokenRule, BlockRule])
def test_a_token_that_is_impossible_under_its_own_law_is_not_kept(rule, form):
    target, draft = law([0.5, 0.5, 0.0], [0.5, 0.5, 0.0]), form(law([0.0, 0.5, 0.5]))
    for number in (0.0, 0.5, BELOW_ONE):
        verdict = judge(rule(), target, draft, [0], number=number)[0]
        assert verdict == Verdict(0, 0)  # from the excess, which is all on token 0
