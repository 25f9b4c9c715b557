"""Forward passes that forced tokens spare, by what is proposed; the demo model, counts, not times.

python benchmarks/bench_forced.py
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from decodekit import Decoder
from decodekit_demo import model_path
from decodekit_speculative import ForcedTokens

PROMPTS = [
    "Anna is 31 years old.\n",
    "Describe my 33-year-old teddy bear\n",
    "Tom was 7 years old and lived in Rome.\n",
    "Once upon a time",
]
DRAFTERS = {
    "none": [],
    "certain": [ForcedTokens(certain=True)],
    "merging=False": [ForcedTokens(merging=False)],
    "forced_tokens": [ForcedTokens()],
}


class Bear(BaseModel):
    """Keys that the model was not trained on, and one that it was."""

    model_config = ConfigDict(extra="forbid")
    first_name: str = Field(max_length=12)
    favourite_colour: Literal["brown", "white", "black"]
    age_in_years: int = Field(ge=0, le=150)
    friends: list[str] = Field(max_length=2)


def main() -> None:
    """Print the steps of all prompts together."""
    decoder = Decoder.from_pretrained(model_path())
    sampled = {"temperature": 0.8, "seed": 1, "n": 4}
    runs: list[tuple[str, dict[str, Any]]] = [("greedy", {}), ("4 samples", sampled)]
    for whitespace in ("flexible", "compact"):
        for name, options in runs:
            print(f"{whitespace}, {name}:", end="")
            for label, drafters in DRAFTERS.items():
                schema = {"schema": Bear, "whitespace": whitespace}
                results = [
                    decoder.generate(p, *drafters, json_schema=schema, max_new_tokens=120, **options) for p in PROMPTS
                ]
                print(f"  {label} {sum(result.stats.steps for result in results)}", end="", flush=True)
            print()


if __name__ == "__main__":
    main()
