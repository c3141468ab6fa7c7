"""A connection that carries calls, apart from any socket: nonsense of every shape, and silence."""

import asyncio
import socket
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("grpc")

from indelible.limits import GRPC_KEEP_ALIVE_S, GRPC_KEEP_ALIVE_TIMEOUT_S
from indelible.server.grpc import frames as h2
from indelible.server.grpc.connection import Connection, Site


class _Transport:
    """Takes all that is written."""

    def __init__(self) -> None:
        self.written = b""
        self.is_aborted = self._is_closing = False
        self.socket = socket.socket()

    def __getattr__(self, name: str) -> Any:
        return lambda *_args, **_named: self.socket if name == "get_extra_info" else None

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
