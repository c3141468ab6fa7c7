"""What a read sees: a connection to log and index, and the tail that is not in the index yet; and how a tail is read
from the log, where a store is opened, and where another process writes it."""

from pathlib import Path
from typing import Final, NamedTuple, Protocol

import apsw
import msgspec

from indelible.engines.sqlite.connections import connect_reader, fetch, statement
from indelible.engines.sqlite.tail import Tail, TailView
from indelible.errors import StoreCorrupted
from indelible.events import AggregateKey

_decode_tags: Final = msgspec.json.Decoder(tuple[str, ...]).decode


class View(NamedTuple):
    connection: apsw.Connection
    tail: TailView
    """Taken before the index is asked: what it lacks is in the index then, and stays there."""

    def read_indexed(self) -> int:
        """A position that the index reaches; what comes after it is in the tail."""
        return int(fetch(self.connection, "SELECT indexed FROM state")[0][0])


class Reader:
    """A connection to the log, and to the index too once it was needed. For one thread at a time."""

    def __init__(self, log: Path) -> None:
        self._log: Final = log
        self.connection = connect_reader(log)
        self._index: tuple[Path, int] | None = None

    def connect_index(self, index: Path, generation: int) -> None:
        """Have the index at a path, made as the ``generation``-th one. Raises :class:`apsw.Error` when it is none."""
        if self._index == (index, generation):
            return
        connection = connect_reader(self._log, index)
        try:
            fetch(connection, "SELECT indexed FROM state")
        except BaseException:
            connection.close()
            raise
        self.connection.close()
        self.connection, self._index = connection, (index, generation)

    def close(self) -> None:
        self.connection.close()


class Views(Protocol):
    """Where readers get their views. Any thread may ask."""

    def view(self, reader: Reader) -> View:
        """Raises ``Unavailable`` while the index is being made anew."""
        ...

    def is_kept(self, reader: Reader) -> bool:
        """Whether there is an index in a file of the store, and not just one that this process made for itself."""
        ...


def extend_tail(tail: Tail, connection: apsw.Connection, last: int) -> None:
    """Add the log's events up to ``last``. Raises :class:`StoreCorrupted` when one of them is not there."""
    first = tail.end + 1
    if first > last:
        return
    rows = fetch(connection, statement("tail_rows"), {"first": first, "last": last})
    for expected, row in enumerate(rows, first):
        if row[0] != expected:
            raise _missing(expected)
    if len(rows) != last - first + 1:
        raise _missing(first + len(rows))
    tail.add([
        (
            AggregateKey(aggregate_type, aggregate_id), aggregate, version, event_id, type_id, event_type,
            _decode_tags(tags) if tags else (),
        )
        for _, aggregate_type, aggregate_id, aggregate, version, event_id, type_id, event_type, tags in rows
    ])  # fmt: skip


def _missing(position: int) -> StoreCorrupted:
    return StoreCorrupted(f"the event at position {position} is not there, or not whose it was", position=position)
