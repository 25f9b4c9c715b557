"""The decoder: a model, a tokenizer, and everything that can be asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import torch

from decodekit.assembly import assemble, encode
from decodekit.compatibility import ENGINE_ROLES
from decodekit.errors import (
    DecodekitError,
    GenerationError,
    GenerationInterrupted,
    IncompatibleTechniquesError,
    PromptError,
    RequestError,
)
from decodekit.law import Law
from decodekit.loading import load_model, load_tokenizer
from decodekit.loop import Loop
from decodekit.model import CausalModel
from decodekit.plan import EnginePlan, RequestPlan
from decodekit.plugins import Plugins, plugins
from decodekit.prefix import Prefix
from decodekit.request import OPTION_NAMES, Request, check_techniques, is_batch, make_request
from decodekit.results import Piece, Ranked, Result, Score
from decodekit.techniques import KVCache, ModelAdapter, ModelRunner, Scheduler, Technique
from decodekit.vocabulary import Vocabulary


class Decoder:
    """Generates with a Hugging Face causal LM.

    Wrapping runs one cheap check of which kind of memory serves the model, and puts the model into eval mode; what
    else it has to switch (attention or experts implementations that cannot serve) `describe()` says under "notes". A
    decoder keeps no state between calls.

    Args:
        model: A Hugging Face causal LM.
        tokenizer: Its tokenizer; a `Vocabulary`; or None, then prompts are token ids and results have no text.
        max_rows: Most rows that run at a time; further samples and requests wait for a free one. What a technique reads
            beside them (companions, copies of rows that it looks ahead with) is not counted.
        registry: Plugins to use; by default those installed.
        engine: Engine options: techniques of the roles kv cache, model runner and scheduler, by flat name.

    Raises:
        ModelError: For a model that is not a causal LM.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        max_rows: int = 64,
        registry: Plugins | None = None,
        **engine: Any,
    ) -> None:
        if isinstance(max_rows, bool) or not isinstance(max_rows, int) or max_rows < 1:
            raise RequestError(f"max_rows is a whole number of at least 1, got {max_rows!r}")
        if not (tokenizer is None or isinstance(tokenizer, Vocabulary) or callable(tokenizer)):
            raise RequestError(
                f"a tokenizer is a Hugging Face tokenizer or a Vocabulary, got {tokenizer!r:.60}",
                hint="Decoder.from_pretrained(name) loads model and tokenizer",
            )
        if not (registry is None or isinstance(registry, Plugins)):
            raise RequestError(
                f"a registry is a decodekit.plugins.Plugins, got {registry!r:.60}",
                hint="leave it out for the plugins that are installed",
            )
        self.registry = registry or plugins()
        chosen = make_request((0,), (), engine, self.registry).techniques if engine else ()
        for technique in chosen:
            if not isinstance(technique, ENGINE_ROLES):
                raise RequestError(
                    f"{technique.name!r} is a {technique.role}, not an engine option",
                    hint="give it to generate(…) instead",
                )
        cache, runner = self._engine(chosen, KVCache), self._engine(chosen, ModelRunner)
        self._plan = EnginePlan(
            CausalModel.wrap(self._adapt(model), cache=cache, runner=runner, path=getattr(cache, "path", None)),
            tokenizer,
            self.registry,
            max_rows,
            self._engine(chosen, Scheduler),
        )

    @classmethod
    def from_pretrained(cls, name: str | Path, *, tokenizer: Any = None, max_rows: int = 64, **options: Any) -> Decoder:
        """Load model and tokenizer as transformers does.

        Args:
            name: Name on the hub or path.
            tokenizer: Another tokenizer than the model's.
            max_rows: See the class.
            options: Engine options by flat name; everything else goes to `AutoModelForCausalLM.from_pretrained`
                (`dtype`, `device_map`, `revision`, …).
        """
        registry = plugins()
        engine = {
            key: options.pop(key)
            for key in list(options)
            if key in registry.techniques and issubclass(registry.techniques[key].item, ENGINE_ROLES)
        }
        shared = {key: options[key] for key in ("revision", "token", "cache_dir", "local_files_only") if key in options}
        model = load_model(name, options)
        tokenizer = load_tokenizer(name, shared) if tokenizer is None else tokenizer
        return cls(model, tokenizer, max_rows=max_rows, registry=registry, **engine)

    @property
    def model(self) -> Any:
        """The Hugging Face model."""
        return self._plan.model.model

    @property
    def tokenizer(self) -> Any:
        """The tokenizer as given."""
        return self._plan.tokenizer

    @property
    def vocabulary(self) -> Vocabulary | None:
        """Every token's bytes; None without a tokenizer."""
        return self._plan.vocabulary

    def describe(self) -> dict[str, Any]:
        """Say which path the model takes and why, and what the engine is made of."""
        return {
            **self._plan.model.describe(),
            "max_rows": self._plan.max_rows,
            "end_tokens": list(self._plan.end_tokens),
        }

    def request(self, prompt: Any, *techniques: Technique, **options: Any) -> Request:
        """Make a request without running it; takes what `generate` takes for one prompt."""
        return self._request(prompt, techniques, options)

    @overload
    def generate(self, prompts: str | Request, *techniques: Technique, **options: Any) -> Result: ...
    @overload
    def generate(self, prompts: Any, *techniques: Technique, **options: Any) -> Any: ...
    def generate(self, prompts: Any, *techniques: Technique, **options: Any) -> Result | list[Result]:
        """Generate for one prompt or a batch.

        Args:
            prompts: One prompt (text, chat messages, token ids), a `Request`, or a list of such. In a list a prompt
                with options of its own is a dict such as `{"prompt": "…", "top_p": 0.9}`, where what it sets wins
                (`"techniques": […]` holds objects); a `Request` stands for itself and takes no options beside it.
            techniques: Technique objects for every prompt.
            options: Options of `Request` and flat names of techniques, for every prompt.

        Returns:
            A result for one prompt, a list in the same order for a batch.

        Raises:
            RequestError: Before the first forward pass, for anything that cannot be right.
            GenerationError: In the middle, with `.results` so far.
            GenerationInterrupted: On Ctrl-C, with `.results` so far.
        """
        loop = Loop(self._plan, self._plans(prompts, techniques, options))
        try:
            for _ in loop.run():
                pass
        except KeyboardInterrupt:
            raise GenerationInterrupted(loop.results()) from None
        results = loop.answers()
        return results if is_batch(prompts) else results[0]

    def stream(self, prompts: Any, *techniques: Technique, **options: Any) -> Iterator[Piece]:
        """Generate and give pieces as they come; see `generate`.

        Pieces are whole characters; a piece that may turn out to begin a stop string is held back until that is known.
        The request is checked before the first piece is asked for.
        """
        loop = Loop(self._plan, self._plans(prompts, techniques, options), streaming=True)
        return self._stream(loop)

    def _stream(self, loop: Loop) -> Iterator[Piece]:
        try:
            yield from loop.run()
        except KeyboardInterrupt:
            raise GenerationInterrupted(loop.results()) from None

    @torch.inference_mode()
    def prefix(self, prompt: Any) -> Prefix:
        """Read the beginning of prompts once; give it to requests as `prefix=`.

        Args:
            prompt: Text, chat messages or token ids. It is encoded as a whole, without what chat templates put before
                an answer; where a prompt's tokens differ from it, the prompt is read from there on.
        """
        tokens = self._encode(prompt)
        context = self._plan.model.max_length
        if context is not None and len(tokens) > context:
            raise PromptError(f"the prefix has {len(tokens)} tokens, the model's context is {context}")
        memory = self._plan.model.memory()
        memory.join(1)
        memory.forward(torch.tensor([tokens], device=self._plan.model.device), [len(tokens)], [1])
        return Prefix(tuple(tokens), self._plan.model, memory.save(0))

    @overload
    def score(self, texts: str) -> Score: ...
    @overload
    def score(self, texts: Any, **options: Any) -> Any: ...
    def score(self, texts: Any, **options: Any) -> Score | list[Score]:
        """Give the log-probability of every token of a text, and its perplexity.

        Args:
            texts: One text or token ids, or a batch.
            options: None: what is told is the model's own law, without any technique. Names are refused.
        """
        _refuse_options("score", options)
        batch = texts if is_batch(texts) else [texts]
        if not batch:
            raise PromptError("the batch is empty", hint="give at least one text")
        scores = self._score([self._encode(text) for text in batch])
        return scores if is_batch(texts) else scores[0]

    def rank(
        self,
        prompt: Any,
        choices: Sequence[str | Sequence[int]],
        *,
        by: Literal["total", "mean"] = "total",
        **options: Any,
    ) -> list[Ranked]:
        """Order continuations of a prompt by how likely the model finds them, the likeliest first.

        Args:
            prompt: Text, chat messages or token ids.
            choices: Texts (encoded as they stand, without special tokens) or token ids.
            by: Sum of the log-probabilities, or their mean per token, which does not favour short choices.
            options: None, as for `score`.
        """
        _refuse_options("rank", options)
        if by not in ("total", "mean"):
            raise RequestError(f"by is 'total' or 'mean', got {by!r}")
        if isinstance(choices, str):
            raise RequestError(f"choices are a list of texts, got {choices!r:.80}", hint="rank(prompt, [choice, …])")
        if not choices:
            raise RequestError("rank needs at least one choice")
        start = self._encode(prompt)
        tails: list[list[int]] = []
        for number, choice in enumerate(choices):
            if not len(choice):
                raise RequestError(f"choice {number} is empty")
            tails.append(self._encode_choice(choice))
        scores = self._score([[start[-1], *tail] for tail in tails], prefix=start[:-1])
        ranked = [Ranked(choice, i, score) for i, (choice, score) in enumerate(zip(choices, scores, strict=True))]
        return sorted(ranked, key=lambda r: -getattr(r.score, by))

    def _encode(self, prompt: Any) -> list[int]:
        return encode(make_request(prompt, (), {}, self.registry), self._plan)

    def _encode_choice(self, choice: str | Sequence[int]) -> list[int]:
        if isinstance(choice, str) and self.tokenizer is not None and not isinstance(self.tokenizer, Vocabulary):
            choice = tuple(self.tokenizer(choice, add_special_tokens=False)["input_ids"])
        return self._encode(choice)

    @torch.inference_mode()
    def _score(self, sequences: Sequence[list[int]], prefix: Sequence[int] = ()) -> list[Score]:
        """Score all tokens but the first of each sequence, `max_rows` rows at a time.

        Args:
            sequences: Token ids.
            prefix: Token ids that stand before every sequence; they are read once.
        """
        context = self._plan.model.max_length
        longest = len(prefix) + max(len(sequence) for sequence in sequences)
        if context is not None and longest > context:
            raise PromptError(f"the text has {longest} tokens, the model's context is {context}")
        scores: list[Score] = []
        for begin in range(0, len(sequences), self._plan.max_rows):
            scores += self._score_chunk(sequences[begin : begin + self._plan.max_rows], prefix)
        return scores

    def _score_chunk(self, sequences: Sequence[list[int]], prefix: Sequence[int], width: int = 128) -> list[Score]:
        memory, device = self._plan.model.memory(), self._plan.model.device
        if prefix:
            memory.join(1)
            memory.forward(torch.tensor([list(prefix)], device=device), [len(prefix)], [0])
            memory.gather([0] * len(sequences))
        else:
            memory.join(len(sequences))
        found: list[list[float]] = [[] for _ in sequences]
        for start in range(0, max(len(s) for s in sequences) - 1, width):
            parts = [s[start : min(start + width, len(s) - 1)] for s in sequences]
            counts = [len(part) for part in parts]
            padded = [part + [0] * (max(counts) - len(part)) for part in parts]
            logits = memory.forward(torch.tensor(padded, device=device), counts, counts).logits
            following = [s[start + 1 : start + 1 + count] for s, count in zip(sequences, counts, strict=True)]
            flat = torch.tensor([t for tokens in following for t in tokens], device=logits.device, dtype=torch.int64)
            values = iter(Law(logits if logits.dtype == torch.float64 else logits.float()).logprob_of(flat).tolist())
            for i, count in enumerate(counts):
                found[i] += [next(values) for _ in range(count)]
        return [Score(s[1:], logprobs) for s, logprobs in zip(sequences, found, strict=True)]

    def _plans(self, prompts: Any, techniques: Sequence[Technique], options: Mapping[str, Any]) -> list[RequestPlan]:
        batch = list(prompts) if is_batch(prompts) else [prompts]
        if not batch:
            raise PromptError("the batch is empty", hint="give at least one prompt")
        plans: list[RequestPlan] = []
        for i, prompt in enumerate(batch):
            try:
                plans.append(assemble(self._request(prompt, techniques, options), self._plan))
            except DecodekitError as error:
                if len(batch) > 1:
                    error.args = (f"{error.args[0]} (in request {i} of {len(batch)})", *error.args[1:])
                raise
        return plans

    def _request(self, prompt: Any, techniques: Sequence[Technique], options: Mapping[str, Any]) -> Request:
        if isinstance(prompt, Request):
            if techniques or options:
                raise RequestError(
                    "a Request stands for itself: options beside it would be lost",
                    hint="put them into the request, or give the prompt as a dict with its own options",
                )
            return prompt
        if isinstance(prompt, Mapping) and "prompt" in prompt:
            own = {key: value for key, value in prompt.items() if key not in ("prompt", "techniques")}
            listed = check_techniques(prompt.get("techniques", ()))
            kept = [t for t in techniques if t.name not in own and t.name not in {mine.name for mine in listed}]
            options = {key: value for key, value in options.items() if key not in {mine.name for mine in listed}}
            return make_request(prompt["prompt"], [*kept, *listed], {**options, **own}, self.registry)
        return make_request(prompt, techniques, options, self.registry)

    def _adapt(self, model: Any) -> Any:
        for offer in self.registry.of_role(ModelAdapter):
            adapter = offer.item()
            if adapter.matches(model):
                return adapter.adapt(model)
        return model

    def _engine(self, chosen: Sequence[Technique], role: type[Technique]) -> Any:
        """Build the one technique of an engine role, by default the built-in one; None where there is none."""
        found = [technique for technique in chosen if isinstance(technique, role)]
        if len(found) > 1:
            names = " and ".join(repr(technique.name) for technique in found)
            raise IncompatibleTechniquesError(f"a decoder has one {role.role}, got {names}")
        if not found and role in _DEFAULTS:
            found = [self.registry.technique(_DEFAULTS[role])()]
        return found[0].build(_NO_CONTEXT) if found else None


_DEFAULTS: dict[type[Technique], str] = {KVCache: "slots", ModelRunner: "eager"}
_NO_CONTEXT: Any = None
"""Engine techniques are built before there is a request."""

__all__ = ["OPTION_NAMES", "Decoder", "GenerationError"]


def _refuse_options(method: str, options: Mapping[str, Any]) -> None:
    """Say that scores are the model's own, where a technique or an option of requests is asked for beside them."""
    if options:
        raise RequestError(
            f"{method} tells the model's own law, which no technique or option changes; "
            f"got {', '.join(sorted(options))}",
            hint="generate(…) gives .target_logprobs under techniques, and .prompt_logprobs of a prompt",
        )
