"""A log in a file: the lines that ``indelible export`` wrote, checked as they are read."""

import asyncio
from typing import Final

from indelible.core.checked_log import Chain, Damage
from indelible.core.line_file import LineFile, UnreadableLine
from indelible.cursors import cursor_at
from indelible.errors import InvalidRequest
from indelible.events import decode_event, split_hashed_line
from indelible.eventstore import FeedPage
from indelible.limits import PAGE_EVENTS_MAX, PAGE_SIZE_BYTES_MAX

_SQLITE: Final = b"SQLite format 3\0"


class LineDamage(Damage, frozen=True):
    """The first line that is not as it was written, or that is not there."""

    line: int
    """1, 2, 3 …; the event's position too, unless lines are missing."""


class LogFile:
    """The log in a file, from its first event to its last. Call :meth:`begin` once, before anything else.

    Reads in a thread, one page at a time. A reader that gives up calls :meth:`LineFile.stop`.
    """

    def __init__(self, file: LineFile) -> None:
        self._file: Final = file
        self._chain: Final = Chain()
        self._damage: LineDamage | None = None

    @property
    def position(self) -> int:
        return self._chain.position

    @property
    def hash(self) -> bytes:
        return self._chain.hash

    @property
    def at_end(self) -> bool:
        return self._file.at_end and self._damage is None

    @property
    def progress(self) -> tuple[int, int | None]:
        """As bytes of the file as it is."""
        return self._file.read_bytes, self._file.size_bytes

    async def begin(self) -> None:
        """Raises ``InvalidRequest`` when the file does not start as an export of a whole log does."""
        try:
            line = await asyncio.to_thread(self._file.peek)
        except UnreadableLine:
            # Nobody knows what it is, but it is damaged: the first page will say so.
            return
        if line:
            _check_first(line)

    async def next_page(self, events_max: int = PAGE_EVENTS_MAX) -> FeedPage | LineDamage:
        """The events that follow, up to the first damage, which comes next."""
        return await asyncio.to_thread(self._read, events_max)

    def _read(self, events_max: int) -> FeedPage | LineDamage:
        if self._damage is not None:
            return self._damage
        taken: list[bytes] = []
        try:
            lines = self._file.read(events_max, PAGE_SIZE_BYTES_MAX)
        except UnreadableLine as error:
            return self._damaged(f"cannot be read: the file {error}")
        for line in lines:
            event = line.removesuffix(b"\n")
            problem = self._chain.check(event)
            if problem is not None:
                damage = self._damaged(problem)
                if not taken:
                    return damage
                break
            taken.append(event)
        return FeedPage(b"\n".join(taken), len(taken), cursor_at(self.position), self.at_end)

    def _damaged(self, reason: str) -> LineDamage:
        # Every line before it was the event of its number.
        self._damage = LineDamage(self.position + 1, reason, self.position + 1)
        return self._damage


def _check_first(line: bytes) -> None:
    if line.startswith(_SQLITE):
        raise InvalidRequest("is a database, not an export; a store is named by its URL, such as sqlite:FILE")
    try:
        position = decode_event(line.removesuffix(b"\n")).position
        split_hashed_line(line.removesuffix(b"\n"))
    except ValueError as error:
        raise InvalidRequest(
            f"is not an export: line 1 is not a recorded event ({error}). "
            '"indelible import" takes events of other systems'
        ) from None
    if position != 1:
        raise InvalidRequest(f"starts with the event at position {position}; the export of a whole log starts with 1")
