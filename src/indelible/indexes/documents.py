"""Events as documents: the values of declared fields, and the text."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from indelible.events import RecordedEvent, is_json, timestamp_to_us
from indelible.indexes.index import Document, Place
from indelible.limits import INDEX_FIELDS_MAX, INDEX_TEXT_LENGTH_MAX, INDEX_VALUES_PER_FIELD_MAX
from indelible.search import FieldType, Value, kept_value

_MISSING: Final = object()


def document_of(event: RecordedEvent, fields: Mapping[str, FieldType]) -> Document:
    data = event.event_data if is_json(event.content_type) else None
    metadata: Any = _MISSING
    values: dict[str, tuple[Value, ...]] = {}
    for path, kind in fields.items():
        root, names = _split(path)
        if root == "metadata" and metadata is _MISSING:
            metadata = event.metadata
        found = _values(data if root == "event_data" else metadata, names, kind)
        if found:
            values[path] = found
    return Document(
        Place(timestamp_to_us(event.timestamp), event.position, event.event_id),
        event.event_type, event.key, event.version, event.tags, values, _text(data),
    )  # fmt: skip


@lru_cache(maxsize=2 * INDEX_FIELDS_MAX)
def _split(path: str) -> tuple[str, Sequence[str]]:
    root, *names = path.split(".")
    return root, tuple(names)


def _values(found: Any, names: Sequence[str], kind: FieldType) -> tuple[Value, ...]:
    """Those of the field's type, without repeats."""
    at = found
    for name in names:
        if not isinstance(at, dict):
            return _values_of_arrays(found, names, kind) if isinstance(at, list) else ()
        at = at.get(name, _MISSING)
    if isinstance(at, list):
        return _values_of_arrays(found, names, kind)
    one = kept_value(at, kind)
    return () if one is None else (one,)


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
    _add_strings(data, strings)
    return "\n".join(strings)[:INDEX_TEXT_LENGTH_MAX]


def _add_strings(found: Any, strings: list[str]) -> None:
    if isinstance(found, str):
        strings.append(found)
    elif isinstance(found, dict):
        for one in found.values():
            _add_strings(one, strings)
    elif isinstance(found, list):
        for one in found:
            _add_strings(one, strings)
