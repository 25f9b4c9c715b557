"""First-party techniques together: each cell of the matrix equals the naive oracle, or is refused by name.

A covering design of the matrix runs by default; `DECODEKIT_MATRIX=full pytest -m slow tests/test_composition.py` runs
every cell. `docs/generate_matrix.py` writes the table of the documentation.
"""

from __future__ import annotations

import copy
import itertools
import os
import random
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import BaseModel, ConfigDict, field_validator
from transformers import DynamicCache

from decodekit import Decoder, IncompatibleTechniquesError, Request, Technique, Vocabulary
from decodekit.assembly import assemble
from decodekit.builtin import Argmax, Match
from decodekit.positions import Positions
from decodekit.techniques import Draft, Drafter, Observer
from decodekit.testing import byte_vocabulary, chi_square, tiny_llama
from decodekit_beam import BeamSample, BeamSearch, DiverseBeam, StochasticBeam
from decodekit_guidance import Guidance
from decodekit_json import JSONSchema, Regex
from decodekit_lora import Lora
from decodekit_sampling import DRY, XTC, MinP, Mirostat, Multinomial, RepetitionPenalty, Temperature, TopK
from decodekit_speculative import DraftModel, ForcedTokens, PromptLookup
from tests.matrix import (
    AXES,
    GUESSES,
    PREFIXES,
    SELECTORS,
    Cell,
    design,
    drafts,
    full,
    name,
    others,
    refused,
    size,
    starts_from_a_prefix,
    uses,
)
from tests.oracle import Oracle, Text, close

LIMIT, ENDS = 14, 256
PROMPTS = ["abcabcab", "x", "The number is 1212"]
LORA = {"peft_type": "LORA", "r": 2, "lora_alpha": 1, "target_modules": ["q_proj", "v_proj"]}


class Card(BaseModel):
    age: int
    fun: bool


class Short(BaseModel):
    model_config = ConfigDict(extra="forbid")  # other keys would leave nothing to be forced

    n: int


class Witness(Observer, name="witness"):
    """Writes down, for each step in which its request has rows, the request's number and what became of drafts."""

    number: int
    seen: Any
    drafted: Any

    def on_step(self, step: Any) -> None:
        self.seen.append(self.number)
        for row in step.rows:
            self.drafted.update(drafted=row.drafted_tokens, kept=row.accepted_tokens)


class Opening(Drafter, name="opening"):
    """Proposes what follows each sample's first token, with a last token that is wrong; the others go on alone."""

    texts: tuple[tuple[int, ...], ...]

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        return [
            Draft(self.texts[int(sample)][1:][:limit] if new == 1 else ())
            for new, sample, limit in zip(at.new_tokens.tolist(), at.samples, limits, strict=True)
        ]


def spoiled(text: Text) -> tuple[int, ...]:
    """Give the beginning of a text up to its third token or the first after it that could be another, and that other.

    Drafts begin behind the first token, so that one is kept and one rejected. Where nothing could be another it is all
    of the text but its end.
    """
    for place, other in enumerate(text.others):
        if place > 1 and other >= 0:
            return (*text.tokens[:place], other)
    return tuple(text.tokens[:-1])


class Engine:
    """A model with its decoders and everything that cells need."""

    def __init__(self) -> None:
        self.model = tiny_llama(257, seed=4, eos_token_id=ENDS)
        vocabulary = Vocabulary.from_bytes()
        self.decoder = Decoder(self.model, vocabulary)
        self.narrow = Decoder(self.model, vocabulary, max_rows=4)
        self.narrow._plan.model = self.decoder._plan.model
        self.theirs = Decoder(self.model, vocabulary, dynamic_cache=True)
        self.draft = copy.deepcopy(self.model)
        with torch.no_grad():
            generator = torch.Generator().manual_seed(1)
            for weight in self.draft.parameters():
                weight.add_(0.02 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
        self.adapter, self.merged = adapter_of(self.model)

    def logits(self, tokens: Any, lora: bool = False) -> torch.Tensor:
        """Give the logits after some tokens, by a full forward pass."""
        return _logits(self, tuple(tokens), lora)


@lru_cache(maxsize=200_000)
def _logits(engine: Engine, tokens: tuple[int, ...], lora: bool) -> torch.Tensor:
    model = engine.merged if lora else engine.model
    with torch.inference_mode():
        return model(torch.tensor([tokens]), use_cache=False).logits[0, -1]


def adapter_of(model: Any) -> tuple[dict[str, Any], Any]:
    """Make a LoRA adapter of two modules and the model with it merged in."""
    generator = torch.Generator().manual_seed(2)
    merged, tensors = copy.deepcopy(model), {}
    for layer in range(model.config.num_hidden_layers):
        for part in ("q_proj", "v_proj"):
            where = f"model.layers.{layer}.self_attn.{part}"
            weight = merged.get_submodule(where).weight
            a, b = (
                torch.randn(shape, generator=generator, dtype=weight.dtype)
                for shape in ((2, weight.shape[1]), (weight.shape[0], 2))
            )
            tensors[f"base_model.model.{where}.lora_A.weight"] = a
            tensors[f"base_model.model.{where}.lora_B.weight"] = b
            with torch.no_grad():
                weight += 0.5 * b @ a
    return tensors, merged


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def techniques(cell: Cell, engine: Engine) -> list[Technique]:
    """Give a cell's techniques."""
    search = {
        "greedy": [Argmax()],
        "multinomial": [Multinomial()],
        "beam": [BeamSearch(3, length_penalty=0.7)],
        "diverse beam": [DiverseBeam(width=4, groups=2, diversity=0.4)],
        "stochastic beam": [StochasticBeam(width=3)],
        "beam sample": [BeamSample(3, length_penalty=0.7)],
    }[cell["search"]]
    draft = {
        "no draft": [],
        "prompt lookup": [PromptLookup(tokens=3, min_ngram=1)],
        # Token for token the same text; the ratio rule, its default, follows the same law with other tokens.
        "draft model": [DraftModel(engine.draft, tokens=3), Match()],
        "forced tokens": [ForcedTokens()],
    }[cell["draft"]]
    # Compact documents begin with a key that is forced: upon all beams at once, and before any stop.
    whitespace = "compact" if cell["draft"] == "forced tokens" else "flexible"
    constraint = {
        "free": [],
        "regex": [Regex("(yes|no|🐢), [0-9]{2,6}!")],
        "json": [JSONSchema(Short, whitespace=whitespace)],
    }
    processor = {
        "stateless": [Temperature(1.7), TopK(40), MinP(0.005)],
        "history": [RepetitionPenalty(1.3), DRY(multiplier=0.8), Temperature(1.2)],
        "stateful": [Mirostat(tau=4.0), XTC(probability=0.5, threshold=0.01)],
    }
    guidance = [Guidance(1.5, negative_prompt="zz")] if cell["guidance"] else []
    lora = [Lora(engine.adapter, LORA)] if cell["lora"] else []
    return [*search, *draft, *constraint[cell["constraint"]], *processor[cell["processor"]], *guidance, *lora]


def stop_callable(row: Any) -> bool:
    return len(row.tokens) >= 4 and sum(row.tokens) % 3 == 0


def stops_of(cell: Cell, engine: Engine, prompt: tuple[int, ...], seed: int) -> tuple[Any, ...]:
    """Give a stop that comes up in the text where there is one."""
    stops = (stop_callable,) if cell["stop callable"] else ()
    if not cell["stop string"]:
        return stops
    plain = expected(engine, {**cell, "stop string": "", "stop callable": ""}, prompt, seed, 1)[0]
    text = bytes(token for token in plain.tokens if token < 256).decode(errors="replace")
    pairs = [text[i : i + 2] for i in range(2, len(text) - 1) if text[i : i + 2].isascii()]
    return (*stops, pairs[0] if pairs else "\x00\x01")


def request_of(
    cell: Cell, engine: Engine, prompt: tuple[int, ...], seed: int, n: int, *more: Technique, **options: Any
) -> Request:
    stop = stops_of(cell, engine, prompt, seed)
    if cell["logprobs"]:
        options |= {"top_logprobs": 3}
    if cell["prompt logprobs"]:
        options |= {"prompt_logprobs": True}
    return engine.decoder.request(
        prompt, *more, *techniques(cell, engine), max_new_tokens=LIMIT, seed=seed, n=n, stop=stop, **options
    )


_KNOWN: dict[Any, list[Text]] = {}


def expected(engine: Engine, cell: Cell, prompt: tuple[int, ...], seed: int, n: int) -> list[Text]:
    """Decode with the oracle; guesses and caches must not matter, so they are left out, and forced tokens not asked."""
    bare = {**cell, "draft": "no draft"} if cell["draft"] in GUESSES else cell
    matters = ("search", "draft", "constraint", "processor", "stop string", "stop callable", "guidance", "lora")
    key = (*(bare[axis] for axis in matters), prompt, seed, n)
    if key not in _KNOWN:
        plan = assemble(request_of(bare, engine, prompt, seed, n), engine.decoder._plan)
        _KNOWN[key] = Oracle(plan, lambda tokens: engine.logits(tokens, bool(cell["lora"]))).texts()
    return _KNOWN[key]


def opening(cell: Cell, engine: Engine, text: str) -> tuple[tuple[int, ...], Any]:
    """Give a prompt and the prefix that is handed in with it."""
    prompt = tuple(text.encode())
    if cell["cache"] == "prefix":
        return prompt, engine.decoder.prefix(prompt[: max(1, len(prompt) - 2)])
    if cell["cache"] == "transformers' cache handed in":
        cache = DynamicCache(config=engine.model.config)
        with torch.inference_mode():
            engine.model(torch.tensor([prompt[: max(1, len(prompt) - 2)]]), past_key_values=cache)
        return prompt, cache
    if cell["cache"] == "second turn":
        first = engine.decoder.generate(prompt, Multinomial(), seed=1, max_new_tokens=5, keep_prefix=True)
        return (*prompt, *first.tokens, *b" and"), first.samples[0].prefix
    return prompt, None


def run(cell: Cell, engine: Engine) -> None:
    """Run one cell and compare it with the oracle."""
    n = 3 if cell["batch"] == "n = 3" else 1
    texts = PROMPTS if cell["batch"] == "ragged batch" else PROMPTS[:1]
    cells = [cell] * len(texts)
    if cell["batch"] == "different requests":
        cells = [cell, *others(cell)]
        texts = [PROMPTS[i % 3] for i in range(len(cells))]
    requests: list[Request] = []
    wanted: list[list[Text]] = []
    seen: list[int] = []
    drafted = [Counter[str]() for _ in cells]
    for seed, (each, text) in enumerate(zip(cells, texts, strict=True)):
        prompt, prefix = opening(each, engine, text)
        wanted.append(expected(engine, each, prompt, seed, n))
        more: list[Technique] = [Witness(number=seed, seen=seen, drafted=drafted[seed])]
        if each["draft"] in GUESSES:
            more.append(Opening(texts=tuple(spoiled(text) for text in wanted[-1])))
        requests.append(request_of(each, engine, prompt, seed, n, *more, prefix=prefix))
    decoder = engine.theirs if cell["cache"] == "transformers' cache" else engine.decoder
    if cell["batch"] == "n = 3" and decoder is engine.decoder:
        # Fewer rows than the samples of several searches need: what waits joins in waves.
        decoder = engine.narrow
    results = [] if cell["streaming"] else decoder.generate(requests)
    if cell["streaming"]:
        check_stream(decoder, requests, wanted)
    check_shared(seen, len(requests))
    for each, counts, texts_of in zip(cells, drafted, wanted, strict=True):
        check_drafted(each, counts, texts_of)
    if not cell["streaming"]:
        check_results(cells, engine, requests, results, wanted)


def check_results(
    cells: list[Cell], engine: Engine, requests: list[Request], results: list[Any], wanted: list[list[Text]]
) -> None:
    """Check texts, numbers and reasons."""
    for each, request, result, texts_of in zip(cells, requests, results, wanted, strict=True):
        if each["cache"] in PREFIXES and len(request.prompt) > 1:
            assert (result.stats.cached_tokens > 0) == starts_from_a_prefix(each)
        assert [sample.tokens for sample in result.samples] == [text.tokens for text in texts_of]
        for sample, text in zip(result.samples, texts_of, strict=True):
            assert close(sample.logprobs, text.logprobs)
            assert close(sample.target_logprobs, text.target_logprobs)
            assert sample.score is None or close([sample.score], [text.score])
            assert sample.text == text.visible
            assert sample.finish_reason == text.ended
            if request.top_logprobs:
                for found, known in zip(sample.top_logprobs, text.top, strict=True):
                    assert list(found) == list(known)
                    assert close([*found.values()], [*known.values()])
        if request.prompt_logprobs:
            lora = any(technique.name == "lora" for technique in request.techniques)
            plan = assemble(request, engine.decoder._plan)
            assert close(result.prompt_logprobs, Oracle(plan, partial(engine.logits, lora=lora)).prompt_logprobs())


def check_shared(seen: list[int], requests: int) -> None:
    """Check that the first step had rows of every request: no request saw a second one before all saw theirs."""
    assert sorted(seen[:requests]) == list(range(requests))


def check_drafted(cell: Cell, counts: Counter[str], texts: list[Text]) -> None:
    """Check that drafts were kept, and rejected where they are guesses, as far as the cell and its texts allow it."""
    if not drafts(cell):
        assert not counts["drafted"]
    elif cell["draft"] == "forced tokens":
        assert counts["drafted"] >= counts["kept"] > 0
    elif any(len(spoiled(text)) > 2 for text in texts):
        assert counts["drafted"] >= counts["kept"] > 0
        could_be_rejected = any(max(text.others[2:], default=-1) >= 0 for text in texts)
        assert counts["drafted"] > counts["kept"] or not could_be_rejected


def check_stream(decoder: Decoder, requests: list[Request], wanted: list[list[Text]]) -> None:
    tokens: dict[tuple[int, int], list[int]] = {}
    texts: dict[tuple[int, int], str] = {}
    for piece in decoder.stream(requests):
        place = piece.request, piece.sample
        tokens[place] = [*tokens.get(place, []), *piece.tokens]
        texts[place] = texts.get(place, "") + piece.text
    known = {(i, j): text for i, found in enumerate(wanted) for j, text in enumerate(found)}
    assert tokens == {place: text.tokens for place, text in known.items()}
    assert texts == {place: text.visible for place, text in known.items()}


@pytest.mark.parametrize("cell", design(), ids=name)
def test_the_cell_equals_the_oracle(engine, cell):
    run(cell, engine)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_every_cell_equals_the_oracle(engine, part):
    cells = list(full())
    step = 1 if os.environ.get("DECODEKIT_MATRIX") == "full" else 1009  # prime, so that every option comes up
    wrong: list[str] = []
    for cell in cells[part :: 8 * step]:
        try:
            run(cell, engine)
        except AssertionError as error:
            wrong.append(f"{name(cell)}: {str(error)[:200]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("search", [search for search in AXES["search"] if search not in SELECTORS])
@pytest.mark.parametrize("draft", GUESSES)
def test_beams_with_a_draft_are_refused_by_name(engine, search, draft):
    cell = {axis: values[0] for axis, values in AXES.items()} | {"search": search, "draft": draft}
    with pytest.raises(IncompatibleTechniquesError, match=r"cannot run with .* \(drafter\): a draft follows"):
        engine.decoder.generate("x", *techniques(cell, engine))


def test_the_page_counts_the_cells_of_the_design():
    page = (Path(__file__).parents[1] / "docs/composition.md").read_text()
    rows = [[entry.strip() for entry in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]
    columns = [
        pair
        for pair in itertools.product(AXES["search"], AXES["draft"])
        if not refused(dict(zip(AXES, pair, strict=False)))
    ]
    for axis in list(AXES)[2:]:
        for option in filter(None, AXES[axis]):
            met = Counter(
                (cell["search"], cell["draft"])
                for cell in design()
                if cell[axis] == option and (drafts(cell) or cell["draft"] == "no draft")
            )
            wanted = [f"ok ({met[column]})" if met[column] else "not used" for column in columns]
            assert [option, *wanted] in rows
    assert f"Cells run: {len(design())}; right: {len(design())}; wrong: 0." in page
    assert f"runs all {size()}" in " ".join(page.split())


def test_the_design_holds_every_three_options():
    cells = design()
    for axes in itertools.combinations(AXES, 3):
        met = {tuple(cell[axis] for axis in axes) for cell in cells if uses(cell, {axis: cell[axis] for axis in axes})}
        possible = {
            values
            for values in itertools.product(*(AXES[axis] for axis in axes))
            if not refused({"search": "greedy", "draft": "no draft", **dict(zip(axes, values, strict=True))})
        }
        assert met == possible


@pytest.mark.parametrize("draft", AXES["draft"][1:])
def test_drafts_are_kept_and_spare_forward_passes(engine, draft):
    cell = {axis: values[0] for axis, values in AXES.items()} | {"draft": draft, "constraint": "regex"}
    prompt = tuple(b"yes, 99999!" * 3)
    result = engine.decoder.generate(request_of(cell, engine, prompt, 0, 1))
    assert result.stats.accepted_tokens > 0
    assert result.stats.steps < len(result.tokens)


def test_forced_tokens_spare_forward_passes_of_beams(engine):
    cell = {axis: values[0] for axis, values in AXES.items()}
    pieces = techniques({**cell, "search": "beam", "constraint": "json", "draft": "forced tokens"}, engine)
    without = [piece for piece in pieces if not isinstance(piece, ForcedTokens)]
    forced, plain = (engine.decoder.generate([1, 2], *some, n=3, max_new_tokens=LIMIT) for some in (pieces, without))
    assert [sample.tokens for sample in forced.samples] == [sample.tokens for sample in plain.samples]
    assert forced.stats.steps < plain.stats.steps


BESIDE_DRAWN_DRAFTS = [
    *(
        pytest.param(limit, kind, "alone", id=f"{limit}, {kind}")
        for limit in ("free", "regex")
        for kind in AXES["processor"]
    ),
    *(
        pytest.param("free", "stateless", beside, id=beside)
        for beside in ("guidance", "prefix", "lora", "stop string", "lookup, then draft", "draft, then lookup")
    ),
    *(pytest.param("json", "stateless", beside, id=f"json, {beside}") for beside in ("alone", "forced, then draft")),
]


@pytest.mark.parametrize(("constraint", "processor", "beside"), BESIDE_DRAWN_DRAFTS)
def test_sampled_texts_follow_the_target_law_with_drafts_that_are_drawn(constraint, processor, beside):
    """The ratio rule takes other tokens than plain sampling does; their law is enumerated."""
    model = tiny_llama(6, seed=8, eos_token_id=5)
    words = [b"[", b"]", b",", b"1", b"2", b""] if constraint == "json" else [b"a", b"b", b"c", b"d", b"e", b""]
    vocabulary = Vocabulary((*words[:-1], None), (5,))
    decoder = Decoder(model, vocabulary, max_rows=4096)
    draft = tiny_llama(6, seed=9, eos_token_id=5)
    chosen = {
        "stateless": [Temperature(0.8), TopK(4)],
        "history": [RepetitionPenalty(1.5), Temperature(0.9)],
        "stateful": [Mirostat(tau=1.5, eta=0.4)],
    }[processor]
    pairs = {"type": "array", "items": {"enum": [1, 2, 12]}, "minItems": 1, "maxItems": 2}
    limits = {"free": [], "regex": [Regex("[abc]{1,2}d?")], "json": [JSONSchema(pairs, whitespace="compact")]}[
        constraint
    ]
    if beside == "guidance":
        chosen = [Guidance(1.5, negative_prompt=[2, 3]), *chosen]
    adapter, merged = adapter_of(model)
    if beside == "lora":
        chosen = [Lora(adapter, LORA), *chosen]
    prompt = [0, 1, 0]
    options: dict[str, Any] = {"max_new_tokens": 6 if constraint == "json" else 3, "seed": 3}
    if beside == "stop string":
        options |= {"max_new_tokens": 4, "stop": ("ab", "cc", "d")}
    asked = merged if beside == "lora" else model
    law = Oracle(
        assemble(decoder.request(prompt, Multinomial(), *chosen, *limits, **options), decoder._plan),
        lambda tokens: asked(torch.tensor([list(tokens)]), use_cache=False).logits[0, -1].detach(),
        lambda tokens: b"".join(words[token] for token in tokens),
    )
    probabilities: dict[tuple[int, ...], float] = {}
    open_texts: list[tuple[tuple[int, ...], float]] = [((), 1.0)]
    while open_texts:
        tokens, probability = open_texts.pop()
        for token, p in enumerate(law.law(tokens, 0)[1].full(6).probs()[0].tolist()):
            if p > 0:
                longer = (*tokens, token)
                if law._ended(list(longer)):
                    probabilities[longer] = probability * p
                else:
                    open_texts.append((longer, probability * p))
    drafters: list[Technique] = [DraftModel(draft, tokens=2)]
    if "lookup" in beside:
        drafters = [*drafters, PromptLookup(tokens=1, min_ngram=1)]
    if beside == "lookup, then draft":
        drafters = drafters[::-1]
    if beside == "forced, then draft":
        drafters = [ForcedTokens(), *drafters]
    if beside == "prefix":
        options["prefix"] = decoder.prefix(prompt[:2])
    drafted = decoder.generate(prompt, Multinomial(), *chosen, *limits, *drafters, n=1500, **options)
    assert (drafted.stats.cached_tokens > 0) == (beside == "prefix")
    assert drafted.stats.accepted_tokens < drafted.stats.drafted_tokens
    assert drafted.stats.accepted_tokens > 150
    if beside == "stop string":
        assert {sample.finish_reason for sample in drafted.samples} >= {"stop", "length"}
    chi_square(Counter(tuple(sample.tokens) for sample in drafted.samples), probabilities)


@pytest.mark.parametrize("kind", ["constraint", "stop tokens"])
def test_a_search_goes_on_when_one_of_its_rows_ends_and_its_sibling_does_not(kind):
    vocab = 48
    model = tiny_llama(vocab, seed=3, eos_token_id=vocab - 1)
    decoder = Decoder(model, byte_vocabulary(vocab))

    def logits(tokens: Any) -> torch.Tensor:
        with torch.inference_mode():
            return model(torch.tensor([list(tokens)]), use_cache=False).logits[0, -1]

    for seed in range(20):
        chance = random.Random(seed)
        prompt = [chance.randrange(3, 46) for _ in range(4)]
        search = chance.choice([BeamSearch(4), DiverseBeam(width=4, groups=2, diversity=0.4)])
        limit = Regex(chance.choice(["[!-.]|[!-&]{3}", "[!-#]|[$-.]{2}|[!-(]{3,4}", "[!-%]{1,2}|[&-.]{4}"]))
        stops = tuple(chance.sample(range(46), 12)) if kind == "stop tokens" else ()
        request = decoder.request(
            prompt,
            search,
            *([limit] if kind == "constraint" else []),
            n=3,
            seed=1,
            max_new_tokens=7,
            stop_tokens=stops,
        )
        texts = Oracle(assemble(request, decoder._plan), logits).texts()
        samples = decoder.generate(request).samples
        assert [sample.tokens for sample in samples] == [text.tokens for text in texts]
        assert close([sample.score or 0 for sample in samples], [text.score for text in texts])


def test_guided_json_is_parsed_streamed_and_within_its_budget(engine):
    decoder, options = engine.decoder, {"json_schema": Card, "temperature": 2.0, "seed": 1, "max_new_tokens": 24}
    pieces = list(decoder.stream(PROMPTS, **options))
    for number, result in enumerate(decoder.generate(PROMPTS, **options)):
        assert isinstance(result.parsed, Card)
        assert Card.model_validate_json(result.text) == result.parsed
        assert "".join(piece.text for piece in pieces if piece.request == number) == result.text


class Picky(BaseModel):
    age: int

    @field_validator("age")
    @classmethod
    def refuse(cls, value: int) -> int:
        raise ValueError("nobody is that old")


def test_a_validator_that_refuses_a_valid_text_loses_nothing(engine):
    result = engine.decoder.generate(PROMPTS[0], json_schema=Picky, seed=1, max_new_tokens=24)
    assert result.text.startswith("{")
    assert result.parsed is None
    assert re.fullmatch("json_schema: age: .*nobody is that old.*", result.parse_error)


def test_two_constraints_of_a_plugin_are_intersected(engine):
    techniques = (Regex("[a-c]+[0-9]+"), Regex(".{5}"))
    result = engine.decoder.generate("n: ", *techniques, multinomial=True, seed=2, max_new_tokens=9)
    assert re.fullmatch("[a-c]+[0-9]+", result.text)
    assert len(result.text) == 5
