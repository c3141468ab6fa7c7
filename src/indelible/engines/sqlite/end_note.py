"""How far the log went, noted in the header of the database file, where SQLite has no say.

Between two checkpoints the newest events are in the write-ahead log alone. A copy of the database file without it is a
sound database, only an older one: nothing in it tells that events are missing. So each commit notes the position that
it reached in bytes of the file's header that SQLite reserves and never looks at (72 to 91). The note is written past
SQLite, after the commit is on stable storage: it is never ahead of the log, and a file whose log ends before it lacks
events for certain. A checkpoint may put an older note in its place for a moment, which only makes it say less.

The note holds 4 bytes of mark, the position in 8 and the CRC-32 of both in 4, then 4 bytes of zeros. A backup or a
VACUUM by SQLite's own means keeps an older note, or none.
"""

import struct
import zlib
from typing import Final

OFFSET: Final = 72
SIZE_BYTES: Final = 20

_MARK: Final = b"end1"
_BODY: Final = struct.Struct(">4sQ")
_NOTE: Final = struct.Struct(">4sQI4x")


def encode(position: int) -> bytes:
    return _NOTE.pack(_MARK, position, zlib.crc32(_BODY.pack(_MARK, position)))


def decode(note: bytes) -> int:
    """The position; 0 where there is no note, or none that is whole."""
    if len(note) < SIZE_BYTES:
        return 0
    mark, position, checksum = _NOTE.unpack(note)
    return position if mark == _MARK and checksum == zlib.crc32(_BODY.pack(_MARK, position)) else 0
