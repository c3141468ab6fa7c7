"""Writes that fail before anything was written: the error says that nothing was stored, and the engine goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from indelible.core.store import LocalEventStore
from indelible.engines.engine import Engine
from indelible.errors import InvalidRequest, ShuttingDown, StorageFailure
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.testing.conformance.helpers import some_events, unique


@asynccontextmanager
async def _filled(make_engine: Callable[[], Engine], aggregate_id: str) -> AsyncIterator[Engine]:
    """Open, and with one event at least."""
    engine = make_engine()
    await engine.open()
    try:
        await engine.append([AppendRequest((AggregateAppend.of("order", aggregate_id, some_events(1)),))])
        yield engine
    finally:
        await engine.close()


async def _writes(store: LocalEventStore, aggregate_id: str) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    recorded = (await store.read_feed(limit=1)).events
    yield lambda: store.append("order", aggregate_id, some_events(1))
    yield lambda: store.append_recorded(recorded)
    yield lambda: store.save_snapshot("order", aggregate_id, version=1, state={})
    yield lambda: store.groups.create(unique("group"))


class RefusalConformance:
    """Fixtures: ``make_engine`` and ``make_read_only_engine``, as in ``EngineConformance``."""

    async def test_a_store_that_is_open_for_reading_only(
        self, make_engine: Callable[[], Engine], make_read_only_engine: Callable[[], Engine]
    ) -> None:
        heard: list[StorageFailure] = []
        aggregate_id = unique()
        async with _filled(make_engine, aggregate_id) as engine:
            if not engine.capabilities.read_only_beside_writer:
                return
            head = await engine.head()
            async with LocalEventStore(make_read_only_engine(), on_failure=heard.append) as reader:
                async for write in _writes(reader, aggregate_id):
                    with pytest.raises(InvalidRequest, match="reading only"):
                        await write()
                with pytest.raises(InvalidRequest, match="reading only"):
                    await reader.check_takes_appends()
                assert (await reader.get_aggregate("order", aggregate_id)).version == 1
            assert await engine.head() == head
        assert heard == []

    async def test_an_engine_that_is_closed(self, make_engine: Callable[[], Engine]) -> None:
        heard: list[StorageFailure] = []
        async with _filled(make_engine, unique()) as engine:
            if not engine.capabilities.durable:
                return
            await engine.close()
            engine.on_failure = heard.append
            with pytest.raises(ShuttingDown):
                await engine.append([AppendRequest((AggregateAppend.of("order", unique(), some_events(1)),))])
        assert heard == []

    async def test_a_trial_stores_nothing(self, make_engine: Callable[[], Engine]) -> None:
        aggregate_id = unique()
        async with _filled(make_engine, aggregate_id) as engine:
            head = await engine.head()
            catalogue = await engine.list_event_types(), await engine.list_aggregate_types()
            for size_bytes in (0, 100, 3_000_000):
                await engine.check_writable(size_bytes)
            assert await engine.head() == head
            assert (await engine.list_event_types(), await engine.list_aggregate_types()) == catalogue
            await engine.append([AppendRequest((AggregateAppend.of("order", aggregate_id, some_events(1)),))])
            assert (await engine.head()).position == head.position + 1
