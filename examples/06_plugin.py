"""A technique of one's own in one file: no token may be likelier than `most`. An entry point would name it `cap`.

Prints three stories: without it, with it, and with it under a truncation.
"""

import math

from pydantic import Field

from decodekit import Decoder, Law, LogitsProcessor, Positions, Stage, hookimpl
from decodekit_demo import model_path


class Cap(LogitsProcessor, name="cap", stage=Stage.TEMPERATURE, default_selector="multinomial"):
    """Lower each probability to at most `most`, so that no word is certain."""

    most: float = Field(gt=0, le=1)

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.with_logits(law.logprobs().clamp(max=math.log(self.most)))


@hookimpl
def decodekit_logits_processors() -> list[type[LogitsProcessor]]:
    return [Cap]


decoder = Decoder.from_pretrained(model_path())
for techniques in ({}, {"techniques": [Cap(0.5)]}, {"techniques": [Cap(0.5)], "min_p": 0.1}):
    result = decoder.generate({"prompt": "Once upon a time", **techniques}, seed=5, max_new_tokens=30)
    print("-", result.text)
