"""Percent-encoding (RFC 3986), strictly: what cannot be decoded is refused, not passed on as it stands."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from indelible.errors import InvalidRequest

_BROKEN: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def decode_percent(text: bytes, pointer: str) -> str:
    try:
        if b"%" not in text:
            return text.decode("utf-8")
        if _BROKEN.search(text):
            raise InvalidRequest('holds a "%" that is not followed by two hexadecimal digits', pointer=pointer)
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("is not UTF-8", pointer=pointer) from None
