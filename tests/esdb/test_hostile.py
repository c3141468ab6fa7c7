"""Callers who say anything at all: each hears what is wrong with it, and the server and others go on."""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from random import Random
from uuid import uuid4

import grpc
import pytest

from esdb.callers import (
    APPEND,
    DELETE,
    METHODS,
    a_proposed_event,
    append_request,
    calling,
    end_of,
    request_class,
    status_of,
)
from esdb.random_messages import fill, mutated
from indelible.core.open import open_local_store
from indelible.limits import ESDB_APPENDS_OPEN_MAX, GRPC_IDLE_FRAMES_MAX, REQUEST_SIZE_BYTES_MAX
from indelible.server.grpc import frames as h2
from indelible.wire.esdb.pb import records_pb2, shared_pb2
from indelible.wire.esdb.pb import streams_pb2 as pb
from over_grpc.test_http2 import PATIENCE_S
from over_grpc.test_http2 import calling as calling_by_hand
from serving import serving_in_a_thread

BATCH_APPEND = "event_store.client.streams.Streams/BatchAppend"
APPEND_SESSION = "kurrentdb.protocol.v2.streams.StreamsService/AppendSession"
SERVER_S_FAULTS = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS)
MESSAGES = int(os.environ.get("INDELIBLE_ESDB_MESSAGES", "40"))
"""Calls of each method, half of them with messages that are none. Another number makes other messages."""
UNDER_WAY_MAX = 20
LEFT_AFTER_S = 0.3
"""A stream that goes on is left then."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a server of its own: what these callers store is in nobody's way."""
    with serving_in_a_thread(open_local_store("memory:"), "esdb") as url:
        yield url


async def serves(url: str) -> bool:
    return (await status_of(url, append_request(f"order-{uuid4()}")))[0] is grpc.StatusCode.OK


# --- Anything at all -------------------------------------------------------------------------------------------------


def _calls(path: str, random: Random) -> Iterator[list[bytes]]:
    kind = request_class(path)
    for number in range(MESSAGES):
        count = random.choice((1, 2, 3)) if METHODS[path].client_streaming else 1
        messages = [kind() for _ in range(count)]
        for one in messages:
            fill(one, random)
        encoded = [one.SerializeToString() for one in messages]
        yield [mutated(one, random) if random.random() < 0.7 else one for one in encoded] if number % 2 else encoded


@pytest.mark.parametrize("path", METHODS)
async def test_no_message_is_the_servers_fault(url: str, path: str):
    room = asyncio.Semaphore(UNDER_WAY_MAX)

    async def call(messages: list[bytes]) -> tuple[str, list[bytes]] | None:
        async with room:
            code, details = await end_of(url, path, messages, within_s=LEFT_AFTER_S)
        return (f"{code}: {details}", messages) if code in SERVER_S_FAULTS else None

    found = await asyncio.gather(*(call(messages) for messages in _calls(path, Random(f"{path} {MESSAGES}"))))
    assert [one for one in found if one is not None] == []
    assert await serves(url)


# --- Too much --------------------------------------------------------------------------------------------------------


def _batch(name: str | None = None, *, is_final: bool = True, events: int = 1) -> bytes:
    request = pb.BatchAppendReq(correlation_id=shared_pb2.UUID(string=name or str(uuid4())), is_final=is_final)
    request.options.stream_identifier.stream_name = b"order-1"
    request.options.any.SetInParent()
    request.proposed_messages.extend(a_proposed_event() for _ in range(events))
    return request.SerializeToString()


async def test_appends_that_are_never_whole_are_bounded(url: str):
    few, _ = await status_of(url, [_batch(is_final=False) for _ in range(ESDB_APPENDS_OPEN_MAX)], path=BATCH_APPEND)
    many, _ = await status_of(url, [_batch(is_final=False) for _ in range(10_000)], path=BATCH_APPEND)
    assert (few, many) == (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
    assert await serves(url)


async def test_one_append_that_grows_and_grows_is_refused(url: str):
    """In an answer of its own; the call goes on."""
    name = "6f1e3e1c-0d4c-4b5c-8f43-0d4bd0e8e4f1"
    parts = [_batch(name, is_final=False, events=1_000) for _ in range(20)]
    async with calling(url) as channel:
        call = channel.stream_stream(f"/{BATCH_APPEND}", response_deserializer=pb.BatchAppendResp.FromString)
        answers = [one async for one in call(iter([*parts, _batch(name), _batch()]))]
    assert [one.WhichOneof("result") for one in answers] == ["error", "success"]
    assert answers[0].error.details.type_url.endswith("MaximumAppendSizeExceeded")


def _with_metadata(entries: int) -> bytes:
    event = a_proposed_event()
    for number in range(entries):
        event.metadata[f"key {number}"] = "x" * 20
    return pb.AppendReq(proposed_message=event).SerializeToString()


async def test_what_is_said_beside_an_event_is_not_kept_however_much_it_is(url: str):
    options = append_request("order-1", 0)
    code, _ = await status_of(url, [*options, _with_metadata(20_000)])
    assert code is grpc.StatusCode.OK
    code, trailers = await status_of(url, [*options, b"\x12" + b"\xff" * REQUEST_SIZE_BYTES_MAX])
    assert (code, trailers["exception"]) == (grpc.StatusCode.INVALID_ARGUMENT, "maximum-append-size-exceeded")


@pytest.mark.parametrize("name", [b"\xff-1", b"", b"a\0b", b"x" * 256, b"\xed\xa0\x80-1", "ä".encode("latin-1")])
async def test_names_that_are_none(url: str, name: bytes):
    code, _ = await status_of(url, append_request(name))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    request = pb.DeleteReq()
    request.options.stream_identifier.stream_name = name
    request.options.any.SetInParent()
    code, _ = await status_of(url, [request.SerializeToString()], path=DELETE)
    assert code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("revision", [2**53 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1])
async def test_revisions_at_the_edges(url: str, revision: int):
    options = pb.AppendReq.Options(revision=revision)
    options.stream_identifier.stream_name = b"order-edges"
    append = [pb.AppendReq(options=options), pb.AppendReq(proposed_message=a_proposed_event())]
    async with calling(url) as channel:
        call = channel.stream_unary(f"/{APPEND}", response_deserializer=pb.AppendResp.FromString)
        answer = await call(iter([one.SerializeToString() for one in append]))
    assert answer.WhichOneof("result") == "wrong_expected_version"
    code, trailers = await status_of(url, [pb.DeleteReq(options=options).SerializeToString()], path=DELETE)
    assert (code, trailers["exception"]) == (grpc.StatusCode.FAILED_PRECONDITION, "wrong-expected-version")


async def test_appends_of_nothing(url: str):
    """Whatever they expect."""
    nothing = pb.AppendReq.Options(stream_exists=shared_pb2.Empty())
    nothing.stream_identifier.stream_name = b"order-none"
    session = records_pb2.AppendRequest(stream="order-none", expected_revision=-4)
    of_none = [pb.AppendReq(options=nothing).SerializeToString()], [session.SerializeToString()]
    for path, messages in zip((APPEND, APPEND_SESSION), of_none, strict=True):
        code, _ = await status_of(url, messages, path=path)
        assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)


# --- Never an end ----------------------------------------------------------------------------------------------------


async def test_calls_that_say_nothing_hold_up_nobody(url: str):
    """On many connections, each with many calls: halves of messages, and none at all."""
    async with _many_connections(url, 20) as channels:
        open_calls = [one.stream_stream(f"/{path}")() for one in channels for path in METHODS]
        for call in open_calls[::2]:
            with contextlib.suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
                await call.write(b"\x0a\x05half")
        assert await serves(url)
        for call in open_calls:
            call.cancel()
    assert await serves(url)


class _many_connections:  # noqa: N801 - a context
    def __init__(self, url: str, count: int) -> None:
        self._contexts = [calling(url) for _ in range(count)]

    async def __aenter__(self) -> Sequence[grpc.aio.Channel]:
        return [await one.__aenter__() for one in self._contexts]

    async def __aexit__(self, *_: object) -> None:
        for one in self._contexts:
            await one.__aexit__(None, None, None)


async def test_pings_without_calls_end_a_connection(url: str):
    async with calling_by_hand(f"grpc://{url.partition('://')[2].partition('?')[0]}") as caller:
        await caller.send(h2.frame(h2.PING, 0, 0, b"12345678") * (GRPC_IDLE_FRAMES_MAX + 10))
        assert await caller.goes_away() == h2.ENHANCE_YOUR_CALM
    assert await serves(url)


async def test_others_are_served_beside_the_largest_messages(url: str):
    """How long one of them waits is told by a machine with nothing else to do; here they are not to stand still."""
    events = [pb.AppendReq(proposed_message=a_proposed_event(data=b"[" + b"1," * 200_000 + b"1]")) for _ in range(4)]
    large = [*append_request("order-large", 0), *(one.SerializeToString() for one in events)]
    attacks = [asyncio.create_task(status_of(url, large)) for _ in range(4)]
    waited_s = []
    while not all(one.done() for one in attacks):
        begun = time.monotonic()
        assert await serves(url)
        waited_s.append(time.monotonic() - begun)
    assert {(await one)[0] for one in attacks} <= {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
    assert max(waited_s) < PATIENCE_S


@pytest.mark.parametrize("part", [b"\x1a\x00", b"\x1a\x02\x12\x00", b"\x1a\x04\x1a\x02\x0a\x00"])
async def test_what_would_take_much_more_when_it_is_decoded_is_refused(url: str, part: bytes):
    """A part of two bytes that says nothing takes up to a hundred."""
    message = part * (15 * 2**20 // len(part))
    code, trailers = await status_of(url, [message], path=BATCH_APPEND)
    assert (code, trailers["exception"]) == (grpc.StatusCode.INVALID_ARGUMENT, "maximum-append-size-exceeded")
    assert await serves(url)
