"""Appends the events of NDJSON lines to a store: many aggregates at once, each in the order of its lines.

Lines keep their event ids, so a repeated import finds what is stored already. A line that cannot be stored holds back
the later lines of its aggregate, because what is stored can never be put in order again.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from indelible.errors import Conflict, IndelibleError, InvalidRequest
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import EventStore
from indelible.limits import EVENT_SIZE_BYTES_MAX
from indelible.wire.requests import decode_event_line

EVENTS_WAITING_MAX: Final = 4_096
"""Lines that are read but not stored yet; bounds memory, and is what one commit of a server takes at most."""
SIZE_BYTES_WAITING_MAX: Final = 64 * 1024 * 1024
APPEND_EVENTS_MAX: Final = 500
"""Lines of one aggregate that become one append. Larger ones gain nothing and would hold the writer longer."""
APPEND_SIZE_BYTES_MAX: Final = 4 * 1024 * 1024


class ImportCounts(msgspec.Struct):
    imported: int = 0
    already_there: int = 0
    failed: int = 0


LINE_SIZE_BYTES_MAX: Final = 2 * EVENT_SIZE_BYTES_MAX
"""The largest event as base64, its names and tags included, is shorter."""


class _Line(msgspec.Struct, frozen=True):
    number: int
    event: NewEvent


class _Named(msgspec.Struct):
    """The least that a line must say for others to go on without it."""

    aggregate_type: str
    aggregate_id: str


class Importer:
    """Give it lines with :meth:`add`, then call :meth:`finish`. ``on_failure`` hears of every line that is not stored,
    with its number."""

    def __init__(self, store: EventStore, on_failure: Callable[[int, IndelibleError], None]) -> None:
        self.counts = ImportCounts()
        self._store = store
        self._on_failure = on_failure
        self._lanes: dict[AggregateKey, deque[_Line]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._held_back: dict[AggregateKey, int] = {}
        """Aggregates with a line that failed, and its number."""
        self._waiting = 0
        self._waiting_size_bytes = 0

    async def add(self, number: int, line: bytes) -> bool:
        """Take one line; waits while too many are on their way. Raises what keeps the store from storing anything.

        False says that the import must stop here: the line names no aggregate, so nobody knows which others must wait
        for it.
        """
        try:
            key, event = _decode(line)
        except InvalidRequest as error:
            return self._fail_undecoded(number, line, error)
        if not self._is_held_back(key, number):
            while self._waiting >= EVENTS_WAITING_MAX or self._waiting_size_bytes >= SIZE_BYTES_WAITING_MAX:
                await self._settle(asyncio.FIRST_COMPLETED)
            self._enqueue(key, _Line(number, event))
        return True

    def _enqueue(self, key: AggregateKey, line: _Line) -> None:
        self._waiting += 1
        self._waiting_size_bytes += line.event.size_bytes
        lane = self._lanes.get(key)
        if lane is not None:
            lane.append(line)
            return
        self._lanes[key] = deque([line])
        self._tasks.add(asyncio.create_task(self._work(key)))

    def _fail_undecoded(self, number: int, line: bytes, error: InvalidRequest) -> bool:
        try:
            named = msgspec.json.decode(line, type=_Named)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.counts.failed += 1
            message = f"{error.message}; no aggregate is named, so the import stops here to keep every order"
            self._on_failure(number, InvalidRequest(message, pointer=error.pointer))
            return False
        self._fail(AggregateKey(named.aggregate_type, named.aggregate_id), number, error)
        return True

    async def finish(self) -> None:
        """Wait until every line is stored or has failed."""
        while self._tasks:
            await self._settle(asyncio.ALL_COMPLETED)

    async def cancel(self) -> None:
        """Let go of what is on its way; it may be stored or not."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _settle(self, return_when: str) -> None:
        done, self._tasks = await asyncio.wait(self._tasks, return_when=return_when)
        for task in done:
            task.result()

    async def _work(self, key: AggregateKey) -> None:
        """Store one aggregate's lines until none wait."""
        lane = self._lanes[key]
        while lane:
            lines = _take(lane)
            await self._store_together(key, lines)
            self._waiting -= len(lines)
            self._waiting_size_bytes -= sum(line.event.size_bytes for line in lines)
        del self._lanes[key]

    async def _store_together(self, key: AggregateKey, lines: list[_Line]) -> None:
        try:
            await self._append(key, lines)
        except (Conflict, InvalidRequest) as error:
            if len(lines) == 1:
                self._fail(key, lines[0].number, error)
                return
            # Some are stored already, or one is wrong: one at a time tells which.
            for line in lines:
                if not self._is_held_back(key, line.number):
                    await self._store_together(key, [line])

    async def _append(self, key: AggregateKey, lines: list[_Line]) -> None:
        events = [line.event for line in lines]
        result = await self._store.append(key.aggregate_type, key.aggregate_id, events)
        if result.replayed:
            self.counts.already_there += len(lines)
        else:
            self.counts.imported += len(lines)

    def _is_held_back(self, key: AggregateKey, number: int) -> bool:
        first = self._held_back.get(key)
        if first is None:
            return False
        self._fail(key, number, InvalidRequest(f"waits for line {first} of the same aggregate"))
        return True

    def _fail(self, key: AggregateKey, number: int, error: IndelibleError) -> None:
        self._held_back.setdefault(key, number)
        self.counts.failed += 1
        self._on_failure(number, error)


def _take(lane: deque[_Line]) -> list[_Line]:
    lines: list[_Line] = []
    size_bytes = 0
    while lane and len(lines) < APPEND_EVENTS_MAX and (not lines or size_bytes < APPEND_SIZE_BYTES_MAX):
        lines.append(lane.popleft())
        size_bytes += lines[-1].event.size_bytes
    return lines


def _decode(line: bytes) -> tuple[AggregateKey, NewEvent]:
    if len(line) >= LINE_SIZE_BYTES_MAX:
        raise InvalidRequest(f"is longer than {LINE_SIZE_BYTES_MAX} bytes")
    return decode_event_line(line)
