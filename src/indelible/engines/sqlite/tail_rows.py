"""Reads events of the log into a tail: where a store is opened, and where another process writes it."""

from typing import Final

import apsw
import msgspec

from indelible.engines.sqlite.connections import fetch, statement
from indelible.engines.sqlite.tail import Tail
from indelible.errors import StoreCorrupted
from indelible.events import AggregateKey

_decode_tags: Final = msgspec.json.Decoder(tuple[str, ...]).decode


def extend(tail: Tail, connection: apsw.Connection, last: int) -> None:
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
    tail.add(
        (
            AggregateKey(aggregate_type, aggregate_id), aggregate, version, event_id, type_id, event_type,
            _decode_tags(tags) if tags else (),
        )
        for _, aggregate_type, aggregate_id, aggregate, version, event_id, type_id, event_type, tags in rows
    )  # fmt: skip


def _missing(position: int) -> StoreCorrupted:
    return StoreCorrupted(f"the event at position {position} is not there, or not whose it was", position=position)
