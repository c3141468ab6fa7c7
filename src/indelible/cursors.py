"""Cursors: the only code that knows what is in one.

Everybody else keeps what a page, a subscription or a group gave, and passes it on. The stores of this process ask here:
those of one partition for the cursor behind a position, and for the position in a cursor; those of several for the
cursor of a place in each, and for the places in a cursor.
"""

import re
from typing import Final, NamedTuple

from indelible.errors import InvalidRequest, StoreCorrupted
from indelible.limits import CURSOR_LENGTH_MAX, VERSION_MAX


class Cursor(str):
    """How far a reader has come in the log. Opaque: keep it as text, and give it back to the store that gave it.

    With one partition it reads as the decimal position of the last event that the reader has passed, which a person may
    type. The empty cursor is that of a reader who has not begun: the start of the log, wherever a cursor is taken.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str, pointer: str = "/after") -> "Cursor":
        """The cursor that was kept as this text. Refuses what no store gives out; the rest only the store can tell."""
        if not isinstance(text, str):
            raise InvalidRequest("must be a cursor: a string that an earlier answer gave", pointer=pointer)
        if text.isdigit() and text.isascii() and len(text) <= CURSOR_LENGTH_MAX:
            return text if type(text) is cls else cls(text)
        if not text:
            return START
        if len(text) > CURSOR_LENGTH_MAX or not _may_be_one(text):
            raise _not_of_this_store(pointer)
        return cls(text)


_may_be_one: Final = re.compile(r"[0-9A-Za-z._~:,;=+/|-]+").fullmatch
"""Characters that stand for themselves in JSON and in headers."""

START: Final = Cursor("0")
"""The cursor before the first event; every store takes it."""


class Lag(NamedTuple):
    """What a reader has not seen yet."""

    positions: int
    """From its cursor to the head."""
    age_s: float
    """Of the oldest event after the cursor; 0 at the head."""


def cursor_at(position: int) -> Cursor:
    """The cursor of a reader that has just passed the event at ``position``."""
    return Cursor(position)


def position_of(cursor: str, pointer: str = "/after") -> int:
    """Position of the last event passed; 0 before the first. Raises ``InvalidRequest`` for what is no cursor of a log
    with one partition."""
    text = cursor if type(cursor) is Cursor and cursor else Cursor.parse(cursor, pointer)
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX and (position := int(text)) <= VERSION_MAX:
        return position
    raise _not_of_this_store(pointer)


_DIGITS_MAX: Final = len(str(VERSION_MAX))

# A line's fields have one order, and inside of its texts no quotation mark stands by itself: the first is the event's.
_find_position: Final = re.compile(rb',"position":(\d+),').search


def cursor_behind(line: bytes) -> Cursor:
    """The cursor behind an event, without reading all of its line."""
    found = _find_position(line)
    if found is None:
        raise StoreCorrupted("an event has no position")
    return Cursor(found[1].decode())


# --- Several partitions ----------------------------------------------------------------------------------------------


NONE_OF_THEM: Final = -1


class Places(NamedTuple):
    """How far a reader has come in each partition."""

    positions: tuple[int, ...]
    """Of the last event passed; 0 before the first."""
    last: int | None = None
    """The partition of the event that was passed last of all: a reader who goes backward has had that event, and not
    yet those at the other positions. None where nobody knows; :data:`NONE_OF_THEM` where they have had none."""


def cursor_over(places: Places) -> Cursor:
    """The cursor of a reader who has come to these places. It has as many positions as the store has partitions, in
    hexadecimal, since a cursor is short."""
    text = "~" + "~".join([f"{position:x}" for position in places.positions])
    return Cursor(text if places.last is None else f"{text}.{places.last + 1}")


def places_of(cursor: str, partitions: int, pointer: str = "/after") -> Places:
    """Raises ``InvalidRequest`` for what is no cursor of a log with so many partitions."""
    text = cursor if type(cursor) is Cursor and cursor else Cursor.parse(cursor, pointer)
    if text == START:
        return Places((0,) * partitions)
    if _is_over_several(text) is None:
        raise _not_of_this_store(pointer)
    positions, _, last = text[1:].partition(".")
    places = Places(tuple([int(one, 16) for one in positions.split("~")]), int(last) - 1 if last else None)
    is_possible = len(places.positions) == partitions and max(places.positions) <= VERSION_MAX
    if not is_possible or (places.last or 0) >= partitions:
        raise _not_of_this_store(pointer)
    return places


def has_reached(cursor: str, other: str, pointer: str = "/cursor") -> bool:
    """Whether a reader of the feed who has come to ``cursor`` has passed, in each partition, all that one who has come
    to ``other`` has. For who keeps cursors of one store, and has no store to ask. Raises ``InvalidRequest`` where the
    two are not cursors of one store."""
    if other in ("", START):
        return True
    reached, wanted = _positions_in(cursor, pointer), _positions_in(other, pointer)
    if cursor in ("", START):
        reached = (0,) * len(wanted)
    if len(reached) != len(wanted):
        raise _not_of_this_store(pointer)
    return all(mine >= theirs for mine, theirs in zip(reached, wanted, strict=True))


def _positions_in(cursor: str, pointer: str) -> tuple[int, ...]:
    if _is_over_several(cursor) is None:
        return (position_of(cursor, pointer),)
    return places_of(cursor, cursor.count("~"), pointer).positions


_is_over_several: Final = re.compile(r"(?:~[0-9a-f]{1,14})+(?:\.[0-9]{1,2})?").fullmatch


def _not_of_this_store(pointer: str) -> InvalidRequest:
    return InvalidRequest("is not a cursor of this store", pointer=pointer)
