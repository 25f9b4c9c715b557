"""Which slots are copied when rows go on in another order: afterwards row i is in slot i again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def rounds(index: Sequence[int], spare: int) -> Iterator[list[tuple[int, int]]]:
    """Give the copies, as (source, target), that bring what is in slot `index[i]` to slot i; none where that is i.

    Copies are made round by round: in none of them is a slot both source and target.

    Args:
        index: The rows to go on with, repeats allowed.
        spare: A slot that no row is in, for rows that change places in a circle.
    """
    wanted = {target: source for target, source in enumerate(index) if source != target}
    while wanted:
        sources = set(wanted.values())
        ready = [(source, target) for target, source in wanted.items() if target not in sources]
        if ready:
            for _, target in ready:
                del wanted[target]
        else:
            # Every slot that is left is yet to be read: one of them is set aside.
            aside = next(iter(wanted))
            ready = [(aside, spare)]
            wanted = {target: spare if source == aside else source for target, source in wanted.items()}
        yield ready
