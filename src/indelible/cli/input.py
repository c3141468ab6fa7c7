"""What commands take from the command line and from stdin, as bytes."""

import sys

from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.limits import REQUEST_SIZE_BYTES_MAX


def argument_bytes(text: str, pointer: str) -> bytes:
    """An argument; "-" stands for stdin."""
    if text == "-":
        return _stdin_bytes(pointer)
    # Bytes of the command line that are not UTF-8 come as surrogates; they go on as they are, to be refused by name.
    return text.encode("utf-8", "surrogateescape")


def _stdin_bytes(pointer: str) -> bytes:
    data = sys.stdin.buffer.read(REQUEST_SIZE_BYTES_MAX + 1)
    if not data:
        raise InvalidRequest("stdin is empty", pointer=pointer)
    if len(data) > REQUEST_SIZE_BYTES_MAX:
        raise PayloadTooLarge(
            f"stdin holds more than {REQUEST_SIZE_BYTES_MAX} bytes",
            pointer=pointer, size_bytes_max=REQUEST_SIZE_BYTES_MAX,
        )  # fmt: skip
    return data
