"""BatchAppend: a stream of appends, each in one message or several, told apart by their correlation ids.

An append is begun with its last message, so those of one stream share commits; each is answered when it and all that
were begun before it are stored. Nothing of an append whose last message never comes is stored. When the client leaves,
what was begun is still done.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable

from indelible.errors import IndelibleError
from indelible.limits import APPENDS_AT_ONCE_MAX
from indelible.server.call import Call
from indelible.server.esdb.open_appends import ComingAppend, OpenAppends
from indelible.server.esdb.stream_appends import StreamAppend, WrongVersion, append_to_stream, check_state
from indelible.server.esdb.stream_metadata import state_of
from indelible.server.grpc.calls import decode_message
from indelible.server.grpc.under_way import UnderWay, answers_in_order
from indelible.server.services import decoded_by_turns
from indelible.wire.esdb.batches import fill_error, fill_success, fill_timeout, fill_wrong_version, repeat_request
from indelible.wire.esdb.messages import expected_version, fill_nothing, proposed_events, stream_name
from indelible.wire.esdb.pb import streams_pb2 as pb


def batch_append(call: Call, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    under_way = UnderWay[pb.BatchAppendResp]()
    return answers_in_order(
        _begin_all(call, requests, under_way), under_way, pb.BatchAppendResp.SerializeToString, call.stopping
    )


async def _begin_all(call: Call, requests: AsyncIterator[bytes], under_way: UnderWay[pb.BatchAppendResp]) -> None:
    still_open = OpenAppends(call.bodies)
    try:
        while (coming := await _next(requests, still_open)) is not None:
            for one in coming:
                await under_way.wait_for_room()
                # Nothing is read meanwhile; the caller sends no more than there is room for.
                await call.wait_for_events(len(one.request.proposed_messages))
                under_way.add(_begin(call, one))
    finally:
        still_open.let_go()


async def _next(requests: AsyncIterator[bytes], still_open: OpenAppends) -> Iterable[ComingAppend] | None:
    """What became whole with the next message, or is too late; None after the last message."""
    loop = asyncio.get_running_loop()
    end = still_open.first_end
    try:
        if end is None:
            encoded = await anext(requests, None)
        else:
            async with asyncio.timeout_at(end):
                encoded = await anext(requests, None)
    except TimeoutError:
        return still_open.late(loop.time())
    if encoded is None:
        return None
    coming = still_open.add(decode_message(pb.BatchAppendReq, encoded), len(encoded), loop.time())
    return () if coming is None else (coming,)


def _begin(call: Call, coming: ComingAppend) -> "asyncio.Task[pb.BatchAppendResp]":
    task = asyncio.create_task(_answer(call, coming), name="esdb-append")
    # Also if it is cancelled before it has begun.
    task.add_done_callback(lambda _: coming.let_go())
    return task


async def _answer(call: Call, coming: ComingAppend) -> pb.BatchAppendResp:
    """What is wrong with one append is its own answer; the others go on."""
    answer = pb.BatchAppendResp()
    repeat_request(answer, coming.request)
    try:
        if coming.error is not None:
            raise coming.error
        await _append_by(coming.deadline, call, coming.request, answer.success)
    except WrongVersion as wrong:
        fill_wrong_version(answer, wrong.stream, wrong.expected, wrong.actual_version)
    except TimeoutError as error:
        fill_timeout(answer, str(error) or "the append's deadline has passed; append it again with the same ids")
    except IndelibleError as error:
        fill_error(answer, error)
    return answer


async def _append_by(
    deadline: float | None, call: Call, request: pb.BatchAppendReq, success: pb.BatchAppendResp.Success
) -> None:
    """Raises ``TimeoutError`` when the deadline passes: then it may be stored, unless it had passed before."""
    if deadline is None:
        await _append(call, request, success)
        return
    if deadline <= asyncio.get_running_loop().time():
        raise TimeoutError("the append's deadline had passed before it was begun; nothing was stored")
    async with asyncio.timeout_at(deadline):
        await _append(call, request, success)


async def _append(call: Call, request: pb.BatchAppendReq, success: pb.BatchAppendResp.Success) -> None:
    stream = stream_name(request.options.stream_identifier)
    expected = expected_version(request.options, "expected_stream_position", "stream_position")
    if not request.proposed_messages:
        state = await state_of(call.store, stream)
        check_state(stream, expected, state)
        fill_nothing(success, state.version)
        return
    decoded = proposed_events(request.proposed_messages)
    events = list(decoded) if len(request.proposed_messages) < APPENDS_AT_ONCE_MAX else await decoded_by_turns(decoded)
    fill_success(success, await append_to_stream(call.store, StreamAppend(stream, tuple(events), expected)))
