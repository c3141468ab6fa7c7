"""Callers that speak HTTP/2 by hand: what is bounded, what ends a connection, and that nobody waits for another."""

import asyncio
import gzip
import struct
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from hpack import Decoder

from indelible.limits import (
    ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX,
    GRPC_CONTINUATIONS_MAX,
    GRPC_IDLE_FRAMES_MAX,
    GRPC_RESETS_MAX,
    GRPC_SETTINGS_MAX,
    GRPC_UNREAD_SIZE_BYTES_MAX,
    GRPC_WAITING_SIZE_BYTES_MAX,
    HEADER_SIZE_BYTES_MAX,
    PAGE_EVENTS_MAX,
)
from indelible.server.grpc import frames as h2
from indelible.wire.pb import event_store_pb2 as pb
from over_grpc.calls import Api, an_append, connected, new_event

PATIENCE_S = 30.0
EVENT_STORE = b"/indelible.v1.EventStore/"


def head(method: bytes, **fields: str) -> bytes:
    common = [
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", EVENT_STORE + method), (b":authority", b"x"),
        (b"te", b"trailers"), (b"content-type", b"application/grpc"),
    ]  # fmt: skip
    return h2.field_block(
        [*common, *((name.replace("_", "-").encode(), text.encode()) for name, text in fields.items())]
    )


def message(content: bytes, *, compressed: bool = False) -> bytes:
    return struct.pack(">BI", compressed, len(content)) + content


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._fields = Decoder()

    async def send(self, *frames: bytes) -> None:
        for one in frames:
            self._writer.write(one)
            await self._writer.drain()

    async def frame(self) -> tuple[int, int, int, bytes]:
        async with asyncio.timeout(PATIENCE_S):
            start = await self._reader.readexactly(h2.HEAD_SIZE_BYTES)
            payload = await self._reader.readexactly(int.from_bytes(start[:3], "big"))
        return start[3], start[4], int.from_bytes(start[5:], "big"), payload

    async def next(self, *kinds: int) -> tuple[int, int, int, bytes]:
        while True:
            found = await self.frame()
            if found[0] in kinds:
                return found

    async def fields(self) -> dict[str, str]:
        _, _, _, payload = await self.next(h2.HEADERS)
        return {str(name): str(value) for name, value in self._fields.decode(payload)}

    async def goes_away(self) -> int:
        """The code with which the server ends the connection; nothing comes after it."""
        _, _, _, payload = await self.next(h2.GOAWAY)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await self.next(-1)
        return int.from_bytes(payload[4:8], "big")


@asynccontextmanager
async def calling(url: str, settings: tuple[tuple[int, int], ...] = ()) -> AsyncIterator[Caller]:
    host, _, port = url.removeprefix("grpc://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    caller = Caller(reader, writer)
    try:
        await caller.send(h2.PREFACE + h2.settings_frame(settings))
        yield caller
    finally:
        writer.close()


@pytest.fixture
async def caller(url: str) -> AsyncIterator[Caller]:
    async with calling(url) as caller:
        yield caller


async def _soon(awaited: Awaitable[Any]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        return await awaited


async def test_streams_that_nobody_reads_keep_no_other_call_of_their_connection_waiting(
    url: str, aggregate_id: str
) -> None:
    events = [new_event(b'"' + b"x" * 1_000 + b'"')] * PAGE_EVENTS_MAX
    async with connected(url) as channel:
        api = Api(channel)
        for _ in range(8):
            await api.Append(an_append(aggregate_id, *events))
        request = pb.ReadAggregateRequest(aggregate_type="thing", aggregate_id=aggregate_id)
        unread = [api.ReadAggregate(request) for _ in range(12)]
        for stream in unread:
            await _soon(stream.read())
        assert (await _soon(api.Append(an_append(aggregate_id)))).version == 8 * PAGE_EVENTS_MAX + 1


async def test_pages_that_nobody_takes_are_bounded(url: str, aggregate_id: str) -> None:
    large = new_event(b'"' + b"x" * 1_000_000 + b'"')
    async with connected(url) as channel:
        api = Api(channel)
        await api.Append(an_append(aggregate_id, large))
        request = pb.ReadAggregateRequest(aggregate_type="thing", aggregate_id=aggregate_id)
        unread = [api.ReadAggregate(request) for _ in range(GRPC_WAITING_SIZE_BYTES_MAX // 2_000_000 + 20)]
        codes = [asyncio.create_task(stream.code()) for stream in unread]
        async with asyncio.timeout(PATIENCE_S):
            while not any(task.done() and task.result() is grpc.StatusCode.UNAVAILABLE for task in codes):
                await asyncio.wait([task for task in codes if not task.done()], return_when=asyncio.FIRST_COMPLETED)
        for stream in unread:
            stream.cancel()
        await asyncio.wait(codes)
        assert (await _soon(api.GetHead(pb.GetHeadRequest()))).position > 0


async def test_many_calls_may_be_given_up(url: str) -> None:
    async with connected(url) as channel:
        api = Api(channel)
        stays = api.Subscribe(pb.SubscribeRequest())
        await stays.read()
        for _ in range(500):
            stream = api.Subscribe(pb.SubscribeRequest())
            await stream.read()
            stream.cancel()
        assert not stays.done()
        assert (await api.GetHead(pb.GetHeadRequest())).position >= 0


async def test_an_answer_comes_in_as_small_pieces_as_its_caller_has_room_for(url: str) -> None:
    async with calling(url, ((h2.SETTING_INITIAL_WINDOW, 3),)) as caller:
        await caller.send(
            h2.headers_frames(1, head(b"GetHead"), ends=False), h2.frame(h2.DATA, h2.END_STREAM, 1, message(b""))
        )
        assert (await caller.fields())[":status"] == "200"
        await caller.send(h2.frame(h2.PRIORITY, 0, 1, bytes(5)))
        data = b""
        while True:
            kind, flags, _, payload = await caller.next(h2.DATA, h2.HEADERS)
            if kind == h2.HEADERS:
                break
            assert len(payload) <= 3
            data += payload
            await caller.send(h2.number_frame(h2.WINDOW_UPDATE, 1, len(payload)))
        assert flags & h2.END_STREAM
        assert int.from_bytes(data[1:5], "big") == len(data) - 5


async def test_padding_priority_continuation_and_unknown_frames(caller: Caller) -> None:
    block = head(b"GetHead")
    first = bytes((4,)) + bytes(5) + block[:20] + bytes(4)
    await caller.send(
        h2.frame(0xEE, 0, 0, b"unknown"),
        h2.frame(h2.HEADERS, h2.PADDED | h2.WITH_PRIORITY, 1, first),
        h2.frame(h2.CONTINUATION, 0, 1, block[20:30]),
        h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1, block[30:]),
        h2.frame(h2.DATA, h2.PADDED, 1, bytes((3,)) + message(b"") + bytes(3)),
        h2.headers_frames(1, h2.field_block([(b"x-trailer", b"1")]), ends=True),
    )
    assert (await caller.fields())[":status"] == "200"
    assert (await caller.fields())["grpc-status"] == "0"


async def test_compressed_messages_are_read(caller: Caller) -> None:
    content = an_append("zipped").SerializeToString()
    await caller.send(
        h2.headers_frames(1, head(b"Append", grpc_encoding="gzip"), ends=False),
        h2.frame(h2.DATA, h2.END_STREAM, 1, message(gzip.compress(content), compressed=True)),
    )
    assert "gzip" in (await caller.fields())["grpc-accept-encoding"]
    assert (await caller.fields())["grpc-status"] == "0"


@pytest.mark.parametrize(
    ("fields", "data", "status"),
    [
        ({"grpc_encoding": "br"}, message(b"", compressed=True), grpc.StatusCode.UNIMPLEMENTED),
        ({}, message(gzip.compress(b"", mtime=0), compressed=True), grpc.StatusCode.INTERNAL),
        ({"grpc_encoding": "gzip"}, message(b"no gzip", compressed=True), grpc.StatusCode.INTERNAL),
        (
            {"grpc_encoding": "gzip"},
            message(gzip.compress(b"", mtime=0)[:-8], compressed=True),
            grpc.StatusCode.INTERNAL,
        ),
        ({"grpc_timeout": "soon" * 1_000}, message(b""), grpc.StatusCode.INTERNAL),
        ({}, message(b"")[:3], grpc.StatusCode.INTERNAL),
        ({}, b"", grpc.StatusCode.INTERNAL),
        ({}, message(b"") * 2, grpc.StatusCode.INTERNAL),
        ({}, b"\0\xff\xff\xff\xff", grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
async def test_what_is_no_call_ends_it_and_no_other(
    caller: Caller, fields: dict[str, str], data: bytes, status: grpc.StatusCode
) -> None:
    await caller.send(
        h2.headers_frames(1, head(b"GetHead", **fields), ends=False), h2.frame(h2.DATA, h2.END_STREAM, 1, data)
    )
    trailers = await caller.fields()
    assert trailers["grpc-status"] == str(status.value[0])
    assert len(trailers["grpc-message"]) <= ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX
    await caller.send(h2.headers_frames(3, head(b"Nothing"), ends=True))
    assert (await caller.fields())["grpc-status"] == str(grpc.StatusCode.UNIMPLEMENTED.value[0])


async def test_a_media_type_that_is_not_grpc(caller: Caller) -> None:
    block = h2.field_block([(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/")])
    await caller.send(h2.headers_frames(1, block, ends=True))
    assert (await caller.fields())[":status"] == "415"


@pytest.mark.parametrize(
    "fields",
    [{"X_upper": "1"}, {"connection": "close"}, {"te": "gzip"}, {":path": "/again"}, {":other": "1"}],
    ids=str,
)
async def test_a_head_that_http_does_not_allow(caller: Caller, fields: dict[str, str]) -> None:
    await caller.send(h2.headers_frames(1, head(b"GetHead", **fields), ends=True))
    _, _, stream_id, payload = await caller.next(h2.RST_STREAM)
    assert (stream_id, int.from_bytes(payload, "big")) == (1, h2.PROTOCOL_ERROR)


def _pings(count: int) -> bytes:
    return h2.frame(h2.PING, 0, 0, bytes(8)) * count


RESETS = b"".join(
    h2.headers_frames(number, b"\x83", ends=False) + h2.number_frame(h2.RST_STREAM, number, h2.CANCEL)
    for number in range(1, 2 * GRPC_RESETS_MAX + 4, 2)
)

SETTINGS = b"".join(
    h2.settings_frame(()) + h2.headers_frames(number, head(b"Nothing"), ends=True)
    for number in range(1, 2 * GRPC_SETTINGS_MAX + 4, 2)
)
LARGE_FIELD = b"\x40" + h2.field_block([(b"x-large", b"y" * 3_000)])[1:]
"""Is put into the table, where a byte brings it back."""


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (_pings(GRPC_IDLE_FRAMES_MAX + 1), h2.ENHANCE_YOUR_CALM),
        (SETTINGS, h2.ENHANCE_YOUR_CALM),
        (h2.frame(h2.PRIORITY, 0, 1, bytes(5)) * (GRPC_IDLE_FRAMES_MAX + 1), h2.ENHANCE_YOUR_CALM),
        (h2.frame(0xEE, 0, 0) * (GRPC_IDLE_FRAMES_MAX + 1), h2.ENHANCE_YOUR_CALM),
        (
            h2.headers_frames(1, head(b"AppendBatches"), ends=False)
            + h2.frame(h2.DATA, h2.PADDED, 1, b"\0") * (GRPC_IDLE_FRAMES_MAX + 1),
            h2.ENHANCE_YOUR_CALM,
        ),
        (RESETS, h2.ENHANCE_YOUR_CALM),
        (
            h2.frame(h2.HEADERS, 0, 1, head(b"GetHead")) + h2.frame(h2.CONTINUATION, 0, 1) * GRPC_CONTINUATIONS_MAX,
            h2.ENHANCE_YOUR_CALM,
        ),
        (
            h2.headers_frames(1, head(b"GetHead", x="y" * 2 * HEADER_SIZE_BYTES_MAX), ends=True),
            h2.ENHANCE_YOUR_CALM,
        ),
        (h2.frame(h2.HEADERS, h2.END_HEADERS, 1, b"\x41\xff\xff"), h2.COMPRESSION_ERROR),
        (h2.frame(h2.HEADERS, h2.END_HEADERS, 1, LARGE_FIELD + b"\xbe" * 10_000), h2.COMPRESSION_ERROR),
        (h2.frame(h2.HEADERS, h2.END_HEADERS, 1, b"\xff" * 10_000), h2.COMPRESSION_ERROR),
        (h2.frame(h2.HEADERS, 0, 1, b"") + _pings(1), h2.PROTOCOL_ERROR),
        (h2.frame_head(1 << 20, h2.DATA, 0, 1), h2.FRAME_SIZE_ERROR),
        (h2.frame(h2.DATA, 0, 1, b"x"), h2.PROTOCOL_ERROR),
        (
            h2.headers_frames(1, head(b"AppendBatches"), ends=False)
            + h2.headers_frames(1, head(b"AppendBatches"), ends=True),
            h2.PROTOCOL_ERROR,
        ),
        (
            h2.headers_frames(1, head(b"AppendBatches"), ends=False)
            + h2.headers_frames(1, h2.field_block([(b":path", b"/")]), ends=True),
            h2.PROTOCOL_ERROR,
        ),
        (h2.headers_frames(2, head(b"GetHead"), ends=True), h2.PROTOCOL_ERROR),
        (h2.number_frame(h2.WINDOW_UPDATE, 0, h2.WINDOW_MAX), h2.FLOW_CONTROL_ERROR),
        (
            h2.headers_frames(1, head(b"AppendBatches"), ends=False)
            + h2.number_frame(h2.WINDOW_UPDATE, 1, h2.WINDOW_MAX),
            h2.FLOW_CONTROL_ERROR,
        ),
        (
            h2.headers_frames(1, head(b"GetHead"), ends=False)
            + h2.frame(h2.DATA, 0, 1, message(bytes(h2.FRAME_SIZE_BYTES_MAX - 5)))
            * (GRPC_UNREAD_SIZE_BYTES_MAX // h2.FRAME_SIZE_BYTES_MAX + 1),
            h2.FLOW_CONTROL_ERROR,
        ),
        (h2.settings_frame([(h2.SETTING_INITIAL_WINDOW, h2.WINDOW_MAX + 1)]), h2.FLOW_CONTROL_ERROR),
    ],
    ids=[
        "pings", "settings", "priorities", "unknown frames", "padding", "resets", "continuations", "head", "hpack",
        "large fields again and again", "a number without end", "interrupted head", "frame size", "no stream",
        "second head", "trailers with a path", "even stream", "window", "stream's window", "more than the window",
        "initial window",
    ],
)  # fmt: skip
async def test_what_ends_a_connection(caller: Caller, sent: bytes, code: int) -> None:
    await caller.send(sent)
    assert await caller.goes_away() == code


async def test_a_request_of_http_1_gets_an_answer_that_its_sender_can_read(url: str) -> None:
    host, _, port = url.removeprefix("grpc://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = await _soon(reader.read())
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"gRPC" in answer
