"""Records: events as they are appended to several streams together, and what is answered when they are not.

A record's properties are the event's metadata, as the JSON object of them, without white space and sorted by name. A
whole number is written without a fraction. :data:`TAGS_PROPERTY` may hold the event's tags, a list of texts or one text
of tags with commas between: they are the tags of the event in the store, and stay in its metadata too.

A schema's name is the event type; its format says the content type, and its id is kept in the metadata, as
:data:`SCHEMA_ID_PROPERTY`.
"""

import math
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from indelible.conditions import ExpectedVersion
from indelible.errors import InvalidRequest
from indelible.events import BINARY_CONTENT_TYPE, JSON_CONTENT_TYPE, NewEvent, check_event_id, new_event_id
from indelible.limits import ESDB_VIOLATIONS_SIZE_BYTES_MAX, VERSION_MAX
from indelible.wire.errors import GRPC_DETAILS_KEY, GRPC_NUMBERS
from indelible.wire.esdb.errors import Refusal, shown_expected, shown_name
from indelible.wire.esdb.payloads import Payload, new_event
from indelible.wire.esdb.pb import records_errors_pb2 as errors
from indelible.wire.esdb.pb import records_pb2 as pb

TAGS_PROPERTY: Final = "$tags"
SCHEMA_ID_PROPERTY: Final = "$schema.id"
_CONTENT_TYPES: Final[Mapping[int, str]] = {
    pb.SCHEMA_FORMAT_JSON: JSON_CONTENT_TYPE,
    pb.SCHEMA_FORMAT_PROTOBUF: "application/vnd.google.protobuf",
    pb.SCHEMA_FORMAT_AVRO: "application/vnd.apache.avro",
    pb.SCHEMA_FORMAT_BYTES: BINARY_CONTENT_TYPE,
}
_EXPECTED: Final[Mapping[int, ExpectedVersion]] = {-1: "none", -2: "any", -4: "exists"}
_WHOLE_MAX: Final = 2.0**53
"""Up to here every whole number is a double of its own."""
_ANY_PREFIX: Final = "type.googleapis.com/"
_encode: Final = msgspec.json.Encoder(order="sorted").encode


def recorded_event(record: pb.AppendRecord) -> NewEvent:
    """Raises ``InvalidRequest`` with a pointer into the record, and ``PayloadTooLarge``."""
    content_type = _CONTENT_TYPES.get(record.schema.format)
    if content_type is None:
        raise InvalidRequest("must be JSON, PROTOBUF, AVRO or BYTES", pointer="/schema/format")
    properties = {name: _plain(value, f"/properties/{name}") for name, value in record.properties.items()}
    if record.schema.HasField("id"):
        properties[SCHEMA_ID_PROPERTY] = record.schema.id
    metadata = _encode(properties) if properties else b""
    payload = Payload(record.data, metadata, content_type)
    return new_event(_id_of(record), record.schema.name, payload, _tags_of(properties))


def _id_of(record: pb.AppendRecord) -> Any:
    if not record.HasField("record_id"):
        return new_event_id()
    try:
        return check_event_id(record.record_id)
    except InvalidRequest as error:
        raise InvalidRequest(error.message, pointer="/record_id") from None


def _tags_of(properties: Mapping[str, Any]) -> tuple[str, ...]:
    tags = properties.get(TAGS_PROPERTY, ())
    if isinstance(tags, str):
        tags = [tag.strip() for tag in tags.split(",")]
    if not isinstance(tags, (list, tuple)):
        raise InvalidRequest("must be a list of texts, or one text", pointer=f"/properties/{TAGS_PROPERTY}")
    return tuple(tags)


def _plain(value: Any, pointer: str) -> Any:
    """Of a google.protobuf.Value. Its reader bounds how deep these nest."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {name: _plain(inner, pointer) for name, inner in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(inner, pointer) for inner in value.list_value.values]
    if kind == "number_value":
        return _number(value.number_value, pointer)
    return getattr(value, kind) if kind in ("string_value", "bool_value") else None


def _number(number: float, pointer: str) -> float | int:
    if not math.isfinite(number):
        raise InvalidRequest("must be a finite number", pointer=pointer)
    return int(number) if number.is_integer() and abs(number) <= _WHOLE_MAX else number


def expected_of(state: int, pointer: str) -> ExpectedVersion:
    """``state``: a revision, or -1 (no stream), -2 (any), -4 (the stream exists)."""
    if state >= 0:
        return min(state + 1, VERSION_MAX)
    if state not in _EXPECTED:
        raise InvalidRequest("must be a revision, -1 (no stream), -2 (any) or -4 (the stream exists)", pointer=pointer)
    return _EXPECTED[state]


# --- What is answered when they are not appended ---------------------------------------------------------------------


class Violation(NamedTuple):
    """A check that does not hold."""

    check_index: int
    stream: str
    expected: ExpectedVersion
    actual_version: int


def revision_conflict(stream: str, expected: ExpectedVersion, actual_version: int) -> Refusal:
    wanted, actual = shown_expected(expected), actual_version - 1
    detail = errors.StreamRevisionConflictErrorDetails(stream=stream, expected_revision=wanted, actual_revision=actual)
    message = f"Append failed due to a revision conflict. Expected revision: {wanted}. Actual revision: {actual}."
    return _refusal("FAILED_PRECONDITION", message, detail)


def stream_repeated(stream: str) -> Refusal:
    detail = errors.StreamAlreadyInAppendSessionErrorDetails(stream=shown_name(stream))
    return _refusal("ABORTED", "A stream stands twice in the append session.", detail)


def no_requests() -> Refusal:
    return Refusal("FAILED_PRECONDITION", "The append session has no requests.")


def record_too_large(stream: str, record_id: str, size_bytes: int, size_bytes_max: int) -> Refusal:
    detail = errors.AppendRecordSizeExceededErrorDetails(
        stream=shown_name(stream), record_id=shown_name(record_id), size=size_bytes, max_size=size_bytes_max
    )
    message = f"The record has {size_bytes} bytes, more than the {size_bytes_max} that one may have."
    return _refusal("INVALID_ARGUMENT", message, detail)


def append_too_large(size_bytes: int, size_bytes_max: int) -> Refusal:
    detail = errors.AppendTransactionSizeExceededErrorDetails(size=size_bytes, max_size=size_bytes_max)
    message = f"The records have {size_bytes} bytes, more than the {size_bytes_max} that they may have together."
    return _refusal("ABORTED", message, detail)


def checks_failed(violations: Iterable[Violation]) -> Refusal:
    """As many as have room in the trailers; always the first."""
    detail = errors.AppendConsistencyViolationErrorDetails()
    for violation in violations:
        added = detail.violations.add(check_index=violation.check_index)
        added.stream_state.stream = violation.stream
        added.stream_state.expected_state = shown_expected(violation.expected)
        added.stream_state.actual_state = violation.actual_version - 1
        if len(detail.violations) > 1 and detail.ByteSize() > ESDB_VIOLATIONS_SIZE_BYTES_MAX:
            del detail.violations[-1]
            break
    return _refusal("FAILED_PRECONDITION", "Append failed because consistency checks do not hold.", detail)


def _refusal(status: str, message: str, detail: Message) -> Refusal:
    """``message`` has no name in it: its callers compare it with the status's own, which is shortened if it is long."""
    packed = AnyMessage(type_url=_ANY_PREFIX + detail.DESCRIPTOR.full_name, value=detail.SerializeToString())
    details = Status(code=GRPC_NUMBERS[status], message=message, details=[packed]).SerializeToString()
    return Refusal(status, message, ((GRPC_DETAILS_KEY.encode(), b64encode(details).rstrip(b"=")),))
