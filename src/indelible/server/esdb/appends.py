"""Append: events to one stream, which come one by one and are stored together."""

from collections.abc import AsyncIterator
from typing import Final

from indelible.conditions import ExpectedVersion
from indelible.errors import InvalidRequest
from indelible.events import NewEvent
from indelible.server.call import Call
from indelible.server.esdb.gathering import Gathering, in_time
from indelible.server.esdb.stream_appends import StreamAppend, WrongVersion, append_to_stream, check_state
from indelible.server.esdb.stream_metadata import state_of
from indelible.server.grpc.calls import decode_message
from indelible.wire.esdb.messages import expected_version, fill_nothing, proposed_event, stream_name
from indelible.wire.esdb.pb import streams_pb2 as pb

_REVISION_FIELDS: Final = {"any": "expected_any", "exists": "expected_stream_exists", "none": "expected_no_stream"}
_OLD_REVISION_FIELDS: Final = {"any": "any_20_6_0", "exists": "stream_exists_20_6_0"}


async def append(call: Call, requests: AsyncIterator[bytes]) -> bytes:
    answer = pb.AppendResp()
    with Gathering(call.bodies) as gathering:
        asked = await in_time(_received(requests, gathering))
        try:
            await _append(call, asked, answer.success)
        except WrongVersion as wrong:
            _fill_wrong(answer.wrong_expected_version, asked.expected, wrong.actual_version)
    return answer.SerializeToString()


async def _append(call: Call, asked: StreamAppend, success: pb.AppendResp.Success) -> None:
    if not asked.events:
        # Clients may append nothing, and hear whether the stream is as they expect.
        state = await state_of(call.store, asked.stream)
        check_state(asked.stream, asked.expected, state)
        fill_nothing(success, state.version)
        return
    call.take_events(len(asked.events))
    result = await append_to_stream(call.store, asked)
    success.current_revision = result.version - 1
    success.position.commit_position = success.position.prepare_position = result.position


async def _received(requests: AsyncIterator[bytes], gathering: Gathering) -> StreamAppend:
    """Raises ``InvalidRequest``, and ``PayloadTooLarge`` as soon as more has come than an append may hold."""
    first = decode_message(pb.AppendReq, await anext(requests, b""))
    if first.WhichOneof("content") != "options":
        raise InvalidRequest("must be in the first message", pointer="/options")
    options = first.options
    stream, expected = stream_name(options.stream_identifier), expected_version(options)
    events: list[NewEvent] = []
    async for encoded in requests:
        gathering.add(len(encoded))
        message = decode_message(pb.AppendReq, encoded)
        if message.WhichOneof("content") != "proposed_message":
            raise InvalidRequest("must be in every message but the first", pointer="/proposed_message")
        try:
            events.append(proposed_event(message.proposed_message))
        except InvalidRequest as error:
            raise error.under(f"/events/{len(events)}") from None
    return StreamAppend(stream, tuple(events), expected)


def _fill_wrong(message: pb.AppendResp.WrongExpectedVersion, expected: ExpectedVersion, actual_version: int) -> None:
    if actual_version:
        message.current_revision = message.current_revision_20_6_0 = actual_version - 1
    else:
        message.current_no_stream.SetInParent()
        message.no_stream_20_6_0.SetInParent()
    if isinstance(expected, int):
        message.expected_revision = message.expected_revision_20_6_0 = expected - 1
        return
    getattr(message, _REVISION_FIELDS[expected]).SetInParent()
    if expected in _OLD_REVISION_FIELDS:
        getattr(message, _OLD_REVISION_FIELDS[expected]).SetInParent()
