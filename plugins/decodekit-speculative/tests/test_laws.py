"""Both rules and both drafters under the laws of the core."""

from dataclasses import replace

import numpy as np

from decodekit.techniques import CompiledConstraint
from decodekit.testing import DrafterLaws, VerifierLaws
from decodekit_speculative import BlockRule, ForcedTokens, PromptLookup, TokenRule


class After(CompiledConstraint):
    """Token 3 is followed by 1, 1 by 2; anything else is free. The state is the last token."""

    def __init__(self):
        self.forces = {3: 1, 1: 2}

    def start(self):
        return 0

    def advance(self, state, token):
        return token

    def mask(self, state, remaining):
        word = 1 << self.forces[state] if state in self.forces else 0b111111
        return np.array([word], dtype=np.int32)

    def is_complete(self, state):
        return state not in self.forces

    def min_tokens(self, state):
        return len(self.forced(state))

    def forced(self, state):
        found = []
        while state in self.forces:
            state = self.forces[state]
            found.append(state)
        return found


class TestTokenRule(VerifierLaws):
    make = TokenRule


class TestBlockRule(VerifierLaws):
    make = BlockRule


class TestPromptLookup(DrafterLaws):
    make = staticmethod(lambda: PromptLookup(4, min_ngram=1))


class TestForcedTokens(DrafterLaws):
    make = ForcedTokens

    def context(self):
        return replace(super().context(), constraint=After())

    def test_something_is_drafted(self):
        piece = self.piece()
        drafts = [list(draft.tokens) for draft in piece(self.places(piece, 0), [5] * 8)]
        assert {(1, 2), (2,), ()} >= {tuple(draft) for draft in drafts}
        assert any(drafts)
