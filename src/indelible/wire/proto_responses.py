"""Answers over gRPC, both ways: the store's values to encoded messages, and messages to the same values at the client.

Pages come from the engines as JSON lines. Their events are encoded first, and the other fields are put behind them: an
encoded message may be put together from parts.
"""

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from indelible.cursors import Cursor
from indelible.errors import IndelibleError, InternalError, error_from_code
from indelible.events import (
    AggregateKey,
    RecordedEvent,
    Snapshot,
    decode_event,
    format_timestamp,
    hashed_line,
    recorded_line,
    timestamp_from_us,
    unhashed_line,
)
from indelible.eventstore import (
    AggregatePage,
    AppendedEvent,
    AppendOutcome,
    AppendResult,
    AtomicAppendResult,
    FeedPage,
    Replay,
)
from indelible.wire.pb import errors_pb2 as errors_pb
from indelible.wire.pb import event_store_pb2 as store_pb
from indelible.wire.pb import events_pb2 as pb
from indelible.wire.proto_requests import set_time
from indelible.wire.stored_lines import decode_stored

# --- Encoding --------------------------------------------------------------------------------------------------------


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
    if not lines:
        return b""
    page = store_pb.SubscribeResponse()
    for line in decode_stored(_decode_lines, lines):
        _fill_event(page.events.add(), line)
    return page.SerializeToString()


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


# Results and their messages have the same fields, and a message can be filled from plain values with all that is below
# it: two calls for a whole answer, where a call for each of its events took three times as long.


def encode_append_result(result: AppendResult) -> bytes:
    return store_pb.AppendResult(**msgspec.to_builtins(result)).SerializeToString()


def encode_atomic_append_result(result: AtomicAppendResult) -> bytes:
    return store_pb.AppendAtomicResponse(**msgspec.to_builtins(result)).SerializeToString()


def encode_batch_outcomes(outcomes: Iterable[AppendOutcome]) -> bytes:
    filled = [
        {"error": _error_values(outcome)} if isinstance(outcome, IndelibleError) else {"result": outcome}
        for outcome in outcomes
    ]
    return store_pb.AppendBatchResponse(outcomes=msgspec.to_builtins(filled)).SerializeToString()


def encode_aggregate_page(page: AggregatePage) -> bytes:
    rest = store_pb.ReadAggregateResponse(version=page.version, next_version=page.next_version)
    return encode_events(page.lines) + rest.SerializeToString()


def encode_feed_page(page: FeedPage) -> bytes:
    rest = store_pb.ReadFeedResponse(cursor=page.cursor, at_end=page.at_end)
    return encode_events(page.lines) + rest.SerializeToString()


def encode_told(events: bytes, cursor: Cursor, *, at_end: bool) -> bytes:
    """Of a subscription: encoded events, or none, and how far it has come."""
    return events + store_pb.SubscribeResponse(cursor=cursor, caught_up=at_end).SerializeToString()


def encode_replay(replay: Replay) -> bytes:
    page = replay.page
    message = store_pb.ReplayResponse(version=page.version, next_version=page.next_version)
    if replay.snapshot is not None:
        _fill_snapshot(message.snapshot, replay.snapshot)
    for line in decode_stored(_decode_lines, page.lines) if page.lines else ():
        _fill_event(message.events.add(), line)
    return message.SerializeToString()


def encode_event(event: RecordedEvent) -> bytes:
    return encode_events(recorded_line(event))


def error_message(error: IndelibleError) -> errors_pb.Error:
    return errors_pb.Error(**_error_values(error))


def _error_values(error: IndelibleError) -> dict[str, str]:
    fields = msgspec.json.encode(error.fields, enc_hook=str).decode()
    return {"code": error.code, "message": error.message, "fields": fields}


def _fill_snapshot(message: pb.Snapshot, snapshot: Snapshot) -> None:
    message.aggregate_type = snapshot.aggregate_type
    message.aggregate_id = snapshot.aggregate_id
    message.version = snapshot.version
    set_time(message.timestamp, snapshot.timestamp)
    message.state = str(snapshot.state_raw, "utf-8")
    message.metadata = str(snapshot.metadata_raw, "utf-8")


# --- Decoding --------------------------------------------------------------------------------------------------------


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


def _lines(events: Iterable[pb.Event]) -> bytes:
    return b"\n".join(map(event_line, events))


def _us(timestamp: Timestamp) -> int:
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1_000


def time_of(timestamp: Timestamp) -> datetime:
    return timestamp_from_us(_us(timestamp))


def decode_append_result(message: store_pb.AppendResult) -> AppendResult:
    events = tuple(AppendedEvent(UUID(event.event_id), event.version, event.position) for event in message.events)
    return AppendResult(
        message.aggregate_type, message.aggregate_id, message.version, message.position, events, message.replayed
    )


def decode_atomic_append_result(message: store_pb.AppendAtomicResponse) -> AtomicAppendResult:
    return AtomicAppendResult(message.position, tuple(map(decode_append_result, message.results)), message.replayed)


def decode_batch_outcomes(message: store_pb.AppendBatchResponse) -> list[AppendOutcome]:
    return [_outcome(outcome) for outcome in message.outcomes]


def _outcome(message: store_pb.AppendOutcome) -> AppendOutcome:
    if message.WhichOneof("outcome") == "result":
        return decode_append_result(message.result)
    return decode_error(message.error)


def decode_error(message: errors_pb.Error) -> IndelibleError:
    try:
        fields = msgspec.json.decode(message.fields or "{}", type=dict[str, object])
    except msgspec.DecodeError as error:
        return InternalError(f"the server's error cannot be read: {error}")
    return error_from_code(message.code, message.message, fields)


def decode_aggregate_page(message: store_pb.ReadAggregateResponse) -> AggregatePage:
    following = message.next_version if message.HasField("next_version") else None
    return AggregatePage(_lines(message.events), len(message.events), message.version, following)


def decode_feed_page(message: store_pb.ReadFeedResponse) -> FeedPage:
    return FeedPage(_lines(message.events), len(message.events), Cursor(message.cursor), message.at_end)


def decode_told_page(message: store_pb.SubscribeResponse) -> FeedPage:
    cursors = tuple(map(Cursor, message.cursors)) or None
    return FeedPage(_lines(message.events), len(message.events), Cursor(message.cursor), message.caught_up, cursors)


def decode_replay(message: store_pb.ReplayResponse) -> Replay:
    following = message.next_version if message.HasField("next_version") else None
    page = AggregatePage(_lines(message.events), len(message.events), message.version, following)
    return Replay(_snapshot(message.snapshot) if message.HasField("snapshot") else None, page)


def decode_recorded_event(message: store_pb.GetEventResponse) -> RecordedEvent:
    return decode_event(event_line(message.event))


def _snapshot(message: pb.Snapshot) -> Snapshot:
    return Snapshot(
        aggregate_type=message.aggregate_type,
        aggregate_id=message.aggregate_id,
        version=message.version,
        timestamp=time_of(message.timestamp),
        state_raw=msgspec.Raw(message.state.encode()),
        metadata_raw=msgspec.Raw(message.metadata.encode()),
    )
