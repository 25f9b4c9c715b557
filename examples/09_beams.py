"""Beams, several texts of one search, and beams inside a schema.

Prints four endings of a story with their scores, the likeliest first, and a card found by beams:

     -0.30  ', in a small island, there'
    age=33 hobby='reading'
"""

from pydantic import BaseModel

from decodekit import Decoder
from decodekit_demo import model_path


class Bear(BaseModel):
    age: int
    hobby: str


decoder = Decoder.from_pretrained(model_path())

story = decoder.generate("Once upon a time", beam_search=4, n=4, max_new_tokens=12)
for sample in story.samples:
    print(f"{sample.score:6.2f}  {sample.text!r}")

prompt = "Describe my 33-year-old teddy bear who likes reading\n"
card = decoder.generate(prompt, beam_search=4, json_schema=Bear, max_new_tokens=40)
print(card.parsed)
