"""Free text with calls of functions in it: the tag says whose arguments follow, and every call is whole.

Prints a story with two calls, the calls as objects, and the card behind another story:

    … there lived a mouse named Sho. […]<function=Card>{"name": "Shoho","hobby":"swimming"}</function>[…]
    Card Card(name='Shoho', hobby='swimming')
"""

from typing import Literal

from pydantic import BaseModel, Field

from decodekit import Decoder
from decodekit_demo import model_path


class Card(BaseModel):
    """Note somebody down."""

    name: str = Field(max_length=12)
    hobby: Literal["reading", "chess", "swimming"]


class Alarm(BaseModel):
    """Wake somebody up."""

    hour: int = Field(ge=0, le=23)
    label: str = Field(max_length=12)


decoder = Decoder.from_pretrained(model_path())
tools = {"tools": [Card, Alarm], "min_calls": 2, "max_calls": 2}
story = decoder.generate("Once upon a time", tool_calls=tools, forced_tokens=True, max_new_tokens=90)
print(story.text)
for call in story.parsed:
    print(call.name, repr(call.arguments))

after = {"schema": Card, "after": "</story>"}
print(decoder.generate("Once upon a time", json_schema=after, max_new_tokens=60).parsed)
