"""How many fields an encoded message has, before it is decoded.

A part of a message that says nothing takes two bytes as it comes, and up to a hundred when it is decoded: what comes in
one message could take forty times its size, and hold up others for a second.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from google.protobuf.descriptor import Descriptor

_VARINT: Final = 0
_LONG: Final = 0x80
"""From here on a number takes more than a byte."""
_SMALL_SIZE_BYTES: Final = 8
"""Of parts that are taken to have as many fields as they could: to look costs more."""
_FIXED_SIZE_BYTES: Final = {1: 8, 5: 4}
_WITH_LENGTH: Final = 2


class TooManyFields(Exception):
    """More than there may be."""


def check_fields(kind: Descriptor, encoded: bytes, fields_max: int) -> None:
    """Those of its parts too, as far as it can be read: what is wrong with it is found when it is decoded. Raises
    ``TooManyFields`` as soon as there are more."""
    left = fields_max
    waiting = [(kind, encoded)]
    while waiting:
        part, content = waiting.pop()
        left = _count(_messages_in(part), content, left, waiting)


def _count(
    messages: Mapping[int, Descriptor], encoded: bytes, left: int, waiting: list[tuple[Descriptor, bytes]]
) -> int:
    """Gives how many may follow. Numbers of one byte are read here: most are, and a call takes as long as the rest."""
    at, end = 0, len(encoded)
    while at < end:
        left -= 1
        if left < 0:
            raise TooManyFields
        tag = encoded[at]
        at += 1
        if tag >= _LONG:
            tag, at = _number(encoded, at - 1, end)
        if tag & 7 == _WITH_LENGTH:
            size_bytes, at = (encoded[at], at + 1) if at < end and encoded[at] < _LONG else _number(encoded, at, end)
            if size_bytes and tag >> 3 in messages:
                if size_bytes > _SMALL_SIZE_BYTES:
                    waiting.append((messages[tag >> 3], encoded[at : at + size_bytes]))
                else:
                    left -= size_bytes // 2
            at += size_bytes
        elif tag & 7 == _VARINT:
            _, at = _number(encoded, at, end)
        else:
            # Groups, which no message here has, are fields within fields.
            at += _FIXED_SIZE_BYTES.get(tag & 7, 0)
    return left


def _number(encoded: bytes, at: int, end: int) -> tuple[int, int]:
    """A varint, and where it ends; where it does not end, the end."""
    value = encoded[at] if at < end else 0
    if value < _LONG:
        return value, at + 1
    value &= 0x7F
    shift = 7
    for place in range(at + 1, min(end, at + 10)):
        byte = encoded[place]
        value |= (byte & 0x7F) << shift
        if byte < _LONG:
            return value, place + 1
        shift += 7
    return 0, end


@cache
def _messages_in(kind: Descriptor) -> Mapping[int, Descriptor]:
    """By the field's number."""
    return {field.number: field.message_type for field in kind.fields if field.message_type is not None}
