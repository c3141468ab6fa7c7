"""Subscribers that ask and then take nothing, as bare sockets: they cost the test itself next to nothing."""

import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from urllib.parse import urlencode, urlsplit

from indelible.queries import EventQuery
from indelible.wire.esdb.pb import streams_pb2
from indelible.wire.pb.event_store_pb2 import SubscribeRequest, SubscribeResponse
from indelible.wire.proto_events import query_message

_RECEIVE_BUFFER_BYTES = 4_096
"""Small, so that the kernel's share is soon used up."""


def connect(address: str, stack: ExitStack) -> socket.socket:
    """To ``HOST:PORT``, or a URL's."""
    host, _, port = address.rpartition("//")[2].partition(":")
    connection = stack.enter_context(socket.socket())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    connection.connect((host, int(port)))
    return connection


# --- Server-sent events ----------------------------------------------------------------------------------------------


class StalledStream:
    """``GET /v1/events`` as a subscription."""

    def __init__(self, url: str, stack: ExitStack, **parameters: object) -> None:
        self._connection = connect(urlsplit(url).netloc, stack)
        query = urlencode({name: value for name, value in parameters.items() if value is not None}, doseq=True)
        request = f"GET /v1/events?{query} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
        self._connection.sendall(request.encode())

    def read_positions(self, last: int, timeout_s: float = 60.0) -> list[int]:
        """Begin to read after all: the positions of all events up to this one."""
        self._connection.settimeout(timeout_s)
        file = self._connection.makefile("rb", buffering=1 << 20)
        while file.readline() != b"\r\n":
            pass
        positions: list[int] = []
        text = bytearray()
        while not positions or positions[-1] < last:
            size = int(file.readline(), 16)
            assert size, "the stream ended"
            text += file.read(size + 2)[:-2]
            *whole, rest = bytes(text).split(b"\n\n") if b"\n\n" in text else [bytes(text)]
            positions += [int(one.split(b"\n")[0][4:]) for one in whole if b'\ndata: {"event_id' in one]
            text = bytearray(rest)
        return positions


# --- gRPC ------------------------------------------------------------------------------------------------------------

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_INITIAL_WINDOW_SIZE = 4


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A header that stands for itself (RFC 7541, section 6.2.2); both parts are shorter than 127 bytes."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


class _Stalled(ABC):
    """A call of ``path`` over HTTP/2, spoken by hand: gives the server room for ``window_bytes`` of answer, and no
    more."""

    def __init__(self, address: str, stack: ExitStack, path: bytes, message: bytes, window_bytes: int) -> None:
        self._connection = connect(address, stack)
        headers = [
            (b":method", b"POST"), (b":scheme", b"http"), (b":path", path),
            (b":authority", b"x"), (b"te", b"trailers"), (b"content-type", b"application/grpc"),
        ]  # fmt: skip
        self._connection.sendall(
            _PREFACE
            + _frame(_SETTINGS, 0, 0, struct.pack(">HI", _INITIAL_WINDOW_SIZE, window_bytes))
            + _frame(_HEADERS, _END_HEADERS, 1, b"".join(_literal(*header) for header in headers))
            + _frame(_DATA, _END_STREAM, 1, struct.pack(">BI", 0, len(message)) + message)
        )

    @abstractmethod
    def positions_of(self, message: bytes) -> Sequence[int]:
        """Of the events in a message."""

    def read_positions(self, last: int, timeout_s: float = 60.0) -> list[int]:
        """Begin to read after all: the positions of all events up to this one."""
        self._connection.settimeout(timeout_s)
        self._connection.sendall(
            _frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30))
            + _frame(_WINDOW_UPDATE, 0, 1, struct.pack(">I", 1 << 30))
        )
        file = self._connection.makefile("rb", buffering=1 << 20)
        positions: list[int] = []
        data = bytearray()
        while not positions or positions[-1] < last:
            head = file.read(9)
            assert len(head) == 9, "the connection ended"
            payload = file.read(int.from_bytes(head[:3], "big"))
            kind, flags = head[3], head[4]
            assert kind != _RST_STREAM, "the call was ended"
            if kind == _DATA:
                data += payload
                positions += self._take_messages(data)
            elif kind in (_SETTINGS, _PING) and not flags & _ACK:
                self._connection.sendall(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
            elif kind == _HEADERS:
                assert not flags & _END_STREAM, payload
        return positions

    def _take_messages(self, data: bytearray) -> Sequence[int]:
        positions: list[int] = []
        while len(data) >= 5 and len(data) >= 5 + (size := int.from_bytes(data[1:5], "big")):
            positions += self.positions_of(bytes(data[5 : 5 + size]))
            del data[: 5 + size]
        return positions


class StalledCall(_Stalled):
    """``Subscribe``."""

    def __init__(
        self, address: str, stack: ExitStack, query: EventQuery, after: int = 0, window_bytes: int = 0
    ) -> None:
        message = SubscribeRequest(query=query_message(query), after=str(after)).SerializeToString()
        super().__init__(address, stack, b"/indelible.v1.EventStore/Subscribe", message, window_bytes)

    def positions_of(self, message: bytes) -> Sequence[int]:
        return [event.position for event in SubscribeResponse.FromString(message).events]


class StalledRead(_Stalled):
    """``Read`` of clients of KurrentDB."""

    def __init__(self, address: str, stack: ExitStack, request: streams_pb2.ReadReq, window_bytes: int = 0) -> None:
        path = b"/event_store.client.streams.Streams/Read"
        super().__init__(address, stack, path, request.SerializeToString(), window_bytes)

    def positions_of(self, message: bytes) -> Sequence[int]:
        told = streams_pb2.ReadResp.FromString(message)
        return [told.event.commit_position] if told.HasField("event") else []
