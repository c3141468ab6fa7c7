"""The store behind the recorders: one client for all factories of a process that name the same store, and the
library's errors in place of the store's."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ContextDecorator
from types import TracebackType
from typing import Final, NamedTuple, Self
from weakref import WeakValueDictionary

from eventsourcing import persistence
from eventsourcing.utils import Environment

from indelible.client.sync_client import Client, SyncSubscription
from indelible.conditions import AppendCondition
from indelible.cursors import cursor_at, position_of
from indelible.errors import (
    AggregateNotFound,
    ConditionTooCostly,
    Conflict,
    IndelibleError,
    InternalError,
    InvalidRequest,
    NotFound,
    ShuttingDown,
    VersionConflict,
)
from indelible.events import RecordedEvent
from indelible.eventstore import AggregateAppend, AtomicAppendResult, FeedPage
from indelible.limits import PAGE_EVENTS_MAX
from indelible.queries import EventQuery
from indelible.store_urls import scheme_of

_ERRORS: Final[tuple[tuple[type[IndelibleError], type[persistence.PersistenceError]], ...]] = (
    # What is not found is an aggregate, of which a snapshot is to be saved.
    (Conflict, persistence.IntegrityError),
    (NotFound, persistence.IntegrityError),
    (ConditionTooCostly, persistence.OperationalError),
    (InvalidRequest, persistence.DataError),
    (InternalError, persistence.InternalError),
    (IndelibleError, persistence.OperationalError),
)


class _LibraryErrors(ContextDecorator):
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, IndelibleError):
            raise next(theirs for ours, theirs in _ERRORS if isinstance(error, ours))(str(error)) from error


library_errors: Final = _LibraryErrors()
"""Raises the library's errors in place of the store's, which become their causes: around a block, or a function."""


# --- Clients that are shared -----------------------------------------------------------------------------------------


class Address(NamedTuple):
    """A store, and what a server is shown. Clients with the same address are the same."""

    url: str
    token: str | None
    tls_ca: str | None
    tls_certificate: str | None
    tls_key: str | None

    @classmethod
    def of(cls, env: Environment) -> "Address":
        """Raises ``OSError`` where the environment has no URL."""
        if not (url := env.get("INDELIBLE_URL")):
            raise OSError(f"the environment must name a store, by one of {', '.join(env.create_keys('INDELIBLE_URL'))}")
        # An empty variable is how shells and compose files say "not set".
        return cls(url, *(env.get(f"INDELIBLE_{name.upper()}") or None for name in cls._fields[1:]))

    @property
    def is_shared(self) -> bool:
        """A store in memory is its client's own."""
        return scheme_of(self.url) != "memory"

    def new_client(self) -> Client:
        """Raises ``OSError`` for a URL that names no store."""
        try:
            return Client(**self._asdict())
        except InvalidRequest as error:
            raise OSError(f"INDELIBLE_URL: {error}") from error


_lock: Final = threading.Lock()
_shared: Final[WeakValueDictionary[tuple[Address, int], Client]] = WeakValueDictionary()
"""By address and process: threads, and so clients, stay behind in a fork. A client that is held nowhere else closes
itself, so to let go of one takes no lock: the interpreter may do that for a forgotten application at any time."""


def _take(address: Address) -> Client:
    with _lock:
        key = address, os.getpid()
        client = _shared.get(key) or address.new_client()
        if address.is_shared:
            _shared[key] = client
        return client


# --- What recorders ask of a store -----------------------------------------------------------------------------------


Make = Callable[[], Sequence[AggregateAppend]]
Learn = Callable[[VersionConflict], bool]


class Datastore:
    """A store of one partition, as the recorders of one factory ask it."""

    def __init__(self, address: Address) -> None:
        self._client: Client | None = _take(address)
        try:
            self._check_partitions()
        except BaseException:
            self.close()
            raise

    @property
    def client(self) -> Client:
        """Raises ``ShuttingDown`` once it is closed. To be asked for each time, and kept nowhere."""
        if self._client is None:
            raise ShuttingDown("the factory of this recorder is closed")
        return self._client

    @classmethod
    def of(cls, env: Environment) -> Self:
        return cls(Address.of(env))

    def _check_partitions(self) -> None:
        with library_errors:
            partitions = self.client.head().partitions
        if partitions > 1:
            raise persistence.NotSupportedError(
                f"the store has {partitions} partitions; eventsourcing numbers all events in one order, so it needs a "
                "store of one"
            )

    def head(self) -> int:
        """The last position of the log."""
        return self.client.head().position

    def append(
        self, appends: Sequence[AggregateAppend], condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        return self.client.append_atomic(appends, condition=condition)

    def append_learning(self, make: Make, learn: Learn) -> AtomicAppendResult:
        """Append what ``make`` gives. After a conflict from which there is something to ``learn``, once more."""
        while True:
            try:
                return self.append(make())
            except VersionConflict as conflict:
                if not learn(conflict):
                    raise

    def event_at(self, aggregate_type: str, aggregate_id: str, version: int | None = None) -> RecordedEvent | None:
        """One event of an aggregate; without a version its last. None where there is none."""
        try:
            page = self.client.read_aggregate(
                aggregate_type, aggregate_id, to_version=version, direction="backward", limit=1
            )
        except AggregateNotFound:
            return None
        return page.events[0] if page.count else None

    def pages(
        self, query: EventQuery, *, after: int, until: int | None = None, page_size: int = PAGE_EVENTS_MAX
    ) -> Iterator[FeedPage]:
        """At least one page, and on to the head, or to the first that reaches the position ``until``. A page may hold
        events behind that."""
        cursor, at_end = cursor_at(after), False
        while not at_end:
            try:
                page = self.client.read_feed(query, after=cursor, limit=min(page_size, PAGE_EVENTS_MAX))
            except InvalidRequest as error:
                if error.pointer != "/after":
                    raise
                # Past the head, where nothing is yet.
                page = FeedPage(b"", 0, self.client.head().cursor, at_end=True)
            yield page
            cursor = page.cursor
            at_end = page.at_end or (until is not None and position_of(cursor) >= until)

    def last_position(self, query: EventQuery) -> int | None:
        """Of the events that match; None where there is none."""
        cursor, at_end = None, False
        while not at_end:
            page = self.client.read_feed(query, after=cursor, direction="backward", limit=1)
            for event in page.events:
                return event.position
            cursor, at_end = page.cursor, page.at_end
        return None

    def subscribe(self, query: EventQuery, *, after: int) -> SyncSubscription:
        return self.client.subscribe(query, after=cursor_at(after))

    def close(self) -> None:
        """May be called twice."""
        self._client = None
