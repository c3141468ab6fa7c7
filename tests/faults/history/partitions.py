"""A store of several partitions as that many logs: its history is one for each."""

from collections.abc import Iterator, Sequence
from typing import Final

from faults.history.model import History, LoggedEvent, Operation
from indelible.conditions import AppendCondition
from indelible.cursors import Cursor, Places, cursor_at, cursor_over, places_of, position_of
from indelible.events import AggregateKey
from indelible.partition_keys import PartitionKeys


class PlacesIn:
    """What is where in a store of so many partitions, with no partition keys of its own."""

    def __init__(self, partitions: int) -> None:
        self._keys: Final = PartitionKeys(partitions, {})
        self.all: Final = range(partitions)

    def partition_of(self, key: AggregateKey) -> int:
        return self._keys.partition_of(key)

    def of(self, cursor: Cursor) -> tuple[int, ...]:
        """The positions in a cursor."""
        return (position_of(cursor),) if len(self.all) == 1 else places_of(cursor, len(self.all)).positions

    def before(self, cursor: Cursor, events: int, start: Cursor) -> Cursor:
        """So many events earlier, in each partition, but not before ``start``."""
        pairs = zip(self.of(cursor), self.of(start), strict=True)
        earlier = tuple([max(position - events, first) for position, first in pairs])
        return cursor_at(earlier[0]) if len(earlier) == 1 else cursor_over(Places(earlier))

    def position(self, condition: AppendCondition | None, partition: int) -> int:
        return 0 if condition is None else self.of(condition.after)[partition]


def histories(
    partitions: int,
    operations: Sequence[Operation],
    log: Sequence[LoggedEvent],
    followers: frozenset[str],
    start: Cursor,
) -> Iterator[History]:
    """Of each partition."""
    places = PlacesIn(partitions)
    for n, position in enumerate(places.of(start)):
        mine = [operation for operation in operations if operation.partition == n]
        events = [event for event in log if places.partition_of(event.key) == n]
        yield History(mine, events, followers, position)
