"""Lines that are JSON and yet no events, as a damaged row may be rendered."""

import pytest

from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import StoreCorrupted
from indelible.events import NewEvent
from indelible.wire.proto_events import encode_events


async def test_a_line_that_is_no_event_is_named_by_its_position() -> None:
    async with LocalEventStore(MemoryEngine()) as store:
        await store.append("order", "1", [NewEvent("Moved", n) for n in range(3)])
        lines = (await store.read_feed()).lines.split(b"\n")
    assert encode_events(b"\n".join(lines))
    place = lines[1].index(b'"timestamp":"') + len(b'"timestamp":"')
    lines[1] = lines[1][:place] + lines[1][place + 19 :]
    with pytest.raises(StoreCorrupted, match="not what an event is") as caught:
        encode_events(b"\n".join(lines))
    assert caught.value.fields == {"position": 2}
    lines[1] = b"{"
    with pytest.raises(StoreCorrupted) as caught:
        encode_events(b"\n".join(lines))
    assert caught.value.fields == {}
