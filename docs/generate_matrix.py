"""Run the covering design of the matrix and write `docs/composition.md`: `python docs/generate_matrix.py`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

COLUMNS = [
    (search, draft)
    for search in ("greedy", "multinomial", "beam", "diverse beam")
    for draft in ("no draft", "prompt lookup", "draft model", "forced tokens")
]
WORDS = {
    "greedy": "greedy",
    "multinomial": "sampled",
    "beam": "beams",
    "diverse beam": "diverse beams",
    "no draft": "",
    "prompt lookup": " + lookup",
    "draft model": " + draft model",
    "forced tokens": " + forced",
}


ABOUT = """# What composes with what

First-party techniques with one another. Each cell below was run and compared with a naive loop: full forward passes, no
cache, no batch, no draft, states run from the prompt anew for each token (`tests/oracle.py`). The naive loop asks the
request's own pieces (processors, masks, searches, selectors, in the plan's order): that each piece is right alone is
proved by the tests of its plugin, and this page proves that it stays right beside the others. Greedy texts and beams
are equal to the loop exactly, in float64; sampled ones token for token, as a draw is a function of the seed and the
place. The draft model's cells run with the verifier `match`. Its default, the ratio rule, takes other tokens by the
same law: that is tested by enumeration (free text and a regex with each kind of processor; guidance, a prefix, and
prompt lookup before or after the draft model with free text), and stands in no cell. A
number is how many mixtures of the two with the other options were run, out of a design in which any three options of
different kinds meet; `DECODEKIT_MATRIX=full pytest -m slow tests/test_composition.py` runs all {cells}. Options of the
last kind (from "nothing more" on) do not meet one another here, and stochastic beams and beam sampling are in no cell.

In "different requests" four requests share forward passes. A prefix, a cache handed in and a second turn spare the
model tokens, but with LoRA or `prompt_logprobs` they are not used, as those read the whole prompt: the text is the
same. A cell with a draft says that the text is right; it does not say that drafted tokens were kept.

Written by `docs/generate_matrix.py`. Refused, by name and before the first forward pass, are beams with a draft that
follows one path.
"""


def outcomes() -> tuple[dict[tuple[str, str, str], Counter[str]], Counter[str]]:
    """Run every cell of the design; count what became of each feature under each search and draft, and of all cells."""
    from tests.matrix import AXES, design
    from tests.test_composition import Engine, run

    engine, total = Engine(), Counter[str]()
    found: dict[tuple[str, str, str], Counter[str]] = {}
    for cell in design():
        try:
            run(cell, engine)
            outcome = "ok"
        except AssertionError as error:
            print(cell, str(error)[:300], file=sys.stderr, flush=True)
            outcome = "WRONG"
        total[outcome] += 1
        for axis in list(AXES)[2:]:
            found.setdefault((cell[axis], cell["search"], cell["draft"]), Counter())[outcome] += 1
    return found, total


def table(found: dict[tuple[str, str, str], Counter[str]]) -> list[str]:
    """Give the rows of the table."""
    from tests.matrix import AXES, refused

    rows = ["| | " + " | ".join(WORDS[s] + WORDS[d] for s, d in COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for feature in (value for axis in list(AXES)[2:] for value in AXES[axis]):
        entries: list[str] = []
        for search, draft in COLUMNS:
            counts = found.get((feature, search, draft), Counter())
            if refused({"search": search, "draft": draft}):
                entries.append("refused")
            else:
                entries.append("**WRONG**" if counts["WRONG"] else f"ok ({counts['ok']})")
        rows.append(f"| {feature} | " + " | ".join(entries) + " |")
    return rows


def main() -> None:
    """Write the page."""
    from tests.matrix import full

    found, total = outcomes()
    theirs = (ROOT / "docs" / "composition_transformers.md").read_text(encoding="utf-8")
    page = ROOT / "docs" / "composition.md"
    counts = f"Cells run: {sum(total.values())}; right: {total['ok']}; wrong: {total['WRONG']}."
    about = ABOUT.replace("{cells}", str(len(list(full()))))
    page.write_text("\n".join([about, *table(found), "", counts, "", theirs]), encoding="utf-8")
    print(dict(total))


if __name__ == "__main__":
    main()
