"""What an index found, as the log has it."""

from collections.abc import Sequence
from uuid import UUID

from indelible.errors import IndexMismatch
from indelible.eventstore import MeasuringStore


async def lines_of(log: MeasuringStore, event_ids: Sequence[UUID]) -> list[bytes]:
    """The lines of these events, or of the first of them, as :meth:`MeasuringStore.read_lines` gives them. Raises
    ``IndexMismatch`` for one that the log does not have."""
    lines: list[bytes] = []
    for event_id, line in zip(event_ids, await log.read_lines(event_ids), strict=False):
        if line is None:
            raise IndexMismatch(
                f"the query index holds the event {event_id}, which the log does not have: it was made of another log, "
                "or the log was restored from a backup; build it anew: indelible index rebuild",
                event_id=str(event_id),
            )
        lines.append(line)
    return lines
