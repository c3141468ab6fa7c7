"""Reads the events of such a server: all streams together, in the order in which they were written.

What belongs to that system is left out by the streams' names: all that begin with ``$``, and so what its projections,
statistics, scavenges and users are kept in. The metadata of every other stream, in ``$$NAME``, is read. Tombstones are
passed over, because they have the largest of all revisions, and names are never closed here.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from indelible.cli.esdb.connection import explaining
from indelible.cli.esdb.digests import DigestedEvent, Digests

if TYPE_CHECKING:
    from kurrentdbclient import KurrentDBClient, RecordedEvent
    from kurrentdbclient.common import AbstractReadResponse

TOMBSTONE_TYPE: Final = "$streamDeleted"
"""Of the last event of a stream that can never be written again."""
READ_STREAMS: Final = r"(\$\$)?[^$][\s\S]*"
"""A regular expression for the names of the streams that are read, as the server is asked for them."""
EVENTS_AHEAD_MAX: Final = 4_000
"""Events that are read but not taken yet; bounds memory."""
SIZE_BYTES_AHEAD_MAX: Final = 32 * 1024 * 1024
GATHER_S: Final = 0.1
"""How long a taker waits for more than a few events. Each lot costs a commit."""


def is_read(stream: str) -> bool:
    """The same as :data:`READ_STREAMS`."""
    return not stream.removeprefix("$$").startswith("$")


def own_id(event: "RecordedEvent") -> UUID:
    """Of an event whose id another event has: always the same for the same event."""
    return uuid5(event.id, f"{event.stream_position}@{event.stream_name}")


class Source:
    """All methods block."""

    def __init__(self, client: "KurrentDBClient", url: str, excluded: Sequence[str] = ()) -> None:
        """``excluded``: patterns of names of streams, as file names have them, that are left out with their
        metadata."""
        self._client: Final = client
        self._excluded: Final = tuple(excluded)
        self.url: Final = url
        self.tombstoned: Final[set[str]] = set()
        """Streams whose tombstones were passed over in reading. What else they have is read."""

    def excludes(self, stream: str) -> bool:
        name = stream.removeprefix("$$")
        return not is_read(stream) or any(fnmatchcase(name, pattern) for pattern in self._excluded)

    def end(self) -> int:
        """The commit position of the last event there is; 0: there is none."""
        with explaining(self.url):
            return self._client.get_commit_position(filter_exclude=())

    def has(self, position: int, event_id: UUID) -> bool:
        """Whether the event with this id lies at this commit position."""
        from kurrentdbclient.exceptions import KurrentDBClientError, ServiceUnavailableError

        try:
            found = list(self._client.read_all(commit_position=position, filter_exclude=(), limit=1))
        except ServiceUnavailableError:
            with explaining(self.url):
                raise
        except KurrentDBClientError:
            return False  # there is no such position
        return any((event.commit_position, event.id) == (position, event_id) for event in found)

    def read(self, after: int = 0, up_to: int | None = None) -> "Reading":
        """The events after a commit position: up to another, or for ever."""
        with explaining(self.url):
            # Reading begins with the position; a subscription begins behind it.
            given = self._client.read_all if up_to is not None else self._client.subscribe_to_all
            response = given(commit_position=after or None, filter_include=(READ_STREAMS,), filter_by_stream_name=True)
        return Reading(self, response, after, up_to)

    def read_backwards(self) -> Generator["RecordedEvent"]:
        """From the last event on."""
        with explaining(self.url):
            response = self._client.read_all(backwards=True, filter_include=(READ_STREAMS,), filter_by_stream_name=True)
            try:
                yield from response
            finally:
                response.stop()


class Reading:
    """Events one after the other. Another thread may :meth:`stop` it."""

    def __init__(self, source: Source, response: "AbstractReadResponse", after: int, up_to: int | None) -> None:
        self._source: Final = source
        self._response: Final = response
        self._after: Final = after
        self._up_to: Final = up_to
        self._stopped = False

    def __iter__(self) -> Iterator["RecordedEvent"]:
        excludes: dict[str, bool] = {}
        with explaining(self._source.url):
            for event in self._response:
                if self._up_to is not None and event.commit_position > self._up_to:
                    break
                stream = event.stream_name
                excluded = excludes.get(stream)
                if excluded is None:
                    excluded = excludes[stream] = self._source.excludes(stream)
                if excluded or event.commit_position <= self._after:
                    continue
                if event.type == TOMBSTONE_TYPE:
                    self._source.tombstoned.add(stream)
                    continue
                yield event
        self.stop()

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._response.stop()


def read_digests(source: Source, up_to: int, *, content_type: Callable[[str], str] = str) -> Digests:
    """Of all there is up to a commit position; ``content_type`` says how types count. Blocks."""
    digests = Digests()
    for event in source.read(up_to=up_to) if up_to else ():
        digested = DigestedEvent(event.id, event.type, content_type(event.content_type), event.data, event.metadata)
        digests.add(event.stream_name, digested, event.commit_position, event.stream_position)
    return digests


class EventsAhead:
    """Reads in a thread of its own, so that the next events come while the last are stored. Belongs to one event
    loop."""

    def __init__(self, open_reading: Callable[[], Reading]) -> None:
        self._open: Final = open_reading
        self._loop: Final = asyncio.get_running_loop()
        self._changed: Final = threading.Condition()
        self._events: Final[deque[RecordedEvent]] = deque()
        self._size_bytes = 0
        self._arrived: Final = asyncio.Event()
        self._is_at_end = self._is_left = False
        self._reading: Reading | None = None
        self._failure: Exception | None = None
        threading.Thread(target=self._run, name="read-esdb", daemon=True).start()

    async def take(self, count: int, size_bytes: int) -> "list[RecordedEvent]":
        """Up to so many of the next events, the last of which may pass the bytes of data; none at the end. Raises what
        reading has raised, after what came before."""
        await self._arrived.wait()
        if len(self._events) < count and not self._is_at_end:
            await asyncio.sleep(GATHER_S)
        with self._changed:
            taken: list[RecordedEvent] = []
            while self._events and len(taken) < count and size_bytes > 0:
                taken.append(self._events.popleft())
                size_bytes -= len(taken[-1].data)
                self._size_bytes -= len(taken[-1].data)
            if not self._events and not self._is_at_end:
                self._arrived.clear()
            self._changed.notify()
        if not taken and self._failure is not None:
            raise self._failure
        return taken

    def leave(self) -> None:
        """Nothing more is taken."""
        with self._changed:
            self._is_left = True
            self._changed.notify()
        if self._reading is not None:
            self._reading.stop()

    def _run(self) -> None:
        try:
            self._reading = self._open()
            for event in self._reading:
                if not self._put(event):
                    self._reading.stop()
                    return
        except Exception as error:  # noqa: BLE001 - whoever takes is told
            self._failure = error
        with self._changed:
            self._is_at_end = True
            self._announce()

    def _put(self, event: "RecordedEvent") -> bool:
        """Waits while too many are ahead. False: nobody takes them any more."""
        with self._changed:
            while not self._is_left and self._is_full:
                self._changed.wait()
            if self._is_left:
                return False
            self._events.append(event)
            self._size_bytes += len(event.data)
            if len(self._events) == 1:
                self._announce()
        return True

    @property
    def _is_full(self) -> bool:
        return len(self._events) >= EVENTS_AHEAD_MAX or self._size_bytes >= SIZE_BYTES_AHEAD_MAX

    def _announce(self) -> None:
        # The event loop may be closed where nobody takes any more.
        if not self._is_left:
            self._loop.call_soon_threadsafe(self._arrived.set)
