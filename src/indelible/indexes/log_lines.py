"""What an index found, as the log has it."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from indelible.errors import EventNotFound, IndexMismatch
from indelible.events import recorded_line
from indelible.eventstore import MeasuringStore


async def lines_of(log: MeasuringStore, event_ids: Sequence[UUID]) -> list[bytes]:
    """The lines of these events, in their order. Raises ``IndexMismatch`` for one that the log does not have."""
    return await asyncio.gather(*[_line_of(log, one) for one in event_ids])


async def _line_of(log: MeasuringStore, event_id: UUID) -> bytes:
    try:
        return recorded_line(await log.get_event(event_id))
    except EventNotFound:
        raise IndexMismatch(
            f"the query index holds the event {event_id}, which the log does not have: it was made of another log, or "
            "the log was restored from a backup; build it anew: indelible index rebuild",
            event_id=str(event_id),
        ) from None
