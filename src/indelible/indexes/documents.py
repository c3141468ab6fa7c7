"""Lines of the log as documents: the values of declared fields, and the text.

Every event of a log comes through here, so a line is decoded once, and of it only what a document has.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from indelible.events import AggregateKey, is_json, timestamp_to_us
from indelible.indexes.index import Document, Place
from indelible.json_text import decode_json, has_slow_numbers
from indelible.limits import INDEX_TEXT_LENGTH_MAX, INDEX_VALUES_PER_FIELD_MAX
from indelible.search import FieldType, Value, kept_value

_MISSING: Final = object()


class _Line(msgspec.Struct, gc=False):
    event_id: UUID
    event_type: str
    aggregate_type: str
    aggregate_id: str
    version: int
    position: int
    timestamp: datetime
    metadata: msgspec.Raw
    tags: tuple[str, ...]
    content_type: str
    event_data: Any = None


class _RawLine(_Line, gc=False):
    event_data: msgspec.Raw = msgspec.Raw(b"null")


_decode: Final = msgspec.json.Decoder(_Line).decode
_decode_raw: Final = msgspec.json.Decoder(_RawLine).decode

_Path = tuple[str, Sequence[str], FieldType]
"""A declared path, the names below ``event_data`` or ``metadata``, and the field's type."""


class DocumentMaker:
    """``fields``: those that are declared."""

    def __init__(self, fields: Mapping[str, FieldType]) -> None:
        self._of_data: Final = _paths(fields, "event_data")
        self._of_metadata: Final = _paths(fields, "metadata")

    def document_of(self, line: bytes) -> Document:
        """Raises ``ValueError``, and ``RecursionError``, for what is no event's line."""
        event = _decoded(line)
        data = event.event_data if is_json(event.content_type) else None
        values: dict[str, tuple[Value, ...]] = {}
        _add_values(values, data, self._of_data)
        if self._of_metadata:
            _add_values(values, decode_json(event.metadata), self._of_metadata)
        return Document(
            Place(timestamp_to_us(event.timestamp), event.position, event.event_id),
            event.event_type, AggregateKey(event.aggregate_type, event.aggregate_id), event.version, event.tags,
            values, _text(data),
        )  # fmt: skip


def _decoded(line: bytes) -> _Line:
    try:
        if not has_slow_numbers(line):
            return _decode(line)
    except msgspec.DecodeError:
        pass  # Data may hold numbers that msgspec refuses.
    event = _decode_raw(line)
    event.event_data = decode_json(event.event_data)
    return event


def _paths(fields: Mapping[str, FieldType], root: str) -> Sequence[_Path]:
    found = [(path, path.split("."), kind) for path, kind in fields.items()]
    return [(path, names[1:], kind) for path, names, kind in found if names[0] == root]


def _add_values(values: dict[str, tuple[Value, ...]], data: Any, paths: Sequence[_Path]) -> None:
    """Those of each field's type, without repeats."""
    for path, names, kind in paths:
        at = data
        for name in names:
            if type(at) is not dict:
                break
            at = at.get(name, _MISSING)
        else:
            if type(at) is not list:
                one = kept_value(at, kind)
                if one is not None:
                    values[path] = (one,)
                continue
        if type(at) is list and (found := _values_of_arrays(data, names, kind)):
            values[path] = found


def _values_of_arrays(found: Any, names: Sequence[str], kind: FieldType) -> tuple[Value, ...]:
    kept: dict[tuple[type, Value], Value] = {}
    for value in _at(found, names):
        one = kept_value(value, kind)
        if one is not None:
            kept[type(one), one] = one
            if len(kept) == INDEX_VALUES_PER_FIELD_MAX:
                break
    return tuple(kept.values())


def _at(found: Any, names: Sequence[str]) -> Iterator[Any]:
    """What stands at a path; an array stands for each of its elements."""
    if isinstance(found, list):
        for one in found:
            yield from _at(one, names)
    elif not names:
        yield found
    elif isinstance(found, dict) and names[0] in found:
        yield from _at(found[names[0]], names[1:])


def _text(data: Any) -> str:
    strings: list[str] = []
    _add_strings((data,), strings)
    return "\n".join(strings)[:INDEX_TEXT_LENGTH_MAX]


def _add_strings(found: Any, strings: list[str]) -> None:
    """Of all that is in an iterable."""
    for one in found:
        kind = type(one)
        if kind is str:
            strings.append(one)
        elif kind is dict:
            _add_strings(one.values(), strings)
        elif kind is list:
            _add_strings(one, strings)
