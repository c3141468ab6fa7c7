"""Makes the golden database of the newest schema version: a store as this version of Indelible leaves it behind.

Run it once for each new schema version, and commit what it makes. A file that is part of a release never changes again:
the upgrade tests open it with every later version. ::

    .venv/bin/python tests/golden/make.py
"""

import asyncio
from itertools import count
from pathlib import Path
from uuid import UUID

from indelible.core.store import LocalEventStore
from indelible.engines.sqlite.connections import migrations
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend

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


async def make() -> None:
    version = migrations()[-1][0]
    path = database_of(version)
    for old in FOLDER.glob(f"{path.name}*"):
        old.unlink()
    clock = count(BEGIN_US, 1_000_001)
    async with LocalEventStore(SqliteEngine(path, clock_us=lambda: next(clock))) as store:
        await fill(store)
        page = await store.read_feed(limit=1_000)
        lines_of(version).write_bytes(page.lines + b"\n")
    for beside in ("-wal", "-shm", ".lock"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    print(f"{path.name}: {path.stat().st_size} bytes, {page.count} events")


if __name__ == "__main__":
    asyncio.run(make())
