"""A connection that carries calls, apart from any socket: nonsense of every shape, and silence."""

import asyncio
import gzip
import socket
from typing import Any, cast

import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("grpc")

from indelible.errors import Overloaded
from indelible.limits import GRPC_KEEP_ALIVE_S, GRPC_KEEP_ALIVE_TIMEOUT_S
from indelible.server.grpc import connection as connection_module
from indelible.server.grpc import exchange as exchange_module
from indelible.server.grpc import frames as h2
from indelible.server.grpc.connection import Connection
from indelible.server.grpc.exchange import Exchange, Refused
from indelible.server.grpc.site import Site
from indelible.server.services import BodyMemory


class _Transport:
    """Takes all that is written."""

    def __init__(self) -> None:
        self.written = b""
        self.is_aborted = self._is_closing = False
        self.socket = socket.socket()

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **_named: self.socket if name == "get_extra_info" and args == ("socket",) else None

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self.is_aborted = self._is_closing = True


def _connected() -> tuple[Connection, _Transport, Site]:
    site = Site(lambda exchange: exchange.finish("UNIMPLEMENTED", "") if exchange.stream_id % 4 == 1 else None)
    connection, transport = Connection(site), _Transport()
    connection.connection_made(cast("asyncio.Transport", transport))
    return connection, transport, site


_HEAD = h2.field_block([(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/x"), (b"grpc-encoding", b"gzip")])
_PAYLOADS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([_HEAD, b"\0\0\0\0\1x", b"\1\0\0\0\1x", bytes(4), bytes(5), bytes(8), b"\0\4\x7f\xff\xff\xff"]),
)
_FRAMES = st.builds(
    h2.frame, st.integers(0, 11), st.sampled_from([0, 1, 4, 5, 8, 13, 0x20, 0x24, 0xFF]), st.integers(0, 9), _PAYLOADS
)


@given(st.lists(_FRAMES, max_size=30), st.integers(1, 60))
def test_no_frames_are_more_than_a_connection_can_take(frames: list[bytes], piece_bytes: int) -> None:
    async def send() -> None:
        connection, transport, site = _connected()
        data = h2.PREFACE + b"".join(frames)
        for at in range(0, len(data), piece_bytes):
            if not transport.is_closing():
                connection.data_received(data[at : at + piece_bytes])
        connection.connection_lost(None)
        assert not site.connections
        transport.socket.close()

    asyncio.run(send())


async def test_a_silent_connection_is_asked_and_a_dead_one_ended() -> None:
    connection, transport, site = _connected()
    connection.data_received(h2.PREFACE + h2.settings_frame(()))
    now = asyncio.get_running_loop().time()
    site.look(now + GRPC_KEEP_ALIVE_S - 1)
    assert h2.frame(h2.PING, 0, 0, b"indelibl") not in transport.written
    site.look(now + GRPC_KEEP_ALIVE_S + 1)
    await asyncio.sleep(0)
    assert transport.written.endswith(h2.frame(h2.PING, 0, 0, b"indelibl"))
    connection.data_received(h2.frame(h2.PING, h2.ACK, 0, b"indelibl"))
    now = asyncio.get_running_loop().time()
    site.look(now + GRPC_KEEP_ALIVE_S - 1)
    assert not transport.is_aborted
    site.look(now + GRPC_KEEP_ALIVE_S + 1)
    site.look(now + GRPC_KEEP_ALIVE_S + GRPC_KEEP_ALIVE_TIMEOUT_S + 2)
    assert transport.is_aborted
    transport.socket.close()


async def test_who_connects_and_says_nothing_is_not_kept() -> None:
    _, transport, site = _connected()
    site.look(asyncio.get_running_loop().time() + GRPC_KEEP_ALIVE_S + 1)
    assert transport.is_aborted
    transport.socket.close()


MANY = 50


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that comes at once is taken in one turn, on a slow machine too."""
    monkeypatch.setattr(connection_module, "GRPC_TURN_S", 3_600.0)


def _connected_with_calls(count: int) -> tuple[Connection, _Transport, list[Exchange]]:
    begun: list[Exchange] = []
    connection, transport = Connection(Site(begun.append)), _Transport()
    connection.connection_made(cast("asyncio.Transport", transport))
    heads = (h2.headers_frames(number, _HEAD, ends=False) for number in range(1, 2 * count, 2))
    connection.data_received(h2.PREFACE + b"".join(heads))
    return connection, transport, begun


def _message(content: bytes, *, compressed: bool = False) -> bytes:
    return bytes((compressed,)) + len(content).to_bytes(4, "big") + content


async def _one_call(bodies: BodyMemory) -> tuple[Exchange, asyncio.Task[None], socket.socket]:
    _, transport, (exchange,) = _connected_with_calls(1)
    task = asyncio.create_task(asyncio.sleep(60))
    exchange.begin(task, bodies)
    return exchange, task, transport.socket


async def test_what_a_stream_has_taken_counts_no_more() -> None:
    bodies = BodyMemory(1_000)
    exchange, task, opened = await _one_call(bodies)
    for _ in range(1_000):
        exchange.take(_message(b"x"), 6)
        assert await anext(exchange) == b"x"
    exchange.close()
    bodies.take(1_000)
    task.cancel()
    opened.close()


async def test_a_message_counts_until_the_next_is_asked_for() -> None:
    bodies = BodyMemory(1_000)
    exchange, task, opened = await _one_call(bodies)
    exchange.take(_message(bytes(600)), 605)
    await anext(exchange)
    with pytest.raises(Overloaded):
        bodies.take(600)
    exchange.end_of_requests()
    with pytest.raises(StopAsyncIteration):
        await anext(exchange)
    bodies.take(1_000)
    task.cancel()
    opened.close()


async def test_compressed_messages_count_for_what_they_are_when_read() -> None:
    bodies = BodyMemory(100_000)
    exchange, task, opened = await _one_call(bodies)
    zipped = _message(gzip.compress(bytes(60_000)), compressed=True)
    for _ in range(100):
        exchange.take(zipped, len(zipped))
    for _ in range(100):
        assert len(await anext(exchange)) == 60_000
    bomb = _message(gzip.compress(bytes(200_000)), compressed=True)
    exchange.take(bomb, len(bomb))
    with pytest.raises(Overloaded):
        await anext(exchange)
    task.cancel()
    opened.close()


async def test_a_message_that_does_not_come_whole_is_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_module, "GRPC_MESSAGE_S", 0.05)
    exchange, task, opened = await _one_call(BodyMemory(1_000))
    exchange.take(_message(bytes(600))[:-1], 604)
    with pytest.raises(Refused) as refused:
        await exchange.only_message()
    assert refused.value.status == "DEADLINE_EXCEEDED"
    task.cancel()
    opened.close()


@pytest.mark.usefixtures("_patient")
async def test_a_little_room_wakes_few_calls() -> None:
    connection, transport, calls = _connected_with_calls(MANY)
    connection.take_room(h2.WINDOW_DEFAULT)
    asked = 0

    async def wait() -> None:
        nonlocal asked
        while connection.room_now() < 10:
            await connection.room()
            asked += 1
        connection.take_room(10)

    tasks = [asyncio.create_task(wait()) for _ in calls]
    await asyncio.sleep(0)
    for _ in range(9):
        connection.data_received(h2.number_frame(h2.WINDOW_UPDATE, 0, 1))
    assert sum([not turn.done() for turn in connection._waiting]) >= MANY - 9
    connection.data_received(h2.number_frame(h2.WINDOW_UPDATE, 0, 10 * MANY))
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks)
    transport.socket.close()


@pytest.mark.usefixtures("_patient")
async def test_settings_widen_each_call_once(monkeypatch: pytest.MonkeyPatch) -> None:
    connection, transport, _ = _connected_with_calls(MANY)
    changes: list[int] = []
    monkeypatch.setattr(Exchange, "widen", lambda _, size_bytes: changes.append(size_bytes))
    connection.data_received(h2.settings_frame([(h2.SETTING_INITIAL_WINDOW, size) for size in range(2_000)]))
    assert changes == [1_999 - h2.WINDOW_DEFAULT] * MANY
    transport.socket.close()


async def test_nothing_is_written_to_a_lost_connection() -> None:
    connection, transport, _ = _connected_with_calls(1)
    await asyncio.sleep(0)
    written = transport.written
    connection.write(b"late")
    connection.connection_lost(None)
    await asyncio.sleep(0)
    assert transport.written == written
    transport.socket.close()


async def test_costly_heads_are_taken_in_many_turns() -> None:
    begun: asyncio.Queue[Exchange] = asyncio.Queue()
    connection, transport = Connection(Site(begun.put_nowait)), _Transport()
    connection.connection_made(cast("asyncio.Transport", transport))
    compressed = Encoder().encode([(b"x", b"~" * 8_000)], huffman=True)[1:]
    heads = [_HEAD + h2.field_block([(b"n", b"%d" % number)]) + b"\x00" + compressed for number in range(MANY)]
    connection.data_received(
        h2.PREFACE + b"".join(h2.headers_frames(2 * number + 1, one, ends=True) for number, one in enumerate(heads))
    )
    assert begun.qsize() < MANY
    async with asyncio.timeout(60):
        for _ in range(MANY):
            await begun.get()
    transport.socket.close()


def test_heads_are_as_a_decoder_reads_them_that_remembers_none() -> None:
    """Two new fields in one head, of which each takes all of the table: nothing of what was there is left."""
    blocks = [
        b"".join(b"\x40" + h2.field_block([(b"x", letter * 3_000)])[1:] for letter in pair)
        for pair in ((b"a", b"b"), (b"c", b"d"), (b"e", b"f"))
    ]
    heads, plain = h2.HeadDecoder(), Decoder()
    for number in range(60):
        block = blocks[number * number % 7 % 3]
        heads.decode(block)
        plain.decode(block)
        assert heads.decode(b"\xbe").fields == dict(plain.decode(b"\xbe", raw=True))
