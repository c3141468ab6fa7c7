"""Documents as rows of COPY in PostgreSQL's binary form. They are put together here: psycopg would look at every value
for itself, which takes several times as long."""

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from indelible.indexes.index import Document
from indelible.indexes.postgres.stored import decimal_text, sized_numeric, sized_text, tag_term, value_term, word_term
from indelible.limits import NAME_LENGTH_MAX
from indelible.search import FieldType, Value, words_of

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"

_FIXED_COLUMNS: Final = 10
_FIXED: Final = struct.Struct("!hiqiqi16siq").pack
"""How many columns, then time, position, event id and version, each after its size."""
_NULL: Final = struct.pack("!i", -1)
_NO_VALUE: Final = (_NULL, _NULL, _NULL)
_BOOLEAN: Final = struct.Struct("!i?").pack
_BIGINT: Final = struct.Struct("!iq").pack
_ARRAY: Final = struct.Struct("!iiiIii").pack
"""Its size; how many dimensions, whether there are NULLs, the type of an item; how many items, which is the first."""
_ARRAY_HEAD_SIZE: Final = 20
_TERM: Final = struct.Struct("!ii").pack
_KNOWN_MAX: Final = 65_536
"""Words, tags and names whose bytes are remembered, of each; none is long."""

K = TypeVar("K")

# Of the types' rows in pg_type: the same in every database.
_BOOLEAN_OID: Final = 16
_BIGINT_OID: Final = 20
_INTEGER_OID: Final = 23
_TEXT_OID: Final = 25
_NUMERIC_OID: Final = 1700


class _Kind(NamedTuple):
    """How values of one type are kept."""

    oid: int
    encode: Callable[[Any], bytes]
    """With its size before it."""
    name: Callable[[Any], str]
    """What a term is made of."""


_KINDS: Final[Mapping[FieldType, _Kind]] = {
    "string": _Kind(_TEXT_OID, sized_text, str),
    "number": _Kind(_NUMERIC_OID, sized_numeric, decimal_text),
    "boolean": _Kind(_BOOLEAN_OID, lambda value: _BOOLEAN(1, value), str),
    "time": _Kind(_BIGINT_OID, lambda value: _BIGINT(8, value), str),
}


def term_of(field: int, kind: FieldType, value: Value) -> int:
    """Of one of several values of a field."""
    return value_term(field, _KINDS[kind].name(value))


class Rows:
    """Of a generation with these fields."""

    def __init__(self, fields: Mapping[str, FieldType]) -> None:
        self._fields: Final = [(number, path, _KINDS[fields[path]]) for number, path in enumerate(fields, start=1)]
        self._columns: Final = _FIXED_COLUMNS + 3 * len(fields)
        self._names: Final[dict[str, bytes]] = {}
        self._tags: Final[dict[str, tuple[bytes, bytes]]] = {}
        self._words: Final[dict[str, bytes]] = {}

    def row(self, document: Document) -> bytes:
        place, key = document.place, document.aggregate
        name = self._name
        tags = [self._tag(tag) for tag in document.tags]
        words = words_of(document.text) if document.text else None
        terms = {term for term, _ in tags}
        if words:
            self._add_terms(words, terms)
        values = self._values(document.values, terms)
        return b"".join((
            _FIXED(
                self._columns, 8, place.timestamp_us, 8, place.position, 16, place.event_id.bytes, 8, document.version
            ),
            name(document.event_type), name(key.aggregate_type), sized_text(key.aggregate_id),
            _array(_TEXT_OID, [text for _, text in tags]) if tags else _NULL,
            _array(_INTEGER_OID, terms) if terms else _NULL,
            # With a space around each, so that a phrase is a part of it.
            sized_text(f" {' '.join(words)} ") if words else _NULL,
            *values,
        ))  # fmt: skip

    def _name(self, name: str) -> bytes:
        kept = self._names.get(name)
        if kept is None:
            kept = _remember(self._names, name, sized_text(name))
        return kept

    def _tag(self, tag: str) -> tuple[bytes, bytes]:
        """Its term, and its text."""
        kept = self._tags.get(tag)
        if kept is None:
            kept = _remember(self._tags, tag, (_TERM(4, tag_term(tag)), sized_text(tag)))
        return kept

    def _add_terms(self, words: Sequence[str], terms: set[bytes]) -> None:
        known = self._words
        for word in words:
            term = known.get(word)
            if term is None:
                term = _remember(known, word, _TERM(4, word_term(word)))
            terms.add(term)

    def _values(self, values: Mapping[str, tuple[Value, ...]], terms: set[bytes]) -> list[bytes]:
        """Of each field the least; the greatest and all of them where there are several."""
        columns: list[bytes] = []
        for number, path, kind in self._fields:
            found = values.get(path)
            if not found:
                columns += _NO_VALUE
            elif len(found) == 1:
                columns += (kind.encode(found[0]), _NULL, _NULL)
            else:
                terms.update(_TERM(4, value_term(number, kind.name(one))) for one in found)
                # Strings are in the order of their code points, as their UTF-8 is.
                items = [kind.encode(one) for one in sorted(found)]
                columns += (items[0], items[-1], _array(kind.oid, items))
        return columns


def _remember(known: dict[str, K], text: str, kept: K) -> K:
    if len(known) >= _KNOWN_MAX:
        known.clear()
    if len(text) <= NAME_LENGTH_MAX:
        known[text] = kept
    return kept


def _array(oid: int, items: Collection[bytes]) -> bytes:
    joined = b"".join(items)
    return _ARRAY(_ARRAY_HEAD_SIZE + len(joined), 1, 0, oid, len(items), 1) + joined
