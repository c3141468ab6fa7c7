"""How many fields an encoded message has, before it is decoded.

A part of a message that says nothing takes two bytes as it comes, and up to three hundred when it is decoded: what
comes in one message could take a hundred times its size, and hold up others for seconds.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

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
    """Raises ``TooManyFields`` when there are more of those that may be repeated: they alone are kept each time that
    they come. Where so many do not even begin, whatever the bytes that look so belong to, no field is looked at by
    itself: that is told a hundred times as fast. Otherwise all are counted, see :func:`check_each_field`."""
    if sum(encoded.count(first) for first in _first_bytes_of_repeated(kind)) > fields_max:
        check_each_field(kind, encoded, fields_max)


def check_each_field(kind: Descriptor, encoded: bytes, fields_max: int) -> None:
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


@cache
def _first_bytes_of_repeated(kind: Descriptor) -> frozenset[bytes]:
    """In this message and its parts. A number may be written longer than it need be: its first byte is then another."""
    firsts: set[int] = set()
    seen: set[str] = set()
    waiting = [kind]
    while waiting:
        part = waiting.pop()
        if part.full_name in seen:
            continue
        seen.add(part.full_name)
        for field in part.fields:
            if field.is_repeated:
                # Numbers come one by one too, not packed.
                is_packable = field.cpp_type not in (FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_MESSAGE)
                wire_types = (_WITH_LENGTH, _VARINT, *_FIXED_SIZE_BYTES) if is_packable else (_WITH_LENGTH,)
                tags = [field.number << 3 | wire_type for wire_type in wire_types]
                firsts.update(tag for tag in tags if tag < _LONG)
                firsts.update(tag & 0x7F | _LONG for tag in tags)
            if field.message_type is not None:
                waiting.append(field.message_type)
    return frozenset(first.to_bytes() for first in firsts)
