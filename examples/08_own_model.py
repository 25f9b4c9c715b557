"""Any causal LM, here one made from a config: no download, no tokenizer, prompts and texts are token ids.

Prints how the model is served, then tokens for two prompts of different lengths.
"""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from decodekit import Decoder

torch.manual_seed(0)
config = GPT2Config(vocab_size=64, n_positions=128, n_embd=32, n_layer=2, n_head=4, bos_token_id=None, eos_token_id=0)
decoder = Decoder(GPT2LMHeadModel(config).eval())
print(decoder.describe()["path"], "-", decoder.describe()["reason"])
for result in decoder.generate([[1, 2, 3], [4, 5, 6, 7, 8]], temperature=1.0, top_k=10, seed=1, max_new_tokens=8):
    print(result.prompt_tokens, "->", result.tokens)
