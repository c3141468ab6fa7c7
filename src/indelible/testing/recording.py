"""Logs as another store would have recorded them, line by line."""

from collections.abc import Sequence

from indelible.engines.engine import Engine
from indelible.events import (
    AggregateKey,
    RecordedEvent,
    decode_event,
    event_hash,
    format_timestamp,
    hashed_line,
    unhashed_line,
)
from indelible.eventstore import AggregateAppend
from indelible.limits import PAGE_EVENTS_MAX
from indelible.queries import EVERYTHING


async def continuation(engine: Engine, appends: Sequence[AggregateAppend]) -> list[RecordedEvent]:
    """The events as another store would have recorded them after all that the engine holds."""
    head = await engine.head()
    position, digest = head.position, head.hash
    versions: dict[AggregateKey, int] = {}
    recorded = []
    for append in appends:
        for event in append.events:
            if append.key not in versions:
                versions[append.key] = await _version(engine, append.key)
            versions[append.key] += 1
            position += 1
            timestamp = format_timestamp(head.timestamp_us + 1)
            unhashed = unhashed_line(event, append.key, versions[append.key], position, timestamp)
            digest = event_hash(digest, unhashed)
            recorded.append(decode_event(hashed_line(unhashed, digest)))
    return recorded


async def _version(engine: Engine, key: AggregateKey) -> int:
    return (await engine.read_aggregate(key, from_version=1, to_version=1, direction="forward", limit=1))[0]


async def read_log(engine: Engine, after: int = 0) -> bytes:
    """All lines after a position."""
    head = (await engine.head()).position
    pages = []
    while after < head:
        page = await engine.read_feed(EVERYTHING, after=after, until=head, direction="forward", limit=PAGE_EVENTS_MAX)
        pages.append(page.lines)
        after = page.reached
    return b"\n".join(pages)
