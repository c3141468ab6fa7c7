"""The SQLite writer's cache of aggregates: small here, so that it overflows."""

from pathlib import Path

import pytest

from indelible.core.store import LocalEventStore
from indelible.engines.sqlite import writer
from indelible.engines.sqlite.engine import SqliteEngine
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
