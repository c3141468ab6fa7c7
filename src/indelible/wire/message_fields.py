"""How many fields an encoded message has, before it is decoded.

A part of a message that says nothing takes two bytes as it comes, and up to a hundred when it is decoded: what comes in
one message could take forty times its size, and hold up others for a second.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from google.protobuf.descriptor import Descriptor

_VARINT: Final = 0
_FIXED_SIZE_BYTES: Final = {1: 8, 5: 4}
_WITH_LENGTH: Final = 2


class TooManyFields(Exception):
    """More than there may be."""


def check_fields(kind: Descriptor, encoded: bytes, fields_max: int) -> None:
    """Those of its parts too, as far as it can be read: what is wrong with it is found when it is decoded. Raises
    ``TooManyFields`` as soon as there are more."""
    left = fields_max
    waiting = [(kind, 0, len(encoded))]
    while waiting:
        part, at, end = waiting.pop()
        messages = _messages_in(part)
        while at < end:
            left -= 1
            if left < 0:
                raise TooManyFields
            tag, at = _number(encoded, at, end)
            wire_type = tag & 7
            if wire_type == _WITH_LENGTH:
                size_bytes, at = _number(encoded, at, end)
                inner = messages.get(tag >> 3)
                if inner is not None and at + size_bytes <= end:
                    waiting.append((inner, at, at + size_bytes))
                at += size_bytes
            elif wire_type == _VARINT:
                _, at = _number(encoded, at, end)
            else:
                # Groups, which no message here has, are fields within fields.
                at += _FIXED_SIZE_BYTES.get(wire_type, 0)


def _number(encoded: bytes, at: int, end: int) -> tuple[int, int]:
    """A varint, and where it ends; where it does not end, the end."""
    value = encoded[at] if at < end else 0
    if value < 0x80:
        return value, at + 1
    value &= 0x7F
    shift = 7
    for place in range(at + 1, min(end, at + 10)):
        byte = encoded[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place + 1
        shift += 7
    return 0, end


@cache
def _messages_in(kind: Descriptor) -> Mapping[int, Descriptor]:
    """By the field's number."""
    return {field.number: field.message_type for field in kind.fields if field.message_type is not None}
