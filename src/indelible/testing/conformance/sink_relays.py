"""Whole relays that publish through a sink: what becomes of the broker, and of their owners, costs nobody an event."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import pytest

from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import RelayNotFound
from indelible.eventstore import EventStore
from indelible.relay_state import RelayInfo
from indelible.relays.relay import Relay
from indelible.testing.conformance.sink_broker import SinkBroker
from indelible.testing.conformance.sink_publisher import (
    PATIENCE_S,
    append_some,
    check_received,
    check_whole,
    log_of,
    needs,
    seen_by_consumers,
)

_LEASE_S: Final = 0.6


@pytest.mark.asyncio
class SinkRelayConformance:
    """Fixtures: as of ``SinkPublishingConformance``."""

    async def test_a_relay_publishes_everything_whatever_becomes_of_the_connection(
        self, broker: SinkBroker, store: EventStore
    ) -> None:
        needs(broker, "cut")
        await _relay_while(broker, store, broker.cut, 4)

    async def test_a_relay_publishes_everything_whatever_becomes_of_the_broker(
        self, broker: SinkBroker, store: EventStore
    ) -> None:
        needs(broker, "kill", "start")

        async def kill_and_start() -> None:
            await broker.kill()
            # Who has published everything by then does not see that the broker is gone.
            await append_some(store, 1)
            await until(lambda: _has_state(broker, store, "retrying"))
            await broker.start()

        await _relay_while(broker, store, kill_and_start, broker.kills)

    async def test_another_relay_goes_on_where_one_ended(self, broker: SinkBroker, store: EventStore) -> None:
        """It ends in the middle of its work, and gives its lease back or not."""
        for n in range(3):
            await append_some(store, 150)
            async with running(_relay(broker, store, f"owner {n}")):
                await until(lambda: _is_owned_by(broker, store, f"owner {n}"))  # noqa: B023 - waited for at once
                await asyncio.sleep(0.01 * n)
        async with running(_relay(broker, store, "the last")):
            await until(lambda: _is_at_head(broker, store))
        await check_received(broker, store)

    async def test_a_refused_event_stops_the_relay(self, broker: SinkBroker, store: EventStore) -> None:
        needs(broker, "refused_event")
        await append_some(store, 4)
        refused = await store.append("Order", "0", [broker.refused_event()])
        await append_some(store, 4)
        log = await log_of(store)
        async with running(_relay(broker, store, "one")):
            await until(lambda: _has_state(broker, store, "stopped"))
            assert f"position {refused.position}:" in str((await store.relays.get(broker.relay)).problem)
            check_whole(await seen_by_consumers(broker), log[:4], broker)
        await store.relays.reset(broker.relay, after=log[4].cursor)
        await store.relays.resume(broker.relay)
        async with running(_relay(broker, store, "one")):
            await until(lambda: _is_at_head(broker, store))
        check_whole(await seen_by_consumers(broker), [*log[:4], *log[5:]], broker)

    async def test_a_relay_of_another_store_stops_and_loses_nothing(
        self, broker: SinkBroker, store: EventStore
    ) -> None:
        """What the broker knows is not of its log, though its log is long enough."""
        if not broker.remembers:
            pytest.skip("the broker does not know how far a relay came")
        await append_some(store, 4)
        async with LocalEventStore(MemoryEngine()) as other:
            await append_some(other, 9)
            async with running(_relay(broker, store, "one")):
                await until(lambda: _is_at_head(broker, store))
                async with running(_relay(broker, other, "two")):
                    await until(lambda: _has_state(broker, other, "stopped"))
                    info = await other.relays.get(broker.relay)
                    assert (info.position, info.published) == (0, 0)
                    assert "it was of another store" in str(info.problem)
                await append_some(store, 4)
                await until(lambda: _is_at_head(broker, store))
        await check_received(broker, store)


async def _relay_while(broker: SinkBroker, store: EventStore, fault: Callable[[], Awaitable[None]], times: int) -> None:
    async with running(_relay(broker, store, "one")):
        for n in range(times):
            await append_some(store, 100)
            await asyncio.sleep(0.01 * n)
            await append_some(store, 100)
            await fault()
        await until(lambda: _is_at_head(broker, store))
    await check_received(broker, store)


def _relay(broker: SinkBroker, store: EventStore, owner: str) -> Relay:
    return Relay(store, broker.relay, broker.make_sink(), owner=owner, lease_s=_LEASE_S)


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(is_so: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await is_so():  # noqa: ASYNC110 - a store tells nobody of its relays
            await asyncio.sleep(0.01)


async def _info(broker: SinkBroker, store: EventStore) -> RelayInfo | None:
    with suppress(RelayNotFound):
        return await store.relays.get(broker.relay)
    return None


async def _has_state(broker: SinkBroker, store: EventStore, name: str) -> bool:
    info = await _info(broker, store)
    return info is not None and info.state == name


async def _is_owned_by(broker: SinkBroker, store: EventStore, owner: str) -> bool:
    info = await _info(broker, store)
    return info is not None and info.owner == owner


async def _is_at_head(broker: SinkBroker, store: EventStore) -> bool:
    info = await _info(broker, store)
    return info is not None and info.lag == 0
