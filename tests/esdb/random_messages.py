"""Messages of any type at random, with what is at the edges in them, and bytes that are no messages any more."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_DEPTH_MAX: Final = 6
_F: Final = FieldDescriptor
_UNSIGNED: Final = (0, 1, 2, 4096, 2**31 - 1, 2**32 - 1)
_LONG: Final = (*_UNSIGNED, 2**53, 2**63 - 1)
TEXTS: Final = (
    "", "$all", "order-1", "$ce-order", "$et-Placed", "$$order-1", "$$", "-", "~-", "~", "$>", "\0", "é-ü", "a" * 300,
    "application/json", "type", "C:1/P:1", "C:18446744073709551615/P:-1", "^(?!\\$)", "(a+)+$", "(", "123", "-5",
    "6f1e3e1c-0d4c-4b5c-8f43-0d4bd0e8e4f1", "{}", "9" * 40,
)  # fmt: skip
DATA: Final = (
    b"", b"{}", b"\xff\xfe", b"order-1", b'{"$maxCount": 0}', b'{"$tb": 9223372036854775807}', b"[" * 500, b"x" * 5000,
    b"$all", b"\xed\xa0\x80-1",
)  # fmt: skip

_SCALARS: Final[Mapping[int, Callable[[Random], Any]]] = {
    _F.TYPE_BOOL: lambda random: random.random() < 0.5,
    _F.TYPE_STRING: lambda random: random.choice(TEXTS),
    _F.TYPE_BYTES: lambda random: random.choice(DATA),
    _F.TYPE_INT32: lambda random: random.choice((-(2**31), -1, 0, 1, 10, 2**31 - 1)),
    _F.TYPE_INT64: lambda random: random.choice((-(2**63), -4, -2, -1, *_LONG)),
    _F.TYPE_SINT64: lambda random: random.choice((-(2**63), -4, -2, -1, *_LONG)),
    _F.TYPE_UINT32: lambda random: random.choice(_UNSIGNED),
    _F.TYPE_UINT64: lambda random: random.choice((*_LONG, 2**63, 2**64 - 1)),
    _F.TYPE_DOUBLE: lambda random: random.choice((0.0, -1.5, 1e308, float("inf"), float("nan"))),
    _F.TYPE_FLOAT: lambda random: random.choice((0.0, -1.5, 1e38)),
}


def fill(message: Message, random: Random, depth: int = 0) -> None:
    """Most of its fields, and one of each oneof, or few."""
    share = random.choice((0.3, 0.9, 0.95))
    chosen = {random.choice(one.fields).name for one in message.DESCRIPTOR.oneofs if random.random() < share}
    for field in message.DESCRIPTOR.fields:
        wanted = field.name in chosen if field.containing_oneof is not None else random.random() < share
        if wanted and depth < _DEPTH_MAX:
            _fill_field(message, field, random, depth)


def _fill_field(message: Message, field: FieldDescriptor, random: Random, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _fill_map(getattr(message, field.name), field, random, depth)
    elif field.is_repeated:
        _fill_repeated(getattr(message, field.name), field, random, depth)
    elif field.message_type is not None:
        part = getattr(message, field.name)
        part.SetInParent()
        fill(part, random, depth + 1)
    else:
        setattr(message, field.name, _scalar(field, random))


def _fill_map(entries: Any, field: FieldDescriptor, random: Random, depth: int) -> None:
    value = field.message_type.fields_by_name["value"]
    for key in ("type", "content-type", random.choice(TEXTS)):
        if random.random() < 0.9:
            if value.message_type is not None:
                fill(entries[key], random, depth + 1)
            else:
                entries[key] = _scalar(value, random)


def _fill_repeated(values: Any, field: FieldDescriptor, random: Random, depth: int) -> None:
    for _ in range(random.choice((0, 1, 1, 2, 5))):
        if field.message_type is not None:
            fill(values.add(), random, depth + 1)
        else:
            values.append(_scalar(field, random))


def _scalar(field: FieldDescriptor, random: Random) -> Any:
    if field.enum_type is not None:
        return random.choice([*(one.number for one in field.enum_type.values), 77])
    return _SCALARS[field.type](random)


def mutated(encoded: bytes, random: Random) -> bytes:
    """Cut, with other bytes in it, or with more at its end."""
    kind = random.randrange(4)
    if kind == 0 or not encoded:
        return random.randbytes(random.choice((1, 3, 10, 100, 3000)))
    if kind == 1:
        return encoded[: random.randrange(len(encoded))]
    changed = bytearray(encoded)
    for _ in range(random.choice((1, 1, 2, 8))):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed) if kind == 2 else bytes(changed) + random.randbytes(8)
