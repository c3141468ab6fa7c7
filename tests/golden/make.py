"""Makes the golden database of the newest schema version: a store as this version of Indelible leaves it behind.

Run it once for each new schema version, and commit what it makes. A file that is part of a release never changes again:
the upgrade tests open it with every later version. ::

    .venv/bin/python tests/golden/make.py
"""

import asyncio
from itertools import count
from pathlib import Path
from uuid import UUID

import msgspec

from indelible.core.store import LocalEventStore
from indelible.engines.engine import Engine
from indelible.engines.group_storage import UNKNOWN_AGGREGATE, GroupChange, GroupStorage, PendingEvent, StoredGroup
from indelible.engines.memory import MemoryEngine
from indelible.engines.relay_storage import (
    RelayStorage,
    StoredBeside,
    StoredRelay,
    StoredReplay,
    StoredSetAside,
)
from indelible.engines.sqlite.connections import migrations
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.events import AggregateKey, NewEvent, timestamp_from_us
from indelible.eventstore import AggregateAppend
from indelible.groups import GroupSettings, SkippedEvent
from indelible.queries import QueryItem

FOLDER = Path(__file__).parent
BEGIN_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


def database_of(schema_version: int) -> Path:
    return FOLDER / f"sqlite_v{schema_version:04}.db"


def lines_of(schema_version: int) -> Path:
    """Its events, one JSON line each, as its own version rendered them."""
    return database_of(schema_version).with_suffix(".ndjson")


async def fill(store: LocalEventStore) -> None:
    """Something of everything that a store can hold, the same each time."""
    ids = (UUID(int=0x01940000_0000_7000_8000_000000000000 + number) for number in count(1))

    def event(event_type: str, event_data: object = None, **more: object) -> NewEvent:
        return NewEvent(event_type, event_data, event_id=next(ids), **more)  # type: ignore[arg-type]  # as given below

    await store.append("order", "o-1", [event("OrderPlaced", {"total": 42.50, "lines": [1, 2, 3]}, tags=["eu", "vip"])])
    await store.append("order", "ó/ż 🦀", [event("OrderPlaced", {"total": 1, "n": 2**64, "real": 1.0})])
    for version in range(1, 31):
        moved = event("OrderMoved", {"step": version, "text": 'zażółć "gęślą"\n\\ jaźń'}, metadata={"actor": "ann"})
        await store.append("order", "o-1", [moved], expected_version=version)
    await store.append("image", "i-1", [event("Scanned", bytes(range(256)), content_type="image/png", tags=["eu"])])
    await store.append("image", "i-1", [event("Described", {"x": 1}, content_type="application/vnd.image+json")])
    await store.append("archive", "a", [event("Filled", "x" * 20_000), event("Emptied")])
    both = [
        AggregateAppend.of("account", "from", [event("Withdrawn", {"amount": 5}, tags=["transfer"])]),
        AggregateAppend.of("account", "to", [event("Deposited", {"amount": 5}, tags=["transfer"])]),
    ]
    await store.append_atomic(both)
    await store.save_snapshot("order", "o-1", version=10, state={"step": 10}, metadata={"by": "make"})
    await store.save_snapshot("order", "o-1", version=20, state={"step": 20})


async def fill_groups(storage: GroupStorage) -> None:
    """Groups in every state, the same each time."""
    items = (QueryItem(("OrderPlaced", "OrderMoved"), ("order",)), QueryItem(tags=("eu", 'zażółć "gęślą"')))
    group = StoredGroup(
        name="billing \N{CRAB}",
        settings=GroupSettings(items, ack_timeout_s=12.5, max_attempts=3, max_in_flight=50),
        created_us=BEGIN_US,
        revision=BEGIN_US,
        reached=0,
        last_delivery=BEGIN_US,
        reset_at=BEGIN_US,
        save_id=UUID(int=BEGIN_US),
    )
    for each in (group, msgspec.structs.replace(group, name="search", settings=GroupSettings())):
        await storage.create_group(each, groups_max=2)
    order, other = AggregateKey("order", "o-1"), AggregateKey("order", "ó/ż 🦀")
    image = AggregateKey("image", "i-1")
    put = (
        PendingEvent(other, 2, 1, 0, "in_flight", BEGIN_US + 5, attempts=1, delivery=BEGIN_US + 2, member="worker 1"),
        PendingEvent(order, 3, 2, 29, "parked", BEGIN_US + 3, attempts=3, delivery=BEGIN_US + 1, reason='"none"'),
        PendingEvent(image, 33, 1, 1, "waiting", BEGIN_US + 9),
        PendingEvent(UNKNOWN_AGGREGATE, 35, 0, 0, "parked", BEGIN_US + 4, reason="store_corrupted", is_unreadable=True),
    )
    skipped = SkippedEvent(1, "order", "o-1", 1, 3, "no total", "known to be wrong", timestamp_from_us(BEGIN_US + 1))
    changed = msgspec.structs.replace(
        group, revision=BEGIN_US + 1, reached=35, last_delivery=BEGIN_US + 2, save_id=UUID(int=1)
    )
    await storage.save_group(GroupChange(group.revision, changed, put=put, skipped=(skipped,)))


async def fill_relays(storage: RelayStorage) -> None:
    """A relay that runs, and one that has a problem, the same each time."""
    relay = StoredRelay(
        name="to nats \N{CRAB}", revision=1, epoch=1, owner="host 1", lease_until_us=BEGIN_US, position=0, published=0,
        is_paused=False, is_stopped=False, problem=None, reset_epoch=0, save_id=UUID(int=1),
    )  # fmt: skip
    refused = StoredSetAside(2, UUID(int=3), "order", "ó/ż 🦀", 'larger than "allowed"', BEGIN_US)
    again = msgspec.structs.replace(refused, position=5, retry="replay-2")
    beside = StoredBeside(2, StoredReplay("replay-1", 1, 9, 20, 3), (refused, again))
    moved = msgspec.structs.replace(
        relay, revision=2, epoch=3, position=20, published=7, is_paused=True, is_stopped=True, reset_epoch=2,
        problem="the event at position 21 is too large", save_id=UUID(int=2), beside=beside,
    )  # fmt: skip
    for saved in (relay, moved, msgspec.structs.replace(relay, name="to kafka", position=3)):
        assert await storage.save_relay(saved, relays_max=2)


async def check_relays(engine: Engine, *, are_there: bool = True) -> None:
    """That a store has its relays, or, where it is older than these, takes some."""
    model = MemoryEngine()
    await fill_relays(model)
    await engine.open()
    try:
        if not are_there:
            assert await engine.list_relays() == ()
            await fill_relays(engine)
        assert await engine.list_relays() == await model.list_relays()
    finally:
        await engine.close()


async def check_groups(engine: Engine, *, are_there: bool = True) -> None:
    """That a store has its groups, or, where it is older than groups, takes some."""
    model = MemoryEngine()
    await fill_groups(model)
    await engine.open()
    try:
        if not are_there:
            assert await engine.list_groups() == ()
            await fill_groups(engine)
        assert await _groups_of(engine) == await _groups_of(model)
    finally:
        await engine.close()


async def _groups_of(storage: GroupStorage) -> list[object]:
    """All that a storage says of its groups, but for the time."""
    found: list[object] = []
    for summary in await storage.list_groups():
        state = await storage.load_group(summary.group.name)
        assert state is not None
        skipped = await storage.list_skipped(summary.group.name, after=0, limit=100)
        found.append((summary, state.group, state.pending, skipped))
    return found


async def make() -> None:
    version = migrations()[-1][0]
    path = database_of(version)
    for old in FOLDER.glob(f"{path.name}*"):
        old.unlink()
    clock = count(BEGIN_US, 1_000_001)
    engine = SqliteEngine(path, clock_us=lambda: next(clock))
    async with LocalEventStore(engine) as store:
        await fill(store)
        await fill_groups(engine)
        await fill_relays(engine)
        page = await store.read_feed(limit=1_000)
        lines_of(version).write_bytes(page.lines + b"\n")
    for beside in ("-wal", "-shm", "-index"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    print(f"{path.name}: {path.stat().st_size} bytes, {page.count} events")


if __name__ == "__main__":
    asyncio.run(make())
