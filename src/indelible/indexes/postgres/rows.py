"""Documents as rows of COPY in PostgreSQL's binary form. They are put together here: psycopg would look at every value
for itself, which takes several times as long."""

import struct
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from indelible.indexes.index import Document
from indelible.indexes.postgres.stored import decimal_text, kept_text, numeric, tag_term, value_term, word_term
from indelible.search import FieldType, Value, words_of

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"

_FIXED_COLUMNS: Final = 10
_FIXED: Final = struct.Struct("!hiqiqi16siq").pack
"""How many columns, then time, position, event id and version, each after its size."""
_SIZE: Final = struct.Struct("!i").pack
_NULL: Final = _SIZE(-1)
_ARRAY: Final = struct.Struct("!iiIii").pack
"""How many dimensions, whether there are NULLs, the type of an item; how many items, the number of the first."""
_TERM: Final = struct.Struct("!ii").pack
_KNOWN_MAX: Final = 65_536
"""Words and names whose bytes are remembered."""

# Of the types' rows in pg_type: the same in every database.
_BOOLEAN_OID: Final = 16
_BIGINT_OID: Final = 20
_INTEGER_OID: Final = 23
_TEXT_OID: Final = 25
_NUMERIC_OID: Final = 1700


class _Kind:
    """How values of one type are kept."""

    def __init__(self, oid: int, encode: Callable[[Any], bytes], name: Callable[[Any], str]) -> None:
        self.oid: Final = oid
        self.encode: Final = encode
        self.name: Final = name
        """What a term is made of."""


_KINDS: Final[Mapping[FieldType, _Kind]] = {
    "string": _Kind(_TEXT_OID, lambda value: kept_text(value).encode(), str),
    "number": _Kind(_NUMERIC_OID, numeric, decimal_text),
    "boolean": _Kind(_BOOLEAN_OID, lambda value: b"\x01" if value else b"\x00", str),
    "time": _Kind(_BIGINT_OID, struct.Struct("!q").pack, str),
}


def term_of(field: int, kind: FieldType, value: Value) -> int:
    """Of one of several values of a field."""
    return value_term(field, _KINDS[kind].name(value))


class Rows:
    """Of a generation with these fields."""

    def __init__(self, fields: Mapping[str, FieldType]) -> None:
        self._fields: Final = [(number, path, fields[path]) for number, path in enumerate(fields, start=1)]
        self._columns: Final = _FIXED_COLUMNS + 3 * len(fields)
        self._names: Final[dict[str, bytes]] = {}
        self._words: Final[dict[str, bytes]] = {}

    def row(self, document: Document) -> bytes:
        place, key = document.place, document.aggregate
        terms: set[bytes] = {_TERM(4, tag_term(tag)) for tag in document.tags}
        words = self._words_of(document.text, terms)
        values = self._values(document.values, terms)
        return b"".join([
            _FIXED(
                self._columns, 8, place.timestamp_us, 8, place.position, 16, place.event_id.bytes, 8, document.version
            ),
            self._name(document.event_type), self._name(key.aggregate_type), _text(key.aggregate_id),
            _array(_TEXT_OID, [_text(tag) for tag in document.tags]) if document.tags else _NULL,
            _array(_INTEGER_OID, terms) if terms else _NULL,
            words, *values,
        ])  # fmt: skip

    def _name(self, name: str) -> bytes:
        kept = self._names.get(name)
        if kept is None:
            kept = _remember(self._names, name, _text(name))
        return kept

    def _words_of(self, text: str, terms: set[bytes]) -> bytes:
        """With a space around each, so that a phrase is a part of it."""
        words = words_of(text) if text else ()
        if not words:
            return _NULL
        for word in words:
            term = self._words.get(word)
            if term is None:
                term = _remember(self._words, word, _TERM(4, word_term(word)))
            terms.add(term)
        return _sized(f" {' '.join(words)} ".encode())

    def _values(self, values: Mapping[str, tuple[Value, ...]], terms: set[bytes]) -> list[bytes]:
        """Of each field the least; the greatest and all of them where there are several."""
        columns: list[bytes] = []
        for number, path, kind in self._fields:
            found = values.get(path)
            if not found:
                columns += (_NULL, _NULL, _NULL)
            elif len(found) == 1:
                columns += (_sized(_KINDS[kind].encode(found[0])), _NULL, _NULL)
            else:
                terms.update(_TERM(4, term_of(number, kind, one)) for one in found)
                # Strings are in the order of their code points, as their UTF-8 is.
                items = [_sized(_KINDS[kind].encode(one)) for one in sorted(found)]
                columns += (items[0], items[-1], _array(_KINDS[kind].oid, items))
        return columns


def _remember(known: dict[str, bytes], text: str, kept: bytes) -> bytes:
    if len(known) >= _KNOWN_MAX:
        known.clear()
    known[text] = kept
    return kept


def _text(text: str) -> bytes:
    return _sized(kept_text(text).encode())


def _sized(value: bytes) -> bytes:
    return _SIZE(len(value)) + value


def _array(oid: int, items: Collection[bytes]) -> bytes:
    return _sized(_ARRAY(1, 0, oid, len(items), 1) + b"".join(items))
