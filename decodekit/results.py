"""What comes back: one `Result` per request, with one `Completion` per sample, and `Piece`s while streaming."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decodekit.prefix import Prefix


@dataclass(frozen=True, slots=True)
class Completion:
    """One generated text.

    Attributes:
        text: The text, without the end token and cut before a stop string; empty where the decoder has no tokenizer.
        tokens: Generated token ids, the end token and the tokens of a stop string included.
        logprobs: Log-probability of each token under the model's own law, in nats; empty unless asked for.
        target_logprobs: The same under the law it was taken from, after processors and constraint.
        top_logprobs: Per token, the likeliest tokens under the model's law and their log-probabilities.
        finish_reason: "eos", "stop" (stop string, token or callable), "length", "constraint" (the constraint is
            complete and allows nothing more), "time", "interrupted", "error", or the name of a stop condition.
        parsed: The typed result of a constraint, or None.
        parse_error: Why there is none although there is a constraint: the text ended, or was cut by a stop string,
            before it was complete, or a validator refused it.
        score: Score of a search, or None.
        sample: Index of the sample in its request.
        details: What an aggregator adds.
        prefix: What the model remembers of prompt and text, where `keep_prefix` asked for it.
    """

    text: str
    tokens: list[int]
    logprobs: list[float]
    target_logprobs: list[float]
    top_logprobs: list[dict[int, float]]
    finish_reason: str
    parsed: Any = None
    parse_error: str | None = None
    score: float | None = None
    sample: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)
    prefix: Prefix | None = field(default=None, repr=False)

    @property
    def perplexity(self) -> float:
        """Give exp of the mean negative log-probability under the model's law; NaN without log-probabilities."""
        return math.exp(-sum(self.logprobs) / len(self.logprobs)) if self.logprobs else math.nan


@dataclass(slots=True)
class Stats:
    """What a request cost.

    Attributes:
        steps: Forward passes that the request took part in.
        prompt_tokens: Tokens of the prompt.
        cached_tokens: Those of them that a prefix spared the model.
        new_tokens: Tokens generated, over all samples.
        drafted_tokens: Tokens proposed by drafters and scored.
        accepted_tokens: Drafted tokens that were kept.
        failed_drafters: Drafters that raised or proposed garbage, counted per row, which went on without them.
        lifted_bans: Positions at which bans were lifted because they left nothing possible.
        time_s: Wall-clock time from joining the batch to the last token.
    """

    steps: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    new_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    failed_drafters: int = 0
    lifted_bans: int = 0
    time_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one request: its samples, and the first (or the aggregator's) one's fields.

    Attributes:
        answer: The completion whose fields this result shows.
        samples: All samples in order, the best first after a search.
        prompt_tokens: Token ids of the prompt.
        prompt_logprobs: Log-probability of each prompt token after the first one; empty unless asked for.
        seed: The seed that makes this result come out again.
        stats: What it cost.
    """

    answer: Completion
    samples: list[Completion]
    prompt_tokens: list[int]
    prompt_logprobs: list[float]
    seed: int
    stats: Stats

    @property
    def text(self) -> str:
        """The generated text."""
        return self.answer.text

    @property
    def tokens(self) -> list[int]:
        """Generated token ids."""
        return self.answer.tokens

    @property
    def logprobs(self) -> list[float]:
        """Log-probability of each token under the model's law, in nats."""
        return self.answer.logprobs

    @property
    def target_logprobs(self) -> list[float]:
        """Log-probability of each token under the law it was taken from, in nats."""
        return self.answer.target_logprobs

    @property
    def top_logprobs(self) -> list[dict[int, float]]:
        """Per token, the likeliest tokens under the model's law."""
        return self.answer.top_logprobs

    @property
    def finish_reason(self) -> str:
        """Why the text ended; see `Completion`."""
        return self.answer.finish_reason

    @property
    def parsed(self) -> Any:
        """The typed result of a constraint, or None."""
        return self.answer.parsed

    @property
    def prefix(self) -> Prefix | None:
        """What the model remembers of prompt and text, where `keep_prefix` asked for it."""
        return self.answer.prefix

    @property
    def parse_error(self) -> str | None:
        """Why `parsed` is None although the text satisfies its constraint."""
        return self.answer.parse_error

    @property
    def perplexity(self) -> float:
        """Perplexity of the generated tokens under the model's law."""
        return self.answer.perplexity

    def to_dict(self) -> dict[str, Any]:
        """Give plain data; `parsed` becomes its JSON form, where pydantic knows none its text; a prefix is left out."""
        from pydantic import TypeAdapter

        as_json: TypeAdapter[Any] = TypeAdapter(Any)
        bare = [replace(completion, prefix=None) for completion in self.samples]
        plain = asdict(replace(self, answer=replace(self.answer, prefix=None), samples=bare))
        for completion, source in zip([plain["answer"], *plain["samples"]], [self.answer, *self.samples], strict=True):
            completion["parsed"] = as_json.dump_python(source.parsed, mode="json", fallback=str)
        return plain

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text while streaming; pieces of one sample join to its text.

    Attributes:
        text: Whole characters; may be empty while a character is incomplete or a stop string may be coming.
        tokens: Tokens committed since the sample's last piece.
        request: Index of the request in the batch.
        sample: Index of the sample in its request.
        finish_reason: Set on the sample's last piece.
        partial: What the sample's text holds so far, as plain data, where its constraint reads unfinished texts: of
            JSON the members and items that are complete. Not validated beyond what the constraint keeps while writing.
            Pieces share parts of it: do not edit it.
        completion: The sample as `generate` gives it, with `.parsed` and `.parse_error`; on its last piece.
    """

    text: str
    tokens: list[int]
    request: int = 0
    sample: int = 0
    finish_reason: str | None = None
    partial: Any = None
    completion: Completion | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Score:
    """How likely a text is under the model.

    Attributes:
        tokens: Its token ids.
        logprobs: Log-probability of each scored token given all before it, in nats: every token but the first of the
            sequence, which has nothing before it.
    """

    tokens: list[int]
    logprobs: list[float]

    @property
    def total(self) -> float:
        """Sum of the log-probabilities."""
        return sum(self.logprobs)

    @property
    def mean(self) -> float:
        """Mean log-probability per token; NaN for nothing scored."""
        return self.total / len(self.logprobs) if self.logprobs else math.nan

    @property
    def perplexity(self) -> float:
        """exp(-mean)."""
        return math.exp(-self.mean)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One choice of `Decoder.rank`.

    Attributes:
        choice: The text or token ids as given.
        index: Its place in the list of choices.
        score: Its score after the prompt.
    """

    choice: str | Sequence[int]
    index: int
    score: Score
