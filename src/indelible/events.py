"""Events, aggregates and snapshots: immutable values, checked when they are made.

An event's JSON text (``event_data``, ``metadata``) is kept as text and parsed only when asked for, so that it comes
back number for number as it was sent.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Final, NoReturn, Protocol, TypeVar, cast, final
from uuid import UUID

import msgspec
from uuid_utils import uuid7

from indelible import words
from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.event_codec import MSGSPEC_CODEC, Codec, encode_other
from indelible.json_text import compact_strict_json, decode_json, encode_json, refuse_large, refuse_large_raw
from indelible.limits import (
    CONTENT_TYPE_LENGTH_MAX,
    EVENT_SIZE_BYTES_MAX,
    METADATA_SIZE_BYTES_MAX,
    NAME_LENGTH_MAX,
    REQUEST_TAGS_MAX,
    SNAPSHOT_SIZE_BYTES_MAX,
    TAG_LENGTH_MAX,
    TAGS_PER_EVENT_MAX,
    VERSION_MAX,
)

JSON_CONTENT_TYPE: Final = "application/json"
BINARY_CONTENT_TYPE: Final = "application/octet-stream"
HASH_BEFORE_FIRST: Final = bytes(32)
"""What stands for the previous event's hash in the hash of the event at position 1."""

# Control characters (Cc), and surrogates, which are not characters and have no UTF-8.
_NOT_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTENT_TYPE: Final = re.compile(words.CONTENT_TYPE)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PREVIEW_BYTES_MAX: Final = 200
T = TypeVar("T")
_quote = json.encoder.encode_basestring
id_text = msgspec.to_builtins
"""An event id's text, several times faster than it makes it itself; text stays as it is."""


def check_name(value: object, pointer: str, length_max: int = NAME_LENGTH_MAX) -> str:
    """Refuse a name that is not a string, is empty or too long, or holds control characters."""
    if not isinstance(value, str):
        raise InvalidRequest(f"must be a string, not {type(value).__name__}", pointer=pointer)
    if not 0 < len(value) <= length_max:
        raise InvalidRequest(f"must be 1 to {length_max} characters long, not {len(value)}", pointer=pointer)
    if not value.isprintable() and _NOT_IN_NAMES.search(value):
        raise InvalidRequest("must not contain control characters or surrogates", pointer=pointer)
    return value if type(value) is str else plain(value)


def plain(value: T) -> T:
    """A plain string for one of a subclass, such as an enum's member, which may print itself in another way and which
    other libraries may not take. Anything else as it is."""
    return str.__str__(value) if isinstance(value, str) and type(value) is not str else value  # type: ignore[return-value]  # a T, but for the subclass


def check_aggregate_type(value: object, pointer: str = "/aggregate_type") -> str:
    name = check_name(value, pointer)
    if "-" in name:
        raise InvalidRequest('must not contain "-"', pointer=pointer)
    return name


def check_tags(tags: Iterable[str], pointer: str = "/tags") -> tuple[str, ...]:
    """Tags as a sorted tuple without repeats."""
    if isinstance(tags, (str, bytes)):
        raise InvalidRequest("must be a list of strings, not one string", pointer=pointer)
    if not isinstance(tags, Iterable):
        raise InvalidRequest(f"must be a list of strings, not {type(tags).__name__}", pointer=pointer)
    # Millions may be given: no more are looked at than a whole request may have.
    given = tuple(islice(tags, REQUEST_TAGS_MAX + 1))
    if len(given) > REQUEST_TAGS_MAX:
        raise InvalidRequest(f"at most {TAGS_PER_EVENT_MAX} tags", pointer=pointer)
    checked = tuple(sorted({check_name(tag, f"{pointer}/{i}", TAG_LENGTH_MAX) for i, tag in enumerate(given)}))
    if len(checked) > TAGS_PER_EVENT_MAX:
        raise InvalidRequest(f"at most {TAGS_PER_EVENT_MAX} tags, not {len(checked)}", pointer=pointer)
    return checked


def check_version(value: object, pointer: str, least: int = 1) -> int:
    """Refuse a version or position that is not an integer from ``least`` to 2^53 - 1."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidRequest(f"must be an integer, not {type(value).__name__}", pointer=pointer)
    if not least <= value <= VERSION_MAX:
        raise InvalidRequest(f"must be from {least} to {VERSION_MAX}", pointer=pointer)
    return value


def is_json(content_type: str) -> bool:
    """Whether a content type says that event_data is JSON and not opaque bytes."""
    if content_type == JSON_CONTENT_TYPE:
        return True
    media_type = content_type.partition(";")[0].lower()
    return media_type == JSON_CONTENT_TYPE or media_type.endswith("+json")


def new_event_id() -> UUID:
    """A UUID version 7: unique, and near its neighbours in time, which keeps the index on event ids compact."""
    return msgspec.convert(uuid7().bytes, UUID)


class AggregateKey(msgspec.Struct, frozen=True, gc=False):
    """What names an aggregate. Made of unchecked parts; :meth:`checked` refuses bad ones."""

    aggregate_type: str
    aggregate_id: str

    def __post_init__(self) -> None:
        if not type(self.aggregate_type) is type(self.aggregate_id) is str:
            msgspec.structs.force_setattr(self, "aggregate_type", plain(self.aggregate_type))
            msgspec.structs.force_setattr(self, "aggregate_id", plain(self.aggregate_id))

    @classmethod
    def checked(cls, aggregate_type: object, aggregate_id: object, pointer: str = "") -> "AggregateKey":
        return cls(
            check_aggregate_type(aggregate_type, f"{pointer}/aggregate_type"),
            check_name(aggregate_id, f"{pointer}/aggregate_id"),
        )

    @classmethod
    def from_stream(cls, stream: str) -> "AggregateKey":
        """The key that a stream name ``{aggregate_type}-{aggregate_id}`` stands for."""
        aggregate_type, _, aggregate_id = stream.partition("-")
        return cls.checked(aggregate_type, aggregate_id)

    @property
    def stream(self) -> str:
        return f"{self.aggregate_type}-{self.aggregate_id}"


class _Fields:
    """A new event while it is made."""

    __slots__ = ("content_type", "event_data_raw", "event_id", "event_type", "metadata_raw", "tags")

    event_id: UUID
    event_type: str
    event_data_raw: bytes
    """JSON text in UTF-8 without white space; the bytes themselves where content_type is not JSON."""
    metadata_raw: bytes
    """JSON text of an object."""
    tags: tuple[str, ...]
    """Sorted, without repeats."""
    content_type: str


@final
class NewEvent(_Fields):
    """An event that is to be appended. Immutable; equal when all that would be stored is equal.

    ``event_data`` is any JSON value, or one that ``codec`` makes JSON of, such as a dataclass; bytes where
    ``content_type`` is not JSON. ``event_id`` is made here when not given: keep the object and append it again, and the
    store knows it as the same event. Raises :class:`InvalidRequest` with the JSON pointer of the bad field. Limits:
    ``indelible.limits``.
    """

    __slots__ = ()

    def __new__(
        cls,
        event_type: str,
        event_data: Any = None,
        *,
        event_id: UUID | str | None = None,
        metadata: Mapping[str, Any] | msgspec.Raw | None = None,
        tags: Iterable[str] = (),
        content_type: str | None = None,
        codec: Codec = MSGSPEC_CODEC,
    ) -> "NewEvent":
        if content_type is None:
            content_type = BINARY_CONTENT_TYPE if isinstance(event_data, (bytes, bytearray)) else JSON_CONTENT_TYPE
        event_type = check_name(event_type, "/event_type")
        checked_id = new_event_id() if event_id is None else check_event_id(event_id)
        content_type = check_content_type(content_type)
        data_raw = _encode_event_data(event_data, content_type, codec)
        return _made(
            event_type,
            checked_id,
            data_raw,
            metadata_raw=_encode_metadata(metadata),
            tags=() if tags == () else check_tags(tags),
            content_type=content_type,
        )

    @classmethod
    def from_strict_json(
        cls,
        event_type: str,
        event_data: bytes,
        *,
        event_id: UUID | None,
        metadata: bytes | None,
        tags: Sequence[str],
        content_type: str = JSON_CONTENT_TYPE,
    ) -> "NewEvent":
        """The same event and the same checks, but for one: that event_data and metadata are strict JSON in UTF-8.
        For the decoder of request bodies, which has seen to that already; content_type must be JSON."""
        check_name(event_type, "/event_type")
        if content_type != JSON_CONTENT_TYPE:
            check_content_type(content_type)
        return _made(
            event_type,
            new_event_id() if event_id is None else event_id,
            _compact(event_data, "/event_data", EVENT_SIZE_BYTES_MAX),
            metadata_raw=b"{}" if metadata is None else _check_metadata(_compact(metadata, "/metadata")),
            tags=check_tags(tags) if tags else (),
            content_type=content_type,
        )

    @classmethod
    def from_recorded(cls, recorded: "RecordedEvent") -> "NewEvent":
        """What was appended when ``recorded`` came to be: to append it again, here or to another store."""
        return _made(
            recorded.event_type,
            recorded.event_id,
            recorded.event_data_bytes,
            metadata_raw=bytes(recorded.metadata_raw),
            tags=recorded.tags,
            content_type=recorded.content_type,
        )

    @property
    def event_data(self) -> Any:
        return decode_json(self.event_data_raw) if is_json(self.content_type) else self.event_data_raw

    @property
    def metadata(self) -> dict[str, Any]:
        value: dict[str, Any] = decode_json(self.metadata_raw)
        return value

    @property
    def size_bytes(self) -> int:
        """Bytes of event_data and metadata."""
        return len(self.event_data_raw) + len(self.metadata_raw)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a NewEvent is immutable; cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a NewEvent is immutable; cannot delete {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (_remade, self._values())

    def _values(self) -> tuple[Any, ...]:
        return (
            self.event_type, self.event_id, self.event_data_raw, self.metadata_raw, self.tags, self.content_type
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NewEvent) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"NewEvent({self.event_type!r}, {self.event_data!r}, event_id={str(self.event_id)!r})"


def _made(
    event_type: str,
    event_id: UUID,
    data_raw: bytes,
    *,
    metadata_raw: bytes,
    tags: tuple[str, ...],
    content_type: str,
) -> NewEvent:
    size_bytes = len(data_raw) + len(metadata_raw)
    if size_bytes > EVENT_SIZE_BYTES_MAX:
        raise PayloadTooLarge(
            f"event_data and metadata take {size_bytes} bytes, more than {EVENT_SIZE_BYTES_MAX}",
            pointer="/event_data", size_bytes_max=EVENT_SIZE_BYTES_MAX,
        )  # fmt: skip
    event = _Fields()
    event.event_type = event_type
    event.event_id = event_id
    event.content_type = content_type
    event.event_data_raw = data_raw
    event.metadata_raw = metadata_raw
    event.tags = tags
    # Immutable from here on. To set the fields past a class that refuses it takes twice as long.
    event.__class__ = NewEvent
    return cast("NewEvent", event)


def _remade(event_type: str, event_id: UUID, data_raw: bytes, *rest: Any) -> NewEvent:
    """What pickle and copy need, because an event cannot be filled from outside."""
    metadata_raw, tags, content_type = rest
    return _made(event_type, event_id, data_raw, metadata_raw=metadata_raw, tags=tags, content_type=content_type)


def check_event_id(value: object) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        if isinstance(value, str):
            return msgspec.convert(value, UUID)
    except msgspec.ValidationError:
        pass
    raise InvalidRequest('must be a UUID such as "01890a5d-ac96-774b-bcce-b302099a8057"', pointer="/event_id")


def check_content_type(value: str) -> str:
    if value == JSON_CONTENT_TYPE:
        return value
    value = check_name(value, "/content_type", CONTENT_TYPE_LENGTH_MAX)
    if not _CONTENT_TYPE.fullmatch(value):
        raise InvalidRequest('must be a media type such as "application/json"', pointer="/content_type")
    return value


def _encode_event_data(event_data: Any, content_type: str, codec: Codec) -> bytes:
    if not is_json(content_type):
        if isinstance(event_data, (bytes, bytearray)):
            return bytes(event_data)
        raise InvalidRequest(f"must be bytes, because content_type is {content_type}", pointer="/event_data")
    refuse_large_raw(event_data, EVENT_SIZE_BYTES_MAX, "/event_data")
    # Nearly all is JSON as it is; what else there may be costs that nothing.
    try:
        return encode_json(event_data)
    except InvalidRequest as error:
        return encode_other(event_data, codec, error, "/event_data")


def _encode_metadata(metadata: Mapping[str, Any] | msgspec.Raw | None) -> bytes:
    if metadata is None:
        return b"{}"
    refuse_large_raw(metadata, METADATA_SIZE_BYTES_MAX, "/metadata")
    try:
        # Of mappings that are not dicts the JSON encoder knows nothing.
        encoded = encode_json(dict(metadata) if isinstance(metadata, Mapping) else metadata)
    except InvalidRequest as error:
        raise error.under("/metadata") from None
    return _check_metadata(encoded)


def _compact(text: bytes, pointer: str, size_bytes_max: int = METADATA_SIZE_BYTES_MAX) -> bytes:
    refuse_large(text, size_bytes_max, pointer)
    try:
        return compact_strict_json(text)
    except InvalidRequest as error:
        raise error.under(pointer) from None


def _check_metadata(encoded: bytes) -> bytes:
    if not encoded.startswith(b"{"):
        raise InvalidRequest("must be a JSON object", pointer="/metadata")
    if len(encoded) > METADATA_SIZE_BYTES_MAX:
        message = f"takes {len(encoded)} bytes, more than {METADATA_SIZE_BYTES_MAX}"
        raise PayloadTooLarge(message, pointer="/metadata", size_bytes_max=METADATA_SIZE_BYTES_MAX)
    return encoded


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the log. Immutable."""

    event_id: words.EventId
    event_type: words.EventType
    aggregate_type: words.AggregateType
    aggregate_id: words.AggregateId
    version: words.Version
    position: words.Position
    timestamp: Annotated[
        datetime, words.meta("When the store committed it: UTC, microseconds.", example="2026-01-31T12:00:00.000000Z")
    ]
    event_data_raw: Annotated[msgspec.Raw, words.EVENT_DATA] = msgspec.field(
        name="event_data", default_factory=lambda: msgspec.Raw(b"")
    )
    """JSON text; empty where content_type is not JSON."""
    event_data_base64: words.EventDataBase64 | msgspec.UnsetType = msgspec.UNSET
    metadata_raw: Annotated[msgspec.Raw, words.METADATA, words.meta(example={})] = msgspec.field(name="metadata")
    tags: words.Tags
    content_type: Annotated[words.ContentType, words.meta(example=JSON_CONTENT_TYPE)]
    hash: Annotated[
        str,
        words.meta(
            "SHA-256 of the previous event's hash and this event's line without hash.",
            {"pattern": "^[0-9a-f]{64}$"},
            example="5f0c1b0f7d2f2d4b0e5c9b6a1e8d3c7f4a2b9e6d1c8f5a3b0e7d4c1f8a5b2e9d",
        ),
    ]
    """See :func:`event_hash`."""

    @property
    def key(self) -> AggregateKey:
        return AggregateKey(self.aggregate_type, self.aggregate_id)

    @property
    def event_data(self) -> Any:
        """The JSON value; bytes where content_type is not JSON."""
        if self.event_data_base64 is msgspec.UNSET:
            return decode_json(self.event_data_raw)
        return base64.b64decode(self.event_data_base64)

    @property
    def event_data_bytes(self) -> bytes:
        """The JSON text, or the bytes themselves where content_type is not JSON."""
        if self.event_data_base64 is msgspec.UNSET:
            return bytes(self.event_data_raw)
        return base64.b64decode(self.event_data_base64)

    @property
    def metadata(self) -> dict[str, Any]:
        value: dict[str, Any] = decode_json(self.metadata_raw)
        return value

    @property
    def size_bytes(self) -> int:
        """Bytes of event_data and metadata."""
        return len(self.event_data_bytes) + len(bytes(self.metadata_raw))

    def __repr__(self) -> str:
        return (
            f"RecordedEvent({self.event_type!r}, {_preview(self.event_data_bytes)}, stream={self.key.stream!r}, "
            f"version={self.version}, position={self.position}, event_id={str(self.event_id)!r})"
        )


def _preview(text: bytes) -> str:
    """JSON text (or bytes), short enough for a log line or a failed assertion."""
    shown = text[:_PREVIEW_BYTES_MAX].decode("utf-8", "backslashreplace")
    return shown if len(text) <= _PREVIEW_BYTES_MAX else f"{shown}… ({len(text)} bytes)"


_recorded_event_decoder: Final = msgspec.json.Decoder(RecordedEvent)


def decode_event(line: bytes) -> RecordedEvent:
    """The event that one JSON line holds."""
    return _recorded_event_decoder.decode(line)


def decode_events(lines: bytes) -> tuple[RecordedEvent, ...]:
    """The events of NDJSON text; empty text holds none."""
    return tuple(_recorded_event_decoder.decode_lines(lines)) if lines else ()


def timestamp_from_us(timestamp_us: int) -> datetime:
    """UTC; ``timestamp_us`` counts microseconds from 1970."""
    return _EPOCH + timestamp_us * _MICROSECOND


def format_timestamp(timestamp_us: int) -> str:
    """RFC 3339 in UTC with six decimals, the one form that the log uses; ``timestamp_us`` counts from 1970."""
    second, us = divmod(timestamp_us, 1_000_000)
    return f"{_format_second(second)}.{us:06d}Z"


@lru_cache(maxsize=16)
def _format_second(second: int) -> str:
    """Of what the log gets, most is of one second."""
    return timestamp_from_us(second * 1_000_000).strftime("%Y-%m-%dT%H:%M:%S")


def timestamp_to_us(timestamp: datetime) -> int:
    """Microseconds since 1970. ``timestamp`` must carry a time zone."""
    return (timestamp - _EPOCH) // _MICROSECOND


_USUAL_TAIL: Final = b',"tags":[],"content_type":"application/json"}'


class EventText(Protocol):
    """What a caller says of an event: of a new one, or of one that came over the wire."""

    @property
    def event_id(self) -> object: ...
    @property
    def event_type(self) -> str: ...
    @property
    def event_data_raw(self) -> bytes: ...
    @property
    def metadata_raw(self) -> bytes: ...
    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def content_type(self) -> str: ...


def unhashed_line(event: EventText, key: AggregateKey, version: int, position: int, timestamp: str) -> bytes:
    """The event's canonical encoding: its JSON line without ``hash``. Every engine renders events in this form,
    so anyone who has exported lines can check the hash chain with nothing but SHA-256."""
    return unhashed_line_of(event, names_in_line(key), version, position, timestamp)


def names_in_line(key: AggregateKey) -> str:
    """The part of an event's line that says whose it is: the same for all events of an aggregate."""
    return f'"aggregate_type":{_quote(key.aggregate_type)},"aggregate_id":{_quote(key.aggregate_id)}'


def unhashed_line_of(event: EventText, names: str, version: int, position: int, timestamp: str) -> bytes:
    """:func:`unhashed_line` where many are made of one aggregate, with its :func:`names_in_line`."""
    head = (
        f'{{"event_id":"{id_text(event.event_id)}","event_type":{_quote(event.event_type)},{names},'
        f'"version":{version},"position":{position},"timestamp":"{timestamp}",'
    )
    if event.content_type == JSON_CONTENT_TYPE and not event.tags:
        return b'%b"event_data":%b,"metadata":%b%b' % (
            head.encode(), event.event_data_raw, event.metadata_raw, _USUAL_TAIL,
        )  # fmt: skip
    if is_json(event.content_type):
        name, data = b"event_data", event.event_data_raw
    else:
        name, data = b"event_data_base64", b'"%b"' % base64.b64encode(event.event_data_raw)
    tags = ",".join(map(_quote, event.tags))
    tail = f',"tags":[{tags}],"content_type":{_quote(event.content_type)}}}'
    return b'%b"%b":%b,"metadata":%b%b' % (head.encode(), name, data, event.metadata_raw, tail.encode())


def recorded_line(event: RecordedEvent) -> bytes:
    """The full JSON line of an event that was decoded: byte for byte the line that it came from."""
    timestamp = format_timestamp(timestamp_to_us(event.timestamp))
    unhashed = unhashed_line(NewEvent.from_recorded(event), event.key, event.version, event.position, timestamp)
    return hashed_line(unhashed, bytes.fromhex(event.hash))


def event_hash(previous_hash: bytes, unhashed: bytes) -> bytes:
    """SHA-256(previous event's hash ‖ the event's JSON line without ``hash``): 32 bytes."""
    return hashlib.sha256(previous_hash + unhashed).digest()


def hashed_line(unhashed: bytes, digest: bytes) -> bytes:
    """The event's full JSON line: the canonical encoding with ``hash`` as its last member."""
    return b'%b,"hash":"%b"}' % (unhashed[:-1], digest.hex().encode())


_HASH_TAIL_LENGTH: Final = len(b',"hash":""}') + 64


def split_hashed_line(line: bytes) -> tuple[bytes, bytes]:
    """The canonical encoding and the hash of a full JSON line. Raises ValueError when it does not end in a hash."""
    tail = line[-_HASH_TAIL_LENGTH:]
    if not (tail.startswith(b',"hash":"') and tail.endswith(b'"}')):
        raise ValueError("the line does not end in a hash")
    text = tail[9:-2].decode("ascii")
    digest = bytes.fromhex(text)
    # That takes capitals and spaces too, which is not the one form of a line.
    if digest.hex() != text:
        raise ValueError("the line's hash is not in lower-case hexadecimal digits")
    return line[:-_HASH_TAIL_LENGTH] + b"}", digest


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A saved state of an aggregate at a version: an aid to replay, never the truth."""

    aggregate_type: words.AggregateType
    aggregate_id: words.AggregateId
    version: words.Version
    timestamp: Annotated[words.Time, words.meta("When it was saved; UTC.")]
    state_raw: Annotated[msgspec.Raw, words.STATE] = msgspec.field(name="state")
    metadata_raw: Annotated[msgspec.Raw, words.meta("As it was saved.", {"type": "object"}, example={})] = (
        msgspec.field(name="metadata", default_factory=lambda: msgspec.Raw(b"{}"))
    )

    @property
    def key(self) -> AggregateKey:
        return AggregateKey(self.aggregate_type, self.aggregate_id)

    @property
    def state(self) -> Any:
        return decode_json(self.state_raw)

    def __repr__(self) -> str:
        return f"Snapshot({_preview(bytes(self.state_raw))}, stream={self.key.stream!r}, version={self.version})"

    @property
    def metadata(self) -> dict[str, Any]:
        value: dict[str, Any] = decode_json(self.metadata_raw)
        return value


def encode_snapshot_state(state: Any, metadata: Mapping[str, Any] | msgspec.Raw | None) -> tuple[bytes, bytes]:
    """JSON text of a snapshot's state and metadata, checked against the limits."""
    try:
        encoded = encode_json(state)
    except InvalidRequest as error:
        raise error.under("/state") from None
    encoded_metadata = _encode_metadata(metadata)
    if len(encoded) + len(encoded_metadata) > SNAPSHOT_SIZE_BYTES_MAX:
        raise PayloadTooLarge(
            f"state and metadata take more than {SNAPSHOT_SIZE_BYTES_MAX} bytes",
            pointer="/state", size_bytes_max=SNAPSHOT_SIZE_BYTES_MAX,
        )  # fmt: skip
    return encoded, encoded_metadata
