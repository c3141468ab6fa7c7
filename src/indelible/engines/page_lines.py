"""What every engine checks of the lines that it rendered, before it hands them on."""

import codecs
from typing import Final

import msgspec

from indelible.errors import StoreCorrupted
from indelible.events import RecordedEvent, decode_event

_decode_lines: Final = msgspec.json.Decoder(msgspec.Raw).decode_lines
"""Looks at the form alone, and makes no values."""
_TextDecoder: Final = codecs.getincrementaldecoder("utf-8")
_CHUNK_SIZE_BYTES: Final = 64 * 1024
"""Text that is decoded at once: the whole page would take twice as long, for the memory that it needs."""


def check_lines(lines: bytes, count: int) -> None:
    """Raises :class:`StoreCorrupted` unless these are ``count`` lines of JSON in UTF-8: whoever reads them must not get
    what a damaged row was rendered to, nor pass over one that was not rendered at all."""
    try:
        found = len(_decode_lines(lines))
        if not lines.isascii():
            _check_text(lines)
    except ValueError as error:
        raise StoreCorrupted(f"a stored event is no JSON any more: {error}") from error
    if found != count:
        raise StoreCorrupted(f"{count} events were stored, but {found} are found")
    if lines.count(b"\n") != count - 1:
        raise StoreCorrupted("a line end stands within a stored event")


def readable_event(line: bytes | None) -> RecordedEvent | None:
    """The event of a rendered line; None where it cannot be read."""
    try:
        check_lines(line or b"", 1)
        return decode_event(line or b"")
    except (StoreCorrupted, ValueError):
        return None


def _check_text(lines: bytes) -> None:
    decoder, view = _TextDecoder(), memoryview(lines)
    for start in range(0, len(lines), _CHUNK_SIZE_BYTES):
        decoder.decode(view[start : start + _CHUNK_SIZE_BYTES])
    decoder.decode(b"", final=True)
