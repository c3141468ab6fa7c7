"""The sink for Kafka: a consumer that reads what is committed gets each event once, whatever dies.

Each page is a transaction, that carries how far the relay has come: see :mod:`indelible.relays.kafka.connection`. The
client library blocks, so each connection has a thread of its own.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ClassVar, Final, Self, TypeVar

from confluent_kafka import KafkaException, Producer

from indelible.cursors import Cursor
from indelible.eventstore import FeedPage
from indelible.limits import RELAY_BROKER_TIMEOUT_S
from indelible.relay_state import RelayLease
from indelible.relays.kafka.connection import Connection, Learned
from indelible.relays.kafka.target import Target
from indelible.relays.messages import Binding, message_maker
from indelible.relays.sink import Check, Replay, SinkFenced, SinkRefused, SinkUnavailable, unchecked
from indelible.relays.urls import bad

T = TypeVar("T")

_BINDING: Final = Binding("ce_", is_quoted=False)


class KafkaSink:
    """Implements :class:`indelible.relays.sink.Sink`."""

    remembers: ClassVar = True

    def __init__(self, target: Target) -> None:
        self._target: Final = target
        self._learned: Final = Learned(target)
        self._worker: _Worker | None = None

    @classmethod
    def of(cls, url: str) -> Self:
        """``kafka://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…]?topic=NAME[&create=true]…``. Raises ``InvalidRequest``."""
        target = Target.of(url)
        try:
            # Only the library knows which values its settings take. Without servers it does nothing with them.
            Producer({**target.client, "bootstrap.servers": "", "log_level": 0})
        except KafkaException as error:
            raise bad(f"has settings that do not work: {error.args[0].str()}") from None
        return cls(target)

    async def open(self, lease: RelayLease, check: Check = unchecked) -> Cursor | None:
        await self.close()
        worker = self._worker = _Worker(self._target, lease, self._learned)
        reached = await worker.run(worker.connection.open)
        if reached is not None:
            await check(reached)
        return await worker.run(worker.connection.take_over)

    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        worker = self._worker
        assert worker is not None, "it is opened first"
        message_of = message_maker(worker.lease, _BINDING, self._target.mode, replay)
        cursor = page.cursor if replay is None else None
        await worker.run(lambda: worker.connection.publish(list(page.events_with_cursors()), message_of, cursor))

    async def close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close()


class _Worker:
    """The thread of a connection. Runs one call at a time."""

    def __init__(self, target: Target, lease: RelayLease, learned: Learned) -> None:
        self.lease: Final = lease
        self.connection: Final = Connection(target, lease, learned)
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="relay-to-kafka")

    async def run(self, call: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(_told, call))

    async def close(self) -> None:
        """Raises nothing. What goes on in the thread by then ends first, and soon."""
        self.connection.give_up()
        closed = asyncio.wrap_future(self._thread.submit(self.connection.close))
        self._thread.shutdown(wait=False)
        with suppress(Exception):
            async with asyncio.timeout(RELAY_BROKER_TIMEOUT_S):
                # Whoever is cancelled here still lets go of the broker.
                await asyncio.shield(closed)


def _told(call: Callable[[], T]) -> T:
    """What of the library's comes through is told as ``SinkUnavailable``. No error keeps its traceback or its cause:
    they refer to the producer, which ends only when nothing does."""
    try:
        return call()
    except KafkaException as error:
        problem: Exception = SinkUnavailable(f"Kafka cannot be used: {error.args[0].str()}")
    except BufferError as error:
        problem = SinkUnavailable(f"the client of Kafka takes no more: {error}")
    except (SinkUnavailable, SinkRefused, SinkFenced) as error:
        problem = error.with_traceback(None)
        problem.__cause__ = problem.__context__ = None
    raise problem
