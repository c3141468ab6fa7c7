"""BatchAppend: a stream of appends, each in one message or several, told apart by their correlation ids.

An append is begun with its last message, so those of one stream share commits; each is answered when it and all that
were begun before it are stored. Appends to one stream are stored in the order in which their last messages came.
Nothing of an append whose last message never comes is stored. When the client leaves, what was begun is still done.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from typing import Final

from indelible.errors import IndelibleError
from indelible.events import NewEvent
from indelible.server.call import Call
from indelible.server.esdb.open_appends import ComingAppend, OpenAppends
from indelible.server.esdb.stream_appends import StreamAppend, WrongVersion, append_to_stream, check_state
from indelible.server.esdb.stream_metadata import state_of
from indelible.server.grpc.calls import decode_message
from indelible.server.grpc.under_way import UnderWay, answers_in_order
from indelible.tasks import taken_by_turns
from indelible.wire.esdb.batches import fill_error, fill_success, fill_timeout, fill_wrong_version, repeat_request
from indelible.wire.esdb.messages import expected_version, fill_nothing, proposed_events, stream_name
from indelible.wire.esdb.pb import streams_pb2 as pb

_Task = asyncio.Task[pb.BatchAppendResp]
_TURN_EVENTS, _TURN_SIZE_BYTES = 100, 16 * 1024
"""What is less than both of these is checked in one turn, whatever schemas it has."""


def batch_append(call: Call, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    under_way = UnderWay[pb.BatchAppendResp]()
    return answers_in_order(
        _begin_all(call, requests, under_way), under_way, pb.BatchAppendResp.SerializeToString, call.stopping
    )


async def _begin_all(call: Call, requests: AsyncIterator[bytes], under_way: UnderWay[pb.BatchAppendResp]) -> None:
    still_open, order = OpenAppends(call.bodies), _Order()
    try:
        while (coming := await _next(requests, still_open)) is not None:
            for one in coming:
                under_way.add(await _begin(call, one, under_way, order))
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


async def _begin(call: Call, coming: ComingAppend, under_way: UnderWay[pb.BatchAppendResp], order: "_Order") -> _Task:
    """Once there is room for it. It is decoded here: a later append would overtake it while others have their turn."""
    try:
        await under_way.wait_for_room()
        # Nothing is read meanwhile; the caller sends no more than there is room for.
        await call.wait_for_events(len(coming.request.proposed_messages))
        append = await _decoded(coming)
    except BaseException:
        coming.let_go()
        raise
    before = order.before(append) if isinstance(append, StreamAppend) else ()
    task = asyncio.create_task(_answer(call, coming, append, before), name="esdb-append")
    if isinstance(append, StreamAppend):
        order.add(append, task)

    def done(_: _Task) -> None:
        """Also if it is cancelled before it has begun."""
        coming.let_go()
        if isinstance(append, StreamAppend):
            order.done(append, task)

    task.add_done_callback(done)
    return task


async def _decoded(coming: ComingAppend) -> StreamAppend | IndelibleError | TimeoutError:
    """Or what is wrong with it."""
    if coming.error is not None:
        return coming.error
    options, messages = coming.request.options, coming.request.proposed_messages
    try:
        stream = stream_name(options.stream_identifier)
        expected = expected_version(options, "expected_stream_position", "stream_position")
        decoded = proposed_events(messages)
        events = list(decoded) if len(messages) == 1 else await taken_by_turns(decoded)
    except IndelibleError as error:
        return error
    return StreamAppend(stream, tuple(events), expected)


class _Order:
    """Which appends of one call wait for others. Most go to the store as they come, and are stored in that order. To
    one stream, those that look at it first wait for all before them; those that may look, or that the store may check
    in several turns, are waited for. The first of the call is waited for by all that come until it is done: whatever
    the store has to find out before its first append, it knows then."""

    def __init__(self) -> None:
        self._first: _Task | None = None
        self._begun: Final[dict[str, dict[_Task, bool]]] = {}
        """Of each stream, those that are not done, and which of them are waited for."""

    def before(self, append: StreamAppend) -> Sequence[_Task]:
        """What the append waits for."""
        if self._first is None:
            return ()
        begun = self._begun.get(append.stream, {})
        waits_for_all = append.expected == "exists" or not append.events
        found = [task for task, is_waited_for in begun.items() if is_waited_for or waits_for_all]
        return found if self._first.done() else [*found, self._first]

    def add(self, append: StreamAppend, task: _Task) -> None:
        self._first = self._first or task
        # One that expects no stream looks whether it is deleted, where there is one.
        may_look = append.expected in ("exists", "none") or not append.events
        self._begun.setdefault(append.stream, {})[task] = may_look or _may_take_turns(append.events)

    def done(self, append: StreamAppend, task: _Task) -> None:
        begun = self._begun[append.stream]
        del begun[task]
        if not begun:
            del self._begun[append.stream]


def _may_take_turns(events: Sequence[NewEvent]) -> bool:
    return len(events) >= _TURN_EVENTS or sum([event.size_bytes for event in events]) >= _TURN_SIZE_BYTES


async def _answer(
    call: Call,
    coming: ComingAppend,
    append: StreamAppend | IndelibleError | TimeoutError,
    before: Sequence[_Task],
) -> pb.BatchAppendResp:
    """What is wrong with one append is its own answer; the others go on."""
    answer = pb.BatchAppendResp()
    repeat_request(answer, coming.request)
    try:
        if not isinstance(append, StreamAppend):
            raise append
        await _append_by(coming.deadline, call, append, before, answer.success)
    except WrongVersion as wrong:
        fill_wrong_version(answer, wrong.stream, wrong.expected, wrong.actual_version)
    except TimeoutError as error:
        fill_timeout(answer, str(error) or "the append's deadline has passed; append it again with the same ids")
    except IndelibleError as error:
        fill_error(answer, error)
    return answer


async def _append_by(
    deadline: float | None,
    call: Call,
    append: StreamAppend,
    before: Sequence[_Task],
    success: pb.BatchAppendResp.Success,
) -> None:
    """Raises ``TimeoutError`` when the deadline passes: then it may be stored, unless it had passed before."""
    if deadline is None:
        await _append(call, append, before, success)
        return
    if deadline <= asyncio.get_running_loop().time():
        raise TimeoutError("the append's deadline had passed before it was begun; nothing was stored")
    async with asyncio.timeout_at(deadline):
        await _append(call, append, before, success)


async def _append(
    call: Call,
    append: StreamAppend,
    before: Sequence[_Task],
    success: pb.BatchAppendResp.Success,
) -> None:
    if before:
        await asyncio.wait(before)
    if append.events:
        fill_success(success, await append_to_stream(call.store, append))
        return
    state = await state_of(call.store, append.stream)
    check_state(append.stream, append.expected, state)
    fill_nothing(success, state.version)
