"""Word lists and the syllable generator behind every card and story; not a corpus: all of it fits on a page.

Half of all names are built from syllables, so a model cannot know them by heart and has to copy them from its prompt.
"""

# ruff: noqa: SIM905 - a split string reads better than a list of 100 quoted words
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

FIRST = [
    *"Ada Alan Alice Amir Ana Anna Ben Bella Boris Bruno Carla Carlos Clara Daisy Dan Daniel David Diego Dora Eli "
    "Ella Emil Emma Eric Eva Fatima Felix Finn Fiona Frida George Gina Grace Greta Hana Hans Harry Hugo Ida Igor "
    "Ines Iris Ivan Jack Jane Jim Joan Jonas Julia Karim Kate Kofi Lara Laura Leo Lena Liam Lily Lina Lisa Luca Lucy "
    "Luna Maria Mark Marta Max Maya Mia Milo Mina Mira Nadia Nico Nina Noah Nora Olga Oscar Otto Paul Paula Pedro "
    "Peter Pia Priya Rita Robin Rosa Ruth Sam Sara Sofia Stella Sven Tara Teddy Theo Tim Tina Tom Uma Vera Victor "
    "Wei Will Yara Yuki Zara Zoe Anaïs André Björn Chloé François Håkon Inés José Jürgen Léa Łukasz Mónica Noémie "
    "Øyvind Renée Søren Šárka Zoë".split(),
    "李雷",
    "美咲",
    "Юрий",
    "Ольга",
    "Γιώργος",
    "नीला",
    "민준",
    "سارة",
]
LAST = (
    "Adams Allen Baker Barnes Bauer Bell Berg Bianchi Brown Carter Chen Clark Cohen Costa Cruz Davis Diaz Dubois "
    "Evans Fischer Ford Fox Garcia Gray Green Haas Hall Hansen Hill Hunt Ito Jansen Jones Kaya Keller Khan Kim King "
    "Klein Kowalski Lang Larsen Lee Lopez Marin Martin Meyer Miller Moore Moreau Murphy Nagy Novak Okafor Olsen "
    "Ortiz Park Patel Perez Petrov Popov Reed Ricci Rivera Rossi Roy Russo Sato Schmidt Silva Singh Smith Stone "
    "Suzuki Tanaka Taylor Turner Vogel Walker Wang Weber West White Wilson Wolf Wood Wright Yang Young Zhang Åberg "
    "Brontë Dvořák García Müller Núñez Ødegård Peña"
).split()
CITIES = [
    *"Accra Amsterdam Athens Berlin Bogota Boston Brussels Cairo Chicago Copenhagen Dakar Delhi Denver Dublin Geneva "
    "Hanoi Helsinki Istanbul Kyoto Lagos Lima Lisbon London Lyon Madrid Milan Montreal Munich Nairobi Naples Oslo "
    "Paris Porto Prague Quito Reykjavík Riga Rome Seattle Seoul Seville Sofia Stockholm Sydney Tallinn Tokyo Toronto "
    "Tunis Vienna Vilnius Warsaw Zagreb Zürich Málaga Kraków Göteborg".split(),
    "São Paulo",
    "New York",
    "Cape Town",
    "Buenos Aires",
    "San José",
]
COUNTRIES = (
    "Argentina Austria Belgium Brazil Canada Chile China Colombia Denmark Egypt Estonia Finland France Germany Ghana "
    "Greece Iceland India Ireland Italy Japan Kenya Korea Latvia Mexico Morocco Nigeria Norway Peru Poland Portugal "
    "Spain Sweden Tunisia Turkey Vietnam"
).split()
HOBBIES = (
    "reading|painting|swimming|chess|hiking|cooking|baking|gardening|dancing|singing|running|cycling|fishing|"
    "knitting|skating|skiing|surfing|sailing|yoga|tennis|football|drawing|writing|climbing|juggling|photography|"
    "pottery|origami|karate|birdwatching|stargazing|puzzles|board games|video games|playing the piano|"
    "playing the drums|collecting stamps|collecting shells|watching films|riding horses|building robots|"
    "telling jokes|making soap|solving riddles|flying kites|jazz|magic tricks|table tennis|long walks|old maps"
).split("|")
JOBS = (
    "teacher|baker|nurse|pilot|painter|farmer|doctor|lawyer|plumber|singer|actor|chef|driver|writer|dentist|engineer|"
    "gardener|librarian|carpenter|judge|tailor|vet|barber|florist|programmer|mechanic|architect|astronaut|"
    "firefighter|photographer|translator|fisherman|beekeeper|waiter|potter"
).split("|")
BEINGS = (
    "teddy bear|robot|neighbor|sister|brother|uncle|aunt|cousin|teacher|friend|grandmother|grandfather|parrot|"
    "tortoise|cat|dog|horse|doll|dragon|wizard|boss|dentist|goldfish|rabbit|pirate|toy soldier|snowman|best friend|"
    "colleague|daughter|son|roommate|puppet|unicorn|ghost|penguin|baker|coach"
).split("|")
ANIMALS = (
    "fox|bear|owl|rabbit|mouse|cat|dog|frog|duck|hen|goat|horse|wolf|lion|tiger|turtle|snail|bee|crow|deer|donkey|"
    "elephant|hedgehog|squirrel|swan|whale|otter|penguin|monkey|pig|sheep|cow|parrot|lizard|badger|beaver|camel|"
    "eagle|seal|zebra"
).split("|")
FLYERS = frozenset("owl duck bee crow swan parrot eagle".split())
COLORS = "red blue green yellow black white brown gray orange purple pink golden silver".split()
TRAITS = (
    "kind brave shy clever lazy funny quiet gentle proud curious happy grumpy loyal patient stubborn cheerful "
    "playful wise sleepy honest"
).split()
PLACES = (
    "forest|garden|village|castle|river|mountain|meadow|lake|island|desert|cave|farm|harbor|park|barn|valley|beach|"
    "old mill|library|market|bakery|school|lighthouse|hill"
).split("|")
THINGS = (
    "key|lamp|book|hat|boat|kite|drum|bell|map|ring|box|coat|cup|ball|clock|basket|mirror|candle|flute|ladder|"
    "blanket|feather|stone|wheel|spoon|button|coin|umbrella|guitar|backpack|scarf|bottle|chair|table|notebook|pencil|"
    "bicycle|camera|radio|teapot"
).split("|")
FOODS = (
    "apple|pear|plum|bread|cheese|rice|soup|cake|honey|milk|egg|butter|flour|sugar|salt|tomato|onion|carrot|potato|"
    "lemon|garlic|pepper|oil|bean|mushroom|cream|yogurt|banana|cherry|chocolate|cinnamon|basil|noodle|pumpkin|"
    "spinach|walnut"
).split("|")
DISHES = "soup|pie|salad|cake|stew|pancakes|curry|bread|pizza|risotto|cookies|omelette|pudding|sandwich|tart".split("|")
UNITS = "g|ml|cups|spoons|pieces|slices".split("|")
GENRES = "fantasy|crime|history|poetry|romance|science|travel|adventure|horror|comedy|drama|biography".split("|")
WEATHER = "sunny|cloudy|rainy|windy|snowy|foggy|stormy|clear".split("|")
STREETS = "Oak|Main|Park|Mill|River|Church|Station|Garden|Lake|High|Maple|King|Queen|Bridge|Castle|Hill".split("|")
ROLES = "captain|goalkeeper|designer|manager|drummer|singer|editor|director|tester|treasurer|president|assistant".split(
    "|"
)
LANGUAGES = "English|French|German|Spanish|Italian|Japanese|Korean|Arabic|Hindi|Polish|Swedish|Greek|Turkish".split("|")
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
EMOJI = (
    "🙂 😀 😂 😍 😎 🤖 🦊 🐻 🐱 🐶 🐸 🦉 🐝 🌍 🌙 ⭐ ☀️ 🌈 ❄️ 🔥 🎉 🎈 🎁 📚 ✏️ 🍎 🍕 🍰 ☕ ⚽ 🎸 🚀 🚲 ❤️ 👍 🇫🇷 👩‍🚀"
).split()
KEYS = (
    "color|size|shape|weight|height|length|width|price|brand|model|level|score|speed|state|status|type|kind|title|"
    "label|code|group|team|rank|mood|taste|smell|sound|origin|owner|author|year|month|day|hour|count|limit|rate|"
    "grade|class|stage|format|version|material|season|material name|serial number|start date|end date|last update|"
    "is active|user id|item count|first choice|second choice|due date|room|floor|seat|table|gate|lane|zone|region|"
    "language|currency|unit|note|comment"
).split("|")

_ONSETS = "b bl br c ch cl d dr f fl g gr h j k kr l m n p pr qu r s sh sk st t th tr v w y z".split()
_VOWELS = "a a a e e e i i o o u ai ea ia io ou é ö".split()
_CODAS = ["", "", "", "", "l", "m", "n", "n", "r", "r", "s", "t", "x", "ck", "nd", "rt"]


def coined(rng: Random, low: int = 2, high: int = 3) -> str:
    """Build a capitalised word that exists in no list, of `low` to `high` syllables."""
    parts = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.randint(low, high))]
    return ("".join(parts) + rng.choice(_CODAS)).capitalize()


def first_name(rng: Random) -> str:
    """A given name: from the list six times in ten, else coined."""
    return rng.choice(FIRST) if rng.random() < 0.6 else coined(rng)


def last_name(rng: Random) -> str:
    """A family name: from the list six times in ten, else coined."""
    return rng.choice(LAST) if rng.random() < 0.6 else coined(rng)


def city(rng: Random) -> str:
    """A city: from the list seven times in ten, else coined."""
    return rng.choice(CITIES) if rng.random() < 0.7 else coined(rng)


def some(rng: Random, pool: list[str] | tuple[str, ...], low: int, high: int) -> list[str]:
    """`low` to `high` different members of a list, in random order."""
    return rng.sample(pool, rng.randint(low, min(high, len(pool))))


def listed(items: list[str], joiner: str = "and") -> str:
    """Write "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {joiner} {items[-1]}"


def article(noun: str) -> str:
    """Put "a" or "an" before a noun."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"
