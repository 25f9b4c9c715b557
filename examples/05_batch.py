"""A batch of requests that differ in everything, and get the texts that they would get alone.

Prints three texts, then True.
"""

from decodekit import Decoder
from decodekit_demo import model_path

decoder = Decoder.from_pretrained(model_path())
requests = [
    {"prompt": "Once upon a time", "temperature": 0.8, "seed": 1},
    {"prompt": "Describe my 33-year-old teddy bear who likes reading\n", "json_schema": {"type": "object"}},
    {"prompt": "Ana orders 3 cups and 2 lamps.\n", "stop": "}", "top_p": 0.9, "temperature": 0.5, "seed": 2},
]
together = decoder.generate(requests, max_new_tokens=60)
for result in together:
    print("-", result.text)

alone = [decoder.generate(request, max_new_tokens=60) for request in requests]
print([result.text for result in alone] == [result.text for result in together])
