"""Events over gRPC, both ways: appends, outcomes, pages and deliveries. These are the hot paths; for the rest see
:mod:`indelible.wire.operation_proto`, which the tests compare them with.

Names, sizes and counts are checked where the domain values are made. Errors carry the JSON pointer of the bad field
within the message, with the names that REST has. Pages come from the engines as JSON lines: their events are encoded
first, and the other fields are put behind them, because an encoded message may be put together from parts.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from indelible.conditions import ExpectedVersion
from indelible.cursors import Cursor
from indelible.errors import IndelibleError, InternalError, InvalidRequest, error_from_code
from indelible.events import (
    JSON_CONTENT_TYPE,
    AggregateKey,
    NewEvent,
    RecordedEvent,
    check_event_id,
    decode_event,
    format_timestamp,
    hashed_line,
    id_text,
    is_json,
    recorded_line,
    timestamp_from_us,
    timestamp_to_us,
    unhashed_line,
)
from indelible.eventstore import (
    AggregateAppend,
    AggregatePage,
    AppendedEvent,
    AppendOutcome,
    AppendRequest,
    AppendResult,
    AtomicAppendResult,
    FeedPage,
)
from indelible.groups import Delivery, Settled
from indelible.limits import CONDITION_ITEMS_MAX
from indelible.queries import EventQuery, QueryItem
from indelible.wire.appends import check_counts, make_batch, make_events, make_request
from indelible.wire.errors import cut, fields_of
from indelible.wire.json_events import decode_stored
from indelible.wire.pb import errors_pb2 as errors_pb
from indelible.wire.pb import event_store_pb2 as store_pb
from indelible.wire.pb import events_pb2 as pb
from indelible.wire.pb import groups_pb2 as groups_pb

_STATES: Final[dict[int, ExpectedVersion]] = {
    store_pb.EXPECTED_STATE_UNSPECIFIED: "any",
    store_pb.EXPECTED_STATE_ANY: "any",
    store_pb.EXPECTED_STATE_EXISTS: "exists",
    store_pb.EXPECTED_STATE_NONE: "none",
}
_STATE_OF: Final = {"exists": store_pb.EXPECTED_STATE_EXISTS, "none": store_pb.EXPECTED_STATE_NONE}
_USUAL_CONTENT_TYPES: Final = ("", JSON_CONTENT_TYPE)
_read_over: Final = msgspec.json.Decoder(msgspec.Raw).decode

# --- Appends as they come --------------------------------------------------------------------------------------------


def decode_append(message: store_pb.AggregateAppend, pointer: str = "") -> AggregateAppend:
    """``pointer`` leads to the append within the whole message."""
    check_counts((message.events,), f"{pointer}/events")
    key = AggregateKey(message.aggregate_type, message.aggregate_id)
    events = make_events(message.events, _new_event, f"{pointer}/events")
    return AggregateAppend(key, events, _expected_version(message, pointer))


def decode_atomic_append(message: store_pb.AppendAtomicRequest) -> AppendRequest:
    condition = message.condition
    fail_if = decode_items(condition.fail_if) if message.HasField("condition") else None
    return make_request(message.appends, decode_append, fail_if, condition.after)


def decode_batch(message: store_pb.AppendBatchRequest) -> Iterator[AggregateAppend | IndelibleError]:
    """See :func:`indelible.wire.appends.make_batch`."""
    return make_batch(message.appends, decode_append)


def _expected_version(message: store_pb.AggregateAppend, pointer: str) -> ExpectedVersion:
    if message.HasField("expected_version"):
        return message.expected_version
    expected = _STATES.get(message.expected_state)
    if expected is None:
        raise InvalidRequest("is not a known state", pointer=f"{pointer}/expected_state")
    return expected


def _new_event(message: pb.NewEvent) -> NewEvent:
    content_type, event_data, event_id = message.content_type, message.event_data, message.event_id
    metadata = message.metadata.encode()
    # The usual case has a path of its own: it is half of what an append costs here.
    if (
        content_type in _USUAL_CONTENT_TYPES
        and _is_strict_json(event_data)
        and (not metadata or _is_strict_json(metadata))
    ):
        return NewEvent.from_strict_json(
            message.event_type,
            event_data,
            event_id=check_event_id(event_id) if event_id else None,
            metadata=metadata or None,
            tags=message.tags,
        )
    content_type = content_type or JSON_CONTENT_TYPE
    return NewEvent(
        message.event_type,
        msgspec.Raw(event_data) if is_json(content_type) else event_data,
        event_id=event_id or None,
        metadata=msgspec.Raw(metadata) if metadata else None,
        tags=message.tags,
        content_type=content_type,
    )


def _is_strict_json(text: bytes) -> bool:
    try:
        if not text.isascii():
            text.decode()
        _read_over(text)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return False
    return True


def decode_items(messages: Iterable[pb.QueryItem]) -> tuple[QueryItem, ...]:
    """One more than there may be, at the most: who checks them refuses those then."""
    return tuple(
        QueryItem(tuple(one.event_types), tuple(one.aggregate_types), tuple(one.tags))
        for one in islice(messages, CONDITION_ITEMS_MAX + 1)
    )


def decode_time(message: Timestamp, pointer: str) -> datetime:
    """The first microsecond that is not before the message's time: events have whole microseconds."""
    try:
        return timestamp_from_us(message.seconds * 1_000_000 - (-message.nanos // 1_000))
    except OverflowError:
        raise InvalidRequest("is out of range", pointer=pointer) from None


# --- Appends and queries as they are sent ----------------------------------------------------------------------------


# Filled field by field: to make messages of keywords, or of plain values, takes twice as long.


def _fill_append(message: store_pb.AggregateAppend, append: AggregateAppend) -> None:
    """The append must be checked."""
    message.aggregate_type = append.key.aggregate_type
    message.aggregate_id = append.key.aggregate_id
    for event in append.events:
        _fill_new_event(message.events.add(), event)
    expected = append.expected_version
    if isinstance(expected, int):
        message.expected_version = expected
    elif expected != "any":
        message.expected_state = _STATE_OF[expected]


def _fill_new_event(message: pb.NewEvent, event: NewEvent) -> None:
    message.event_id = id_text(event.event_id)
    message.event_type = event.event_type
    message.event_data = event.event_data_raw
    if event.metadata_raw != b"{}":
        message.metadata = event.metadata_raw.decode()
    if event.tags:
        message.tags.extend(event.tags)
    if event.content_type != JSON_CONTENT_TYPE:
        message.content_type = event.content_type


def atomic_append_message(request: AppendRequest) -> store_pb.AppendAtomicRequest:
    message = store_pb.AppendAtomicRequest()
    for append in request.appends:
        _fill_append(message.appends.add(), append)
    if request.condition is not None:
        message.condition.MergeFrom(store_pb.AppendCondition(**msgspec.to_builtins(request.condition, enc_hook=str)))
    return message


def encode_batch_append(append: AggregateAppend) -> bytes:
    """One append of a batch, for :func:`join_members`: so that its size is known before the batch is put together."""
    message = store_pb.AggregateAppend()
    _fill_append(message, append)
    return message.SerializeToString()


_FIRST_FIELD_TAG: Final = b"\x0a"
"""Field 1, of a length that follows."""


def join_members(members: Iterable[bytes]) -> bytes:
    """Encoded messages as the repeated field 1 of another, such as AppendBatchRequest.appends: one after another, with
    tag and length each."""
    return b"".join(_FIRST_FIELD_TAG + _varint(len(member)) + member for member in members)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def query_values(message: pb.EventQuery) -> dict[str, Any]:
    """A query as fields of :class:`indelible.operations.events.OfFeed`."""
    return {
        "items": decode_items(message.items) or None,
        "since": decode_time(message.since, "/since") if message.HasField("since") else None,
        "until": decode_time(message.until, "/until") if message.HasField("until") else None,
    }


def query_message(query: EventQuery) -> pb.EventQuery:
    return pb.EventQuery(items=msgspec.to_builtins(query.items), since=query.since, until=query.until)


def set_time(message: Timestamp, value: datetime) -> None:
    """``value`` must carry a time zone."""
    message.seconds, microseconds = divmod(timestamp_to_us(value), 1_000_000)
    message.nanos = microseconds * 1_000


# --- Events, pages and outcomes ---------------------------------------------------------------------------------------


class _Line(msgspec.Struct):
    """A line of a page, with the types that a message takes: ids stay text."""

    event_id: str
    event_type: str
    aggregate_type: str
    aggregate_id: str
    version: int
    position: int
    timestamp: datetime
    metadata: msgspec.Raw
    tags: list[str]
    content_type: str
    hash: str
    event_data: msgspec.Raw = msgspec.Raw(b"")
    event_data_base64: str | msgspec.UnsetType = msgspec.UNSET


_decode_lines: Final = msgspec.json.Decoder(_Line).decode_lines


def encode_events(lines: bytes) -> bytes:
    """The events of a page as field 1 of a message, which it is in every message of pages."""
    return _page_of(lines).SerializeToString() if lines else b""


def event_messages(lines: bytes) -> Sequence[pb.Event]:
    return _page_of(lines).events if lines else ()


def _page_of(lines: bytes) -> store_pb.SubscribeResponse:
    page = store_pb.SubscribeResponse()
    for line in decode_stored(_decode_lines, lines):
        _fill_event(page.events.add(), line)
    return page


def encode_lines(lines: Sequence[bytes], cursors: Sequence[Cursor] | None) -> bytes:
    """The same, of some of a subscription's lines, with the cursors behind them where there are some."""
    rest = b"" if cursors is None else store_pb.SubscribeResponse(cursors=cursors).SerializeToString()
    return encode_events(b"\n".join(lines)) + rest


def _fill_event(event: pb.Event, line: _Line) -> None:
    event.event_id = line.event_id
    event.event_type = line.event_type
    event.aggregate_type = line.aggregate_type
    event.aggregate_id = line.aggregate_id
    event.version = line.version
    event.position = line.position
    set_time(event.timestamp, line.timestamp)
    base64_text = line.event_data_base64
    event.event_data = bytes(line.event_data) if base64_text is msgspec.UNSET else base64.b64decode(base64_text)
    event.metadata = str(line.metadata, "utf-8")
    if line.tags:
        event.tags.extend(line.tags)
    event.content_type = line.content_type
    event.hash = line.hash


def _fill_result(message: store_pb.AppendResult, result: AppendResult) -> None:
    message.aggregate_type = result.aggregate_type
    message.aggregate_id = result.aggregate_id
    message.version = result.version
    message.position = result.position
    for event in result.events:
        appended = message.events.add()
        appended.event_id = id_text(event.event_id)
        appended.version = event.version
        appended.position = event.position
    if result.replayed:
        message.replayed = True


def encode_append_result(result: AppendResult) -> bytes:
    message = store_pb.AppendResult()
    _fill_result(message, result)
    return message.SerializeToString()


def encode_atomic_append_result(result: AtomicAppendResult) -> bytes:
    message = store_pb.AppendAtomicResponse(position=result.position, replayed=result.replayed)
    for one in result.results:
        _fill_result(message.results.add(), one)
    return message.SerializeToString()


def encode_batch_outcomes(outcomes: Iterable[AppendOutcome]) -> bytes:
    message = store_pb.AppendBatchResponse()
    for outcome in outcomes:
        if isinstance(outcome, IndelibleError):
            message.outcomes.add().error.MergeFrom(error_message(outcome))
        else:
            _fill_result(message.outcomes.add().result, outcome)
    return message.SerializeToString()


def encode_aggregate_page(page: AggregatePage) -> bytes:
    rest = store_pb.ReadAggregateResponse(version=page.version, next_version=page.next_version)
    return encode_events(page.lines) + rest.SerializeToString()


def encode_feed_page(page: FeedPage) -> bytes:
    rest = store_pb.ReadFeedResponse(cursor=page.cursor, at_end=page.at_end)
    return encode_events(page.lines) + rest.SerializeToString()


def decode_subscription(message: store_pb.SubscribeResponse) -> FeedPage:
    cursors = tuple(map(Cursor, message.cursors)) or None
    lines = b"\n".join(map(event_line, message.events))
    return FeedPage(lines, len(message.events), Cursor(message.cursor), message.caught_up, cursors)


def encode_subscription(events: bytes, cursor: Cursor, *, at_end: bool) -> bytes:
    """Of a subscription: encoded events, or none, and how far it has come."""
    return events + store_pb.SubscribeResponse(cursor=cursor, caught_up=at_end).SerializeToString()


def encode_event(event: RecordedEvent) -> bytes:
    return encode_events(recorded_line(event))


def error_message(error: IndelibleError) -> errors_pb.Error:
    fields = msgspec.json.encode(fields_of(error), enc_hook=str).decode()
    return errors_pb.Error(code=error.code, message=cut(error.message), fields=fields)


# --- The same at the client -------------------------------------------------------------------------------------------


class _Text(NamedTuple):
    """What :func:`indelible.events.unhashed_line` needs to know of an event."""

    event_id: str
    event_type: str
    event_data_raw: bytes
    metadata_raw: bytes
    tags: tuple[str, ...]
    content_type: str


def event_line(event: pb.Event) -> bytes:
    """The event's JSON line, byte for byte as the store has it."""
    text = _Text(
        event.event_id, event.event_type, event.event_data, event.metadata.encode(), tuple(event.tags),
        event.content_type,
    )  # fmt: skip
    key = AggregateKey(event.aggregate_type, event.aggregate_id)
    unhashed = unhashed_line(text, key, event.version, event.position, format_timestamp(_us(event.timestamp)))
    return hashed_line(unhashed, bytes.fromhex(event.hash))


def _us(timestamp: Timestamp) -> int:
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1_000


def decode_append_result(message: store_pb.AppendResult) -> AppendResult:
    events = [
        AppendedEvent(msgspec.convert(event.event_id, UUID), event.version, event.position) for event in message.events
    ]
    return AppendResult(
        message.aggregate_type, message.aggregate_id, message.version, message.position, tuple(events), message.replayed
    )


def decode_batch_outcomes(message: store_pb.AppendBatchResponse) -> list[AppendOutcome]:
    return [_outcome(outcome) for outcome in message.outcomes]


def _outcome(message: store_pb.AppendOutcome) -> AppendOutcome:
    if message.HasField("result"):
        return decode_append_result(message.result)
    return decode_error(message.error)


def decode_error(message: errors_pb.Error) -> IndelibleError:
    try:
        fields = msgspec.json.decode(message.fields or "{}", type=dict[str, object])
    except msgspec.DecodeError as error:
        return InternalError(f"the server's error cannot be read: {error}")
    return error_from_code(message.code, message.message, fields)


def decode_recorded_event(message: store_pb.GetEventResponse) -> RecordedEvent:
    return decode_event(event_line(message.event))


# --- Deliveries -------------------------------------------------------------------------------------------------------


def encode_deliveries(deliveries: Iterable[Delivery]) -> bytes:
    """As PullResponse and ConsumeResponse have them."""
    return join_members(map(_encode_delivery, deliveries))


def encode_consumed(deliveries: Iterable[Delivery], settled: Iterable[Settled]) -> bytes:
    rest = groups_pb.ConsumeResponse(settled=msgspec.to_builtins(list(settled)))
    return encode_deliveries(deliveries) + rest.SerializeToString()


def _encode_delivery(delivery: Delivery) -> bytes:
    rest = groups_pb.Delivery(delivery_id=delivery.delivery_id, attempt=delivery.attempt, deadline=delivery.deadline)
    return encode_events(bytes(delivery.line)) + rest.SerializeToString()
