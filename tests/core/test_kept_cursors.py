"""A cursor that was kept as plain text (in a file, in a database) is as good as the one that the store gave."""

from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.events import NewEvent


async def test_reading_goes_on_from_a_cursor_that_is_text():
    async with LocalEventStore(MemoryEngine()) as store:
        await store.append("order", "1", [NewEvent("Placed"), NewEvent("Paid")])
        kept = str((await store.read_feed(limit=1)).cursor)
        assert type(kept) is str
        for direction, found in (("forward", ["Paid"]), ("backward", [])):
            page = await store.read_feed(after=kept, direction=direction)
            assert [event.event_type for event in page.events] == found
