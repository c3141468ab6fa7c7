"""Room for large messages: who gets it, and who loses it."""

import asyncio
from typing import cast

import pytest

pytest.importorskip("grpc")

from indelible.errors import Overloaded
from indelible.limits import GRPC_WAITING_SIZE_BYTES_MAX, STREAM_CHUNK_SIZE_BYTES_MAX
from indelible.server.grpc.exchange import Exchange
from indelible.server.grpc.outgoing import LargeMessages, Outgoing

LARGE = b"x" * (3 * STREAM_CHUNK_SIZE_BYTES_MAX)
PATIENCE_S = 30.0
NEVER_S = 3_600.0


class _Exchange:
    """A call whose reader takes a message when it is let."""

    def __init__(self, name: str, ended: list[str]) -> None:
        self._name, self._ended = name, ended
        self.written: list[bytes] = []
        self.takes = asyncio.Event()

    async def write(self, message: bytes) -> None:
        self.written.append(message)
        await self.takes.wait()
        if self._name in self._ended:
            raise ConnectionError(self._name)

    def give_up(self) -> None:
        self._ended.append(self._name)
        self.takes.set()


class _Server:
    def __init__(self, messages: int, stalled_s: float) -> None:
        """With room for so many messages of newcomers, and as many of others."""
        self.exchanges: dict[str, _Exchange] = {}
        self.ended: list[str] = []
        self._large = LargeMessages(2 * messages * len(LARGE), stalled_s)

    def stream(
        self, name: str, *messages: bytes, takes: bool = False, may_be_refused: bool = False
    ) -> "asyncio.Task[None]":
        exchange = self.exchanges[name] = _Exchange(name, self.ended)
        if takes:
            exchange.takes.set()

        async def write() -> None:
            async with Outgoing(self._large, cast("Exchange", exchange)) as outgoing:
                for message in messages:
                    await outgoing.write(message, may_be_refused=may_be_refused)

        return asyncio.create_task(write())


async def _settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_large_message_waits_for_room_in_order() -> None:
    server = _Server(2, NEVER_S)
    streams = [server.stream(name, LARGE) for name in "abcde"]
    await _settled()
    assert [len(exchange.written) for exchange in server.exchanges.values()] == [1, 1, 0, 0, 0]
    server.exchanges["b"].takes.set()
    await _settled()
    assert [len(exchange.written) for exchange in server.exchanges.values()] == [1, 1, 1, 0, 0]
    streams[3].cancel()
    for exchange in server.exchanges.values():
        exchange.takes.set()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*streams, return_exceptions=True)
    assert [len(exchange.written) for exchange in server.exchanges.values()] == [1, 1, 1, 0, 1]
    assert server.ended == []


async def test_small_messages_wait_for_nobody() -> None:
    server = _Server(1, NEVER_S)
    streams = [server.stream("a", LARGE), server.stream("b", LARGE), server.stream("c", b"x", takes=True)]
    async with asyncio.timeout(PATIENCE_S):
        await streams[2]
    for stream in streams:
        stream.cancel()
    await asyncio.wait(streams)


async def test_the_call_of_who_takes_nothing_while_others_wait_is_ended() -> None:
    server = _Server(1, 0.02)
    stalled = server.stream("stalled", LARGE)
    await asyncio.sleep(0.1)
    assert server.ended == []  # nobody waits
    waiting = server.stream("waiting", LARGE, LARGE, takes=True)
    async with asyncio.timeout(PATIENCE_S):
        await waiting
        with pytest.raises(ConnectionError):
            await stalled
    assert server.ended == ["stalled"]


async def test_newcomers_that_take_nothing_keep_no_reader_waiting() -> None:
    server = _Server(1, NEVER_S)
    reader = server.stream("reader", *[LARGE] * 3)
    await _settled()
    stalled = [server.stream(f"stalled {number}", LARGE) for number in range(9)]
    await _settled()
    server.exchanges["reader"].takes.set()
    async with asyncio.timeout(PATIENCE_S):
        await reader
    assert sum(len(exchange.written) for exchange in server.exchanges.values()) == 3 + 1
    for stream in stalled:
        stream.cancel()
    await asyncio.wait(stalled)


async def test_no_more_waits_made_than_can_be_held() -> None:
    server = _Server(1, stalled_s=NEVER_S)
    large = b"x" * (GRPC_WAITING_SIZE_BYTES_MAX // 8)
    # One is with its reader, and four wait for the room that it has.
    waiting = [server.stream(f"page {number}", large, may_be_refused=True) for number in range(5)]
    one_more = server.stream("one more", large, may_be_refused=True)
    must_not_fail = server.stream("stored already", large)
    await _settled()
    assert not any(task.done() for task in (*waiting, must_not_fail))
    with pytest.raises(Overloaded):
        await one_more
    for exchange in server.exchanges.values():
        exchange.takes.set()
    for number in range(1, 5):
        await _settled()
        server.exchanges[f"page {number}"].takes.set()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*waiting, must_not_fail)
