"""What clients of this wire say of an event, as bytes, and the same event in the log.

Its data and metadata come back byte for byte. The log keeps JSON without white space, and metadata that is an object;
so what else there is to know stands in one more member of the metadata, :data:`MARK`, which no reader of this wire
sees:

- ``spaced``: which of ``data`` and ``metadata`` had a space after each comma and colon, as Python's json module writes;
  - ``text`` and ``base64``: the very text or bytes of one that was JSON in another form, or metadata that is no JSON
  object;
- ``content_type``: what was said of data that is not the JSON that it was said to be; the log keeps such data as bytes;
- ``created`` and ``position``: the time and the commit position that an imported event had where it came from, and
  ``event_id`` and ``revision`` where they are not the same;
- ``last_revision``: of metadata that deletes or truncates a stream, the last revision that it hides.

Most events need no mark: those whose data and metadata are JSON without white space, or no metadata at all. The log
bounds metadata to ``METADATA_SIZE_BYTES_MAX``, marks included. JSON in a form of its own that takes more comes back
without white space; metadata is refused then. JSON of more than ``ESDB_JSON_SIZE_BYTES_MAX`` bytes is refused, however
much of it is white space.
"""

from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.events import (
    BINARY_CONTENT_TYPE,
    NewEvent,
    RecordedEvent,
    check_content_type,
    is_json,
)
from indelible.json_text import compact_json, compact_size_min
from indelible.limits import ESDB_JSON_SIZE_BYTES_MAX, EVENT_SIZE_BYTES_MAX, METADATA_SIZE_BYTES_MAX, VERSION_MAX

MARK: Final = "$esdb"
FORM_SIZE_BYTES_MAX: Final = METADATA_SIZE_BYTES_MAX // 2
"""JSON of so many bytes comes back without white space, unless only one space stood after each comma and colon."""
FORM_SURE_SIZE_BYTES: Final = METADATA_SIZE_BYTES_MAX // 4
"""Data and metadata that take less together come back byte for byte, whatever their form. Each may stand in the mark
as text, where most of its characters may be escaped, and metadata beside it as JSON."""
_MARK_KEY: Final = b'"$esdb":'

_Part = Literal["data", "metadata"]
_Place = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A revision or position elsewhere."""


class Mark(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is known of an event beside what the log says of every event."""

    spaced: Annotated[tuple[_Part, ...], msgspec.Meta(max_length=2)] = ()
    text: dict[_Part, str] = {}
    base64: dict[Literal["metadata"], bytes] = {}
    content_type: str | None = None
    created: datetime | None = None
    position: _Place | None = None
    event_id: UUID | None = None
    revision: _Place | None = None
    last_revision: Annotated[int, msgspec.Meta(ge=-1, le=VERSION_MAX - 2)] | None = None
    """What comes after it has a version."""


NO_MARK: Final = Mark()
_decode_mark: Final = msgspec.json.Decoder(Mark).decode
_encode_mark: Final = msgspec.json.Encoder(enc_hook=str).encode


class Payload(NamedTuple):
    """An event's bytes as clients of this wire have them."""

    data: bytes
    metadata: bytes
    content_type: str
    mark: Mark = NO_MARK


class _Kept(NamedTuple):
    """How the log keeps some bytes: as JSON if they are, and what it takes to get the bytes back from that."""

    json: bytes | None
    form: str | None = None
    """ "spaced", "text" or "base64"; None: as the JSON."""


_NOT_JSON: Final = _Kept(None)


def new_event(event_id: UUID, event_type: str, payload: Payload, tags: tuple[str, ...] = ()) -> NewEvent:
    """``payload.mark`` says what else is to be kept: ``created``, ``event_id``, ``last_revision``. Raises
    ``InvalidRequest``, ``PayloadTooLarge``."""
    data, metadata = payload.data, payload.metadata
    content_type, said = payload.content_type, None
    if len(metadata) > METADATA_SIZE_BYTES_MAX:
        _check_size(metadata, METADATA_SIZE_BYTES_MAX, "/metadata")
    kept_data = _NOT_JSON
    if is_json(content_type):
        if len(data) > EVENT_SIZE_BYTES_MAX:
            _check_size(data, EVENT_SIZE_BYTES_MAX, "/event_data")
        kept_data = _kept(data)
        if kept_data.json is None:
            content_type, said = BINARY_CONTENT_TYPE, check_content_type(content_type)
    kept_metadata = _kept_object(metadata)
    raw = kept_metadata.json or b"{}"
    if payload.mark is not NO_MARK or said is not None or kept_data.form or kept_metadata.form:
        mark = msgspec.structs.replace(payload.mark, content_type=said)
        raw = _with_forms(raw, (data, kept_data.form), (metadata, kept_metadata.form), mark)
    if kept_data.json is not None:
        return NewEvent.from_strict_json(
            event_type, kept_data.json, event_id=event_id, metadata=raw, tags=tags, content_type=content_type
        )
    check_content_type(content_type)
    return NewEvent(
        event_type, data, event_id=event_id, metadata=msgspec.Raw(raw), tags=tags, content_type=content_type
    )


def payload_of(event: RecordedEvent) -> Payload:
    raw = bytes(event.metadata_raw)
    data = event.event_data_bytes
    if _MARK_KEY in raw:
        raw, mark = _without_mark(event, raw)
        if mark is not NO_MARK:
            metadata = _given_back("metadata", b"" if raw == b"{}" else raw, mark)
            data = _given_back("data", data, mark)
            return Payload(data, metadata, mark.content_type or event.content_type, mark)
    return Payload(data, b"" if raw == b"{}" else raw, event.content_type)


# --- Into the log ----------------------------------------------------------------------------------------------------


def _check_size(given: bytes, size_bytes_max: int, pointer: str) -> None:
    """Before anything is made of it, refuse what is too large in whatever form it is kept: to look at 16 MiB of JSON
    takes long."""
    size_bytes = len(given) if len(given) > ESDB_JSON_SIZE_BYTES_MAX else compact_size_min(given)
    if size_bytes > size_bytes_max:
        raise PayloadTooLarge(
            f"takes {size_bytes} bytes, more than {size_bytes_max}", pointer=pointer, size_bytes_max=size_bytes_max
        )


def _kept(given: bytes) -> _Kept:
    try:
        compact = compact_json(given)
    except InvalidRequest:
        return _NOT_JSON
    if compact == given:
        return _Kept(compact)
    if len(given) > len(compact) and _spaced(compact) == given:
        return _Kept(compact, "spaced")
    # What has no room in the metadata comes back without white space.
    return _Kept(compact, "text" if len(given) < FORM_SIZE_BYTES_MAX else None)


def _kept_object(given: bytes) -> _Kept:
    if not given:
        return _Kept(b"{}")
    kept = _kept(given)
    if kept.json is None or not kept.json.startswith(b"{") or _MARK_KEY in kept.json:
        return _Kept(None, "text" if _is_text(given) else "base64")
    # Else it would come back as none at all.
    return _Kept(kept.json, "text") if kept.json == b"{}" else kept


def _is_text(given: bytes) -> bool:
    try:
        given.decode()
    except UnicodeDecodeError:
        return False
    return True


_Formed = tuple[bytes, str | None]
"""Bytes and their form."""


def _with_forms(raw: bytes, data: _Formed, metadata: _Formed, mark: Mark) -> bytes:
    """The metadata with the mark. JSON for whose text there is no room comes back without white space: the data first,
    and the metadata if that is not enough."""
    marked = _with_mark(raw, _mark_of(data, metadata, mark))
    if len(marked) > METADATA_SIZE_BYTES_MAX and data[1] == "text":
        data = (data[0], None)
        marked = _with_mark(raw, _mark_of(data, metadata, mark))
    if len(marked) > METADATA_SIZE_BYTES_MAX and metadata[1] == "text" and raw != b"{}":
        marked = _with_mark(raw, _mark_of(data, (metadata[0], None), mark))
    return marked


def _mark_of(data: _Formed, metadata: _Formed, mark: Mark) -> Mark:
    parts: tuple[tuple[_Part, bytes, str | None], ...] = (("data", *data), ("metadata", *metadata))
    return msgspec.structs.replace(
        mark,
        spaced=tuple(name for name, _, form in parts if form == "spaced"),
        text={name: given.decode() for name, given, form in parts if form == "text"},
        base64={"metadata": metadata[0]} if metadata[1] == "base64" else {},
    )


def _with_mark(raw: bytes, mark: Mark) -> bytes:
    if mark == NO_MARK:
        return raw
    comma = b"" if raw == b"{}" else b","
    return b"%b%b%b%b}" % (raw[:-1], comma, _MARK_KEY, _encode_mark(mark))


def _spaced(compact: bytes) -> bytes:
    """As Python's json module writes it, of any JSON text without white space."""
    return msgspec.json.format(compact, indent=0)


# --- Out of the log --------------------------------------------------------------------------------------------------


def _without_mark(event: RecordedEvent, raw: bytes) -> tuple[bytes, Mark]:
    """The mark is the last member; what only looks like one stays where it is. Callers of other APIs may write
    anything there, so it is a mark only if :func:`new_event` can have made it."""
    before, _, rest = raw.rpartition(_MARK_KEY)
    if not before.endswith((b"{", b",")):
        return raw, NO_MARK  # within a name
    try:
        mark = _decode_mark(rest[:-1])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw, NO_MARK
    if mark == NO_MARK or not _is_of(event, mark):
        return raw, NO_MARK
    return before.removesuffix(b",") + b"}", mark


def _is_of(event: RecordedEvent, mark: Mark) -> bool:
    if is_json(event.content_type):
        return mark.content_type is None
    if "data" in mark.spaced or "data" in mark.text:
        return False
    return mark.content_type is None or (event.content_type == BINARY_CONTENT_TYPE and _is_said(mark.content_type))


def _is_said(content_type: str) -> bool:
    """Of data that is not the JSON that it was said to be."""
    try:
        return is_json(check_content_type(content_type))
    except InvalidRequest:
        return False


def _given_back(name: _Part, kept: bytes, mark: Mark) -> bytes:
    if name in mark.spaced:
        return _spaced(kept)
    if name in mark.text:
        return mark.text[name].encode()
    return mark.base64.get("metadata", kept) if name == "metadata" else kept
