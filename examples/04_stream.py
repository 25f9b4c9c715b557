"""Stream: pieces as they come, whole characters, never the beginning of a stop string.

Prints a sentence word by word, then "(stop)".
"""

from decodekit import Decoder
from decodekit_demo import model_path

decoder = Decoder.from_pretrained(model_path())
for piece in decoder.stream("Once upon a time", temperature=0.7, seed=3, stop=".", max_new_tokens=80):
    print(piece.text, end="", flush=True)
    if piece.finish_reason:
        print(f" ({piece.finish_reason})")
