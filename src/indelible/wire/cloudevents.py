"""Events as CloudEvents 1.0 in the JSON format, both ways, without loss.

==================  ===================================================================================================
attribute           what it is here
==================  ===================================================================================================
id                  event_id
source              path of the aggregate
type                event_type
subject             aggregate_id
time                timestamp
datacontenttype     content_type
data, data_base64   event_data, event_data_base64
==================  ===================================================================================================

What a producer said instead of these (an id that is no UUID, its own source, subject, time, dataschema) is kept as
``metadata.cloud_event`` and handed out again. Extension attributes are members of metadata, so ``traceparent`` is
``metadata.traceparent``; members that no attribute can hold go out as JSON text in the attribute ``metadata``, and
tags as JSON text in ``tags``. The store's own fields go out as the attributes of ``_OF_THE_STORE``: as text, because
an integer of CloudEvents ends at 2^31. They do not count where all of them come in together.

In the binary mode of HTTP (CloudEvents' binding for HTTP, section 3.1) attributes are headers ``ce-…``, and the data is
the body. Headers are text, so a boolean or an integer comes in as its text; what of metadata is no text goes out within
``ce-metadata``, and comes back as it was.
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID, uuid5

import msgspec

from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.events import (
    BINARY_CONTENT_TYPE,
    JSON_CONTENT_TYPE,
    AggregateKey,
    NewEvent,
    RecordedEvent,
    check_content_type,
    decode_events,
    format_timestamp,
    is_json,
    timestamp_to_us,
)
from indelible.json_text import compact_json, compact_size_min
from indelible.limits import METADATA_SIZE_BYTES_MAX, REQUEST_EVENTS_MAX
from indelible.wire.appends import make_events
from indelible.wire.json_events import aggregate_path, decode_percent, decode_stored
from indelible.wire.strict_json import decode_body, has_more_objects

CLOUDEVENT_CONTENT_TYPE: Final = "application/cloudevents+json"
CLOUDEVENTS_BATCH_CONTENT_TYPE: Final = "application/cloudevents-batch+json"
CLOUD_EVENT: Final = "cloud_event"
"""The member of metadata for what a producer said. No attribute can have this name."""

EVENT_ID_NAMESPACE: Final = UUID("6f3a2c0e-5d0b-5c9e-9a53-0c1d7d6c1f52")
"""Of event ids that stand for ids that are no UUIDs: UUID version 5 of source, line feed, id."""

_SPEC_VERSION: Final = "1.0"
_CONTEXT: Final = frozenset(
    ("specversion", "id", "source", "type", "subject", "time", "dataschema", "datacontenttype", "data", "data_base64")
)
_OF_THE_STORE: Final = ("aggregatetype", "aggregateid", "eventid", "version", "position", "timestamp", "hash")
_TAKEN: Final = _CONTEXT | {"tags", "metadata", *_OF_THE_STORE}
_NAME: Final = re.compile(r"[a-z0-9]+")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
# What it has taken it keeps: a place to go back to, for each character, would take gigabytes.
_URI: Final = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})++")
_INT32: Final = re.compile(r"0|-?[1-9][0-9]{0,9}")
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)  # msgspec takes more than RFC 3339

Members = dict[str, msgspec.Raw]


class _Producer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a producer said of an event in place of what the store would say."""

    id: str | msgspec.UnsetType = msgspec.UNSET
    source: str | msgspec.UnsetType = msgspec.UNSET
    subject: str | msgspec.UnsetType = msgspec.UNSET
    time: str | msgspec.UnsetType = msgspec.UNSET
    dataschema: str | msgspec.UnsetType = msgspec.UNSET


_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_batch: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_producer_decoder: Final = msgspec.json.Decoder(_Producer)
_tags: Final = msgspec.json.Decoder(list[str])
_text: Final = msgspec.json.Decoder(str)


# --- Out -------------------------------------------------------------------------------------------------------------


def encode_cloud_event(event: RecordedEvent) -> bytes:
    attributes = context_of(event)
    if event.event_data_base64 is msgspec.UNSET:
        attributes["data"] = event.event_data_raw
    else:
        attributes["data_base64"] = event.event_data_base64
    return msgspec.json.encode(attributes)


def encode_cloud_events(lines: bytes) -> bytes:
    """A page of rendered events as a batch."""
    return b"[%b]" % b",".join(map(encode_cloud_event, decode_stored(decode_events, lines)))


def context_of(event: RecordedEvent, *, is_text_only: bool = False) -> dict[str, Any]:
    """All attributes but the data. ``is_text_only``: all of them strings; members of metadata that are not are told in
    the attribute ``metadata``, so that what they are is not lost."""
    timestamp, event_id = format_timestamp(timestamp_to_us(event.timestamp)), str(event.event_id)
    producer, extensions, rest = _split_metadata(bytes(event.metadata_raw), is_text_only=is_text_only)
    attributes: dict[str, Any] = {
        "specversion": _SPEC_VERSION,
        "id": event_id,
        "source": aggregate_path(event.key),
        "type": event.event_type,
        "subject": event.aggregate_id,
        "time": timestamp,
        **producer,
        "datacontenttype": event.content_type,
        **extensions,
        # Those of _OF_THE_STORE.
        "aggregatetype": event.aggregate_type,
        "aggregateid": event.aggregate_id,
        "eventid": event_id,
        "version": str(event.version),
        "position": str(event.position),
        "timestamp": timestamp,
        "hash": event.hash,
    }
    if event.tags:
        attributes["tags"] = msgspec.json.encode(event.tags).decode()
    if rest:
        attributes["metadata"] = rest.decode()
    return attributes


def _split_metadata(metadata: bytes, *, is_text_only: bool) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """What a producer said; the members that attributes can hold; JSON text of the others, if there are any."""
    if metadata == b"{}":
        return {}, {}, b""
    members = _members.decode(metadata)
    if len(msgspec.json.encode(members)) != len(metadata):
        return {}, {}, metadata  # it repeats a name: then only its text is the same
    producer = _producer_in(members.get(CLOUD_EVENT))
    extensions: dict[str, Any] = {name: value for name, value in members.items() if _is_attribute(name, value)}
    if is_text_only:
        extensions = {name: _text.decode(value) for name, value in extensions.items() if bytes(value).startswith(b'"')}
    rest = {
        name: value
        for name, value in members.items()
        if name not in extensions and not (producer and name == CLOUD_EVENT)
    }
    return producer, extensions, msgspec.json.encode(rest) if rest else b""


def _producer_in(member: msgspec.Raw | None) -> dict[str, Any]:
    """Empty unless the member is what :func:`decode_cloud_event` makes: others may use its name too."""
    if member is None:
        return {}
    try:
        producer: dict[str, Any] = msgspec.to_builtins(_producer_decoder.decode(member))
        for name, value in producer.items():
            _CHECKS[name](value, name)
    except (msgspec.DecodeError, InvalidRequest):
        return {}
    return producer


def _is_attribute(name: str, value: msgspec.Raw) -> bool:
    if name in _TAKEN or not _NAME.fullmatch(name):
        return False
    text = bytes(value)
    if text.startswith(b'"'):
        decoded = _text.decode(text)
        return decoded != "" and not _CONTROLS.search(decoded)
    return text in (b"true", b"false") or _is_int32(text.decode())


def _is_int32(text: str) -> bool:
    return _INT32.fullmatch(text) is not None and -(2**31) <= int(text) < 2**31


# --- In --------------------------------------------------------------------------------------------------------------


def decode_cloud_event(body: bytes, key: AggregateKey) -> NewEvent:
    """The event of a body, for the aggregate that the path names. Pointers name the attribute."""
    return _structured_event(decode_body(_members, body), key)


def decode_cloud_events(body: bytes, key: AggregateKey) -> tuple[NewEvent, ...]:
    """The events of a batch. Pointers begin with the event's place in it."""
    if has_more_objects(body, REQUEST_EVENTS_MAX):
        raise PayloadTooLarge(f"holds more than {REQUEST_EVENTS_MAX} events", pointer="", events_max=REQUEST_EVENTS_MAX)
    found = decode_body(_batch, body)
    if not found:
        raise InvalidRequest("must hold at least one event")
    return make_events(found, lambda attributes: _structured_event(attributes, key), "")


def _structured_event(given: Members, key: AggregateKey) -> NewEvent:
    # A member that is null stands for an attribute that is not there. Of data it is a value.
    members = {name: value for name, value in given.items() if name == "data" or bytes(value) != b"null"}
    return new_event(members, *_data(members), key)


def new_event(members: Members, data: Any, content_type: str, key: AggregateKey) -> NewEvent:
    """The event that these attributes and this data are, for this aggregate. Pointers name the attribute."""
    if _string(members, "specversion") != _SPEC_VERSION:
        raise InvalidRequest(f'must be "{_SPEC_VERSION}"', pointer="/specversion")
    event_id, producer = _identity(members, key)
    metadata = _metadata(members, producer)
    try:
        return NewEvent(
            _string(members, "type"),
            data,
            event_id=event_id,
            metadata=msgspec.Raw(metadata),
            tags=_tags_of(members),
            content_type=content_type,
        )
    except InvalidRequest as error:
        raise _by_attribute(error) from None


def _identity(members: Members, key: AggregateKey) -> tuple[UUID, _Producer]:
    """The event's id, and what the producer said that the store would say otherwise."""
    id_, source = _kept(members, "id"), _kept(members, "source")
    _check_text(id_, "id")
    _check_uri(source, "source")
    optional = {name: _kept(members, name) for name in ("subject", "time", "dataschema") if name in members}
    for name, value in optional.items():
        _CHECKS[name](value, name)
    event_id = _uuid(id_) or uuid5(EVENT_ID_NAMESPACE, f"{source}\n{id_}")
    if _is_of_a_store(members) and optional.get("time") == _string(members, "timestamp"):
        del optional["time"]
    if optional.get("subject") == key.aggregate_id:
        del optional["subject"]
    return event_id, _Producer(
        id=msgspec.UNSET if id_ == str(event_id) else id_,
        source=msgspec.UNSET if source == aggregate_path(key) else source,
        **optional,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError:
        return None


def _is_of_a_store(members: Members) -> bool:
    return all(name in members for name in _OF_THE_STORE)


def _metadata(members: Members, producer: _Producer) -> bytes:
    left_out = _TAKEN if _is_of_a_store(members) else _CONTEXT | {"tags", "metadata"}
    metadata: dict[str, msgspec.Raw] = {name: value for name, value in members.items() if name not in left_out}
    for name, value in metadata.items():
        _check_extension(members, name, value)
    text = _text_of_metadata(members)
    if text and not metadata and producer == _Producer():
        return text  # it may repeat a name
    for name, value in _members.decode(text or b"{}").items():
        if name in metadata:
            raise InvalidRequest(f"must not hold {name}, which is an attribute too", pointer="/metadata")
        metadata[name] = value
    encoded_producer = msgspec.json.encode(producer)
    if encoded_producer != b"{}":
        metadata[CLOUD_EVENT] = msgspec.Raw(encoded_producer)
    return msgspec.json.encode(metadata)


def _text_of_metadata(members: Members) -> bytes:
    """JSON text of an object; empty when the attribute is not there."""
    if "metadata" not in members:
        return b""
    given = _string(members, "metadata").encode()
    _check_size(compact_size_min(given), "metadata")
    try:
        text = compact_json(given)
        if text.startswith(b"{"):
            return text
    except InvalidRequest:
        pass
    raise InvalidRequest("must be a JSON object, as text", pointer="/metadata")


def _check_extension(members: Members, name: str, value: msgspec.Raw) -> None:
    if not _NAME.fullmatch(name):
        escaped = name.replace("~", "~0").replace("/", "~1")
        raise InvalidRequest("is no name of an attribute: lower-case letters and digits", pointer=f"/{escaped}")
    text = bytes(value)
    if text.startswith(b'"'):
        _check_text(_kept(members, name), name, length_min=0)
    elif text not in (b"true", b"false") and not _is_int32(text.decode()):
        raise InvalidRequest("must be a string, a boolean or an integer of 32 bits", pointer=f"/{name}")


def _data(members: Members) -> tuple[Any, str]:
    """event_data and content_type."""
    declared = _string(members, "datacontenttype") if "datacontenttype" in members else None
    if declared is not None:
        check_data_content_type(declared)
    if "data_base64" in members:
        if "data" in members:
            raise InvalidRequest("must not stand next to data", pointer="/data_base64")
        content_type = declared or BINARY_CONTENT_TYPE
        data = _bytes(members)
        return (msgspec.Raw(data), content_type) if is_json(content_type) else (data, content_type)
    content_type = declared or JSON_CONTENT_TYPE
    if is_json(content_type):
        return members.get("data", msgspec.Raw(b"null")), content_type
    # Text that is not JSON is a string in the JSON format (its section 3.1.1).
    return _string(members, "data").encode(), content_type


def check_data_content_type(value: str) -> None:
    try:
        check_content_type(value)
    except InvalidRequest as error:
        raise _by_attribute(error) from None


def _bytes(members: Members) -> bytes:
    try:
        return base64.b64decode(_string(members, "data_base64"), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("must be base64 (RFC 4648, with padding)", pointer="/data_base64") from None


def _tags_of(members: Members) -> list[str]:
    if "tags" not in members:
        return []
    try:
        return _tags.decode(_string(members, "tags"))
    except msgspec.DecodeError:
        raise InvalidRequest('must be a JSON array of strings, as text, such as "[\\"a\\"]"', pointer="/tags") from None


def _string(members: Members, name: str) -> str:
    value = members.get(name)
    if value is None:
        raise InvalidRequest("is missing", pointer=f"/{name}")
    try:
        return _text.decode(value)
    except msgspec.DecodeError:
        raise InvalidRequest("must be a string", pointer=f"/{name}") from None


def _kept(members: Members, name: str) -> str:
    """Of an attribute that metadata keeps: what is too large for it is refused before anything looks for a pattern."""
    value = _string(members, name)
    _check_size(len(value), name)
    return value


def _check_size(size_bytes: int, name: str) -> None:
    """``size_bytes``: at the least."""
    if size_bytes > METADATA_SIZE_BYTES_MAX:
        raise PayloadTooLarge(
            f"takes at least {size_bytes} bytes, more than {METADATA_SIZE_BYTES_MAX}",
            pointer=f"/{name}", size_bytes_max=METADATA_SIZE_BYTES_MAX,
        )  # fmt: skip


def _check_text(value: str, name: str, length_min: int = 1) -> None:
    if len(value) < length_min or _CONTROLS.search(value):
        raise InvalidRequest("must be text without control characters, and not empty", pointer=f"/{name}")


def _check_uri(value: str, name: str) -> None:
    if not _URI.fullmatch(value):
        raise InvalidRequest("must be a URI or a URI reference (RFC 3986)", pointer=f"/{name}")


def _check_time(value: str, name: str) -> None:
    try:
        if _TIME.fullmatch(value):
            msgspec.convert(value, datetime)
            return
    except msgspec.ValidationError:
        pass
    raise InvalidRequest("must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z", pointer=f"/{name}")


_CHECKS: Final[dict[str, Callable[[str, str], None]]] = {
    "id": _check_text,
    "source": _check_uri,
    "subject": _check_text,
    "time": _check_time,
    "dataschema": _check_uri,
}
_ATTRIBUTES: Final = {
    "/event_type": "/type",
    "/event_data": "/data",
    "/content_type": "/datacontenttype",
    "/event_id": "/id",
}


def _by_attribute(error: InvalidRequest) -> InvalidRequest:
    """The same error, pointing at the attribute that the field came from."""
    first, slash, rest = error.pointer[1:].partition("/")
    pointer = _ATTRIBUTES.get(f"/{first}", f"/{first}") + slash + rest
    return type(error)(error.message, **{**error.fields, "pointer": pointer})


# --- In the binary mode of HTTP --------------------------------------------------------------------------------------

_PREFIX: Final = b"ce-"
_MODE: Final = b"ce-specversion"
_STRUCTURED: Final = b"application/cloudevents"
_OF_THE_BODY: Final = ("data", "data_base64", "datacontenttype")
_AS_THEY_ARE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_is_as_it_is: Final = re.compile(f"[{re.escape(_AS_THEY_ARE)}]*").fullmatch
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_ESCAPED: Final = re.compile(rb"\\(.)")


def is_binary_cloud_event(headers: dict[bytes, bytes]) -> bool:
    """Whether a request with these headers, their names in lower case, is one."""
    return _MODE in headers and not headers.get(b"content-type", b"").lower().startswith(_STRUCTURED)


def decode_binary_cloud_event(headers: dict[bytes, bytes], body: bytes, key: AggregateKey) -> NewEvent:
    """The event of a request, for the aggregate that the path names. Pointers name the header; those within JSON in the
    body begin with "/"."""
    members: Members = {}
    for name, value in headers.items():
        if name.startswith(_PREFIX):
            attribute = name.removeprefix(_PREFIX).decode("latin-1")
            if attribute in _OF_THE_BODY:
                raise InvalidRequest("is no header: it is the body, or its Content-Type", pointer=f"/ce-{attribute}")
            members[attribute] = msgspec.Raw(msgspec.json.encode(_decode_header(value, f"/ce-{attribute}")))
    try:
        return new_event(members, *_binary_data(headers.get(b"content-type"), body), key)
    except InvalidRequest as error:
        raise _by_header(error) from None


def _binary_data(declared: bytes | None, body: bytes) -> tuple[Any, str]:
    content_type = JSON_CONTENT_TYPE if declared is None else declared.decode("latin-1")
    check_data_content_type(content_type)
    return (msgspec.Raw(body or b"null") if is_json(content_type) else body), content_type


def _decode_header(value: bytes, pointer: str) -> str:
    return decode_percent(_ESCAPED.sub(rb"\1", value[1:-1]) if _QUOTED.fullmatch(value) else value, pointer)


def _by_header(error: InvalidRequest) -> InvalidRequest:
    attribute, slash, rest = error.pointer[1:].partition("/")
    if attribute == "data":
        pointer = slash + rest
    elif attribute == "datacontenttype":
        pointer = "/Content-Type"
    else:
        pointer = f"/ce-{attribute}{slash}{rest}"
    return type(error)(error.message, **{**error.fields, "pointer": pointer})


def encode_binary_cloud_event(event: RecordedEvent) -> tuple[dict[bytes, bytes], bytes]:
    """Headers, but for Content-Type, which is the event's own; and the body."""
    attributes = context_of(event, is_text_only=True)
    del attributes["datacontenttype"]
    headers = {
        _PREFIX + name.encode("ascii"): value.encode("ascii") for name, value in encode_headers(attributes).items()
    }
    return headers, event.event_data_bytes


def encode_headers(attributes: dict[str, str]) -> dict[str, str]:
    """Percent-encoded where it must be. Most need none of it, which is seen at once for all."""
    if _is_as_it_is("".join(attributes.values())):
        return attributes
    return {name: quote(value, safe=_AS_THEY_ARE) for name, value in attributes.items()}
