"""First-party plugins together: every mixture in one batch equals each row decoded alone, without cache or drafts."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from pydantic import BaseModel, field_validator

from decodekit import Decoder, Technique, Vocabulary
from decodekit.assembly import assemble
from decodekit.law import Law
from decodekit.pipeline import with_end_tokens
from decodekit.techniques import Stage
from decodekit.testing import positions, tiny_llama
from decodekit_outlines import JSONSchema, Regex
from decodekit_sampling import DRY, XTC, Mirostat, RepetitionPenalty, Temperature, TopK, TopP
from tests.pieces import Guess

LIMIT = 24
PROMPTS = ["Write a card: ", "x", "The number is", "ab" * 20]


class Card(BaseModel):
    age: int
    fun: bool


PROCESSORS: dict[str, tuple[Technique, ...]] = {
    "greedy": (),
    "truncated": (Temperature(1.7), TopK(40), TopP(0.95)),
    "with history": (RepetitionPenalty(1.3), DRY(multiplier=0.8), Temperature(1.2)),
    "with state": (Mirostat(tau=4.0), XTC(probability=0.5, threshold=0.01)),
}
CONSTRAINTS: dict[str, tuple[Technique, ...]] = {
    "free": (),
    "regex": (Regex("(yes|no|🐢), [0-9]{2,6}!"),),
    "json": (JSONSchema(Card),),
}


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(tiny_llama(257, seed=4, eos_token_id=256), Vocabulary.from_bytes())


def alone(decoder: Decoder, request: Any, sample: int) -> list[int]:
    """Decode one sample with nothing but the pieces themselves and full forward passes."""
    plan = assemble(request, decoder._plan)
    tokens: list[int] = []
    states = plan.start()
    constraint = plan.constraint.start() if plan.constraint else None
    while len(tokens) < plan.limit:
        history = [*plan.prompt, *tokens]
        with torch.inference_mode():
            law = Law(decoder.model(torch.tensor([history]), use_cache=False).logits[:, -1])
        allowed = None
        if plan.constraint:
            words = with_end_tokens(plan, constraint, plan.limit - len(tokens))
            allowed = torch.tensor([[bool(int(words[t >> 5]) >> (t & 31) & 1) for t in range(257)]])
        for link, state in zip(plan.processors, states, strict=True):
            if allowed is not None and link.stage > Stage.BAN:
                law, allowed = law.keep(allowed), None
            at = positions(
                histories=[history],
                prompt_lengths=[len(plan.prompt)],
                seeds=[plan.seed],
                samples=[sample],
                states=[state],
            )
            law = link.piece(law, at)
        if allowed is not None:
            law = law.keep(allowed)
        at = positions(histories=[history], prompt_lengths=[len(plan.prompt)], seeds=[plan.seed], samples=[sample])
        token = int(plan.selector(law, at)[0])
        tokens.append(token)
        if token in plan.end_tokens:
            break
        states = plan.advance(states, token, law)
        if plan.constraint:
            constraint = plan.constraint.advance(constraint, token)
            left = max(plan.limit - len(tokens), 1)
            if plan.constraint.is_complete(constraint) and not plan.constraint.mask(constraint, left).any():
                break
    return tokens


@pytest.mark.parametrize("drafted", [False, True], ids=["plain", "drafted"])
@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("processors", PROCESSORS)
def test_a_ragged_batch_of_samples_equals_each_row_alone(decoder, processors, constraint, drafted):
    techniques = (*PROCESSORS[processors], *CONSTRAINTS[constraint])
    drafters = (Guess(tokens=3, vocab=257),) if drafted else ()
    n = 2 if processors != "greedy" else 1

    results = decoder.generate(PROMPTS[:3], *techniques, *drafters, max_new_tokens=LIMIT, seed=7, n=n)

    for prompt, result in zip(PROMPTS, results, strict=False):
        request = decoder.request(prompt, *techniques, max_new_tokens=LIMIT, seed=7)
        assert [sample.tokens for sample in result.samples] == [alone(decoder, request, k) for k in range(n)]


def test_a_batch_whose_requests_differ_in_everything_equals_each_row_alone(decoder):
    requests = [
        decoder.request(prompt, *PROCESSORS[processors], *CONSTRAINTS[constraint], max_new_tokens=LIMIT, seed=number)
        for number, (prompt, processors, constraint) in enumerate(
            (PROMPTS[number % 4], processors, constraint)
            for number, (processors, constraint) in enumerate((p, c) for p in PROCESSORS for c in CONSTRAINTS)
        )
    ]
    wanted = [alone(decoder, request, 0) for request in requests]
    assert [result.tokens for result in decoder.generate(requests)] == wanted
    narrow = Decoder(decoder.model, decoder.tokenizer, max_rows=5)
    assert [result.tokens for result in narrow.generate(requests)] == wanted


def test_guided_json_is_parsed_streamed_and_within_its_budget(decoder):
    pieces = list(decoder.stream(PROMPTS, JSONSchema(Card), temperature=2.0, seed=1, max_new_tokens=LIMIT))
    for number, result in enumerate(
        decoder.generate(PROMPTS, json_schema=Card, temperature=2.0, seed=1, max_new_tokens=LIMIT)
    ):
        assert isinstance(result.parsed, Card)
        assert Card.model_validate_json(result.text) == result.parsed
        assert "".join(piece.text for piece in pieces if piece.request == number) == result.text


class Picky(BaseModel):
    age: int

    @field_validator("age")
    @classmethod
    def refuse(cls, value: int) -> int:
        raise ValueError("nobody is that old")


def test_a_validator_that_refuses_a_valid_text_loses_nothing(decoder):
    result = decoder.generate(PROMPTS[0], json_schema=Picky, seed=1, max_new_tokens=LIMIT)
    assert result.text.startswith("{")
    assert result.parsed is None
    assert "nobody is that old" in result.parse_error


def test_two_constraints_of_a_plugin_are_intersected(decoder):
    result = decoder.generate("n: ", Regex("[a-c]+[0-9]+"), Regex(".{5}"), multinomial=True, seed=2, max_new_tokens=9)
    assert re.fullmatch("[a-c]+[0-9]+", result.text)
    assert len(result.text) == 5


def test_the_same_seed_gives_the_same_text_with_and_without_neighbours(decoder):
    options = {"temperature": 1.5, "top_p": 0.9, "json_schema": Card, "seed": 3, "max_new_tokens": LIMIT}
    first = decoder.generate(PROMPTS[0], **options)
    assert decoder.generate(PROMPTS, **options)[0].tokens == first.tokens
