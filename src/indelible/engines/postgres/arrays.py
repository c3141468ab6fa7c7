"""Arrays in PostgreSQL's binary form: the database reads them several times faster than text or JSON. They are put
together here, because psycopg looks at every value for itself.

The statement says what an array is of, by a cast: ``unnest(%(versions)b::bigint[])``. An empty one is None, which
unnests to nothing.
"""

import struct
from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

# Of the types' rows in pg_type: the same in every database.
_BYTEA_OID: Final = 17
_BIGINT_OID: Final = 20
_TEXT_OID: Final = 25
_TIMESTAMPTZ_OID: Final = 1184
_UUID_OID: Final = 2950

_EPOCH_US: Final = 946_684_800_000_000
"""From 1970 to 2000, where the database's own count begins."""

_HEAD: Final = struct.Struct("!iiI").pack
"""How many dimensions, whether there are NULLs, the type of an item."""
_DIMENSION: Final = struct.Struct("!ii").pack
_SIZE: Final = struct.Struct("!i").pack
_NULL: Final = _SIZE(-1)


class Array(bytes):
    """What is sent for one parameter."""

    __slots__ = ()


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> Buffer:
        return obj


psycopg.adapters.register_dumper(Array, _ArrayDumper)


def bigints(values: Sequence[int]) -> Array | None:
    return _array(_BIGINT_OID, len(values), _of_bigints(values)) if values else None


def timestamps(values_us: Sequence[int]) -> Array | None:
    """Of microseconds since 1970."""
    if not values_us:
        return None
    return _array(_TIMESTAMPTZ_OID, len(values_us), _of_bigints([value - _EPOCH_US for value in values_us]))


def names(values: Collection[str]) -> Array | None:
    """Of few different ones."""
    if not values:
        return None
    items = {value: _SIZE(len(item := value.encode())) + item for value in set(values)}
    return _array(_TEXT_OID, len(values), b"".join([items[value] for value in values]))


def texts(values: Sequence[str | None]) -> Array | None:
    """None where all of them are: beside other arrays that unnests to as many NULLs."""
    if values.count(None) == len(values):
        return None
    encoded = [None if value is None else value.encode() for value in values]
    items = [_NULL if item is None else _SIZE(len(item)) + item for item in encoded]
    return _array(_TEXT_OID, len(items), b"".join(items))


def uuids(values: Sequence[UUID]) -> Array | None:
    return _array(_UUID_OID, len(values), _of_one_size([value.bytes for value in values], 16)) if values else None


def hashes(values: Sequence[bytes]) -> Array | None:
    """Of 32 bytes each."""
    return _array(_BYTEA_OID, len(values), _of_one_size(values, 32)) if values else None


def _array(oid: int, count: int, items: bytes) -> Array:
    return Array(_HEAD(1, 1, oid) + _DIMENSION(count, 1) + items)


def _of_bigints(values: Sequence[int]) -> bytes:
    # All first bytes into their places, then all second ones and so on: a step for each number would take longer.
    packed = struct.pack(f"!{len(values)}q", *values)
    items = bytearray(_SIZE(8) + bytes(8)) * len(values)
    for number in range(8):
        items[4 + number :: 12] = packed[number::8]
    return bytes(items)


def _of_one_size(items: Sequence[bytes], size_bytes: int) -> bytes:
    # An empty one before the first, so that the size stands before that too.
    return _SIZE(size_bytes).join([b"", *items])
