"""Requests over gRPC, both ways: messages to domain values, and domain values to messages.

Names, sizes and counts are checked where the domain values are made. Errors carry the JSON pointer of the bad field
within the message, with the names that REST has.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.cursors import Cursor
from indelible.errors import IndelibleError, InvalidRequest, PayloadTooLarge
from indelible.events import (
    JSON_CONTENT_TYPE,
    AggregateKey,
    NewEvent,
    check_event_id,
    is_json,
    timestamp_from_us,
    timestamp_to_us,
)
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.limits import REQUEST_EVENTS_MAX
from indelible.queries import Direction, EventQuery, QueryItem
from indelible.wire.pb import event_store_pb2 as store_pb
from indelible.wire.pb import events_pb2 as pb

_STATES: Final[dict[int, ExpectedVersion]] = {
    store_pb.EXPECTED_STATE_UNSPECIFIED: "any",
    store_pb.EXPECTED_STATE_ANY: "any",
    store_pb.EXPECTED_STATE_EXISTS: "exists",
    store_pb.EXPECTED_STATE_NONE: "none",
}
_STATE_OF: Final = {"exists": store_pb.EXPECTED_STATE_EXISTS, "none": store_pb.EXPECTED_STATE_NONE}
_DIRECTIONS: Final[dict[int, Direction]] = {
    pb.DIRECTION_UNSPECIFIED: "forward",
    pb.DIRECTION_FORWARD: "forward",
    pb.DIRECTION_BACKWARD: "backward",
}
_USUAL_CONTENT_TYPES: Final = ("", JSON_CONTENT_TYPE)
_read_over: Final = msgspec.json.Decoder(msgspec.Raw).decode

# --- Decoding --------------------------------------------------------------------------------------------------------


def decode_append(message: store_pb.AggregateAppend, pointer: str = "") -> AggregateAppend:
    """``pointer`` leads to the append within the whole message."""
    key = AggregateKey(message.aggregate_type, message.aggregate_id)
    return AggregateAppend(key, _new_events(message.events, pointer), _expected_version(message, pointer))


def decode_atomic_append(message: store_pb.AppendAtomicRequest) -> AppendRequest:
    appends = tuple(decode_append(append, f"/appends/{i}") for i, append in enumerate(message.appends))
    condition = None
    if message.HasField("condition"):
        after = Cursor.parse(message.condition.after, "/condition/after")
        condition = AppendCondition(decode_items(message.condition.fail_if), after)
    return AppendRequest(appends, condition)


def decode_batch(message: store_pb.AppendBatchRequest) -> Iterator[AggregateAppend | IndelibleError]:
    """Each append of the batch, or what is wrong with it, its pointer counted from the append; made as they are taken.

    Raises at once for a batch that is wrong as a whole.
    """
    if not message.appends:
        raise InvalidRequest("must hold at least one append", pointer="/appends")
    event_count = sum(len(append.events) for append in message.appends)
    if event_count > REQUEST_EVENTS_MAX:
        raise PayloadTooLarge(
            f"holds {event_count} events, more than {REQUEST_EVENTS_MAX}",
            pointer="/appends", events_max=REQUEST_EVENTS_MAX,
        )  # fmt: skip
    return map(_batch_append, message.appends)


def decode_query(message: pb.EventQuery) -> EventQuery:
    since = decode_time(message.since, "/since") if message.HasField("since") else None
    until = decode_time(message.until, "/until") if message.HasField("until") else None
    return EventQuery(decode_items(message.items), since, until)


def decode_direction(value: int) -> Direction:
    direction = _DIRECTIONS.get(value)
    if direction is None:
        raise InvalidRequest('must be "forward" or "backward"', pointer="/direction")
    return direction


def _batch_append(message: store_pb.AggregateAppend) -> AggregateAppend | IndelibleError:
    try:
        return decode_append(message)
    except InvalidRequest as error:
        return error


def _expected_version(message: store_pb.AggregateAppend, pointer: str) -> ExpectedVersion:
    if message.HasField("expected_version"):
        return message.expected_version
    expected = _STATES.get(message.expected_state)
    if expected is None:
        raise InvalidRequest("is not a known state", pointer=f"{pointer}/expected_state")
    return expected


def _new_events(messages: Sequence[pb.NewEvent], pointer: str) -> tuple[NewEvent, ...]:
    if len(messages) > REQUEST_EVENTS_MAX:
        raise PayloadTooLarge(
            f"holds {len(messages)} events, more than {REQUEST_EVENTS_MAX}",
            pointer=f"{pointer}/events", events_max=REQUEST_EVENTS_MAX,
        )  # fmt: skip
    events: list[NewEvent] = []
    try:
        for message in messages:
            events.append(_new_event(message))  # noqa: PERF401 - the error handler needs to know how far it came
    except InvalidRequest as error:
        raise error.under(f"{pointer}/events/{len(events)}") from None
    return tuple(events)


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
    return tuple(QueryItem(tuple(one.event_types), tuple(one.aggregate_types), tuple(one.tags)) for one in messages)


def decode_time(message: Timestamp, pointer: str) -> datetime:
    """The first microsecond that is not before the message's time: events have whole microseconds."""
    try:
        return timestamp_from_us(message.seconds * 1_000_000 - (-message.nanos // 1_000))
    except OverflowError:
        raise InvalidRequest("is out of range", pointer=pointer) from None


# --- Encoding --------------------------------------------------------------------------------------------------------


def append_message(append: AggregateAppend) -> store_pb.AggregateAppend:
    """The append must be checked."""
    message = store_pb.AggregateAppend(
        aggregate_type=append.key.aggregate_type,
        aggregate_id=append.key.aggregate_id,
        events=[_event_message(event) for event in append.events],
    )
    expected = append.expected_version
    if isinstance(expected, int):
        message.expected_version = expected
    elif expected != "any":
        message.expected_state = _STATE_OF[expected]
    return message


def atomic_append_message(
    appends: Sequence[AggregateAppend], condition: AppendCondition | None = None
) -> store_pb.AppendAtomicRequest:
    message = store_pb.AppendAtomicRequest(appends=[append_message(append) for append in appends])
    if condition is not None:
        message.condition.after = condition.after
        message.condition.fail_if.extend(item_messages(condition.fail_if))
    return message


def encode_batch_append(append: AggregateAppend) -> bytes:
    """One append of a batch, for :func:`join_members`: so that its size is known before the batch is put together."""
    return append_message(append).SerializeToString()


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


def query_message(query: EventQuery) -> pb.EventQuery:
    message = pb.EventQuery(items=item_messages(query.items))
    if query.since is not None:
        set_time(message.since, query.since)
    if query.until is not None:
        set_time(message.until, query.until)
    return message


def direction_value(direction: Direction) -> pb.Direction:
    return pb.DIRECTION_FORWARD if direction == "forward" else pb.DIRECTION_BACKWARD


def set_time(message: Timestamp, value: datetime) -> None:
    """``value`` must carry a time zone."""
    message.seconds, microseconds = divmod(timestamp_to_us(value), 1_000_000)
    message.nanos = microseconds * 1_000


def _event_message(event: NewEvent) -> pb.NewEvent:
    return pb.NewEvent(
        event_id=str(event.event_id),
        event_type=event.event_type,
        event_data=event.event_data_raw,
        metadata="" if event.metadata_raw == b"{}" else event.metadata_raw.decode(),
        tags=event.tags,
        content_type="" if event.content_type == JSON_CONTENT_TYPE else event.content_type,
    )


def item_messages(items: Iterable[QueryItem]) -> list[pb.QueryItem]:
    return [
        pb.QueryItem(event_types=item.event_types, aggregate_types=item.aggregate_types, tags=item.tags)
        for item in items
    ]
