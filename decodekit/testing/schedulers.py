"""The laws of schedulers: possible choices, no more than there is room for, and every request joins in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from decodekit.testing.toys import built
from decodekit.testing.values import Snapshot, random_generators, same

QUEUES = ([1], [5], [1, 1, 1], [3, 1, 2], [8, 8, 8, 8], [64, 1, 1, 1], [1, 64, 2, 64, 3], [2] * 20)


class SchedulerLaws:
    """What every scheduler must satisfy.

    Attributes:
        make: Gives the technique, or a piece that is built already.
        queues: Row counts of waiting requests.
        rooms: How many rows are free.
    """

    make: ClassVar[Any]
    queues: ClassVar[Sequence[Sequence[int]]] = QUEUES
    rooms: ClassVar[Sequence[int]] = (1, 2, 3, 8, 100)

    def piece(self) -> Any:
        """Make a new working piece; engine techniques are built without a context."""
        nothing: Any = None
        return built(type(self).make(), nothing)

    def calls(self) -> list[tuple[list[int], int]]:
        """Give every queue with every room."""
        return [(list(queue), room) for queue in self.queues for room in self.rooms]

    def test_choices_are_possible(self) -> None:
        for queue, room in self.calls():
            chosen = list(self.piece()(queue, room))
            assert len(set(chosen)) == len(chosen), f"{chosen} of {queue}: one request twice"
            assert all(0 <= i < len(queue) for i in chosen), f"{chosen} of {len(queue)} waiting requests"

    def test_somebody_joins_while_there_is_room(self) -> None:
        for queue, room in self.calls():
            assert list(self.piece()(queue, room)), f"nobody of {queue} joins though {room} rows are free"

    def test_no_more_join_than_there_are_rows(self) -> None:
        for queue, room in self.calls():
            chosen = list(self.piece()(queue, room))
            before = sum(queue[i] for i in chosen[:-1])
            assert before < room, f"{chosen} of {queue}: no row is left for the last one, {room} were free"

    def test_everybody_joins_in_the_end(self) -> None:
        for queue, room in self.calls():
            piece, waiting = self.piece(), dict(enumerate(queue))
            for _ in range(sum(queue)):
                if not waiting:
                    break
                names, free = list(waiting), room
                for i in piece(list(waiting.values()), room):
                    joining = min(free, waiting[names[i]])
                    free -= joining
                    waiting[names[i]] -= joining
                waiting = {name: rows for name, rows in waiting.items() if rows}
            assert not waiting, f"requests {list(waiting)} of {queue} never join where {room} rows are free each time"

    def test_purity_inputs_are_not_edited_and_the_same_call_gives_the_same_choice(self) -> None:
        for queue, room in self.calls():
            piece, generators = self.piece(), random_generators()
            watch = Snapshot(queue=queue)
            first, second = list(piece(queue, room)), list(piece(queue, room))
            assert first == second, f"the same queue {queue} gives {first}, then {second}"
            assert not watch.changed(), "the queue was edited in place"
            assert same(generators, random_generators()), "a global random generator was used or seeded"
