"""The laws of a constraint, to be inherited by a plugin's test class: brute force against an independent oracle."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from decodekit.techniques import BuildContext
from decodekit.testing.oracle import Oracle, unpack
from decodekit.testing.toys import built, tiny_vocabulary, toy_context
from decodekit.testing.values import random_generators, same
from decodekit.types import State, TokenIds
from decodekit.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Place:
    """A text that the constraint let grow.

    Attributes:
        tokens: How it was written.
        text: Its bytes.
        state: The constraint's state after it.
        budget: How many tokens the brute force may still look ahead.
    """

    tokens: tuple[int, ...]
    text: bytes
    state: State
    budget: int


class ConstraintLaws:
    """What every constraint must satisfy: its mask is exactly what an enumeration of all texts allows.

        class TestDigits(ConstraintLaws):
            make = staticmethod(lambda: Regex(r"[0-9]{2,3}"))
            accepts = staticmethod(lambda text: re.fullmatch(rb"[0-9]{2,3}", text) is not None)

    Attributes:
        make: Gives the technique, or a `CompiledConstraint`.
        accepts: The oracle: says whether bytes are a complete text. Must not share code with the constraint.
        may_continue: Says whether bytes may begin a complete text; only saves time, must never say no wrongly.
        vocabulary: A small one; by default 13 tokens of one and two bytes over 41 ids.
        max_tokens: How many tokens the enumeration looks ahead.
        max_places: How many texts are looked at; more are sampled.
    """

    make: ClassVar[Any]
    accepts: ClassVar[Any]
    may_continue: ClassVar[Any] = staticmethod(lambda text: True)
    vocabulary: ClassVar[Vocabulary | None] = None
    max_tokens: ClassVar[int] = 4
    max_places: ClassVar[int] = 400
    _oracles: ClassVar[dict[Vocabulary, Oracle]] = {}

    def words(self) -> Vocabulary:
        """Give the vocabulary."""
        return self.vocabulary or tiny_vocabulary()

    def context(self) -> BuildContext:
        """Give what the technique is built with."""
        return toy_context(vocabulary=self.words(), max_new_tokens=self.max_tokens)

    def compiled(self) -> Any:
        """Compile the constraint."""
        return built(type(self).make(), self.context())

    def oracle(self) -> Oracle:
        """Give the brute force, shared by all tests of the class."""
        cls = type(self)
        if "_oracles" not in cls.__dict__:
            cls._oracles = {}
        words = self.words()
        if words not in cls._oracles:
            cls._oracles[words] = Oracle(words, cls.accepts, cls.may_continue)
        return cls._oracles[words]

    def places(self, constraint: Any) -> list[Place]:
        """Give the texts that the oracle lets grow, breadth first, each with the state that the constraint reached."""
        oracle, random = self.oracle(), np.random.default_rng(0)
        assert oracle.within(b"", self.max_tokens), f"no text fits into {self.max_tokens} tokens: raise max_tokens"
        layer = [Place((), b"", constraint.start(), self.max_tokens)]
        found = list(layer)
        while layer and layer[0].budget:
            grown: list[Place] = []
            for place in layer:
                for token in sorted(oracle.allowed(place.text, place.budget)):
                    state = constraint.advance(place.state, token)
                    text = place.text + oracle.pieces[token]
                    grown.append(Place((*place.tokens, token), text, state, place.budget - 1))
            most = max(8, self.max_places // self.max_tokens)
            layer = [grown[i] for i in sorted(random.permutation(len(grown))[:most].tolist())]
            found += layer
        return found

    def test_the_mask_is_exactly_what_can_still_be_completed(self) -> None:
        constraint, oracle = self.compiled(), self.oracle()
        for place in self.places(constraint):
            for remaining in range(1, place.budget + 1):
                allowed = self.mask(constraint, place, remaining)
                wanted = oracle.allowed(place.text, remaining)
                assert allowed == wanted, (
                    f"after {place.text!r} {list(place.tokens)} with {remaining} tokens left: "
                    f"too many {self.show(allowed - wanted)}, missing {self.show(wanted - allowed)}"
                )

    def test_there_is_never_a_dead_end(self) -> None:
        constraint, oracle = self.compiled(), self.oracle()
        for budget in range(1, self.max_tokens + 1):
            if not oracle.within(b"", budget):
                continue
            for seed in range(20):
                tokens, state = self.walk(constraint, budget, seed)
                text = self.words().bytes_of(tokens)
                assert constraint.is_complete(state), f"dead end after {text!r} with a budget of {budget} tokens"
                assert oracle.accepts(text), f"{text!r} came out with a budget of {budget} tokens, but is not accepted"

    def test_complete_means_accepted(self) -> None:
        constraint, oracle = self.compiled(), self.oracle()
        for place in self.places(constraint):
            complete = constraint.is_complete(place.state)
            assert complete == oracle.accepts(place.text), f"is_complete is {complete} after {place.text!r}"

    def test_min_tokens_is_exact(self) -> None:
        constraint, oracle = self.compiled(), self.oracle()
        for place in self.places(constraint):
            fewest, given = oracle.fewest(place.text, place.budget), constraint.min_tokens(place.state)
            if fewest is None:
                assert given > place.budget, (
                    f"min_tokens is {given} after {place.text!r}, where {place.budget} do not do"
                )
            else:
                assert given == fewest, f"min_tokens is {given} after {place.text!r}, where {fewest} do"

    def test_forced_tokens_are_certain(self) -> None:
        constraint, oracle = self.compiled(), self.oracle()
        for place in self.places(constraint):
            text, budget = place.text, place.budget
            for token in constraint.forced(place.state):
                if budget == 0:
                    break
                choices = oracle.allowed(text, budget)
                assert not oracle.accepts(text), f"{self.show([token])} is forced after {text!r}, which is complete"
                assert choices <= {token}, (
                    f"{self.show([token])} is forced after {text!r}, but {self.show(choices)} can follow"
                )
                assert choices or not oracle.within(text, budget), (
                    f"{self.show([token])} is forced after {text!r} wrongly"
                )
                text, budget = text + oracle.pieces.get(token, b""), budget - 1

    def test_special_and_end_tokens_are_never_in_the_mask(self) -> None:
        constraint, oracle, words = self.compiled(), self.oracle(), self.words()
        for place in self.places(constraint):
            wrong = self.mask(constraint, place, max(place.budget, 1)) - set(oracle.pieces)
            assert not wrong & set(words.end_tokens), (
                f"the end token is in the mask after {place.text!r}; the loop adds it"
            )
            assert not wrong, f"ids without text {sorted(wrong)} are allowed after {place.text!r}"

    def test_masks_are_int32_words_and_never_written_to(self) -> None:
        constraint, words = self.compiled(), self.words()
        seen: list[tuple[Any, Any]] = []
        for place in self.places(constraint):
            for remaining in range(1, place.budget + 1):
                mask = constraint.mask(place.state, remaining)
                assert mask.dtype == np.int32, f"the mask is {mask.dtype}"
                assert mask.shape == (-(-len(words.tokens) // 32),), (
                    f"mask of shape {mask.shape} for {len(words.tokens)} tokens"
                )
                seen.append((mask, mask.copy()))
        assert all(bool((mask == copy).all()) for mask, copy in seen), "a mask changed after it had been handed out"

    def test_states_are_hashable_values(self) -> None:
        constraint = self.compiled()
        state = constraint.start()
        assert hash(state) == hash(constraint.start()), "start() gives another hash each time"
        assert state == constraint.start(), "start() gives another state each time"
        for place in self.places(constraint):
            state = constraint.start()
            for token in place.tokens:
                before, number = copy.deepcopy(state), hash(state)
                following = constraint.advance(state, token)
                unchanged = same(state, before) and hash(state) == number
                assert unchanged, f"advance edited the state before {token}"
                assert constraint.advance(state, token) == following, "the same advance twice gives two states"
                state = following
            alike = state == place.state and hash(state) == hash(place.state)
            assert alike, f"two states for {list(place.tokens)}"

    def test_equal_states_behave_equally(self) -> None:
        constraint, oracle = self.compiled(), self.oracle()
        groups: dict[State, Place] = {}
        for place in self.places(constraint):
            other = groups.setdefault(place.state, place)
            for budget in range(min(place.budget, other.budget) + 1):
                alike = oracle.allowed(place.text, budget) == oracle.allowed(other.text, budget)
                assert alike, f"{place.text!r} and {other.text!r} have one state, but not the same continuations"
            assert oracle.accepts(place.text) == oracle.accepts(other.text), (
                "complete and incomplete texts share a state"
            )

    def test_forks_of_a_row_do_not_disturb_each_other(self) -> None:
        constraint, oracle = self.compiled(), self.oracle()
        places = self.places(constraint)
        # All states were made before the first one is asked, and they are asked in another order.
        for i in np.random.default_rng(1).permutation(len(places)).tolist():
            if places[i].budget:
                allowed = self.mask(constraint, places[i], places[i].budget)
                assert allowed == oracle.allowed(places[i].text, places[i].budget), (
                    f"other forks changed {places[i].text!r}"
                )

    def test_the_partial_value_does_not_depend_on_pieces(self) -> None:
        constraint = self.compiled()
        first = constraint.partial
        if first is None:
            return
        for place in self.places(constraint):
            text = place.text.decode("utf-8", "ignore")
            state, seen = first, [(first, copy.deepcopy(first.value))]
            for letter in text:
                state = state.push(letter)
                seen.append((state, copy.deepcopy(state.value)))
            whole = first.push(text).value
            assert same(state.value, whole), f"{text!r} gives {whole!r} at once and {state.value!r} by letters"
            assert all(same(state.value, value) for state, value in seen), f"push edited a value before {text!r}"
            if constraint.is_complete(place.state):
                assert same(state.end().value, first.push(text).end().value), f"two ends of {text!r}"

    def test_no_global_random_generator_is_used(self) -> None:
        before = random_generators()
        constraint = self.compiled()
        self.walk(constraint, self.max_tokens, 0)
        assert same(before, random_generators()), "a global random generator was used or seeded"

    def mask(self, constraint: Any, place: Place, remaining: int) -> frozenset[int]:
        """Ask for the allowed tokens at a place."""
        return unpack(constraint.mask(place.state, remaining))

    def walk(self, constraint: Any, budget: int, seed: int) -> tuple[TokenIds, State]:
        """Write a random text under the constraint, ending where it may, or must."""
        random, state, tokens = np.random.default_rng(seed), constraint.start(), TokenIds()
        while len(tokens) < budget:
            allowed: list[int] = sorted(unpack(constraint.mask(state, budget - len(tokens))))
            stop = constraint.is_complete(state) and (not allowed or random.random() < 0.2)
            if stop or not allowed:
                break
            tokens.append(int(random.choice(allowed)))
            state = constraint.advance(state, tokens[-1])
        return tokens, state

    def show(self, tokens: Any) -> list[str]:
        """Write tokens for a message."""
        words = self.words().tokens
        return [f"{t}:{words[t]!r}" if t < len(words) else f"{t}: beyond the vocabulary" for t in sorted(tokens)]
