"""HTTP/2's frames (RFC 9113, section 4) and field blocks (RFC 7541), as far as a server of gRPC makes them, and reads
those of its callers.

What is sent stands for itself: it is not put into the caller's table, so that most of it can be made beforehand, and is
the same for all connections.
"""

import struct
from collections.abc import Iterable
from typing import Final

import msgspec
from hpack import Decoder
from hpack.exceptions import HPACKError

from indelible.limits import HEADER_SIZE_BYTES_MAX

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_SIZE_BYTES: Final = 9
FRAME_SIZE_BYTES_MAX: Final = 16_384
"""Of a payload; the least that HTTP/2 allows, which callers keep to unless they are told of more."""
WINDOW_DEFAULT: Final = 65_535
WINDOW_MAX: Final = 2**31 - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

SETTING_HEADER_TABLE_SIZE, SETTING_ENABLE_PUSH, SETTING_MAX_STREAMS = 1, 2, 3
SETTING_INITIAL_WINDOW, SETTING_FRAME_SIZE_MAX, SETTING_HEADER_LIST_SIZE_MAX = 4, 5, 6

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 5, 6, 7, 8, 9
ENHANCE_YOUR_CALM: Final = 11

_HEAD: Final = struct.Struct(">HBBBI")
_PSEUDO: Final = frozenset((b":method", b":scheme", b":path", b":authority"))
_FORBIDDEN: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
_TRAILERS: Final = b"trailers"
_CACHED_BLOCKS_MAX: Final = 64
_CACHED_SIZE_BYTES_MAX: Final = 1_024


class BrokenConnection(Exception):
    """The caller does what HTTP/2 does not allow, or too much of it: its connection ends."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code: Final = code


def frame_head(size_bytes: int, kind: int, flags: int, stream_id: int) -> bytes:
    return _HEAD.pack(size_bytes >> 8, size_bytes & 0xFF, kind, flags, stream_id)


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    return frame_head(len(payload), kind, flags, stream_id) + payload


def number_frame(kind: int, stream_id: int, number: int) -> bytes:
    """RST_STREAM with its code, or WINDOW_UPDATE with its increment."""
    return frame(kind, 0, stream_id, struct.pack(">I", number))


def settings_frame(settings: Iterable[tuple[int, int]]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *one) for one in settings))


def goaway_frame(last_stream_id: int, code: int, why: str = "") -> bytes:
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_stream_id, code) + why.encode())


def headers_frames(stream_id: int, block: bytes, *, ends: bool) -> bytes:
    """One frame, or several where the block is long."""
    flags = END_STREAM if ends else 0
    if len(block) <= FRAME_SIZE_BYTES_MAX:
        return frame(HEADERS, flags | END_HEADERS, stream_id, block)
    pieces = [block[at : at + FRAME_SIZE_BYTES_MAX] for at in range(0, len(block), FRAME_SIZE_BYTES_MAX)]
    last = len(pieces) - 1
    return b"".join(
        frame(CONTINUATION if number else HEADERS, (0 if number else flags) | (END_HEADERS if number == last else 0),
              stream_id, piece)
        for number, piece in enumerate(pieces)
    )  # fmt: skip


def field_block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Literals that are not put into the caller's table (RFC 7541, section 6.2.2)."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def _text(text: bytes) -> bytes:
    size = len(text)
    if size < 0x7F:
        return bytes((size,)) + text
    size -= 0x7F
    encoded = bytearray((0x7F,))
    while size >= 0x80:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    encoded.append(size)
    return bytes(encoded) + text


class Head(msgspec.Struct, frozen=True):
    """What a call begins with."""

    method: bytes
    path: bytes
    fields: dict[bytes, bytes]
    is_malformed: bool = False

    @property
    def can_begin(self) -> bool:
        return not self.is_malformed and b":scheme" in self.fields and bool(self.method and self.path)

    @property
    def can_end(self) -> bool:
        """As trailers."""
        return not self.is_malformed and _PSEUDO.isdisjoint(self.fields)


class HeadDecoder:
    """Of one connection. Callers say the same again and again: a block that changes nothing in the table that both
    sides keep is looked up, until something changes there."""

    def __init__(self) -> None:
        self._decoder: Final = Decoder(max_header_list_size=HEADER_SIZE_BYTES_MAX)
        self._known: Final[dict[bytes, Head]] = {}

    def decode(self, block: bytes) -> Head:
        """Raises ``BrokenConnection``."""
        head = self._known.get(block)
        if head is None:
            table = self._decoder.header_table
            size_max, count, first = table.maxsize, len(table.dynamic_entries), self._first_entry()
            head = self._decode(block)
            # What is new in the table comes first.
            if (table.maxsize, len(table.dynamic_entries)) != (size_max, count) or self._first_entry() is not first:
                self._known.clear()
            elif len(block) <= _CACHED_SIZE_BYTES_MAX and len(self._known) < _CACHED_BLOCKS_MAX:
                self._known[block] = head
        return head

    def _first_entry(self) -> object:
        entries = self._decoder.header_table.dynamic_entries
        return entries[0] if entries else None

    def _decode(self, block: bytes) -> Head:
        try:
            decoded = self._decoder.decode(block, raw=True)
        except HPACKError as error:
            raise BrokenConnection(COMPRESSION_ERROR, str(error)) from None
        fields: dict[bytes, bytes] = {}
        is_bad = False
        for name, value in decoded:
            if name[:1] == b":" or name in _FORBIDDEN or name != name.lower():
                is_bad = is_bad or _is_misplaced(name, fields)
            fields[name] = value if name not in fields else fields[name] + b"," + value
        is_bad = is_bad or fields.get(b"te", _TRAILERS) != _TRAILERS
        return Head(fields.get(b":method", b""), fields.get(b":path", b""), fields, is_bad)


def _is_misplaced(name: bytes, before: dict[bytes, bytes]) -> bool:
    """Whether such a name may not follow these (RFC 9113, sections 8.2 and 8.3)."""
    return name not in _PSEUDO or name in before or any(one not in _PSEUDO for one in before)
