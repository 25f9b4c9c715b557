"""What a request must give: its own pieces over full forward passes, one row at a time, as naively as possible.

No cache, no batch, no draft, no state that outlives a step: states are run from the prompt anew for every token.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from decodekit import Request
from decodekit.law import Law, concat
from decodekit.plan import RequestPlan
from decodekit.positions import Positions
from decodekit.techniques import GroupView, ModelHook, Stage
from decodekit.testing import positions

Model = Callable[[Sequence[int]], torch.Tensor]


@dataclass
class Text:
    """One finished text.

    Attributes:
        tokens: Generated tokens.
        logprobs: Under the model's law.
        target_logprobs: Under the target law.
        score: Of a search.
        ended: Why.
        visible: The text without what a stop string cut off.
        top: Per token, the three likeliest ones under the model's law.
        others: Per token of a sampled text, one that could have stood there and after which the text goes on; -1 where
            there is none.
    """

    tokens: list[int]
    logprobs: list[float]
    target_logprobs: list[float]
    score: float = 0.0
    ended: str = ""
    visible: str = ""
    top: tuple[dict[int, float], ...] = ()
    others: tuple[int, ...] = ()


@dataclass
class Oracle:
    """Decodes with a model that is asked for the logits after a whole text.

    Attributes:
        plan: Pieces of the request.
        model: Logits after some tokens, by a full forward pass.
        spell: Bytes of some tokens; without it a token below 256 is a byte.
    """

    plan: RequestPlan
    model: Model
    spell: Callable[[Sequence[int]], bytes] = lambda tokens: bytes(token for token in tokens if token < 256)

    def texts(self) -> list[Text]:
        """Give the samples of the request."""
        request: Request = self.plan.request
        if self.plan.search is not None:
            return self._search()[: request.n]
        return [self._sample(sample) for sample in range(request.n)]

    def law(self, tokens: Sequence[int], sample: int) -> tuple[torch.Tensor, Law, Positions]:
        """Give logits, target law and position after some generated tokens."""
        plan = self.plan
        states, constraint = plan.start(), plan.start_constraint()
        law: Law | None = None
        for done in range(len(tokens) + 1):
            needs_law = plan.reads_law or done == len(tokens)
            at = self._at(tokens[:done], sample)
            if needs_law:
                logits = self.model([*plan.prompt, *tokens[:done]])
                law = self._chain(logits, at, states, constraint, done)
            if done < len(tokens):
                states = plan.advance(states, tokens[done], law if plan.reads_law else None)
                constraint = plan.advance_constraint(constraint, tokens[done])
        assert law is not None
        return logits, law, at

    def _at(self, tokens: Sequence[int], sample: int) -> Positions:
        history = [*self.plan.prompt, *tokens]
        return positions(
            histories=[history], prompt_lengths=[len(self.plan.prompt)], seeds=[self.plan.seed], samples=[sample]
        )

    def _chain(self, logits: torch.Tensor, at: Positions, states: Any, constraint: Any, done: int) -> Law:
        plan, law = self.plan, Law(logits[None])
        allowed = self._allowed(constraint, done) if plan.constraint is not None else None
        for link, state in zip(plan.processors, states, strict=True):
            if allowed is not None and link.stage > Stage.BAN:
                law, allowed = law.keep(allowed), None
            here = at.with_states([state])
            if isinstance(link.piece, ModelHook):
                companion = link.piece.companion()
                assert companion is not None
                assert companion.model is None
                other = self.model([*(companion.prompt or ()), *at.history_array[0, len(plan.prompt) :].tolist()])
                here = here.with_view(SimpleNamespace(companion=other[None]))
            law = link.piece(law, here)
        return law if allowed is None else law.keep(allowed)

    def _allowed(self, state: Any, done: int) -> torch.Tensor:
        plan = self.plan
        assert plan.constraint is not None
        words = plan.constraint.mask(state, plan.limit - done).view(np.uint8)
        width = len(self.model([0]))
        allowed = torch.from_numpy(np.unpackbits(words, bitorder="little")[:width].astype(bool))
        if plan.constraint.is_complete(state):
            allowed[list(plan.end_tokens)] = True
        return allowed[None]

    def _ended(self, tokens: list[int]) -> str:
        """Say why a text ends after its last token; empty where it goes on."""
        plan = self.plan
        if tokens[-1] in plan.end_tokens:
            return "eos"
        if tokens[-1] in plan.request.stop_tokens or any(stop in self._text(tokens) for stop in plan.stops):
            return "stop"
        if any(condition(SimpleNamespace(tokens=tuple(tokens))) for _, condition in plan.stop_pieces):
            return "stop"
        if plan.constraint is not None:
            state = plan.start_constraint()
            for token in tokens:
                state = plan.advance_constraint(state, token)
            left = max(plan.limit - len(tokens), 1)
            if plan.constraint.is_complete(state) and not plan.constraint.mask(state, left).any():
                return "constraint"
        return "length" if len(tokens) == plan.limit else ""

    def _sample(self, sample: int) -> Text:
        text = Text([], [], [])
        while not text.ended:
            logits, law, at = self.law(text.tokens, sample)
            token = int(self.plan.selector(law, at)[0])
            others = (*text.others, self._other(text.tokens, token, law))
            text = self._longer(text, token, logits, law)
            text.others = others
        return text

    def _other(self, tokens: list[int], token: int, law: Law) -> int:
        probs = law.full(len(self.model([0]))).probs()[0]
        likeliest = [other for other in probs.argsort(descending=True)[:4].tolist() if probs[other] > 0]
        return next((o for o in likeliest if o != token and not self._ended([*tokens, o])), -1)

    def _longer(self, text: Text, token: int, logits: torch.Tensor, law: Law, score: float = 0.0) -> Text:
        chosen = torch.tensor([token])
        tokens = [*text.tokens, token]
        model = float(Law(logits[None]).logprob_of(chosen)[0])
        target = float(law.logprob_of(chosen)[0])
        visible = self._text(tokens)
        for stop in self.plan.stops:
            visible = visible.partition(stop)[0]
        models, targets = [*text.logprobs, model], [*text.target_logprobs, target]
        values, ids = torch.log_softmax(logits, dim=-1).topk(3)
        top = (*text.top, dict(zip(ids.tolist(), values.tolist(), strict=True)))
        return Text(tokens, models, targets, score, self._ended(tokens), visible, top)

    def _text(self, tokens: Sequence[int]) -> str:
        return self.spell(tokens).decode(errors="replace")

    def prompt_logprobs(self) -> list[float]:
        """Give the log-probabilities of the prompt's tokens but the first."""
        prompt = self.plan.prompt
        laws = [torch.log_softmax(self.model(prompt[:i]), dim=-1) for i in range(1, len(prompt))]
        return [float(law[token]) for law, token in zip(laws, prompt[1:], strict=True)]

    def _search(self) -> list[Text]:
        plan = self.plan
        running, finished, state = [Text([], [], [])], [], plan.search.start()
        while running:
            known = [self.law(text.tokens, 0) for text in running]
            laws = concat([law for _, law, _ in known], known[0][0].shape[-1])
            at = Positions.concat([at for _, _, at in known])
            view = GroupView(
                [text.score for text in running],
                [len(text.tokens) for text in running],
                [plan.limit - len(text.tokens) for text in running],
                plan.end_tokens,
                [(text.score, len(text.tokens)) for text in finished],
                state,
                at,
            )
            found = plan.search(laws, view)
            state = found.state
            moves = [(*choice, True) for choice in found.finished]
            if not found.done:
                moves += [(*choice, False) for choice in zip(found.parents, found.tokens, found.scores, strict=True)]
            grown = [
                (self._longer(running[parent], token, *known[parent][:2], score), ended)
                for parent, token, score, ended in moves
            ]
            for text, ended in grown:
                text.ended = text.ended or ("search" if ended else "")
            finished += [text for text, _ in grown if text.ended]
            running = [text for text, _ in grown if not text.ended]
        order = plan.search.rank([text.score for text in finished], [len(text.tokens) for text in finished])
        return [finished[i] for i in order]


def close(left: Sequence[float], right: Sequence[float]) -> bool:
    """Say whether log-probabilities agree as far as float64 goes."""
    return len(left) == len(right) and all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in zip(left, right, strict=True)
    )
