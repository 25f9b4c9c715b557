"""One batch in which every request is decoded in another way, and a prefix that all of them share.

Prints four texts, among them:

    sampled card, drafted: '{"name": "Vera", "age": 6}'
"""

from pydantic import BaseModel

from decodekit import Decoder
from decodekit_demo import draft_path, model_path


class Bear(BaseModel):
    name: str
    age: int


decoder = Decoder.from_pretrained(model_path())
prompt = "Write a card: "
shared = {"prompt": prompt, "prefix": decoder.prefix(prompt), "max_new_tokens": 24, "seed": 1}
requests = {
    "beams": {"beam_search": 3},
    "guided away from a story": {"guidance": {"scale": 1.3, "negative_prompt": "Once upon a time"}},
    "sampled card, drafted": {"json_schema": Bear, "temperature": 0.8, "draft_model": draft_path()},
    "likeliest of three": {"n": 3, "top_p": 0.9, "best_of": "mean"},
}

results = decoder.generate([{**shared, **options} for options in requests.values()])
for name, result in zip(requests, results, strict=True):
    print(f"{name}: {result.text!r}")
