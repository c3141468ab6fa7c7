"""Lines as an engine stored them, on their way into another form: one that is JSON may still be no event."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from indelible.errors import StoreCorrupted

T = TypeVar("T")


class _Placed(msgspec.Struct):
    position: int


def decode_stored(decode_lines: Callable[[bytes], Sequence[T]], lines: bytes) -> Sequence[T]:
    """Raises ``StoreCorrupted`` with the position of the first line that ``decode_lines`` does not take."""
    try:
        return decode_lines(lines)
    except ValueError as error:
        raise StoreCorrupted(
            f"a stored event is not what an event is: {error}", **_place(decode_lines, lines)
        ) from error


def _place(decode_lines: Callable[[bytes], Sequence[T]], lines: bytes) -> dict[str, int]:
    for line in lines.split(b"\n"):
        try:
            decode_lines(line)
        except ValueError:
            try:
                return {"position": msgspec.json.decode(line, type=_Placed).position}
            except ValueError:
                break
    return {}
