"""Messages that several calls of this wire have: events, ids, and what is expected of a stream."""

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from google.protobuf.message import Message

from indelible.access import is_own
from indelible.conditions import ExpectedVersion
from indelible.errors import InvalidRequest
from indelible.events import NewEvent, RecordedEvent, check_event_id, timestamp_to_us
from indelible.limits import VERSION_MAX
from indelible.wire.esdb.payloads import Payload, new_event, payload_of
from indelible.wire.esdb.pb import shared_pb2 as pb
from indelible.wire.esdb.pb import streams_pb2 as pb_streams
from indelible.wire.esdb.stream_names import stream_of

_HALF: Final = (1 << 64) - 1
_TICKS_PER_US: Final = 10
TYPE_KEY: Final = "type"
CONTENT_TYPE_KEY: Final = "content-type"
CREATED_KEY: Final = "created"
NO_STREAM: Final = pb.Empty()
METADATA_TYPE: Final = "$metadata"
"""Of the events of streams of metadata."""


class MissingProperty(InvalidRequest):
    """A proposed event without its type or content type."""


# --- Ids -------------------------------------------------------------------------------------------------------------


def id_of(message: pb.UUID, pointer: str = "/id") -> UUID:
    form = message.WhichOneof("value")
    if form == "string":
        try:
            return check_event_id(message.string)
        except InvalidRequest as error:
            raise InvalidRequest(error.message, pointer=pointer) from None
    if form is None:
        raise InvalidRequest("must be a UUID", pointer=pointer)
    halves = message.structured
    return UUID(int=(halves.most_significant_bits & _HALF) << 64 | halves.least_significant_bits & _HALF)


def fill_id(message: pb.UUID, value: UUID | str, *, structured: bool) -> None:
    """``structured``: in the form of two halves, as the caller wants it."""
    if not structured:
        message.string = str(value)
        return
    number = (value if isinstance(value, UUID) else UUID(value)).int
    message.structured.most_significant_bits = _signed(number >> 64)
    message.structured.least_significant_bits = _signed(number & _HALF)


def _signed(half: int) -> int:
    return half - (1 << 64) if half >> 63 else half


# --- Events ----------------------------------------------------------------------------------------------------------


def stream_name(message: pb.StreamIdentifier) -> str:
    try:
        return message.stream_name.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"not UTF-8: invalid byte at offset {error.start}", pointer="/stream_name") from None


def proposed_event(message: pb.ProposedMessage) -> NewEvent:
    properties = message.metadata
    missing = [key for key in (TYPE_KEY, CONTENT_TYPE_KEY) if not properties.get(key)]
    if missing:
        raise MissingProperty(
            f"Required Metadata Property '{missing[0]}' is missing", pointer=f"/metadata/{missing[0]}"
        )
    payload = Payload(message.data, message.custom_metadata, properties[CONTENT_TYPE_KEY])
    return new_event(id_of(message.id), properties[TYPE_KEY], payload)


def proposed_events(messages: Iterable[pb.ProposedMessage]) -> Iterator[NewEvent]:
    for i, message in enumerate(messages):
        try:
            yield proposed_event(message)
        except InvalidRequest as error:
            raise error.under(f"/events/{i}") from None


def has_stream(event: RecordedEvent) -> bool:
    """Whether clients of this wire see it: the store's own events they do not."""
    return not is_own(event.aggregate_type)


def fill_event(message: pb.RecordedEvent, event: RecordedEvent, *, structured: bool) -> None:
    fill_id(message.id, event.event_id, structured=structured)
    payload = payload_of(event)
    message.stream_identifier.stream_name = stream_of(event.aggregate_type, event.aggregate_id).encode()
    message.stream_revision = event.version - 1
    message.prepare_position = message.commit_position = event.position
    properties = message.metadata
    properties[TYPE_KEY] = event.event_type
    properties[CONTENT_TYPE_KEY] = payload.content_type
    properties[CREATED_KEY] = str(timestamp_to_us(event.timestamp) * _TICKS_PER_US)
    message.custom_metadata = payload.metadata
    message.data = payload.data


# --- What is expected of a stream ------------------------------------------------------------------------------------


_EXPECTED: Final[dict[str | None, ExpectedVersion]] = {"no_stream": "none", "any": "any", "stream_exists": "exists"}


def expected_version(
    options: Message, field: str = "expected_stream_revision", revision: str = "revision"
) -> ExpectedVersion:
    """Of options that have the oneof ``field``, in which ``revision`` is a number."""
    which = options.WhichOneof(field)
    if which == revision:
        return min(getattr(options, revision) + 1, VERSION_MAX)
    expected = _EXPECTED.get(which)
    if expected is None:
        raise InvalidRequest(f"must be one of {revision}, no_stream, any and stream_exists", pointer=f"/{field}")
    return expected


def fill_nothing(success: pb_streams.AppendResp.Success | pb_streams.BatchAppendResp.Success, version: int) -> None:
    """Of an append without events: the stream as it is."""
    if version:
        success.current_revision = version - 1
    else:
        success.no_stream.SetInParent()
    success.no_position.SetInParent()
