"""Append: events to one stream, which come one by one and are stored together."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from indelible.conditions import ExpectedVersion
from indelible.errors import EventIdConflict, InvalidRequest, NotFound, PayloadTooLarge, VersionConflict
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AppendResult, EventStore
from indelible.limits import REQUEST_EVENTS_MAX, REQUEST_SIZE_BYTES_MAX
from indelible.server.call import Call
from indelible.server.esdb.stream_metadata import is_deleted, version_of
from indelible.server.grpc.calls import decode_message
from indelible.wire.esdb.messages import expected_version, proposed_event, stream_name
from indelible.wire.esdb.pb import streams_pb2 as pb
from indelible.wire.esdb.stream_names import aggregate_of

_REVISION_FIELDS: Final = {"any": "expected_any", "exists": "expected_stream_exists", "none": "expected_no_stream"}
_OLD_REVISION_FIELDS: Final = {"any": "any_20_6_0", "exists": "stream_exists_20_6_0"}


class WrongVersion(Exception):
    """The stream is not as expected. Clients are told so in an answer of its own, and not by an error."""

    def __init__(self, actual_version: int) -> None:
        super().__init__(actual_version)
        self.actual_version: Final = actual_version


async def append(call: Call, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    options, events = await _received(requests)
    stream, expected = stream_name(options.stream_identifier), expected_version(options)
    call.take_events(len(events))
    answer = pb.AppendResp()
    try:
        result = await append_to_stream(call.store, stream, events, expected)
    except WrongVersion as wrong:
        _fill_wrong(answer.wrong_expected_version, expected, wrong.actual_version)
    else:
        answer.success.current_revision = result.version - 1
        answer.success.position.commit_position = answer.success.position.prepare_position = result.position
    yield answer.SerializeToString()


async def _received(requests: AsyncIterator[bytes]) -> tuple[pb.AppendReq.Options, tuple[NewEvent, ...]]:
    """Raises ``InvalidRequest``, and ``PayloadTooLarge`` as soon as more has come than an append may hold."""
    first = decode_message(pb.AppendReq, await anext(requests, b""))
    if first.WhichOneof("content") != "options":
        raise InvalidRequest("must be in the first message", pointer="/options")
    events: list[NewEvent] = []
    size_bytes = 0
    async for encoded in requests:
        message = decode_message(pb.AppendReq, encoded)
        if message.WhichOneof("content") != "proposed_message":
            raise InvalidRequest("must be in every message but the first", pointer="/proposed_message")
        try:
            events.append(event := proposed_event(message.proposed_message))
        except InvalidRequest as error:
            raise error.under(f"/events/{len(events)}") from None
        size_bytes += event.size_bytes
        _check_size(len(events), size_bytes)
    return first.options, tuple(events)


def _check_size(count: int, size_bytes: int) -> None:
    if count > REQUEST_EVENTS_MAX:
        raise PayloadTooLarge(
            f"more than {REQUEST_EVENTS_MAX} events", pointer="/events", events_max=REQUEST_EVENTS_MAX
        )
    if size_bytes > REQUEST_SIZE_BYTES_MAX:
        raise PayloadTooLarge(
            f"more than {REQUEST_SIZE_BYTES_MAX} bytes", pointer="/events", size_bytes_max=REQUEST_SIZE_BYTES_MAX
        )


async def append_to_stream(
    store: EventStore, stream: str, events: tuple[NewEvent, ...], expected: ExpectedVersion
) -> AppendResult:
    """Raises ``WrongVersion`` where the stream is not as expected, or where some of the ids are taken already."""
    key = aggregate_of(stream)
    try:
        if expected == "exists" and await is_deleted(store, stream):
            raise WrongVersion(0)
        return await store.append(key.aggregate_type, key.aggregate_id, events, expected_version=expected)
    except VersionConflict as conflict:
        if expected == "none" and await is_deleted(store, stream):
            return await _append_anew(store, key, events, conflict.actual_version)
        raise WrongVersion(conflict.actual_version) from None
    except EventIdConflict as conflict:
        await _check_same_stream(store, key, conflict)
        raise WrongVersion(await version_of(store, key)) from None


async def _check_same_stream(store: EventStore, key: AggregateKey, conflict: EventIdConflict) -> None:
    """That the stream is not as expected is no answer where the id is another stream's: to try again is of no use."""
    try:
        taken = await store.get_event(conflict.fields["event_id"])
    except NotFound:
        return  # twice in what was to be appended
    if taken.key != key:
        raise conflict


async def _append_anew(
    store: EventStore, key: AggregateKey, events: tuple[NewEvent, ...], version: int
) -> AppendResult:
    """To a stream that was deleted: its revisions go on."""
    try:
        return await store.append(key.aggregate_type, key.aggregate_id, events, expected_version=version)
    except VersionConflict as conflict:
        raise WrongVersion(conflict.actual_version) from None


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
