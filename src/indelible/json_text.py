"""JSON as text: the store keeps what was sent, number for number, so it works on text and not on parsed values."""

import json
import re
from decimal import Decimal
from typing import Any, Final

import msgspec

from indelible.errors import InvalidRequest
from indelible.limits import JSON_DEPTH_MAX

_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_INNERMOST: Final = re.compile(rb"\[\]|\{\}")


def encode_json(value: Any) -> bytes:
    """Compact JSON text of a Python value. Raises :class:`InvalidRequest` for what JSON cannot say (NaN, objects)."""
    if isinstance(value, msgspec.Raw):
        return compact_json(bytes(value))
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        encoded = text.encode("utf-8")
    except RecursionError:
        raise too_deep() from None
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"not a JSON value: {error}") from None
    check_depth(encoded)
    return encoded


def decode_json(text: bytes) -> Any:
    """The Python value of JSON text; integers of any size stay exact."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        # Numbers beyond a double's range (1e999) are legal JSON that msgspec refuses; the standard library reads inf.
        return json.loads(text)


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
        raise InvalidRequest(f"not JSON: {error}") from None


def compact_strict_json(text: bytes) -> bytes:
    """As :func:`compact_json`, for text that is known to be strict JSON in UTF-8."""
    check_depth(text)
    return bytes(msgspec.json.format(text, indent=-1))


def check_depth(text: bytes) -> None:
    """Refuse JSON text that nests deeper than the limit. Brackets within strings do not count."""
    if len(text) <= 2 * JSON_DEPTH_MAX:
        return  # too short to hold so many pairs of brackets
    if text.count(b"[") + text.count(b"{") <= JSON_DEPTH_MAX:
        return
    # Without escapes, every second piece between quotes is outside strings. bytes methods keep this at C speed: the
    # text may be a megabyte long and the caller an event loop.
    outside = b"".join(text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    brackets = outside.translate(None, _NOT_BRACKETS)
    for _ in range(JSON_DEPTH_MAX):
        # Each round takes off exactly one level: the innermost.
        brackets = _INNERMOST.sub(b"", brackets)
        if not brackets:
            return
    raise too_deep()


def too_deep() -> InvalidRequest:
    return InvalidRequest(f"JSON is nested more than {JSON_DEPTH_MAX} deep", limit=JSON_DEPTH_MAX)


def json_equal(one: bytes, other: bytes) -> bool:
    """Whether two JSON texts say the same: key order and spelling of numbers and strings aside. true is not 1."""
    if one == other:
        return True
    return _same(_parse_exact(one), _parse_exact(other))


def _parse_exact(text: bytes) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)
