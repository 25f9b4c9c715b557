"""Run the covering design of the matrix and write `docs/composition.md`: `python docs/generate_matrix.py`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

WORDS = {
    "greedy": "greedy",
    "multinomial": "sampled",
    "beam": "beams",
    "diverse beam": "diverse beams",
    "stochastic beam": "stochastic beams",
    "beam sample": "sampled beams",
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
same law, which is tested by enumeration instead and stands in no cell: free text and a regex with each kind of
processor; JSON, alone and behind forced tokens; with free text guidance, a prefix, LoRA, stop strings, and prompt
lookup before or after the draft model.

A number is how many mixtures of the two with the other options were run, out of a design in which any three options of
different kinds meet and are used. From "streaming" on each option is a kind by itself, there or not.
`DECODEKIT_MATRIX=full pytest -m slow tests/test_composition.py` runs all {cells}.

In "different requests" four requests share forward passes. A prefix, a cache handed in and a second turn spare the
model tokens, but with LoRA or `prompt_logprobs` they are not used, as those read the whole prompt: the text is the
same. In each cell with prompt lookup or a draft model drafted tokens are kept and others rejected: what follows a
text's first token is drafted by the test, half right, and all the rest by the drafter. In each cell with forced tokens
some are kept, but for those that cannot have drafts, which run without being counted here and are called "not used":
nothing is forced in free text, and beams take no drafts beside stop strings and stop callables, which could end one
beam inside of a draft that all of them share.

All cells run on a small Llama, in slots or transformers' cache. On the other kinds of memory, on mixtures of
experts and across the boundaries of dynamic and long RoPE, `tests/test_composition_paths.py` compares one mixed batch
and its next turns with the same loop: searches, guesses, forced tokens, guidance, stateful processors and prefixes, 17
cases, five of them by default.

Written by `docs/generate_matrix.py`. Refused, by name and before the first forward pass, are the four kinds of beams
with prompt lookup or a draft model, as such drafts follow one path; the table leaves them out.
"""


def outcomes() -> tuple[dict[tuple[str, str, str], Counter[str]], Counter[str]]:
    """Run every cell of the design; count what became of each feature under each search and draft, and of all cells."""
    from tests.matrix import AXES, design, drafts
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
        used = outcome if outcome == "WRONG" or drafts(cell) or cell["draft"] == "no draft" else "not used"
        total[outcome] += 1
        for axis in list(AXES)[2:]:
            found.setdefault((cell[axis], cell["search"], cell["draft"]), Counter())[used] += 1
    return found, total


def table(found: dict[tuple[str, str, str], Counter[str]]) -> list[str]:
    """Give the rows of the table."""
    from tests.matrix import AXES, refused

    columns = [
        (search, draft)
        for search in AXES["search"]
        for draft in AXES["draft"]
        if not refused({"search": search, "draft": draft})
    ]
    rows = ["| | " + " | ".join(WORDS[s] + WORDS[d] for s, d in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for feature in (value for axis in list(AXES)[2:] for value in AXES[axis] if value):
        counts = [found.get((feature, search, draft), Counter()) for search, draft in columns]
        rows.append(f"| {feature} | " + " | ".join(entry(count) for count in counts) + " |")
    return rows


def entry(counts: Counter[str]) -> str:
    """Give an entry of the table."""
    if counts["WRONG"]:
        return "**WRONG**"
    return f"ok ({counts['ok']})" if counts["ok"] else "not used"


def main() -> None:
    """Write the page."""
    from tests.matrix import size

    found, total = outcomes()
    theirs = (ROOT / "docs" / "composition_transformers.md").read_text(encoding="utf-8")
    page = ROOT / "docs" / "composition.md"
    counts = f"Cells run: {sum(total.values())}; right: {total['ok']}; wrong: {total['WRONG']}."
    about = ABOUT.replace("{cells}", str(size()))
    page.write_text("\n".join([about, *table(found), "", counts, "", theirs]), encoding="utf-8")
    print(dict(total))


if __name__ == "__main__":
    main()
