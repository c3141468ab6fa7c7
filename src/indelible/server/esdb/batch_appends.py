"""BatchAppend: a stream of appends, each in one message or several, told apart by their correlation ids.

An append is begun with its last message, so those of one stream share commits; each is answered when it and all that
were begun before it are stored. Nothing of an append whose last message never comes is stored.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from indelible.errors import IndelibleError, InvalidRequest, Overloaded, PayloadTooLarge
from indelible.limits import ESDB_APPENDS_OPEN_MAX, REQUEST_EVENTS_MAX, REQUEST_SIZE_BYTES_MAX, RETRY_AFTER_S
from indelible.server.call import Call
from indelible.server.esdb.appends import WrongVersion, append_to_stream
from indelible.server.grpc.calls import decode_message
from indelible.server.grpc.under_way import UnderWay, answers_in_order
from indelible.wire.esdb.batches import fill_error, fill_success, fill_wrong_version, repeat_request
from indelible.wire.esdb.messages import expected_version, proposed_events, stream_name
from indelible.wire.esdb.pb import streams_pb2 as pb


class _Open:
    """Appends that have begun to come and are not whole."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._requests: dict[bytes, pb.BatchAppendReq] = {}
        self._size_bytes = 0

    def add(self, request: pb.BatchAppendReq, size_bytes: int) -> pb.BatchAppendReq | None:
        """The whole append, if this is the last of it. Raises ``Overloaded`` when too much is open."""
        name = request.correlation_id.SerializeToString(deterministic=True)
        first = self._requests.get(name)
        if request.is_final and first is None:
            return request
        self._size_bytes += size_bytes
        if len(self._requests) >= ESDB_APPENDS_OPEN_MAX or self._size_bytes > 2 * REQUEST_SIZE_BYTES_MAX:
            raise Overloaded("too many appends have begun to come that are not whole", retry_after_s=RETRY_AFTER_S)
        if first is None:
            self._requests[name] = request
            return None
        first.proposed_messages.extend(request.proposed_messages)
        _check_size(first)
        if not request.is_final:
            return None
        del self._requests[name]
        self._size_bytes -= first.ByteSize()
        return first


def _check_size(request: pb.BatchAppendReq) -> None:
    if len(request.proposed_messages) > REQUEST_EVENTS_MAX:
        raise PayloadTooLarge(
            f"more than {REQUEST_EVENTS_MAX} events", pointer="/proposed_messages", events_max=REQUEST_EVENTS_MAX
        )


def batch_append(call: Call, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    under_way = UnderWay[pb.BatchAppendResp]()
    return answers_in_order(
        _begin_all(call, requests, under_way), under_way, pb.BatchAppendResp.SerializeToString, call.stopping
    )


async def _begin_all(call: Call, requests: AsyncIterator[bytes], under_way: UnderWay[pb.BatchAppendResp]) -> None:
    still_open = _Open(call)
    async for encoded in requests:
        request = still_open.add(decode_message(pb.BatchAppendReq, encoded), len(encoded))
        if request is None:
            continue
        await under_way.wait_for_room()
        # Nothing is read meanwhile; the caller sends no more than there is room for.
        await call.wait_for_events(len(request.proposed_messages))
        under_way.add(_begin(call, request, len(encoded)))


def _begin(call: Call, request: pb.BatchAppendReq, size_bytes: int) -> "asyncio.Task[pb.BatchAppendResp]":
    call.bodies.take(size_bytes)
    task = asyncio.create_task(_append(call, request), name="esdb-append")
    # Also if it is cancelled before it has begun.
    task.add_done_callback(lambda _: call.bodies.give_back(size_bytes))
    return task


async def _append(call: Call, request: pb.BatchAppendReq) -> pb.BatchAppendResp:
    """What is wrong with one append is its own answer; the others go on."""
    answer = pb.BatchAppendResp()
    repeat_request(answer, request)
    try:
        stream = stream_name(request.options.stream_identifier)
        expected = expected_version(request.options, "expected_stream_position", "stream_position")
        if not request.proposed_messages:
            raise InvalidRequest("must hold at least one event", pointer="/proposed_messages")
        events = proposed_events(request.proposed_messages)
        fill_success(answer, await append_to_stream(call.store, stream, events, expected))
    except WrongVersion as wrong:
        fill_wrong_version(answer, stream, expected, wrong.actual_version)
    except IndelibleError as error:
        fill_error(answer, error)
    return answer
