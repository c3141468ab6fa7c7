"""Values and places as bytes, whose order is that of the values: what sort keys are made of.

A string ends with two zero bytes, so that one that begins another comes first; a zero byte within it is escaped. One
that is too long for a sort key is cut, and told apart by a digest: it stands where its beginning says, and who must
know more exactly looks at the document.
"""

import hashlib
import struct
from typing import Final
from uuid import UUID

from indelible.indexes.index import Place
from indelible.search import FieldType, Value

STRING_SIZE_BYTES_MAX: Final = 450
"""Of a string in a sort key, which may have 1,024 bytes. Two are the bounds of a query, and nobody says that these are
not counted together."""
STEP_SIZE_BYTES: Final = 8
SUFFIX_SIZE_BYTES: Final = 40
"""A place and a step stand at the end of each sort key."""
_ID_SIZE_BYTES: Final = 16
LEAST: Final = b"\x00"
"""Before every sort key, none of which is empty."""
_END: Final = b"\x00\x00"
_CUT: Final = b"\xff"
"""Behind the beginning of a string that is cut: above what ends there."""
_DIGEST_SIZE_BYTES: Final = 16
_OFFSET: Final = 1 << 63
_SIGN: Final = 1 << 63
_REST_OFFSET: Final = 1 << 15
_UNSIGNED_MAX: Final = (1 << 64) - 1
_pack_place: Final = struct.Struct(">QQ16s").pack
_unpack_place: Final = struct.Struct(">QQ16sQ").unpack


def is_cut(value: Value) -> bool:
    """Whether it does not fit into a sort key whole."""
    return isinstance(value, str) and len(_escaped(value)) > STRING_SIZE_BYTES_MAX


def encode_value(value: Value, kind: FieldType) -> bytes:
    if kind == "string":
        return encode_string(str(value))
    if kind == "boolean":
        return b"\x01" if value else b"\x00"
    return _number(value) if kind == "number" else encode_time(int(value))  # type: ignore[arg-type]  # it is of its type


def encode_string(value: str) -> bytes:
    escaped = _escaped(value)
    if len(escaped) <= STRING_SIZE_BYTES_MAX:
        return escaped + _END
    digest = hashlib.blake2b(escaped, digest_size=_DIGEST_SIZE_BYTES).digest()
    return escaped[:STRING_SIZE_BYTES_MAX] + _CUT + digest


def beginning(value: str) -> bytes:
    """What all strings with this prefix begin with, and if it is very long, some others too."""
    return _escaped(value)[:STRING_SIZE_BYTES_MAX]


def _escaped(value: str) -> bytes:
    return value.encode().replace(b"\x00", b"\x00\xff")


def _number(value: float) -> bytes:
    """The nearest double, and how far that is from the number: a whole one of 64 bits may lie between two doubles."""
    near = float(value)
    rest = value - int(near) if isinstance(value, int) else 0
    (bits,) = struct.unpack(">Q", struct.pack(">d", near))
    # Negative ones are in the opposite order.
    bits = bits ^ _UNSIGNED_MAX if bits & _SIGN else bits | _SIGN
    return struct.pack(">QH", bits, int(rest) + _REST_OFFSET)


def encode_time(time_us: int) -> bytes:
    return struct.pack(">Q", _in_bounds(time_us + _OFFSET))


def encode_place(place: Place) -> bytes:
    return _pack_place(_in_bounds(place.timestamp_us + _OFFSET), _in_bounds(place.position), place.event_id.bytes)


def _in_bounds(number: int) -> int:
    """No event has another; the cursor of a page, which a caller may have made up, can."""
    return min(max(number, 0), _UNSIGNED_MAX)


def encode_step(step: int) -> bytes:
    return step.to_bytes(STEP_SIZE_BYTES)


def encode_version(place: Place, step: int) -> bytes:
    """Of a document among those with its event id."""
    return encode_step(step) + encode_place(place)[:-_ID_SIZE_BYTES]


def step_of(version: bytes) -> int:
    return int.from_bytes(version[:STEP_SIZE_BYTES])


def decode_suffix(key: bytes) -> tuple[Place, int]:
    """Place and step of a sort key."""
    time, position, event_id, step = _unpack_place(key[-SUFFIX_SIZE_BYTES:])
    return Place(time - _OFFSET, position, UUID(bytes=event_id)), step


def above(prefix: bytes) -> bytes:
    """Not below any sort key that begins so: in none there are as many of these bytes in a row."""
    return prefix + b"\xff" * (len(_CUT) + _DIGEST_SIZE_BYTES + 1)
