"""JSON as text: the store keeps what was sent, number for number, so it works on text and not on parsed values."""

import json
import re
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import Any, Final, NamedTuple

import msgspec

from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.limits import JSON_DEPTH_MAX, JSON_NUMBER_DIGITS_MAX

_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * (JSON_NUMBER_DIGITS_MAX + 1)
"""What too many digits in a row become. Looking for it takes the same time whatever the text; a pattern would not."""

_SLOW_NUMBERS: Final = re.compile(rb"(?<=[0-9])[eE][+-]?(?:[2-9][0-9]|[0-9]{3,})(?=[\s,\]}])")
"""Among numbers with such exponents are those that msgspec takes up to 16 µs for, each; the standard library takes no
longer for them than for others."""
_SLOW_NUMBERS_MAX: Final = 1_000
_SLOW_NUMBERS_SIZE_BYTES_MIN: Final = _SLOW_NUMBERS_MAX * len("1e23,")

_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""One level down or, as a signed byte, one up."""

_CUT_OFF: Final = ("Input data was truncated", "unexpected end of hex escape")
"""What msgspec says also where the second half of a pair is missing, by how near the end of the text is."""

_HALF_PAIR: Final = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?=[^\\]|\\[^u])")
"""In text without escaped backslashes."""

_SPACE: Final = b" \t\n\r"
_KEYS: Final = frozenset((str,))
_LEAVES: Final = frozenset((str, int, bool, type(None)))
_encoder: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode_json(value: Any) -> bytes:
    """Compact JSON text of a Python value; tuples become lists. Raises :class:`InvalidRequest` for what JSON cannot say
    (NaN, objects), and for keys that are not strings, because they would come back as strings."""
    if isinstance(value, msgspec.Raw):
        return compact_json(bytes(value))
    encoded = _encode_plain(value)
    if encoded is not None:
        check_bounds(encoded)
        return encoded
    try:
        encoded = _encoder.encode(value).encode("utf-8")
    except RecursionError:
        raise too_deep() from None
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"not a JSON value: {error}") from None
    check_bounds(encoded)
    _check_keys(value)
    return encoded


def _encode_plain(value: Any) -> bytes | None:
    """The same, several times faster, of what the usual types alone make up; else None. msgspec by itself would take
    more than JSON can say, and NaN for null."""
    try:
        return msgspec.json.encode(value) if _is_plain(value) else None
    except (RecursionError, ValueError):
        return None


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        if not _KEYS.issuperset(map(type, value)):
            return False
        value = value.values()
    elif kind is not list and kind is not tuple:
        # Other floats are spelled in another way, or none.
        return kind in _LEAVES or (kind is float and (1e-4 <= abs(value) < 1e16 or value == 0.0))
    return _LEAVES.issuperset(map(type, value)) or all(map(_is_plain, value))


def _check_keys(value: Any) -> None:
    """The standard library turns the keys 1, None and True into strings; two keys may then be one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise InvalidRequest(f"object keys must be strings, not {type(key).__name__}")
            if isinstance(inner, (dict, list, tuple)):
                _check_keys(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            if isinstance(inner, (dict, list, tuple)):
                _check_keys(inner)


def decode_json(text: bytes | msgspec.Raw) -> Any:
    """The Python value of JSON text; integers of any size stay exact."""
    text = bytes(text)
    try:
        return json.loads(text) if has_slow_numbers(text) else msgspec.json.decode(text)
    except msgspec.DecodeError:
        # Numbers beyond a double's range (1e999) are legal JSON that msgspec refuses; the standard library reads inf.
        return json.loads(text)


def has_slow_numbers(text: bytes) -> bool:
    """Whether msgspec would take long to make floats of the numbers in a JSON text: seconds, while nothing else goes on
    in the process."""
    return len(text) > _SLOW_NUMBERS_SIZE_BYTES_MIN and len(_SLOW_NUMBERS.findall(text)) > _SLOW_NUMBERS_MAX


def compact_json(text: bytes) -> bytes:
    """The same JSON text without white space between tokens; numbers and strings stay to the letter.

    Raises :class:`InvalidRequest` when the text is not strict JSON in UTF-8, or nests too deep.
    """
    try:
        text.decode("utf-8")
        msgspec.json.decode(text, type=msgspec.Raw)
        return compact_strict_json(text)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"not UTF-8: invalid byte at offset {error.start}") from None
    except RecursionError:
        raise too_deep() from None
    except msgspec.DecodeError as error:
        raise malformed(error, text) from None


def malformed(error: msgspec.DecodeError, text: bytes) -> InvalidRequest:
    """What is wrong with a text that is not JSON."""
    reason = str(error).removeprefix("JSON is malformed: ")
    half = _HALF_PAIR.search(text.replace(rb"\\", b"")) if reason.startswith(_CUT_OFF) else None
    if half is not None:
        where = half[0].decode()
    elif "surrogate pair" in reason:
        where = reason.rpartition(" (")[2].rstrip(")")
    else:
        return InvalidRequest(f"not JSON: {reason}")
    return InvalidRequest(f"holds half of a surrogate pair ({where}): only both halves together are a character")


def compact_strict_json(text: bytes) -> bytes:
    """As :func:`compact_json`, for text that is known to be strict JSON in UTF-8."""
    check_bounds(text)
    return bytes(msgspec.json.format(text, indent=-1))


def compact_size_min(text: bytes) -> int:
    """The bytes that a JSON text takes at the least once it is compact: white space in strings is not counted either.
    For what is too large in any case, which is to be seen before it is made anew."""
    return len(text.translate(None, _SPACE))


def refuse_large(text: bytes, size_bytes_max: int, pointer: str) -> None:
    """Of JSON text as it came, before it is made compact: of 16 MiB of short tokens that takes hundreds of them."""
    if len(text) > size_bytes_max and (size_bytes := compact_size_min(text)) > size_bytes_max:
        message = f"takes at least {size_bytes} bytes, more than {size_bytes_max}"
        raise PayloadTooLarge(message, pointer=pointer, size_bytes_max=size_bytes_max)


def refuse_large_raw(value: Any, size_bytes_max: int, pointer: str) -> None:
    """The same of a value that may be JSON text."""
    if isinstance(value, msgspec.Raw):
        refuse_large(bytes(value), size_bytes_max, pointer)


def check_bounds(text: bytes, *, depth_max: int = JSON_DEPTH_MAX) -> None:
    """Refuse JSON text that nests too deep, or holds a number that is too long. What is in strings does not count."""
    if len(text) <= 2 * depth_max:
        return  # too short to hold so many pairs of brackets, or so many digits
    may_be_deep = text.count(b"[") + text.count(b"{") > depth_max
    may_be_long = len(text) > JSON_NUMBER_DIGITS_MAX and _LONG_NUMBER in text.translate(_DIGITS)
    if may_be_deep or may_be_long:
        _check_outside_strings(text, depth_max)


def _check_outside_strings(text: bytes, depth_max: int) -> None:
    # Without escapes, every second piece between quotes is outside strings. bytes methods keep this near C speed: the
    # text may be a megabyte long and the caller an event loop.
    outside = b'""'.join(text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    steps = memoryview(outside.translate(_STEPS, _NOT_BRACKETS)).cast("b")
    if max(accumulate(steps), default=0) > depth_max:
        raise too_deep(depth_max)
    if _LONG_NUMBER in outside.translate(_DIGITS):
        message = f"holds a number of more than {JSON_NUMBER_DIGITS_MAX} digits"
        raise InvalidRequest(message, digits_max=JSON_NUMBER_DIGITS_MAX)


def too_deep(depth_max: int = JSON_DEPTH_MAX) -> InvalidRequest:
    return InvalidRequest(f"JSON is nested more than {depth_max} deep", limit=depth_max)


def json_equal(one: bytes, other: bytes) -> bool:
    """Whether two JSON texts say the same: key order and spelling of numbers and strings aside. true is not 1."""
    if one == other:
        return True
    return _same(_parse_exact(one), _parse_exact(other))


class _Number(NamedTuple):
    """A number that Decimal cannot hold, such as 1e99999999999999999999: equal only to what is spelled the same."""

    text: str


class _Object(NamedTuple):
    """An object that repeats a key. Readers do not agree on what it means, so order and repeats count."""

    members: list[tuple[str, Any]]


def _parse_exact(text: bytes) -> Any:
    return json.loads(text, parse_float=_number, parse_int=_number, object_pairs_hook=_object)


def _number(text: str) -> Decimal | _Number:
    try:
        return Decimal(text)
    except InvalidOperation:
        return _Number(text)


def _object(members: list[tuple[str, Any]]) -> dict[str, Any] | _Object:
    values = dict(members)
    return values if len(values) == len(members) else _Object(members)


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
