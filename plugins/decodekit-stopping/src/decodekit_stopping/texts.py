"""What conditions on the text share: without a tokenizer there is none, and they would never end anything."""

from __future__ import annotations

from decodekit.errors import IncompatibleTechniquesError
from decodekit.techniques import BuildContext, StopCondition


class TextCondition(StopCondition):
    """A stop condition that reads `row.text`.

    Raises:
        IncompatibleTechniquesError: Where the decoder has no tokenizer.
    """

    def build(self, context: BuildContext) -> StopCondition:
        if context.vocabulary is None:
            raise IncompatibleTechniquesError(
                f"{self.name!r} reads the text, and this decoder has no tokenizer",
                hint="Decoder(model, tokenizer) or Decoder(model, vocabulary)",
            )
        return self


__all__ = ["TextCondition"]
