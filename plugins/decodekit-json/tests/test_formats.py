"""Formats: against the JSON Schema test suite, the standard library, `idna`, and a JavaScript engine."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import random
import re
import shutil
import subprocess
import uuid
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from decodekit_json.formats import FORMATS
from decodekit_json.formats import international as words

DATA = next(
    (p / "shared/data" for p in Path(__file__).resolve().parents if (p / "shared/data").is_dir()), Path("absent")
)
SUITE = DATA / "json-schema-test-suite/draft2020-12/optional/format"
FILES = sorted(SUITE.glob("*.json")) if SUITE.is_dir() else []
LAX = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Read a pattern as ECMA-262 does: "$" is the end, not a place before a last newline."""
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern.replace("|$)", r"|\Z)"))


def accepts(name: str, text: str) -> bool:
    spec = FORMATS[name]
    if len(text) < spec.min_length or (spec.max_length is not None and len(text) > spec.max_length):
        return False
    found = all(compiled(p).search(text) for p in spec.all_of)
    return found and not any(compiled(p).search(text) for p in spec.none_of)


def instances():
    for file in FILES:
        for group in json.loads(file.read_text()):
            name = group["schema"]["format"]
            for test in group["tests"]:
                if name in FORMATS and isinstance(test["data"], str):
                    yield pytest.param(name, test["data"], test["valid"], id=f"{name}: {test['description']}")


@pytest.mark.skipif(not FILES, reason="needs shared/data/json-schema-test-suite")
@pytest.mark.parametrize(("name", "text", "valid"), list(instances()))
def test_the_suite_is_judged_as_it_says(name, text, valid):
    assert accepts(name, text) == valid


def written(name: str) -> st.SearchStrategy[str]:
    return st.from_regex(compiled(FORMATS[name].all_of[0])).filter(lambda text: accepts(name, text))


@LAX
@given(st.dates())
def test_every_date_is_taken(day):
    assert accepts("date", day.isoformat())


def test_exactly_the_days_of_the_calendar_are_taken():
    for year in (1, 4, 100, 400, 1900, 1999, 2000, 2024, 2100, 9999):
        for month in range(14):
            for day in range(33):
                text = f"{year:04}-{month:02}-{day:02}"
                try:
                    expected = bool(dt.date(year, month, day))
                except ValueError:
                    expected = False
                assert accepts("date", text) == expected, text


def test_leap_seconds_are_taken_where_it_is_midnight_in_utc():
    last = dt.datetime(2016, 12, 31, 23, 59)
    for sign in (1, -1):
        for minutes in range(0, 24 * 60, 7):
            offset = f"{'+' if sign > 0 else '-'}{minutes // 60:02}:{minutes % 60:02}"
            local = last + sign * dt.timedelta(minutes=minutes)
            assert accepts("time", f"{local:%H:%M}:60{offset}")
            assert accepts("date-time", f"{local:%Y-%m-%dT%H:%M}:60.5{offset}")
            late = local + dt.timedelta(minutes=random.Random(minutes).randrange(1, 1440))
            assert not accepts("time", f"{late:%H:%M}:60{offset}")
            assert not accepts("date-time", f"{local - dt.timedelta(days=3):%Y-%m-%dT%H:%M}:60{offset}")


@LAX
@given(st.datetimes(timezones=st.timezones()))
def test_every_time_with_an_offset_in_minutes_is_taken(moment):
    text = moment.isoformat()
    assume(re.search(r"[+-][0-9]{2}:[0-9]{2}$", text))
    assert accepts("date-time", text)
    assert accepts("time", text.partition("T")[2])


@LAX
@given(written("date-time"))
def test_a_date_time_is_read_back(text):
    if ":60" not in text:
        assert dt.datetime.fromisoformat(re.sub(r"\.[0-9]+", "", text).upper())


@LAX
@given(st.one_of(st.ip_addresses(v=4).map(str), st.from_regex(r"\A[0-9]{1,3}(\.[0-9]{1,3}){2,4}\Z")))
def test_ipv4_is_what_ipaddress_takes(text):
    assert accepts("ipv4", text) == readable(ipaddress.IPv4Address, text)


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.ip_addresses(v=6).map(str),
        st.lists(st.sampled_from(["1", "ab", "", ":", "1.2.3.4", "ffff", "0", "12345"]), max_size=10).map(":".join),
        st.tuples(*[st.lists(st.sampled_from(["1", "Fe"]), max_size=7).map(":".join)] * 2).map("::".join),
    )
)
def test_ipv6_is_what_ipaddress_takes(text):
    assert accepts("ipv6", text) == readable(ipaddress.IPv6Address, text)


@LAX
@given(st.one_of(st.uuids().map(str), written("uuid")))
def test_uuids_are_read_back(text):
    assert accepts("uuid", text)
    assert str(uuid.UUID(text)) == text.lower()


def readable(reader, text) -> bool:
    try:
        reader(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", ["date", "time", "email", "ipv4", "ipv6", "uuid", "duration"])
def test_what_is_written_passes_jsonschema(name):
    checker = pytest.importorskip("jsonschema").Draft202012Validator.FORMAT_CHECKER

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(written(name))
    def passes(text):
        checker.check(text, name)

    passes()


def test_international_labels_are_valid_for_idna():
    idna = pytest.importorskip("idna")
    rng = random.Random(0)
    left = [*words._LETTERS, *b"abclx019-", 0x00B7, 0x0375, 0x30FB, 0x06F0, 0x094D, 0x200C, 0x200D, 0x0915, ord("l")]
    right = [*words._HEBREW, *words._ARABIC, *b"09-", 0x0660, 0x06F3, 0x05F3, 0x05F4, 0x200C]
    scripts = [left, right, words._GREEK, [*words._DEVANAGARI, 0x094D, 0x200C, 0x200D], [*words._KANA, 0x30FB]]
    scripts += [
        words._LATIN_AND_SO_ON,
        list(words._HAN),
        list(words._HANGUL),
        [*b"l\xb7"],
        [*words._JOINING_BOTH, 0x200C],
    ]
    taken = 0
    for _ in range(15_000):
        chosen = [rng.choice(scripts) for _ in range(rng.choice([1, 1, 2, 3]))]
        text = ".".join("".join(chr(rng.choice(s)) for _ in range(rng.randint(1, 11))) for s in chosen)
        if accepts("idn-hostname", text):
            taken += 1
            assert len(idna.encode(text)) <= 253, text
    assert taken > 2_000


def test_known_a_labels_are_valid_for_idna():
    idna = pytest.importorskip("idna")
    for word in words._KNOWN:
        label = idna.encode(word).decode()
        assert idna.decode(label) == word
        assert accepts("hostname", label)
        assert accepts("idn-hostname", f"{label}.com")
        assert not accepts("hostname", label + "a")
    for count in range(1, 6):
        for rest in ("", words._EXAMPLE[:2]):
            assert idna.encode(words._EXAMPLE * count + rest)
            assert accepts("idn-hostname", words._EXAMPLE * count + rest)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no JavaScript engine here")
def test_regular_expressions_are_valid_for_a_javascript_engine():
    texts: list[str] = []

    @settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(written("regex"))
    def collect(text):
        if not any("\ud800" <= c <= "\udfff" for c in text):
            texts.append(text)

    collect()
    program = "for (const t of JSON.parse(require('fs').readFileSync(0))) { new RegExp(t); new RegExp(t, 'u'); }"
    run_javascript(program, texts)
    assert len(texts) >= 50


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no JavaScript engine here")
def test_patterns_are_read_in_javascript_too():
    patterns = [p for spec in FORMATS.values() for p in (*spec.all_of, *spec.none_of)]
    program = "for (const t of JSON.parse(require('fs').readFileSync(0))) new RegExp(t, 'u')"
    run_javascript(program, patterns)


def run_javascript(program, texts):
    done = subprocess.run(["node", "-e", program], input=json.dumps(texts), text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "text", ["(((a)))", "(?:a|b){2,3}?", "[a-z0-9_-]", r"^\d{3}-\d{4}$", r"(?=a)\w+(?!b)", "a{0,10}"]
)
def test_common_regular_expressions_are_taken(text):
    assert accepts("regex", text)


@pytest.mark.parametrize(
    "text", ["a**", "(", "a{2,1}", "[z-a]", "[b-a]", r"\1", "(?<a>x)(?<a>y)", r"\k<n>", "((((a))))", "(?=a)*"]
)
def test_doubtful_regular_expressions_are_not_taken(text):
    assert not accepts("regex", text)
