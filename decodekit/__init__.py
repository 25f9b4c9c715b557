"""decodekit: decoding for any Hugging Face causal LM, where every technique is a plugin."""
