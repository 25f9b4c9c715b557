"""Several tokens per forward pass: a small model, the text so far, or a schema proposes, the model decides.

Prints how many forward passes the same text took with each drafter:

    no draft       32 tokens in 32 steps
    draft_model    32 tokens in 12 steps
    prompt_lookup  32 tokens in 29 steps
    both           32 tokens in 13 steps
"""

from decodekit import Decoder
from decodekit_demo import draft_path, model_path

decoder = Decoder.from_pretrained(model_path())
prompt = "Once upon a time"
plain = decoder.generate(prompt, max_new_tokens=32)

drafters = {
    "no draft": {},
    "draft_model": {"draft_model": draft_path()},
    "prompt_lookup": {"prompt_lookup": 4},
    "both": {"prompt_lookup": 4, "draft_model": draft_path()},
}
for name, options in drafters.items():
    result = decoder.generate(prompt, max_new_tokens=32, **options)
    assert result.tokens == plain.tokens
    print(f"{name:14} {len(result.tokens)} tokens in {result.stats.steps} steps")
