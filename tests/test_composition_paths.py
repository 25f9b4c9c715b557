"""Techniques together on every kind of memory: each request of a mixed batch, and its next turn, equals the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pytest
import torch

from decodekit import Decoder, Request, Vocabulary
from decodekit.assembly import assemble
from decodekit.builtin import Match
from decodekit.results import Result
from decodekit.testing import tiny_llama
from decodekit_beam import BeamSearch, DiverseBeam, StochasticBeam
from decodekit_guidance import Guidance
from decodekit_json import Regex
from decodekit_sampling import Mirostat, Multinomial, RepetitionPenalty
from decodekit_speculative import DraftModel, ForcedTokens, PromptLookup
from tests.model_types import VARIANTS, VOCAB, build
from tests.oracle import Oracle, Text

END, LIMIT, READ = VOCAB - 1, 8, 12
LETTERS = b"abcdefghijklmnopqrstuvwxyz"
SHORT: tuple[int, ...] = (3, 4, 5, 6, 3, 4)
LONG = tuple((7 * k + 5) % (VOCAB - 3) + 3 for k in range(19))

PATHS = {
    "slots": ("gpt_oss", "gemma4_text", "mpt", "llama4_text", "mixtral", *VARIANTS),
    "hybrid": ("bamba", "mamba", "lfm2", "nemotron_h"),
    "level": ("bart",),
    "replay": ("minimax", "rwkv", "xlstm", "axk2"),
    "uncached": ("openai-gpt",),
}
"""Of each path the first type runs by default."""

CASES = [
    pytest.param(path, name, marks=[pytest.mark.slow] if place else [])
    for path, names in PATHS.items()
    for place, name in enumerate(names)
]


class Engine:
    """A model of some type whose tokens are letters, a copy that nothing has touched, and a draft model."""

    def __init__(self, name: str) -> None:
        model, self.bare = build(name), build(name)
        model.generation_config.eos_token_id = END
        letters = (LETTERS[i % 26 : i % 26 + 1] + b"-" * (i // 26) for i in range(END))
        self.decoder = Decoder(model, Vocabulary((*letters, None)))
        self.draft = tiny_llama(VOCAB, seed=3)

    def request(self, prompt: tuple[int, ...], *techniques: Any, **options: Any) -> Request:
        return self.decoder.request(prompt, *techniques, seed=3, max_new_tokens=LIMIT, **options)

    def logits(self, tokens: Sequence[int]) -> torch.Tensor:
        return _logits(self, tuple(tokens))

    def oracle(self, request: Request) -> list[Text]:
        kept = tuple(t for t in request.techniques if t.role not in ("drafter", "verifier"))
        bare = request.model_copy(update={"techniques": kept, "prefix": None})
        return Oracle(assemble(bare, self.decoder._plan), self.logits).texts()


@lru_cache(maxsize=100_000)
def _logits(engine: Engine, tokens: tuple[int, ...]) -> torch.Tensor:
    with torch.inference_mode():
        # Dynamic RoPE keeps the encoding of the longest text so far, until it meets a short one.
        engine.bare(input_ids=torch.tensor([[0]]), use_cache=False)
        return engine.bare(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1]


def mixed(engine: Engine) -> list[Request]:
    """Give a batch in which searches, guesses, forced tokens, guidance and prefixes meet."""
    prefix = engine.decoder.prefix(LONG[:READ])
    draft, forced = (DraftModel(engine.draft, tokens=3), Match()), Regex("(abc|abd)[a-f]{1,4}x")
    lookup = PromptLookup(tokens=3, min_ngram=1)
    return [
        engine.request(SHORT, BeamSearch(3), Regex("[a-h]{2,6}"), Guidance(1.4), n=3),
        engine.request(LONG, Multinomial(), *draft, n=3, prefix=prefix),
        engine.request(
            LONG, DiverseBeam(width=4, groups=2), RepetitionPenalty(1.2), n=3, prefix=prefix, keep_prefix=True
        ),
        engine.request(SHORT, Multinomial(), lookup, ForcedTokens(), forced, Mirostat(tau=3.0), n=2, keep_prefix=True),
        engine.request(SHORT, StochasticBeam(width=3), ForcedTokens(), Regex("(abc|abd)[a-f]{1,4}"), n=2),
    ]


def next_turns(engine: Engine, first: list[Result]) -> list[Request]:
    """Go on from the second beam, and from the second sample, of two requests that keep their prefixes."""
    beam, sample = first[2].samples[1], first[3].samples[1]
    texts = [tuple(token for token in one.tokens if token != END) for one in (beam, sample)]
    return [
        engine.request((*LONG, *texts[0], 7, 8), BeamSearch(2), n=2, prefix=beam.prefix),
        engine.request(
            (*SHORT, *texts[1], 7),
            *(Multinomial(), DraftModel(engine.draft, tokens=2), Match()),
            n=2,
            prefix=sample.prefix,
        ),
    ]


@pytest.mark.parametrize(("path", "name"), CASES)
def test_a_mixed_batch_and_its_next_turns_equal_the_oracle(path, name):
    engine = Engine(name)
    assert engine.decoder.describe()["path"] == path
    requests = mixed(engine)
    first = engine.decoder.generate(requests)
    later = next_turns(engine, first)
    results = first + engine.decoder.generate(later)
    for request, result in zip(requests + later, results, strict=True):
        assert [sample.tokens for sample in result.samples] == [text.tokens for text in engine.oracle(request)]
        assert (result.stats.cached_tokens > 0) == (request.prefix is not None and path != "uncached")
    assert all(first[i].stats.drafted_tokens for i in (1, 3, 4))
    assert first[3].stats.accepted_tokens
