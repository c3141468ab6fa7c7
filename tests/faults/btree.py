"""Finds where SQLite keeps each row of a table in the database file, by walking the table's b-tree.

Only what the tests need of the file format (https://www.sqlite.org/fileformat2.html): a checkpointed file, table
b-trees, 4 KiB pages or whatever the header says.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import apsw

INTERIOR, LEAF, INDEX_LEAF = 5, 13, 10


class Row(NamedTuple):
    """One row: its rowid, and the places of all its bytes in the file, cell header first, overflow pages last."""

    rowid: int
    cell_header: range
    """The two varints before the record: its size and the rowid."""
    record_header: range
    """Header size and the type of each column."""
    record_body: tuple[int, ...]
    """The columns' bytes in their order."""


class Column(NamedTuple):
    name: str
    places: tuple[int, ...]


def rows_of(path: Path, table: str) -> dict[int, Row]:
    """Every row of a table by its rowid."""
    file = _File(path.read_bytes())
    return {row.rowid: row for page in file.leaves(_root_page(path, table)) for row in file.rows(page)}


def index_entries_of(path: Path, index: str) -> list[range]:
    """The places of the values of every entry of an index, or of a table without rowid, that fits on one page."""
    return list(_File(path.read_bytes()).entries(_root_page(path, index)))


def _root_page(path: Path, name: str) -> int:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchall()[0][0]
    connection.close()
    return int(page)


def columns_of(path: Path, table: str, row: Row) -> list[Column]:
    """Where the value of each column stands; no places for NULL, for 0 and 1, and for the rowid itself."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    names = [info[1] for info in connection.execute(f"PRAGMA table_xinfo({table})")]
    connection.close()
    data = path.read_bytes()
    size, at = _varint(data, row.record_header.start)
    assert size == len(row.record_header)
    columns, start = [], 0
    for name in names:
        kind, at = _varint(data, at)
        length = _length_of(kind)
        columns.append(Column(name, row.record_body[start : start + length]))
        start += length
    assert at == row.record_header.stop
    assert start == len(row.record_body)
    return columns


class _File:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._page_size = int.from_bytes(data[16:18], "big")
        self._page_size = 65536 if self._page_size == 1 else self._page_size
        self._usable = self._page_size - data[20]

    def leaves(self, page: int) -> Iterator[int]:
        kind, pointers = self._pointers(page)
        if kind == LEAF:
            yield page
            return
        for pointer in pointers:
            yield from self.leaves(self._integer(pointer))
        yield from self.leaves(self._integer(self._header(page) + 8))

    def rows(self, page: int) -> Iterator[Row]:
        _, pointers = self._pointers(page)
        for start in pointers:
            size, after_size = _varint(self._data, start)
            rowid, at = _varint(self._data, after_size)
            places = list(self._payload(at, size))
            header_size, _ = _varint(self._data, at)
            header, body = places[:header_size], places[header_size:]
            yield Row(rowid, range(start, at), range(header[0], header[-1] + 1), tuple(body))

    def entries(self, page: int) -> Iterator[range]:
        kind, pointers = self._pointers(page)
        assert kind == INDEX_LEAF, "more than one page"
        for start in pointers:
            size, at = _varint(self._data, start)
            header_size, _ = _varint(self._data, at)
            yield range(at + header_size, at + size)

    def _payload(self, at: int, size: int) -> Iterator[int]:
        local = self._local_size(size)
        yield from range(at, at + local)
        following = self._integer(at + local) if local < size else 0
        size -= local
        while size > 0:
            start = (following - 1) * self._page_size
            part = min(size, self._usable - 4)
            yield from range(start + 4, start + 4 + part)
            following = self._integer(start)
            size -= part

    def _local_size(self, size: int) -> int:
        most = self._usable - 35
        if size <= most:
            return size
        least = (self._usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (self._usable - 4)
        return local if local <= most else least

    def _header(self, page: int) -> int:
        return 100 if page == 1 else (page - 1) * self._page_size

    def _pointers(self, page: int) -> tuple[int, list[int]]:
        header = self._header(page)
        kind = self._data[header]
        assert kind in (INTERIOR, LEAF, INDEX_LEAF)
        count = int.from_bytes(self._data[header + 3 : header + 5], "big")
        first = header + (12 if kind == INTERIOR else 8)
        start = (page - 1) * self._page_size
        return kind, [
            start + int.from_bytes(self._data[first + 2 * i : first + 2 * i + 2], "big") for i in range(count)
        ]

    def _integer(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 4], "big")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer and the place after it."""
    value = 0
    for i in range(8):
        value = value << 7 | data[at + i] & 0x7F
        if data[at + i] < 0x80:
            return value, at + i + 1
    return value << 8 | data[at + 8], at + 9


def _length_of(kind: int) -> int:
    """Bytes of a column by its serial type."""
    if kind >= 12:
        return (kind - 12) // 2
    return (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)[kind]
