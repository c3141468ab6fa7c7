"""The SQLite writer's cache of aggregates, small here so that it overflows, and what breaks before a commit."""

import asyncio
from pathlib import Path

import pytest

from indelible.core.store import LocalEventStore
from indelible.cursors import cursor_at
from indelible.engines.sqlite import writer
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.errors import InternalError, StorageFailure
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend

CACHED = 3


@pytest.fixture(autouse=True)
def _small_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "AGGREGATES_CACHED_MAX", CACHED)


def _append_to(*ids: str) -> list[AggregateAppend]:
    return [AggregateAppend.of("order", one, [NewEvent("OrderPlaced")]) for one in ids]


async def test_one_append_may_touch_more_aggregates_than_are_cached(tmp_path: Path):
    """What was found for the append must stay until it is stored, whatever the cache lets go of meanwhile."""
    names = [f"o-{number}" for number in range(2 * CACHED)]
    async with LocalEventStore(SqliteEngine(tmp_path / "store.db")) as store:
        for name in names:
            await store.append_atomic(_append_to(name))
        for order in (names, names[::-1], names[CACHED:] + names[:CACHED]):
            await store.append_atomic(_append_to(*order, f"new-{order[0]}"))
        versions = [(await store.get_aggregate("order", name)).version for name in names]
        assert versions == [4] * len(names)
        assert (await store.aggregate_types())[0].aggregates == len(names) + 3


async def test_the_cache_keeps_what_was_used_last(tmp_path: Path):
    async with LocalEventStore(SqliteEngine(tmp_path / "store.db")) as store:
        for name in ("a", "b", "c", "a", "d", "a", "e"):
            await store.append_atomic(_append_to(name))
        cached = store._engine._writer._aggregates  # type: ignore[attr-defined]  # the engine's own, on purpose
        assert [key.aggregate_id for key in cached] == ["d", "a", "e"]


async def test_a_bug_before_the_commit_stores_nothing_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[StorageFailure] = []
    async with LocalEventStore(SqliteEngine(tmp_path / "store.db"), on_failure=heard.append) as store:
        await store.append("order", "1", [NewEvent("OrderPlaced")])
        with monkeypatch.context() as broken:
            broken.setattr(writer, "_event_row", lambda *_: 1 / 0)
            with pytest.raises(InternalError, match=r"ZeroDivisionError: .*; nothing was stored"):
                await store.append("order", "1", [NewEvent("OrderPaid")])
        assert "ZeroDivisionError" in caplog.text
        assert (await store.append("order", "1", [NewEvent("OrderPaid")])).version == 2
    assert heard == []


async def test_a_cancelled_copy_leaves_no_open_transaction(tmp_path: Path) -> None:
    """Its caller gives up between two parts of a large lot."""
    async with LocalEventStore(SqliteEngine(tmp_path / "source.db")) as source:
        await source.append("order", "1", [NewEvent("OrderPlaced") for _ in range(3_000)])
        recorded = [
            event
            for page in (1, 2, 3)
            for event in (await source.read_feed(after=cursor_at((page - 1) * 1_000), limit=1_000)).events
        ]
    async with LocalEventStore(SqliteEngine(tmp_path / "copy.db")) as store:
        copying = asyncio.create_task(store.append_recorded(recorded))
        for _ in range(3):
            await asyncio.sleep(0)
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
        assert (await store.append("order", "2", [NewEvent("OrderPlaced")])).position == 3_001
