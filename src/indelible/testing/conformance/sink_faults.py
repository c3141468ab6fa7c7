"""What a sink does when its broker dies, hangs, or loses the connection."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import pytest

from indelible.eventstore import EventStore
from indelible.limits import RELAY_BROKER_TIMEOUT_S
from indelible.relays.sink import SinkUnavailable
from indelible.testing.conformance.helpers import unique
from indelible.testing.conformance.sink_broker import SinkBroker
from indelible.testing.conformance.sink_publisher import Publisher, append_some, check_received, claim, needs

_SLACK_S: Final = 15.0
"""For a machine that is busy, beside what a sink has by its contract."""
_DELAYS_S: Final = (0.0, 0.03, 0.01, 0.001, 0.003)
"""From the start of a publication to the fault: the broker has nothing, a part, or all of it by then."""


@pytest.mark.asyncio
class SinkFaultConformance:
    """Fixtures: as of ``SinkPublishingConformance``."""

    # --- Acknowledged means stored -----------------------------------------------------------------------------------

    async def test_what_is_acknowledged_outlives_the_broker(self, broker: SinkBroker, store: EventStore) -> None:
        needs(broker, "kill", "start")
        async with Publisher.opened(broker, store) as publisher:
            for _ in range(broker.kills):
                await append_some(store, 50)
                await publisher.publish()
                await broker.kill()
                await broker.start()
                await publisher.open()
        await check_received(broker, store)

    # --- A page again ------------------------------------------------------------------------------------------------

    async def test_a_page_again_after_the_connection_broke(self, broker: SinkBroker, store: EventStore) -> None:
        needs(broker, "cut")
        await _publish_while(broker, store, broker.cut, _DELAYS_S)

    async def test_a_page_again_after_the_broker_was_killed(self, broker: SinkBroker, store: EventStore) -> None:
        needs(broker, "kill", "start")

        async def kill_and_start() -> None:
            await broker.kill()
            await broker.start()

        await _publish_while(broker, store, kill_and_start, _DELAYS_S[: broker.kills])

    # --- In time -----------------------------------------------------------------------------------------------------

    async def test_a_dead_broker_is_told_in_time(self, broker: SinkBroker, store: EventStore) -> None:
        needs(broker, "kill", "start")
        await _check_told(broker, store, broker.kill, broker.start)

    async def test_a_broker_that_hangs_is_told_in_time(self, broker: SinkBroker, store: EventStore) -> None:
        needs(broker, "freeze", "thaw")
        await _check_told(broker, store, broker.freeze, broker.thaw)

    async def test_it_can_be_cancelled_while_the_broker_hangs(self, broker: SinkBroker, store: EventStore) -> None:
        needs(broker, "freeze", "thaw")
        await append_some(store, 50)
        async with Publisher.opened(broker, store) as publisher:
            other = Publisher(broker.make_sink(), store, await claim(store, unique("relay")))
            await broker.freeze()
            try:
                tasks = [asyncio.ensure_future(call) for call in (publisher.publish(), other.open_once())]
                await asyncio.sleep(0.2)
                for task in tasks:
                    assert not task.done(), f"the broker hangs, and yet: {task}"
                    task.cancel()
                _, left = await asyncio.wait(tasks, timeout=RELAY_BROKER_TIMEOUT_S + _SLACK_S)
                assert not left, "it does not end though it was cancelled"
                await _in_time(other.sink.close())
            finally:
                await broker.thaw()
            await publisher.open()
            await publisher.publish_all()
        await check_received(broker, store)


async def _publish_while(
    broker: SinkBroker, store: EventStore, fault: Callable[[], Awaitable[None]], delays_s: Sequence[float]
) -> None:
    """The fault comes while a page is on its way. What is not acknowledged is published again, as far as the broker
    does not say that it has it."""
    async with Publisher.opened(broker, store) as publisher:
        for delay_s in delays_s:
            await append_some(store, 100)
            publishing = asyncio.create_task(publisher.publish())
            await asyncio.sleep(delay_s)
            await fault()
            with suppress(SinkUnavailable):
                await _in_time(publishing)
            reached = await publisher.open()
            assert broker.remembers or reached is None
            await publisher.publish_all()
    await check_received(broker, store)


async def _check_told(
    broker: SinkBroker, store: EventStore, end: Callable[[], Awaitable[None]], begin: Callable[[], Awaitable[None]]
) -> None:
    """Neither ``publish`` nor ``open`` waits longer than it may, and all is well once the broker is back."""
    await append_some(store, 50)
    async with Publisher.opened(broker, store) as publisher:
        other = Publisher(broker.make_sink(), store, await claim(store, unique("relay")))
        await end()
        try:
            await asyncio.gather(_check_unavailable(publisher.publish()), _check_unavailable(other.open_once()))
            await asyncio.gather(_in_time(publisher.sink.close()), _in_time(other.sink.close()))
        finally:
            await begin()
        await publisher.open()
        await publisher.publish_all()
    await check_received(broker, store)


async def _check_unavailable(call: Awaitable[object]) -> None:
    with pytest.raises(SinkUnavailable) as caught:
        await _in_time(call)
    assert str(caught.value), "it does not say why"


async def _in_time(call: Awaitable[object]) -> None:
    """Without cancelling it, which would help one that hangs."""
    began, task = time.monotonic(), asyncio.ensure_future(call)
    await asyncio.wait([task], timeout=RELAY_BROKER_TIMEOUT_S + _SLACK_S)
    assert task.done(), f"it does not end within {time.monotonic() - began:.1f} s"
    await task
