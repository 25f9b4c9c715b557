"""Sample: techniques by flat name or as objects, several samples, the same text for the same seed.

Prints three different stories, then True.
"""

from decodekit import Decoder
from decodekit_demo import model_path
from decodekit_sampling import MinP, RepetitionPenalty, Temperature

decoder = Decoder.from_pretrained(model_path())
stories = decoder.generate(
    "Once upon a time", temperature=0.9, min_p=0.05, repetition_penalty=1.1, n=3, seed=7, max_new_tokens=30
)
for story in stories.samples:
    print("-", story.text)

techniques = [Temperature(0.9), MinP(0.05), RepetitionPenalty(1.1)]
again = decoder.generate("Once upon a time", *techniques, seed=7, max_new_tokens=30)
print(again.text == stories.samples[0].text)
