"""Request bodies, both ways: JSON bytes to checked domain values, and domain values to JSON bytes.

The Structs say what a body may hold; OpenAPI is generated from them. Names, sizes and counts are checked where the
domain values are made. Errors carry the JSON pointer of the bad field within the body.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeVar
from uuid import UUID

import msgspec

from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.cursors import START, Cursor
from indelible.errors import IndelibleError, InvalidRequest, PayloadTooLarge
from indelible.events import BINARY_CONTENT_TYPE, JSON_CONTENT_TYPE, AggregateKey, NewEvent, check_content_type, is_json
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.json_text import malformed, too_deep
from indelible.limits import REQUEST_EVENTS_MAX
from indelible.queries import QueryItem
from indelible.wire.repeated_keys import refuse_repeated_keys

UNSET: Final = msgspec.UNSET
Optional = msgspec.UnsetType


class EventBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One new event. Either event_data (any JSON value), or event_data_base64 with a content_type that is not JSON."""

    event_type: str
    event_id: UUID | Optional = UNSET
    event_data: msgspec.Raw | Optional = UNSET
    event_data_base64: str | Optional = UNSET
    metadata: msgspec.Raw | Optional = UNSET
    tags: list[str] = []
    content_type: str | Optional = UNSET


ExpectedVersionBody = int | Literal["any", "exists", "none"]


class AppendBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Body of ``POST /v1/aggregates/{aggregate_type}/{aggregate_id}/events``."""

    events: list[EventBody]
    expected_version: ExpectedVersionBody | Optional = UNSET


class AggregateAppendBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Events for one aggregate, within a larger body."""

    aggregate_type: str
    aggregate_id: str
    events: list[EventBody]
    expected_version: ExpectedVersionBody = "any"


class ConditionBody(msgspec.Struct, forbid_unknown_fields=True):
    """Fail if any event after the cursor matches any of the items."""

    fail_if: tuple[QueryItem, ...]
    after: str = str(START)


class AtomicAppendBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Body of ``POST /v1/append``."""

    appends: list[AggregateAppendBody]
    condition: ConditionBody | Optional = UNSET


class BatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /v1/batch``."""

    appends: list[AggregateAppendBody]


class EventLineBody(EventBody, kw_only=True, forbid_unknown_fields=True):
    """One line of NDJSON that names its aggregate: an exported event. What the store gave it then does not count."""

    aggregate_type: str
    aggregate_id: str
    event_id: UUID
    version: msgspec.Raw | Optional = UNSET
    position: msgspec.Raw | Optional = UNSET
    timestamp: msgspec.Raw | Optional = UNSET
    hash: msgspec.Raw | Optional = UNSET


# --- Decoding --------------------------------------------------------------------------------------------------------


def decode_append(
    body: bytes, key: AggregateKey, *, expected_version: ExpectedVersion | None = None
) -> AggregateAppend:
    """The append that a body asks for. ``expected_version`` is what the caller said by header, if anything."""
    decoded = decode_body(_append_decoder, body)
    said = decoded.expected_version
    if expected_version is None:
        expected_version = "any" if said is UNSET else said
    elif said is not UNSET and said != expected_version:
        raise InvalidRequest("disagrees with the If-Match or If-None-Match header", pointer="/expected_version")
    return AggregateAppend(key, _new_events(decoded.events, ""), expected_version)


def decode_atomic_append(body: bytes) -> AppendRequest:
    decoded = decode_body(_atomic_append_decoder, body)
    appends = tuple(_aggregate_append(item, f"/appends/{i}") for i, item in enumerate(decoded.appends))
    condition = None
    if decoded.condition is not UNSET:
        after = Cursor.parse(decoded.condition.after, "/condition/after")
        condition = AppendCondition(decoded.condition.fail_if, after)
    return AppendRequest(appends, condition)


def decode_batch(body: bytes) -> Iterator[AggregateAppend | IndelibleError]:
    """Each append of the batch, or what is wrong with it, its pointer counted from the append; made as they are taken.

    Raises at once for a body that is wrong as a whole.
    """
    decoded = decode_body(_batch_decoder, body)
    if not decoded.appends:
        raise InvalidRequest("must hold at least one append", pointer="/appends")
    event_count = sum(len(item.events) for item in decoded.appends)
    if event_count > REQUEST_EVENTS_MAX:
        raise PayloadTooLarge(
            f"holds {event_count} events, more than {REQUEST_EVENTS_MAX}",
            pointer="/appends", events_max=REQUEST_EVENTS_MAX,
        )  # fmt: skip
    return map(_batch_item, decoded.appends)


def _batch_item(item: AggregateAppendBody) -> AggregateAppend | IndelibleError:
    try:
        return _aggregate_append(item, "")
    except InvalidRequest as error:
        return error


def decode_event_line(line: bytes) -> tuple[AggregateKey, NewEvent]:
    """The event of an exported line as a new one, with the id that it had, and the aggregate that it is for."""
    decoded = decode_body(_event_line_decoder, line)
    return AggregateKey.checked(decoded.aggregate_type, decoded.aggregate_id), _new_event(decoded)


def _aggregate_append(item: AggregateAppendBody, pointer: str) -> AggregateAppend:
    key = AggregateKey(item.aggregate_type, item.aggregate_id)
    return AggregateAppend(key, _new_events(item.events, pointer), item.expected_version)


def _new_events(bodies: list[EventBody], pointer: str) -> tuple[NewEvent, ...]:
    if len(bodies) > REQUEST_EVENTS_MAX:
        raise PayloadTooLarge(
            f"holds {len(bodies)} events, more than {REQUEST_EVENTS_MAX}",
            pointer=f"{pointer}/events", events_max=REQUEST_EVENTS_MAX,
        )  # fmt: skip
    events: list[NewEvent] = []
    try:
        for body in bodies:
            events.append(_new_event(body))  # noqa: PERF401 - the error handler needs to know how far it came
    except InvalidRequest as error:
        raise error.under(f"{pointer}/events/{len(events)}") from None
    return tuple(events)


def _new_event(body: EventBody) -> NewEvent:
    event_data = body.event_data
    content_type = body.content_type
    if event_data is UNSET or body.event_data_base64 is not UNSET:
        return _binary_event(body)
    if content_type is UNSET:
        content_type = JSON_CONTENT_TYPE
    elif not is_json(check_content_type(content_type)):
        raise InvalidRequest(f"needs event_data_base64, because content_type is {content_type}", pointer="/event_data")
    return NewEvent.from_strict_json(
        body.event_type,
        bytes(event_data),
        event_id=None if body.event_id is UNSET else body.event_id,
        metadata=None if body.metadata is UNSET else bytes(body.metadata),
        tags=body.tags,
        content_type=content_type,
    )


def _binary_event(body: EventBody) -> NewEvent:
    if body.event_data_base64 is UNSET:
        raise InvalidRequest("is missing; null is allowed", pointer="/event_data")
    if body.event_data is not UNSET:
        raise InvalidRequest("must not stand next to event_data", pointer="/event_data_base64")
    content_type = BINARY_CONTENT_TYPE if body.content_type is UNSET else body.content_type
    if is_json(content_type):
        raise InvalidRequest("needs a content_type that is not JSON", pointer="/event_data_base64")
    try:
        data = base64.b64decode(body.event_data_base64, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("must be base64 (RFC 4648, with padding)", pointer="/event_data_base64") from None
    return NewEvent(
        body.event_type,
        data,
        event_id=None if body.event_id is UNSET else body.event_id,
        metadata=None if body.metadata is UNSET else body.metadata,
        tags=body.tags,
        content_type=content_type,
    )


_append_decoder: Final = msgspec.json.Decoder(AppendBody)
_atomic_append_decoder: Final = msgspec.json.Decoder(AtomicAppendBody)
_batch_decoder: Final = msgspec.json.Decoder(BatchBody)
_event_line_decoder: Final = msgspec.json.Decoder(EventLineBody)
_Body = TypeVar("_Body")


def decode_body(decoder: msgspec.json.Decoder[_Body], body: bytes) -> _Body:
    """What a body holds, as JSON in UTF-8. Raises ``InvalidRequest`` that points at the bad field."""
    try:
        # msgspec.Raw takes any bytes within strings, so the whole body is checked here.
        if not body.isascii():
            body.decode("utf-8")
        decoded = decoder.decode(body)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"not UTF-8: invalid byte at offset {error.start}") from None
    except RecursionError:
        raise too_deep() from None
    except msgspec.ValidationError as error:
        raise invalid_request(str(error)) from None
    except msgspec.DecodeError as error:
        raise malformed(error, body) if body else InvalidRequest("the body is empty; it must be JSON") from None
    refuse_repeated_keys(body, decoder.type)
    return decoded


# What msgspec says, form by form; tests/unit/test_msgspec_messages.py holds it to that.
_AT: Final = re.compile(r"(.*?)(?: - at `\$((?:\.\w+|\[\d+\])*)`)?", re.DOTALL)
_FIELD: Final = re.compile(r"Object (?:contains (unknown)|missing required) field `(.*)`", re.DOTALL)
_EXPECTED: Final = re.compile(r"Expected `(.*?)`, got `(.*?)`")
_WORDS: Final = {
    "Invalid UUID": 'must be a UUID such as "01890a5d-ac96-774b-bcce-b302099a8057"',
    "Invalid enum value": 'must be an integer from 0, "any", "exists" or "none"',
    "Invalid RFC3339": "must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z",
    "Number out of range": "must be a number that a double can hold",
}
_TYPES: Final = {
    "str": "a string", "int": "an integer", "float": "a number", "bool": "true or false", "array": "an array",
    "object": "an object", "uuid": "a UUID", "datetime": "a time as in RFC 3339",
}  # fmt: skip


def invalid_request(message: str) -> InvalidRequest:
    """msgspec's message, such as "Expected `str`, got `int` - at `$.events[0].event_type`", as the caller's error."""
    at = _AT.fullmatch(message)
    text, path = (at[1], at[2] or "") if at else (message, "")
    pointer = path.replace("[", "/").replace("]", "").replace(".", "/")
    if field := _FIELD.fullmatch(text):
        name = field[2].replace("~", "~0").replace("/", "~1")
        return InvalidRequest("is not a known field" if field[1] else "is missing", pointer=f"{pointer}/{name}")
    if expected := _EXPECTED.fullmatch(text):
        return InvalidRequest(f"must be {_type_words(expected[1])}, not {expected[2]}", pointer=pointer)
    for start, words in _WORDS.items():
        if text.startswith(start):
            return InvalidRequest(words, pointer=pointer)
    return InvalidRequest(text, pointer=pointer)


def _type_words(names: str) -> str:
    if names == "int | str":
        return 'an integer from 0, "any", "exists" or "none"'
    return _TYPES.get(names, names)


# --- Encoding --------------------------------------------------------------------------------------------------------


def encode_append(append: AggregateAppend) -> bytes:
    """Body of an append to the aggregate that the path names."""
    return msgspec.json.encode(AppendBody(_event_bodies(append.events), append.expected_version))


def encode_atomic_append(appends: Sequence[AggregateAppend], condition: AppendCondition | None = None) -> bytes:
    body = AtomicAppendBody([_aggregate_append_body(append) for append in appends])
    if condition is not None:
        body.condition = ConditionBody(condition.fail_if, str(condition.after))
    return msgspec.json.encode(body)


def encode_batch_append(append: AggregateAppend) -> bytes:
    """One append of a batch, for :func:`join_batch`: so that its size is known before the batch is put together."""
    return msgspec.json.encode(_aggregate_append_body(append))


def join_batch(appends: Sequence[bytes]) -> bytes:
    return b'{"appends":[%b]}' % b",".join(appends)


def _aggregate_append_body(append: AggregateAppend) -> AggregateAppendBody:
    key = append.key
    return AggregateAppendBody(
        key.aggregate_type, key.aggregate_id, _event_bodies(append.events), append.expected_version
    )


def _event_bodies(events: Sequence[NewEvent]) -> list[EventBody]:
    return [_event_body(event) for event in events]


def _event_body(event: NewEvent) -> EventBody:
    body = EventBody(event.event_type, event.event_id)
    if event.content_type == JSON_CONTENT_TYPE:
        body.event_data = msgspec.Raw(event.event_data_raw)
    elif is_json(event.content_type):
        body.event_data = msgspec.Raw(event.event_data_raw)
        body.content_type = event.content_type
    else:
        body.event_data_base64 = base64.b64encode(event.event_data_raw).decode("ascii")
        body.content_type = event.content_type
    if event.metadata_raw != b"{}":
        body.metadata = msgspec.Raw(event.metadata_raw)
    body.tags = list(event.tags)
    return body
