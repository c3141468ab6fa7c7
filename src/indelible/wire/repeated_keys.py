"""Refuses request objects in which a key stands twice: JSON's readers do not agree on which of them counts.

Only objects of the request itself are looked at. What is kept as it was sent, such as event_data, is the sender's own.
"""

from collections import Counter
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.limits import REQUEST_KEYS_MAX


class _Name:
    """A key, equal to none but itself, so that an object keeps those that it repeats."""

    __slots__ = ()


class _Key(msgspec.Struct, _Name, eq=False, gc=False):
    kind: Any
    text: str


_Members = dict[_Name, msgspec.Raw]
_Hook = Callable[[Any, str], _Key]


class _Decoders:
    def __init__(self, hook: _Hook) -> None:
        self.one: Final = msgspec.json.Decoder(_Members, dec_hook=hook).decode
        self.many: Final = msgspec.json.Decoder(list[_Members], dec_hook=hook).decode


_unbounded: Final = _Decoders(_Key)


def _bounded() -> _Decoders:
    left = REQUEST_KEYS_MAX

    def hook(kind: Any, text: str) -> _Key:
        nonlocal left
        left -= 1
        if left < 0:
            raise PayloadTooLarge(f"holds more than {REQUEST_KEYS_MAX} keys", keys_max=REQUEST_KEYS_MAX)
        return _Key(kind, text)

    return _Decoders(hook)


class _Shape(msgspec.Struct, frozen=True):
    """Where objects of a request are: whether here is a list of them, and which members hold others."""

    is_list: bool
    inner: "dict[str, _Shape]"


def refuse_repeated_keys(body: bytes, kind: Any, pointer: str = "") -> None:
    """``body`` is known to decode as a ``kind``. Raises ``InvalidRequest`` that points at the first key that stands
    twice, ``pointer`` being where the body stands."""
    shape = _shape_of(kind)
    if shape is not None:
        # A key takes four bytes at the least. To count them takes time.
        decoders = _unbounded if len(body) <= 4 * REQUEST_KEYS_MAX else _bounded()
        _check(decoders, body, shape, pointer)


@cache
def _shape_of(kind: Any) -> _Shape | None:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return next(filter(None, map(_shape_of, arguments)), None)
    if origin in (list, tuple):
        inner = _shape_of(arguments[0])
        return None if inner is None else _Shape(is_list=True, inner=inner.inner)
    if origin is dict:
        return _Shape(is_list=False, inner={})
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        shapes = {field.encode_name: _shape_of(field.type) for field in msgspec.structs.fields(kind)}
        return _Shape(is_list=False, inner={name: shape for name, shape in shapes.items() if shape is not None})
    return None


def _check(decoders: _Decoders, text: Any, shape: _Shape, pointer: str) -> None:
    if not shape.is_list:
        _check_object(decoders, decoders.one(text), shape, pointer)
        return
    for i, members in enumerate(decoders.many(text)):
        _check_object(decoders, members, shape, f"{pointer}/{i}")


def _check_object(decoders: _Decoders, members: Any, shape: _Shape, pointer: str) -> None:
    if len({key.text for key in members}) < len(members):
        raise _repeated([key.text for key in members], pointer)
    if shape.inner:
        for key, value in members.items():
            inner = shape.inner.get(key.text)
            if inner is not None:
                _check(decoders, value, inner, f"{pointer}/{key.text}")


def _repeated(names: list[str], pointer: str) -> InvalidRequest:
    first, _ = Counter(names).most_common(1)[0]
    token = first.replace("~", "~0").replace("/", "~1")
    return InvalidRequest(f'the key "{first}" stands twice in one object', pointer=f"{pointer}/{token}")
