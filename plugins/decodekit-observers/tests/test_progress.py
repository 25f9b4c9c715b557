import io
import re
import sys

import pytest

from decodekit import Decoder, RowView, StepView, Vocabulary
from decodekit.testing import ObserverLaws, tiny_llama
from decodekit_observers import Progress
from decodekit_observers.progress import Bar


class TestProgressShown(ObserverLaws):
    make = staticmethod(lambda: Progress(show=True))


class TestProgressHidden(ObserverLaws):
    make = staticmethod(Progress)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(scope="module")
def decoder():
    return Decoder(tiny_llama(9), Vocabulary(tuple(bytes([97 + i]) for i in range(9))), max_rows=4)


def test_nothing_is_shown_where_standard_error_is_no_terminal(decoder, capsys):
    decoder.generate("a", progress=True, max_new_tokens=3)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_is_shown_a_bar_unless_told_otherwise(decoder, monkeypatch):
    for show, wanted in ((None, True), (False, False)):
        monkeypatch.setattr(sys, "stderr", Terminal())
        decoder.generate("a", Progress(show=show), max_new_tokens=3)
        assert ("request 0" in sys.stderr.getvalue()) is wanted


def test_the_bar_counts_the_tokens_of_all_samples_and_ends_full(decoder, capsys):
    decoder.generate("a", Progress(show=True), n=3, multinomial=True, seed=1, max_new_tokens=5)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"request 0: 100%\|█+\| 15/15 \[", err)
    assert err.endswith("\n")


def test_a_batch_has_one_bar_per_request(decoder, capsys):
    decoder.generate(["a", "b"], Progress(show=True), max_new_tokens=5)
    err = capsys.readouterr().err
    assert len(re.findall(r"request 0: 100%", err)) >= 1
    assert len(re.findall(r"request 1: 100%", err)) >= 1


def test_streamed_text_on_standard_output_stays_whole(decoder, capsys):
    plain = decoder.generate("a", max_new_tokens=30).text
    for piece in decoder.stream("a", Progress(show=True), max_new_tokens=30):
        print(piece.text, end="")
    assert capsys.readouterr().out == plain


def test_samples_that_join_when_all_others_have_ended_get_a_bar_of_their_own(decoder, capsys):
    result = decoder.generate("a", Progress(show=True), n=6, multinomial=True, seed=1, max_new_tokens=4)
    assert result.stats.new_tokens == 24
    err = capsys.readouterr().err
    assert "16/16" in err
    assert "8/8" in err


def test_a_search_that_is_decided_without_a_row_left_closes_the_bar(capsys):
    bar = Bar(name="progress", limit_tokens=9)
    bar.on_start([RowView(0, 0, (1,), (), "", None)])
    bar.on_step(StepView(1, [RowView(0, 0, (1,), (5,), "", None), RowView(0, 0, (1,), (6,), "", "eos")]))
    assert bar.bar is not None
    bar.on_step(StepView(2, []))
    assert bar.bar is None
    bar.on_step(StepView(3, []))
    assert "1/1" in capsys.readouterr().err
