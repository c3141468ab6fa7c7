"""How strings, numbers and terms are kept in PostgreSQL, so that all of them find room and compare as they should.

- PostgreSQL takes no NUL in a text. It is kept as the bytes 1 1, and a 1 as 1 2: the order of strings, and what begins
  with what, stay as they are.
- Numbers are ``numeric``: whole ones exactly, broken ones by the shortest decimals that mean the same double, which are
  in the same order.
- An index entry has at most 2,704 bytes: of a string its first ``KEY_LENGTH`` characters are in the index.
- A *term* is a number of 32 bits that stands for a word, a tag, or one of several values of a field. Two may share one:
  what is found by terms is looked at again.
"""

import struct
import zlib
from decimal import Decimal
from typing import Final

KEY_LENGTH: Final = 600
"""Of four bytes each at most."""

_DIGITS: Final = 4
"""Decimal digits in one of a number's own."""
_NEGATIVE: Final = 0x4000
_GROUP: Final = 10**_DIGITS
_SMALL: Final = _GROUP**2
_SIZE: Final = struct.Struct("!i").pack
_ONE_GROUP: Final = struct.Struct("!ihhHHH").pack
_TWO_GROUPS: Final = struct.Struct("!ihhHHHH").pack
"""Its size, how many groups, the place of the first, sign and scale, the groups."""

_TERM: Final = struct.Struct("!i")


def kept_text(text: str) -> str:
    if "\x00" in text or "\x01" in text:
        return text.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01")
    return text


def given_text(kept: str) -> str:
    """What :func:`kept_text` was given."""
    if "\x01" in kept:
        return kept.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01")
    return kept


def decimal_text(number: int | float) -> str:
    """In plain digits."""
    if isinstance(number, float):
        # A double beyond 64 bits is a whole number.
        return str(int(number)) if number.is_integer() else format(Decimal(repr(number)), "f")
    return str(number)


def sized_text(text: str) -> bytes:
    """PostgreSQL's binary form, with its size before it."""
    value = kept_text(text).encode()
    return _SIZE(len(value)) + value


def sized_numeric(number: int | float) -> bytes:
    """Likewise: groups of four decimal digits, with the place of the first."""
    if isinstance(number, int) and 0 < number < _SMALL:
        high, low = divmod(number, _GROUP)
        if not high:
            return _ONE_GROUP(10, 1, 0, 0, 0, low)
        if low:
            return _TWO_GROUPS(12, 2, 1, 0, 0, high, low)
    value = _numeric(number)
    return _SIZE(len(value)) + value


def _numeric(number: int | float) -> bytes:
    text = decimal_text(number)
    whole, _, part = text.lstrip("-").partition(".")
    scale = len(part)
    whole = whole.zfill(_rounded_up(len(whole)))
    digits = whole + part.ljust(_rounded_up(scale), "0")
    groups = [int(digits[start : start + _DIGITS]) for start in range(0, len(digits), _DIGITS)]
    weight = len(whole) // _DIGITS - 1
    while groups and groups[0] == 0:
        del groups[0]
        weight -= 1
    while groups and groups[-1] == 0:
        del groups[-1]
    sign = _NEGATIVE if text.startswith("-") else 0
    return struct.pack(f"!hhHH{len(groups)}H", len(groups), weight if groups else 0, sign, scale, *groups)


def _rounded_up(length: int) -> int:
    return -(-length // _DIGITS) * _DIGITS


# --- Terms -----------------------------------------------------------------------------------------------------------


def word_term(word: str) -> int:
    return _term(word)


def tag_term(tag: str) -> int:
    # No word has such a character.
    return _term(f"\x00{tag}")


def value_term(field: int, value: str) -> int:
    """``value``: its text, of a number its decimals."""
    return _term(f"\x00{field}\x00{value}")


def _term(text: str) -> int:
    number: int = _TERM.unpack(zlib.crc32(text.encode()).to_bytes(4, "big"))[0]
    return number
