"""JSON that fits a schema, from a pydantic class, also where sampling is wild or the tokens run out.

Prints three cards, such as

    first_name='Bea' age=33 hobby='reading'
"""

from pydantic import BaseModel, Field

from decodekit import Decoder
from decodekit_demo import model_path


class Bear(BaseModel):
    """What is wanted of a bear."""

    first_name: str = Field(max_length=12)
    age: int = Field(ge=0, le=150)
    hobby: str = Field(max_length=20)


decoder = Decoder.from_pretrained(model_path())
prompt = "Describe my 33-year-old teddy bear who likes reading\nKeys: first_name, age, hobby\n"
print(decoder.generate(prompt, json_schema=Bear).parsed)
print(decoder.generate(prompt, json_schema=Bear, temperature=3.0, seed=1).parsed)
print(decoder.generate(prompt, json_schema=Bear, max_new_tokens=24).parsed)
