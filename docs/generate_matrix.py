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

Every technique with every other. Each cell below was run and compared with a naive loop: full forward passes, no
cache, no batch, no draft, states run from the prompt anew for each token (`tests/oracle.py`). Greedy texts and beams
are equal to it exactly, in float64; sampled ones token for token, as a draw is a function of the seed and the place.
Where a draft is judged by the ratio rule the tokens differ and the law is the same: that is tested by enumeration. A
number is how many mixtures of the two with the other options were run, out of a design in which any three options of
different kinds meet; `DECODEKIT_MATRIX=full pytest -m slow tests/test_composition.py` runs all 15120. Written by
`docs/generate_matrix.py`.

Refused, by name and before the first forward pass, are beams with a draft that follows one path.
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
        except AssertionError:
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
    found, total = outcomes()
    theirs = (ROOT / "docs" / "composition_transformers.md").read_text(encoding="utf-8")
    page = ROOT / "docs" / "composition.md"
    counts = f"Cells run: {sum(total.values())}; right: {total['ok']}; wrong: {total['WRONG']}."
    page.write_text("\n".join([ABOUT, *table(found), "", counts, "", theirs]), encoding="utf-8")
    print(dict(total))


if __name__ == "__main__":
    main()
