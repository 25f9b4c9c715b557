"""Models that answer for the end of a text only: every position is asked for with its own prefix.

Some models see the whole text from each place of it, or predict at a place that is put behind the text (a mask, a
token that nobody may look at). Their logits at earlier places are not the law of the next token there. transformers'
`generate` never looks at those; this module does as it does: `prepare_inputs_for_generation` on the text up to a
position, one forward pass, the logits at its end. *Not* a cache: nothing is kept from one position to the next.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import CausalLMOutput

from decodekit.errors import ModelError
from decodekit.techniques import ModelAdapter
from decodekit.types import Float, Int64, Tensor

MODEL_TYPES: dict[str, str] = {
    "cpmant": "the text is a context that sees itself from both sides, behind 32 prompt tokens",
    "prophetnet": "relative positions of the predicting stream depend on the length of the text",
    "reformer": "tokens meet in chunks that are cut after sorting the whole text by hash",
    "xlm": "predicts at a mask token behind the text, and wants the language of every token",
    "xlnet": "predicts at a token behind the text that no other may look at (perm_mask, target_mapping)",
}
"""Model types that are adapted, and why their logits at earlier positions do not count."""


class PrefixModel(nn.Module):
    """A causal language model made of one that answers for the end of a text only.

    Every other attribute is the wrapped model's.

    *Cost:* one forward pass over the prefix for each position asked for. *Exact:* the law at each position is the one
    that transformers' `generate(use_cache=False)` takes its token from.

    Args:
        wrapped: The model.
    """

    def __init__(self, wrapped: nn.Module) -> None:
        super().__init__()
        self.wrapped = wrapped
        self.training = wrapped.training

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("wrapped"), name)

    def forward(
        self,
        input_ids: Int64[Tensor, "row query"],
        use_cache: bool | None = None,
        logits_to_keep: int | Int64[Tensor, "column"] = 0,
    ) -> CausalLMOutput:
        """Give the next token's logits after each position.

        Args:
            input_ids: Rows of one length.
            use_cache: Without meaning; there is none.
            logits_to_keep: Positions asked for: the last so many (0: all), or these columns.

        Raises:
            ModelError: The model takes none of the inputs that its own `generate` would give it.
        """
        columns = range(input_ids.shape[1])
        if isinstance(logits_to_keep, Tensor):
            columns = logits_to_keep.tolist()
        elif logits_to_keep:
            columns = columns[-logits_to_keep:]
        logits = torch.stack([self._after(input_ids[:, : column + 1]) for column in columns], dim=1)
        return CausalLMOutput(logits=logits)  # type: ignore[arg-type]

    def _after(self, prefix: Int64[Tensor, "row query"]) -> Float[Tensor, "row vocab"]:
        model: Any = self.wrapped
        try:
            # Without a mask of ones: there is no padding, and ProphetNet makes NaN of one in float64.
            inputs = model.prepare_inputs_for_generation(prefix, use_cache=False, is_first_iteration=True)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"{type(model).__name__} does not say how its inputs are made ({error})",
                hint="adapters follow transformers' prepare_inputs_for_generation; update transformers",
            ) from error
        return model(**inputs, return_dict=True).logits[:, -1]


class Prefixes(ModelAdapter, name="prefixes", source="transformers, `prepare_inputs_for_generation`"):
    """Serve the model types of `MODEL_TYPES`; found by the config's `model_type`."""

    def matches(self, model: Any) -> bool:
        config = getattr(model, "config", None)
        return getattr(config, "model_type", None) in MODEL_TYPES and hasattr(model, "prepare_inputs_for_generation")

    def adapt(self, model: Any) -> PrefixModel:
        return model if isinstance(model, PrefixModel) else PrefixModel(model)
