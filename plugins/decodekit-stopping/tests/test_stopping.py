import pytest

from decodekit import Decoder, IncompatibleTechniquesError, RequestError, RowView, Vocabulary
from decodekit.testing import StopLaws, row_view, tiny_llama
from decodekit_stopping import MaxLines, MaxSentences, StopRegex, StopRepetition


class TestStopRegex(StopLaws):
    make = staticmethod(lambda: StopRegex(r"\bthe\b.*end"))


class TestStopRegexWindow(StopLaws):
    make = staticmethod(lambda: StopRegex("t s", window=5))


class TestStopRepetition(StopLaws):
    make = staticmethod(lambda: StopRepetition(times=3, min_tokens=6))


class TestMaxSentences(StopLaws):
    make = staticmethod(lambda: MaxSentences(1))


class TestMaxLines(StopLaws):
    make = staticmethod(lambda: MaxLines(1))


def first_stop(condition, text):
    """Give the text up to where the condition ends it when it grows by one character, or None."""
    return next((text[:end] for end in range(1, len(text) + 1) if condition(row_view(text[:end]))), None)


def test_a_match_ends_the_text_with_its_last_character():
    assert first_stop(StopRegex(r"b+c"), "abbbcd") == "abbbc"
    assert first_stop(StopRegex(r"\d+"), "ab12") == "ab1"
    assert first_stop(StopRegex("x"), "ab12") is None


def test_a_window_hides_matches_that_begin_before_it_but_not_what_stands_before():
    assert first_stop(StopRegex("a.*c", window=3), "abbc") is None
    assert first_stop(StopRegex("a.*c", window=4), "abbc") == "abbc"
    assert first_stop(StopRegex("(?<=a)bc", window=2), "abc") == "abc"


@pytest.mark.parametrize("pattern", ["", "a*", "$", r"\b|x|^"])
def test_a_pattern_that_matches_nothing_at_all_is_refused(pattern):
    with pytest.raises(RequestError, match="would end every text at once"):
        StopRegex(pattern)


def test_a_broken_pattern_is_refused():
    with pytest.raises(RequestError, match="not a regular expression"):
        StopRegex("(")


def repeats(tokens, times, min_tokens, max_block):
    """The definition, by brute force."""
    for block in range(1, max_block + 1):
        size = max(times * block, min_tokens)
        tail = tokens[-size:]
        if len(tail) == size and all(tail[i] == tail[i + block] for i in range(size - block)):
            return True
    return False


@pytest.mark.parametrize("seed", range(20))
def test_repetition_is_found_exactly_where_the_definition_says(seed):
    import random

    draw = random.Random(seed)
    block = [draw.randrange(3) for _ in range(draw.randint(1, 5))]
    tokens = [draw.randrange(3) for _ in range(draw.randint(0, 9))] + block * draw.randint(1, 6) + [draw.randrange(3)]
    options = {"times": draw.randint(2, 4), "min_tokens": draw.randint(2, 12), "max_block": draw.randint(1, 6)}
    condition = StopRepetition(**options)
    for end in range(1, len(tokens) + 1):
        row = RowView(0, 0, (0,), tuple(tokens[:end]), "", None)
        assert condition(row) is repeats(tokens[:end], **options), f"{tokens[:end]} with {options}"


def test_the_prompt_is_no_part_of_a_repetition():
    assert not StopRepetition(times=2, min_tokens=4)(RowView(0, 0, (1,) * 9, (1,) * 3, "", None))
    assert StopRepetition(times=2, min_tokens=4)(RowView(0, 0, (), (1,) * 4, "", None))


@pytest.mark.parametrize("options", [{"times": 1}, {"min_tokens": 1}, {"max_block": 0}, {"max_block": 10**6}])
def test_repetition_refuses_numbers_that_make_no_sense(options):
    with pytest.raises(RequestError):
        StopRepetition(**options)


@pytest.mark.parametrize(
    ("count", "text", "wanted"),
    [
        (1, "One. Two.", "One."),
        (2, "One. Two! Three", "One. Two!"),
        (1, "It costs 3.14 euros. Then", "It costs 3.14 euros."),
        (1, "In 1999. Then", "In 1999. "),
        (1, "see a.b and go", "see a."),
        (2, "「はい。」 そう。", "「はい。」 そう。"),
        (3, "One. Two.", None),
    ],
)
def test_sentences_end_where_the_docstring_says(count, text, wanted):
    assert first_stop(MaxSentences(count), text) == wanted


def test_a_closing_quote_that_comes_in_the_same_token_belongs_to_the_sentence():
    assert MaxSentences(1)(row_view('"Stop!"'))
    assert MaxSentences(1)(row_view('He said "stop.") and went'))
    assert not MaxSentences(1)(row_view("a.b"))


def test_lines_end_with_their_break():
    assert first_stop(MaxLines(2), "a\n\nb\n") == "a\n\n"
    assert first_stop(MaxLines(3), "a\nb") is None
    with pytest.raises(RequestError):
        MaxLines(0)


@pytest.fixture(scope="module")
def decoder():
    return Decoder(tiny_llama(6), Vocabulary((b"a", b"b", b"1", b".", b" ", b"\n")))


@pytest.mark.parametrize(
    "condition", [StopRegex("[ab]1"), StopRepetition(times=2, min_tokens=2), MaxSentences(1), MaxLines(1)]
)
def test_end_to_end_each_sample_ends_at_the_first_place_and_says_why(decoder, condition):
    plain = decoder.generate("a", multinomial=True, n=20, seed=2, max_new_tokens=24)
    ended = decoder.generate("a", condition, multinomial=True, n=20, seed=2, max_new_tokens=24)
    stopped = 0
    for whole, cut in zip(plain.samples, ended.samples, strict=True):
        texts = [decoder.vocabulary.text(whole.tokens[:end]) for end in range(1, 25)]
        rows = [RowView(0, 0, (0,), tuple(whole.tokens[: i + 1]), text, None) for i, text in enumerate(texts)]
        end = next((i + 1 for i, row in enumerate(rows) if condition(row)), 24)
        assert cut.tokens == whole.tokens[:end]
        reason = condition.name if condition(rows[end - 1]) else "length"
        assert cut.finish_reason == reason
        stopped += reason == condition.name
    assert stopped


@pytest.mark.parametrize("name", ["stop_regex", "max_sentences", "max_lines"])
def test_conditions_on_the_text_are_refused_without_a_tokenizer(name):
    with pytest.raises(
        IncompatibleTechniquesError, match=f"'{name}' reads the text, and this decoder has no tokenizer"
    ):
        Decoder(tiny_llama(6)).generate([0], **{name: "x" if name == "stop_regex" else 1})


def test_repetition_needs_no_tokenizer():
    result = Decoder(tiny_llama(6)).generate([0], stop_repetition=True, max_new_tokens=200)
    assert result.finish_reason == "stop_repetition"
    assert repeats(result.tokens, 4, 16, 64)
    assert not repeats(result.tokens[:-1], 4, 16, 64)
