import json

import pytest

from decodekit import Decoder, Draft, Drafter, Expansion, RequestError, RowView, Search, StepView, Vocabulary
from decodekit.testing import ObserverLaws, tiny_llama
from decodekit_observers import Record, Recorder

VOCABULARY = Vocabulary((b"a", b"b", b"c", b" ", b"\xc3", b"\xa9", b"d", b"e", None), (8,))


class TestRecordInMemory(ObserverLaws):
    make = staticmethod(lambda: Record(Recorder()))


class TestRecordInAFile(ObserverLaws):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path):
        type(self).make = staticmethod(lambda: Record(tmp_path / "trace.jsonl"))


@pytest.fixture(scope="module")
def decoder():
    model = tiny_llama(9)
    model.generation_config.eos_token_id = 8
    return Decoder(model, VOCABULARY)


def replay(events, request=0):
    """Put the steps of a record together again, by sample."""
    tokens, texts = {}, {}
    for event in events:
        if event["event"] == "step" and event["request"] == request:
            for row in event["rows"]:
                tokens.setdefault(row["sample"], []).extend(row["tokens"])
                texts[row["sample"]] = texts.get(row["sample"], "") + row["text"]
    return tokens, texts


def test_the_steps_put_together_are_the_result_and_the_result_is_the_one_without_a_record(decoder):
    recorder = Recorder()
    options = {"n": 5, "multinomial": True, "seed": 4, "max_new_tokens": 12}
    results = decoder.generate(["ab", "cd"], record=recorder, **options)
    assert [r.to_dict()["samples"] for r in results] == [
        r.to_dict()["samples"] for r in decoder.generate(["ab", "cd"], **options)
    ]
    for number, result in enumerate(results):
        tokens, texts = replay(recorder.events, number)
        assert tokens == {s.sample: s.tokens for s in result.samples}
        # Half a character at the end is no text while the row grows; in the result it is U+FFFD.
        left = {s.sample: s.text.removeprefix(texts[s.sample]) for s in result.samples}
        assert set(left.values()) <= {"", "�"}
        steps = list(recorder.steps(number))
        assert [step["step"] for step in steps] == list(range(1, result.stats.steps + 1))
        total_ms = sum(step["duration_ms"] for step in steps)
        assert 0 < total_ms <= 1000 * result.stats.time_s + 50
        ended = {e["sample"]: e for e in recorder.events if e["event"] == "finish" and e["request"] == number}
        assert {i: (e["text"], e["finish_reason"], e["new_tokens"]) for i, e in ended.items()} == {
            s.sample: (s.text, s.finish_reason, len(s.tokens)) for s in result.samples
        }


class Oracle(Drafter):
    """Proposes tokens of a known text, every third one wrong."""

    tokens: tuple[int, ...]
    prompt: int

    def __call__(self, at, limits):
        drafts = []
        for length, limit in zip(at.lengths_array.tolist(), limits, strict=True):
            done = length - self.prompt
            ahead = list(self.tokens[done : done + min(limit, 4)])
            drafts.append(Draft([t if (done + i) % 3 else (t + 1) % 8 for i, t in enumerate(ahead)]))
        return drafts


def test_accepted_tokens_are_those_that_the_loop_counts(decoder):
    plain = decoder.generate([0, 1], stop_tokens=[], max_new_tokens=20)
    assert len(plain.tokens) == 20
    recorder = Recorder()
    result = decoder.generate([0, 1], Oracle(tuple(plain.tokens), 2), record=recorder, max_new_tokens=20)
    assert result.tokens == plain.tokens
    assert replay(recorder.events)[0] == {0: plain.tokens}
    steps = list(recorder.steps())
    assert len(steps) < 20
    rows = [row for step in steps for row in step["rows"]]
    assert sum(row["accepted_tokens"] for row in rows) == result.stats.accepted_tokens > 0
    assert sum(row["drafted_tokens"] for row in rows) == result.stats.drafted_tokens


class Beams(Search):
    """The `width` likeliest texts."""

    width: int = 3

    def __call__(self, law, group):
        wide = law.full(9).logprobs() + law.logits.new_tensor(group.scores)[:, None]
        scores, columns = wide.flatten().topk(2 * self.width)
        pairs = [(*divmod(c, 9), s) for c, s in zip(columns.tolist(), scores.tolist(), strict=True) if s > -1e9]
        ends = [pair for pair in pairs if pair[1] in group.end_tokens]
        alive = [pair for pair in pairs if pair[1] not in group.end_tokens][: self.width]
        return Expansion([p for p, _, _ in alive], [t for _, t, _ in alive], [s for *_, s in alive], ends, False, None)


def test_rows_of_a_search_are_told_apart():
    letters = Vocabulary(tuple(bytes([97 + i]) * (i + 1) for i in range(9)))
    recorder = Recorder()
    result = Decoder(tiny_llama(9), letters).generate([0, 1], Beams(), record=recorder, n=3, max_new_tokens=8)
    steps = list(recorder.steps())
    assert len(steps) == 8
    # Texts of different lengths grow side by side: what was added is the text of the token only if the row continues
    # the right one.
    assert len({len(s.text) for s in result.samples}) > 1
    for step in steps:
        assert [row["text"] for row in step["rows"]] == [letters.text(row["tokens"]) for row in step["rows"]]
        assert all(len(row["tokens"]) == 1 for row in step["rows"])


def test_a_file_gets_json_lines_that_later_runs_append_to(decoder, tmp_path):
    path = tmp_path / "trace.jsonl"
    recorder = Recorder()
    decoder.generate("ab", record=recorder, max_new_tokens=4)
    for _ in range(2):
        decoder.generate("ab", record=str(path), max_new_tokens=4)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    varying = {"time_s": 0, "duration_ms": 0}
    strip = [{**event, **{k: 0 for k in varying if k in event}} for event in events]
    assert strip[: len(strip) // 2] == strip[len(strip) // 2 :]
    assert strip[: len(strip) // 2] == [{**e, **{k: 0 for k in varying if k in e}} for e in recorder.events]


def test_a_file_that_cannot_be_written_is_refused_before_the_first_step(decoder, tmp_path):
    with pytest.raises(RequestError, match=r"record: '.*absent/trace.jsonl' cannot be written: No such file"):
        decoder.generate("ab", record=tmp_path / "absent" / "trace.jsonl")
    with pytest.raises(RequestError, match="cannot be written: Is a directory"):
        decoder.generate("ab", record=tmp_path)


def test_a_record_without_a_place_is_refused(decoder):
    with pytest.raises(RequestError, match="record"):
        decoder.generate("ab", record=True)


def test_a_path_can_be_written_as_json_and_a_recorder_cannot(decoder, tmp_path):
    request = decoder.request("ab", record=tmp_path / "t.jsonl")
    assert request.to_dict()["techniques"] == [{"name": "record", "into": str(tmp_path / "t.jsonl")}]
    with pytest.raises(RequestError, match="'record' cannot be written as JSON"):
        decoder.request("ab", record=Recorder()).to_dict()


def test_samples_that_wait_for_a_row_start_later():
    recorder = Recorder()
    decoder = Decoder(tiny_llama(9), VOCABULARY, max_rows=2)
    result = decoder.generate("ab", record=recorder, multinomial=True, seed=1, n=5, max_new_tokens=3)
    assert [e["sample"] for e in recorder.events if e["event"] == "start"] == [0, 2, 4]
    assert replay(recorder.events)[0] == {s.sample: s.tokens for s in result.samples}


def test_a_row_view_with_a_list_of_tokens_is_recorded_too():
    recorder = Recorder()
    piece = Record(recorder).build(None)
    piece.on_start([RowView(0, 0, [1], [], "", None)])
    piece.on_step(StepView(1, [RowView(0, 0, [1], [5], "x", None)]))
    piece.on_step(StepView(2, [RowView(0, 0, [1], [5, 6], "xy", "eos")]))
    assert [row["text"] for step in recorder.steps() for row in step["rows"]] == ["x", "y"]
