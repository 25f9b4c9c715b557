"""Decoders in several threads: what a pass puts onto a model is met by no other pass."""

from __future__ import annotations

import copy
import pickle
import signal
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest

from decodekit import Decoder, GenerationError, ModelHook
from decodekit.memory import turns
from decodekit.testing import byte_vocabulary, tiny_llama
from tests.pieces import registry_of_the_tests
from tests.test_hooks import Against

VOCAB, LIMIT = 12, 8
PROMPT = [3, 1, 4, 1, 5]


class Loud(ModelHook, name="loud", changes_model=True):
    """Makes the embeddings larger, and leaves other threads time to meet that."""

    factor: float = 2.0

    @contextmanager
    def around(self, run):
        handle = run.model.get_input_embeddings().register_forward_hook(lambda m, x, output: output * self.factor)
        try:
            time.sleep(0.002)
            yield
        finally:
            handle.remove()


def decoder_of(model: Any) -> Decoder:
    return Decoder(model, byte_vocabulary(VOCAB), registry=registry_of_the_tests())


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run each call in a thread of its own; give what they return or raise."""
    found: list[Any] = [None] * len(calls)

    def run(i: int) -> None:
        try:
            found[i] = calls[i]()
        except Exception as error:
            found[i] = error

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return found


@pytest.mark.parametrize("several", [False, True], ids=["one decoder", "a decoder each"])
def test_a_hook_is_met_by_no_pass_of_another_thread(several):
    one = decoder_of(tiny_llama(VOCAB, seed=3))
    decoders = [decoder_of(one.model) if several else one for _ in range(4)]
    hooks = [(Loud(2.0),), (), (Loud(-3.0),), ()]
    alone = [one.generate(PROMPT, *own, max_new_tokens=LIMIT).tokens for own in hooks]
    assert len({tuple(tokens) for tokens in alone}) == 3
    found = at_once(
        *(
            lambda d=d, own=own: d.generate(PROMPT, *own, max_new_tokens=LIMIT).tokens
            for d, own in zip(decoders, hooks, strict=True)
        )
    )
    assert found == alone


def test_stretched_positions_are_left_to_the_pass_that_needs_them():
    rope = {"rope_type": "dynamic", "rope_theta": 50.0, "factor": 4.0}
    model = tiny_llama(VOCAB, seed=3, max_position_embeddings=16, rope_parameters=rope)
    decoder = decoder_of(model)
    forward = model.forward

    def slow(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.001)
        return forward(*args, **kwargs)

    prompts = [PROMPT, PROMPT * 4, PROMPT * 2]
    alone = [decoder.generate(prompt, max_new_tokens=20) for prompt in prompts]
    model.forward = slow
    found = at_once(*(lambda p=prompt: decoder.generate(p, max_new_tokens=20) for prompt in prompts))
    assert [r.logprobs for r in found] == [r.logprobs for r in alone]


def test_models_that_are_each_other_s_second_one_do_not_wait_in_a_circle():
    one, other = (decoder_of(tiny_llama(VOCAB, seed=seed)) for seed in (3, 4))
    pairs = [(one, other), (other, one)] * 2

    def run(first: Decoder, second: Decoder) -> list[int]:
        hook = Against(0.5, (1, 2), second._plan.model)
        return first.generate(PROMPT, hook, max_new_tokens=LIMIT).tokens

    alone = [run(*pair) for pair in pairs]
    assert at_once(*(lambda pair=pair: run(*pair) for pair in pairs)) == alone


class Asking(ModelHook, name="asking"):
    """Runs another model inside a pass."""

    decoder: Any
    meet: Any = None

    @contextmanager
    def around(self, run):
        if self.meet is not None:
            self.meet.wait(10)
        self.decoder.generate(PROMPT, max_new_tokens=1)
        yield


def test_a_second_model_inside_a_pass_runs_and_a_circle_of_such_passes_is_refused(monkeypatch):
    monkeypatch.setattr(turns, "INSIDE_WAIT_S", 0.2)
    one, other = (decoder_of(tiny_llama(VOCAB, seed=seed)) for seed in (3, 4))
    plain = one.generate(PROMPT, max_new_tokens=1).tokens
    assert one.generate(PROMPT, Asking(other), max_new_tokens=1).tokens == plain
    assert one.generate(PROMPT, Asking(one), max_new_tokens=1).tokens == plain
    meet = threading.Barrier(2)
    found = at_once(
        lambda: one.generate(PROMPT, Asking(other, meet), max_new_tokens=1),
        lambda: other.generate(PROMPT, Asking(one, meet), max_new_tokens=1),
    )
    refused = [error for error in found if isinstance(error, GenerationError)]
    assert refused
    assert "inside a pass of" in str(refused[0])
    assert one.generate(PROMPT, max_new_tokens=1).tokens == plain


def test_an_interrupt_never_leaves_a_turn_taken():
    turn = turns.ModelTurn("a model")
    interrupts = 0
    previous = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        for number in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-4 + number * 1e-6)
                while True:
                    with turn.taken():
                        pass
            except KeyboardInterrupt:
                interrupts += 1
            assert not turn.mine
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert interrupts == 300


def test_what_holds_a_prefix_can_be_copied_and_pickled():
    decoder = Decoder(tiny_llama(VOCAB))
    result = decoder.generate([1, 2, 3], max_new_tokens=3, keep_prefix=True)
    assert copy.deepcopy(result).tokens == result.tokens == pickle.loads(pickle.dumps(result)).tokens
