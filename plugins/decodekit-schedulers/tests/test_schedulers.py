import random

import pytest

from decodekit import Decoder, Expansion, IncompatibleTechniquesError, Search, Vocabulary
from decodekit.testing import SchedulerLaws, tiny_llama
from decodekit_schedulers import Fair, ShortestFirst


class TestShortestFirst(SchedulerLaws):
    make = staticmethod(ShortestFirst)


class TestFair(SchedulerLaws):
    make = staticmethod(Fair)


class TestFairOfRandomQueues(SchedulerLaws):
    make = staticmethod(Fair)
    queues = tuple([random.Random(seed + i).randint(1, 20) for i in range(1 + seed % 9)] for seed in range(30))


class TestShortestFirstOfRandomQueues(TestFairOfRandomQueues):
    make = staticmethod(ShortestFirst)


@pytest.mark.parametrize(
    ("waiting", "free", "chosen"),
    [([5, 1, 3, 1], 3, [1, 3, 2]), ([5, 1, 3, 1], 1, [1]), ([2, 2], 2, [0]), ([9], 4, [0]), ([3], 0, []), ([], 5, [])],
)
def test_shortest_first_is_by_rows_then_by_arrival(waiting, free, chosen):
    assert list(ShortestFirst()(waiting, free)) == chosen


@pytest.mark.parametrize(
    ("waiting", "free", "small"),
    [([64, 1, 1, 2], 8, [1, 2, 3]), ([64, 3, 1, 1], 8, [2, 3]), ([1, 1, 1], 8, [0, 1, 2]), ([2, 2], 3, [0, 1])],
)
def test_fair_lets_requests_within_their_share_join_first(waiting, free, small):
    assert list(Fair()(waiting, free))[: len(small)] == small
    assert list(Fair()([], free)) == []
    assert list(Fair()(waiting, 0)) == []


@pytest.mark.parametrize("free", [1, 2, 4])
@pytest.mark.parametrize("requests", [2, 3, 5])
def test_large_requests_alternate_where_as_many_rows_become_free_each_time(requests, free):
    waiting, served = [40] * requests, []
    while max(waiting) > 20:
        (first,) = Fair()(waiting, free)
        waiting[first] -= free
        served.append(first)
    for turn in range(0, len(served) - requests, requests):
        assert sorted(served[turn : turn + requests]) == list(range(requests))


class Pairs(Search):
    """The two likeliest texts."""

    width: int = 2

    def __call__(self, law, group):
        wide = law.full(9).logprobs() + law.logits.new_tensor(group.scores)[:, None]
        scores, columns = wide.flatten().topk(2)
        pairs = [divmod(c, 9) for c in columns.tolist()]
        return Expansion([p for p, _ in pairs], [t for _, t in pairs], scores.tolist(), [], False, None)


VOCABULARY = Vocabulary((*(bytes([97 + i]) for i in range(8)), None), (8,))


def decoder_with(max_rows, **engine):
    model = tiny_llama(9)
    model.generation_config.eos_token_id = 8
    return Decoder(model, VOCABULARY, max_rows=max_rows, **engine)


BATCH = [
    {"prompt": "ab", "n": 7, "multinomial": True, "seed": 1, "max_new_tokens": 9},
    {"prompt": "c", "max_new_tokens": 3},
    {"prompt": "abcab", "n": 2, "multinomial": True, "seed": 2, "max_new_tokens": 12},
    {"prompt": "hg", "techniques": [Pairs()], "n": 2, "max_new_tokens": 5},
    {"prompt": "d", "n": 3, "multinomial": True, "temperature": 2.0, "seed": 3, "max_new_tokens": 4},
]


@pytest.mark.parametrize("max_rows", [2, 3, 8, 64])
@pytest.mark.parametrize("name", ["shortest_first", "fair"])
def test_no_text_and_no_log_probability_depends_on_who_joins_when(name, max_rows):
    plain = [r.samples for r in decoder_with(max_rows).generate(BATCH)]
    scheduled = [r.samples for r in decoder_with(max_rows, **{name: True}).generate(BATCH)]
    for wanted, given in zip(plain, scheduled, strict=True):
        assert [s.tokens for s in given] == [s.tokens for s in wanted]
        assert [s.finish_reason for s in given] == [s.finish_reason for s in wanted]
        for one, other in zip(wanted, given, strict=True):
            assert other.logprobs == pytest.approx(one.logprobs, abs=1e-12)
            assert other.score == pytest.approx(one.score, abs=1e-12)


def order_of_first_pieces(decoder):
    """Give requests in the order in which they are first heard of while streaming."""
    return list(dict.fromkeys(piece.request for piece in decoder.stream(BATCH)))


def test_the_order_is_the_schedulers():
    assert order_of_first_pieces(decoder_with(2))[0] == 0
    assert order_of_first_pieces(decoder_with(2, shortest_first=True))[-1] == 0
    batch_of_ones = decoder_with(2, fair=True)
    assert order_of_first_pieces(batch_of_ones)[0] == 1


def test_a_request_cannot_ask_for_a_scheduler():
    with pytest.raises(IncompatibleTechniquesError, match="'fair' is a scheduler, which all rows of a decoder share"):
        decoder_with(2).generate("a", fair=True)
