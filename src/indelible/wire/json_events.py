"""Events in JSON, both ways: appends as requests have them and their outcomes, and pages. These are the hot paths; for
the rest see :mod:`indelible.wire.operation_json`, which the tests compare them with.

Names, sizes and counts are checked where the domain values are made. Errors carry the JSON pointer of the bad field
within the body. Events inside pages stay text: pages come rendered from the engine, and are only joined here.
"""

import base64
import binascii
import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Final, TypeVar
from urllib.parse import quote, unquote_to_bytes
from uuid import UUID

import msgspec

from indelible.conditions import ExpectedVersion
from indelible.cursors import START
from indelible.errors import IndelibleError, InvalidRequest, StoreCorrupted
from indelible.events import BINARY_CONTENT_TYPE, JSON_CONTENT_TYPE, AggregateKey, NewEvent, check_content_type, is_json
from indelible.eventstore import (
    AggregateAppend,
    AggregatePage,
    AppendOutcome,
    AppendRequest,
    AppendResult,
    AtomicAppendResult,
    FeedPage,
    Replay,
)
from indelible.limits import CONDITION_ITEMS_MAX
from indelible.operations.events import (
    UNSET,
    AggregateAppendBody,
    AtomicAppend,
    Batch,
    BatchResultBody,
    BatchResultsBody,
    Condition,
    NewEventBody,
    Unset,
)
from indelible.queries import QueryItem
from indelible.wire.appends import check_counts, make_batch, make_events, make_request
from indelible.wire.errors import decode_problem, problem, status_of
from indelible.wire.strict_json import check_length, decode_answer, decode_body, decode_part

T = TypeVar("T")


class _AppendBody(msgspec.Struct, forbid_unknown_fields=True):
    """What the body of an append holds: without what the path says, and whether an expected version is there at all."""

    events: tuple[NewEventBody, ...]
    expected_version: ExpectedVersion | Unset = UNSET


class _ConditionItem(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A :class:`QueryItem` as callers write it, who leave out what does not restrict."""

    event_types: tuple[str, ...] = ()
    aggregate_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class _Condition(msgspec.Struct, forbid_unknown_fields=True):
    fail_if: msgspec.Raw
    """Of :class:`_ConditionItem`."""
    after: str = str(START)


class _AtomicAppendBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    appends: tuple[AggregateAppendBody, ...]
    condition: msgspec.Raw | Unset = UNSET
    """A :class:`_Condition`."""


class _EventLine(NewEventBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of NDJSON that names its aggregate: an exported event. What the store gave it then does not count."""

    aggregate_type: str
    aggregate_id: str
    event_id: UUID
    version: msgspec.Raw | Unset = UNSET
    position: msgspec.Raw | Unset = UNSET
    timestamp: msgspec.Raw | Unset = UNSET
    hash: msgspec.Raw | Unset = UNSET


# --- Appends as they come --------------------------------------------------------------------------------------------


def decode_append(
    body: bytes, key: AggregateKey, *, expected_version: ExpectedVersion | None = None
) -> AggregateAppend:
    """The append that a body asks for. ``expected_version`` is what the caller said by header, if anything."""
    decoded = decode_body(_append_decoder, body)
    in_body = decoded.expected_version
    if expected_version is None:
        expected_version = "any" if in_body is UNSET else in_body
    elif in_body is not UNSET and in_body != expected_version:
        raise InvalidRequest("disagrees with the If-Match or If-None-Match header", pointer="/expected_version")
    check_counts((decoded.events,), "/events")
    return AggregateAppend(key, make_events(decoded.events, _new_event, "/events"), expected_version)


def decode_atomic_append(body: bytes) -> AppendRequest:
    decoded = decode_body(_atomic_append_decoder, body)
    if decoded.condition is UNSET:
        return make_request(decoded.appends, _aggregate_append, None, "")
    condition = decode_part(_condition_decoder, bytes(decoded.condition), "/condition")
    at, text = "/condition/fail_if", bytes(condition.fail_if)
    check_length(text, CONDITION_ITEMS_MAX, at)
    items = decode_part(_condition_items_decoder, text, at)
    fail_if = tuple([QueryItem(one.event_types, one.aggregate_types, one.tags) for one in items])
    return make_request(decoded.appends, _aggregate_append, fail_if, condition.after)


def decode_batch(body: bytes) -> Iterator[AggregateAppend | IndelibleError]:
    """See :func:`indelible.wire.appends.make_batch`."""
    appends = decode_body(_batch_decoder, body).appends
    return make_batch(appends, _aggregate_append)


def decode_event_line(line: bytes) -> tuple[AggregateKey, NewEvent]:
    """The event of an exported line as a new one, with the id that it had, and the aggregate that it is for."""
    decoded = decode_body(_event_line_decoder, line)
    return AggregateKey.checked(decoded.aggregate_type, decoded.aggregate_id), _new_event(decoded)


def decode_new_event(text: bytes) -> NewEvent:
    """One event as the body of an append has them."""
    return _new_event(decode_body(_new_event_decoder, text))


def _aggregate_append(item: AggregateAppendBody, pointer: str) -> AggregateAppend:
    key = AggregateKey(item.aggregate_type, item.aggregate_id)
    return AggregateAppend(key, make_events(item.events, _new_event, f"{pointer}/events"), item.expected_version)


def _new_event(body: NewEventBody) -> NewEvent:
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


def _binary_event(body: NewEventBody) -> NewEvent:
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


_append_decoder: Final = msgspec.json.Decoder(_AppendBody)
_atomic_append_decoder: Final = msgspec.json.Decoder(_AtomicAppendBody)
_condition_decoder: Final = msgspec.json.Decoder(_Condition)
_condition_items_decoder: Final = msgspec.json.Decoder(tuple[_ConditionItem, ...])
_batch_decoder: Final = msgspec.json.Decoder(Batch)
_event_line_decoder: Final = msgspec.json.Decoder(_EventLine)
_new_event_decoder: Final = msgspec.json.Decoder(NewEventBody)

# --- Appends as they are sent ----------------------------------------------------------------------------------------


def encode_atomic_append(request: AppendRequest) -> bytes:
    condition = request.condition
    return msgspec.json.encode(
        AtomicAppend(
            tuple(map(append_body, request.appends)),
            UNSET if condition is None else Condition(condition.fail_if, str(condition.after)),
        )
    )


def encode_batch_append(append: AggregateAppend) -> bytes:
    """One append of a batch, for :func:`join_batch`: so that its size is known before the batch is put together."""
    return msgspec.json.encode(append_body(append))


def join_batch(appends: Sequence[bytes]) -> bytes:
    return b'{"appends":[%b]}' % b",".join(appends)


def append_body(append: AggregateAppend) -> AggregateAppendBody:
    events = tuple(map(_event_body, append.events))
    return AggregateAppendBody(append.key.aggregate_type, append.key.aggregate_id, events, append.expected_version)


def _event_body(event: NewEvent) -> NewEventBody:
    data = event.event_data_raw
    is_text = is_json(event.content_type)
    return NewEventBody(
        event.event_type,
        event.event_id,
        msgspec.Raw(data) if is_text else UNSET,
        UNSET if is_text else base64.b64encode(data).decode("ascii"),
        UNSET if event.metadata_raw == b"{}" else msgspec.Raw(event.metadata_raw),
        event.tags,
        UNSET if event.content_type == JSON_CONTENT_TYPE else event.content_type,
    )


# --- Outcomes --------------------------------------------------------------------------------------------------------


def append_status(result: AppendResult | AtomicAppendResult) -> int:
    """201 for what was stored now, 200 for what was stored before."""
    return 200 if result.replayed else 201


def encode_batch_results(outcomes: Iterable[AppendResult | IndelibleError]) -> bytes:
    return msgspec.json.encode({"results": [_batch_result(outcome) for outcome in outcomes]}, enc_hook=str)


def _batch_result(outcome: AppendResult | IndelibleError) -> dict[str, object]:
    if isinstance(outcome, IndelibleError):
        return {"status": status_of(outcome), "body": problem(outcome)}
    return {"status": append_status(outcome), "body": outcome}


_append_result: Final = msgspec.json.Decoder(AppendResult)
_batch_results: Final = msgspec.json.Decoder(BatchResultsBody)


class _StoredResult(msgspec.Struct):
    status: Annotated[int, msgspec.Meta(lt=300)]
    body: AppendResult


class _StoredResults(msgspec.Struct):
    results: tuple[_StoredResult, ...]


_stored_results: Final = msgspec.json.Decoder(_StoredResults)


def decode_batch_results(body: bytes) -> list[AppendOutcome]:
    # Nearly always all are stored, which is a third of the work.
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        return [result.body for result in _stored_results.decode(body).results]
    return [_batch_outcome(result) for result in decode_answer(_batch_results, body).results]


def _batch_outcome(result: BatchResultBody) -> AppendOutcome:
    body = bytes(result.body)
    return decode_answer(_append_result, body) if result.status < 300 else decode_problem(result.status, body)


# --- Pages -----------------------------------------------------------------------------------------------------------


def encode_aggregate_page(page: AggregatePage) -> bytes:
    return b'{"events":[%b],%b}' % (_joined(page.lines), _versions(page))


def encode_feed_page(page: FeedPage) -> bytes:
    at_end = b"true" if page.at_end else b"false"
    return b'{"events":[%b],"cursor":"%b","at_end":%b}' % (_joined(page.lines), page.cursor.encode(), at_end)


def encode_replay(replay: Replay) -> bytes:
    snapshot = msgspec.json.encode(replay.snapshot)
    return b'{"snapshot":%b,"events":[%b],%b}' % (snapshot, _joined(replay.page.lines), _versions(replay.page))


def _joined(lines: bytes) -> bytes:
    """Lines as the inside of a JSON array. JSON text on one line holds line feeds only between lines."""
    return lines.replace(b"\n", b",")


def _versions(page: AggregatePage) -> bytes:
    following = b"null" if page.next_version is None else b"%d" % page.next_version
    return b'"version":%d,"next_version":%b' % (page.version, following)


# --- Lines as an engine stored them -----------------------------------------------------------------------------------


class _Placed(msgspec.Struct):
    position: int


def decode_stored(decode_lines: Callable[[bytes], Sequence[T]], lines: bytes) -> Sequence[T]:
    """On their way into another form: a line that is JSON may still be no event. Raises ``StoreCorrupted`` with the
    position of the first line that ``decode_lines`` does not take."""
    try:
        return decode_lines(lines)
    except ValueError as error:
        raise StoreCorrupted(
            f"a stored event is not what an event is: {error}", **_place(decode_lines, lines)
        ) from error


def _place(decode_lines: Callable[[bytes], Sequence[T]], lines: bytes) -> dict[str, int]:
    for line in lines.split(b"\n"):
        try:
            decode_lines(line)
        except ValueError:
            try:
                return {"position": msgspec.json.decode(line, type=_Placed).position}
            except ValueError:
                break
    return {}


# --- Paths -----------------------------------------------------------------------------------------------------------


_is_segment: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*").fullmatch


def segment(text: str) -> str:
    """Text as one segment of a path. Dots are escaped where they alone would mean "here" or "one up"."""
    # Most need no quoting; to see that takes a tenth of the time.
    if _is_segment(text):
        return text
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def aggregate_path(key: AggregateKey) -> str:
    return f"/v1/aggregates/{segment(key.aggregate_type)}/{segment(key.aggregate_id)}"


_BROKEN: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def decode_percent(text: bytes, pointer: str) -> str:
    """Text in percent-encoding (RFC 3986), strictly: what cannot be decoded is refused, not passed on as it stands."""
    try:
        if b"%" not in text:
            return text.decode("utf-8")
        if _BROKEN.search(text):
            raise InvalidRequest('holds a "%" that is not followed by two hexadecimal digits', pointer=pointer)
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("is not UTF-8", pointer=pointer) from None
