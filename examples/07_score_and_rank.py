"""How likely a text is, and which continuation is likelier.

Prints two perplexities, the lower one first, then the ranked choices.
"""

from decodekit import Decoder
from decodekit_demo import model_path

decoder = Decoder.from_pretrained(model_path())
for text in ("Once upon a time there was a brave fox named Ana.", "Fox upon brave there Ana a time was named once."):
    print(f"{decoder.score(text).perplexity:8.1f}  {text}")

for ranked in decoder.rank("Once upon a", [" time", " table", " brave time"], by="mean"):
    print(f"{ranked.score.mean:8.2f}  {ranked.choice!r}")
