"""Generate text with a small model that works offline.

Prints the text, why it ended, and how likely the model found it:

    , a stubborn owl called … (length, perplexity 1.9, 40 tokens in 40 steps)
"""

from decodekit import Decoder
from decodekit_demo import model_path

decoder = Decoder.from_pretrained(model_path())  # or a name on the hub, or Decoder(model, tokenizer)
result = decoder.generate("Once upon a time", max_new_tokens=40)
print(result.text)
print(
    f"({result.finish_reason}, perplexity {result.perplexity:.1f}, "
    f"{result.stats.new_tokens} tokens in {result.stats.steps} steps)"
)
