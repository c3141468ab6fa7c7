"""The StorageEngine contract: what every engine does, and nothing about how.

An engine holds one log. ``core.store.LocalEventStore`` is its only caller in a running system. It has checked every
request before; an engine trusts its input and answers with plain values.

What an engine must keep, and the conformance suite checks:

- :meth:`StorageEngine.append` is one transaction and one sync to stable storage for the whole batch; it returns after
  that. Calls do not overlap (the append queue sees to it). The outcome of each request is its own: a conflict of one
  changes nothing for the others. Requests of a batch take effect in their order.
- What a condition asks for is looked for by :meth:`StorageEngine.scan_condition` before the append, as far as the head
  was then. ``append`` looks at what came since, in the same serial order as it stores; where that is more than
  ``CONDITION_TAIL_EVENTS_MAX``, the outcome is :class:`ConditionBehind`.
- :meth:`StorageEngine.append_recorded` is the same for events that have all that a store adds already. It may be called
  beside ``append``; the engine keeps its writes apart.
- Positions are 1, 2, 3 … without gaps, in commit order; versions are 1, 2, 3 … in each aggregate. Timestamps never
  decrease as positions grow.
- A read that starts after an append returned sees its events. No read sees a part of a batch.
- Rendered events are JSON lines in exactly the form of :func:`indelible.events.hashed_line`. A read whose page would
  hold anything else, or lack an event that the log must have, raises :class:`indelible.errors.StoreCorrupted`;
  :mod:`indelible.core.engine_calls` finds out which event it is.
- A write fails in one of two ways, and the engine tells which.
  *Nothing was stored, and the engine goes on*: any error of the store but ``StorageFailure``. That is so whenever it
  failed before anything was written: ``InvalidRequest`` (the store is open for reading only, or the caller's fault),
  ``ShuttingDown`` (it is closed), ``StorageFull``, ``Overloaded`` or ``Unavailable`` (a lock, a database out of reach:
  a later write may succeed), ``InternalError``.
  *The engine has stopped writing for good*: ``StorageFailure``, from that write and every later one, after an I/O error
  on commit or any other that leaves the outcome open; its field ``nothing_stored`` is true where it is certain all the
  same. The failure hook hears of these alone.
- No write makes the event loop wait, whatever another process does to the storage.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar, runtime_checkable
from uuid import UUID

import msgspec

from indelible.diagnostics import Capabilities, CommitCounts, Finding, StorageState
from indelible.engines.feed_walk import ConditionScan
from indelible.engines.group_storage import GroupStorage
from indelible.engines.relay_storage import RelayStorage
from indelible.errors import (
    AggregateNotFound,
    EventNotFound,
    IndelibleError,
    InvalidRequest,
    Overloaded,
    ShuttingDown,
    StorageFailure,
)
from indelible.events import AggregateKey, RecordedEvent, Snapshot
from indelible.eventstore import AggregateInfo, AggregateTypeInfo, AppendRequest, AtomicAppendResult, EventTypeInfo
from indelible.limits import PAGE_SIZE_BYTES_MAX, RETRY_AFTER_S
from indelible.queries import Direction, EventQuery

_T = TypeVar("_T")


class ConditionBehind(Overloaded):
    """So much was stored since the request's condition was looked at that the writer does not look at it. Nothing was
    stored: look at it once more, and append again. Between engine and store; a caller hears of it if it goes on."""

    @classmethod
    def at(cls, position: int) -> "ConditionBehind":
        """``position``: up to there the condition was looked at."""
        message = f"too much was stored since the condition was looked at, up to position {position}"
        return cls(f"{message}; nothing was stored", retry_after_s=RETRY_AFTER_S)


AppendOutcome = AtomicAppendResult | IndelibleError
"""Of one request: what was stored (or was stored before), or why nothing was."""


class LogHead(msgspec.Struct, frozen=True):
    """The end of the log."""

    position: int
    timestamp_us: int
    """Of the last event, microseconds since 1970; 0 in an empty log."""
    hash: bytes
    """Of the last event; 32 zero bytes in an empty log."""


class Lines(msgspec.Struct, frozen=True):
    """Rendered events of a page, and how far reading it came.

    ``reached`` is the position (of a feed) or version (of an aggregate) up to which, in the direction of reading, all
    that matches is in the page; ``at_end`` says that nothing more of what was asked for exists yet.
    """

    lines: bytes
    count: int
    reached: int
    at_end: bool


class StorageEngine(Protocol):
    capabilities: Capabilities
    on_failure: Callable[[StorageFailure], None]
    """Set by the engine's owner. Hears once, and at once, when the engine stops writing for good: what failed may be
    work in the background, which has no caller to tell."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What whoever runs the store should know, found when it was opened; a sentence each."""
        ...

    def storage_state(self) -> StorageState | None:
        """See :meth:`indelible.diagnostics.StoreDiagnostics.storage_state`."""
        ...

    def commit_counts(self) -> CommitCounts | None:
        """None where nobody counts them."""
        ...

    async def open(self) -> None:
        """Make ready. Creates or migrates the schema, unless read-only. Raises ``StoreLocked``, ``Unavailable``,
        ``StorageFailure``; ``StoreCorrupted`` too when the end of the log is known to be missing, unless read-only:
        then it is a warning."""
        ...

    async def close(self) -> None:
        """Let go of everything, after what is in flight. May be called twice."""
        ...

    async def append(self, batch: Sequence[AppendRequest]) -> list[AppendOutcome]:
        """Store a batch; one outcome for each request, in their order."""
        ...

    async def append_recorded(self, events: Sequence[RecordedEvent]) -> None:
        """Store events of another store exactly as they are: position, version, timestamp and hash included.

        All are stored, or none: raises ``InvalidRequest`` when they do not continue the log, as
        :func:`indelible.engines.planner.plan_recorded` decides. The same promises on errors as :meth:`append`.
        """
        ...

    async def head(self) -> LogHead: ...

    async def wait_for_head(self, after: int) -> int:
        """The head's position, as soon as it is beyond ``after``: at once when this engine moved it, within
        ``HEAD_POLL_S`` when another process did. Waits for ever; cancel to give up."""
        ...

    async def read_aggregate(
        self, key: AggregateKey, *, from_version: int, to_version: int, direction: Direction, limit: int
    ) -> tuple[int, Lines]:
        """The aggregate's version (0: it does not exist) and a page of its events, both versions inclusive.

        Forward starts at ``from_version``, backward at ``to_version``. The page ends after ``limit`` events, or with
        the event that brings it to ``PAGE_SIZE_BYTES_MAX``.
        """
        ...

    async def read_feed(
        self,
        query: EventQuery,
        *,
        after: int,
        until: int,
        direction: Direction,
        limit: int,
        size_bytes_max: int = PAGE_SIZE_BYTES_MAX,
    ) -> Lines:
        """A page of the log. Forward: positions from ``after`` + 1 to ``until``. Backward: from ``after`` - 1 down to
        ``until``. The page ends as in :meth:`read_aggregate`, but at ``size_bytes_max``, or when it has looked at
        ``PAGE_SCAN_EVENTS_MAX`` index entries. The query's time window is part of the query."""
        ...

    async def locate_position(self, position: int) -> tuple[AggregateKey, int] | None:
        """Whose event stands at a position, and its version. For events that cannot be read: as much as possible by the
        indexes alone. None where they do not know either."""
        ...

    async def locate_version(self, key: AggregateKey, version: int) -> tuple[int, int] | None:
        """Version and position of an aggregate's newest event not above ``version``, by the indexes alone."""
        ...

    async def scan_condition(self, scan: ConditionScan, entries_max: int) -> ConditionScan:
        """Go on scanning for the first match of a condition, by one short page: about ``entries_max`` index entries.
        Sees all that was stored up to a head that was read before."""
        ...

    async def read_event(self, event_id: UUID) -> bytes | None:
        """One rendered event, or None."""
        ...

    async def read_events(
        self, event_ids: Sequence[UUID], *, size_bytes_max: int = PAGE_SIZE_BYTES_MAX
    ) -> Sequence[bytes | None]:
        """The same of many, in their order: of all of them, or of the first ones, up to the event that brings them to
        ``size_bytes_max``. What is only looked for has no size."""
        ...

    async def read_aggregate_info(self, key: AggregateKey) -> AggregateInfo | None: ...

    async def list_event_types(self, *, prefix: str = "") -> tuple[EventTypeInfo, ...]:
        """Of event types that begin with ``prefix``."""
        ...

    async def list_aggregate_types(self, *, prefix: str = "") -> tuple[AggregateTypeInfo, ...]: ...

    async def list_aggregates(
        self, *, aggregate_type: str | None, prefix: str = "", after: AggregateKey | None, limit: int
    ) -> tuple[AggregateInfo, ...]:
        """At most ``limit`` aggregates after ``after`` (exclusive) whose id begins with ``prefix``, ordered by
        aggregate_type and aggregate_id as UTF-8 bytes. It is one range of an index for each aggregate type."""
        ...

    async def find_unindexed(self, first: int, last: int) -> tuple[int, str] | None:
        """The first event of these positions that is not found by one of its fields, though it is there: an index is
        damaged. Gives its position and the field. Engines that keep no index in a file, or that check it themselves,
        answer None."""
        ...

    async def find_missing_end(self) -> tuple[int, str] | None:
        """Whether the log is known to have gone on after its head, as in a copy that lacks a part: the first position
        that is missing, and what was found. Engines whose storage cannot be copied in part answer None."""
        ...

    async def check_writable(self, size_bytes: int) -> None:
        """Go the way of an append as far as it can be gone without storing anything, and with so many bytes where some
        were refused (0: none were). Raises what would keep such an append from being stored, a wait for others of some
        tenths of a second included."""
        ...

    async def storage_size_bytes(self) -> int:
        """What the store takes where it lives; 0 when that has no meaning."""
        ...


class SnapshotStorage(Protocol):
    """Where snapshots are kept; every engine so far is one as well."""

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; it replaces one of the same aggregate and version. The same promises on errors as append."""
        ...

    async def load_snapshot(self, key: AggregateKey, *, at_version: int | None) -> Snapshot | None:
        """The newest, not above ``at_version`` if given."""
        ...


class InitReport(msgspec.Struct, frozen=True):
    """What preparing a storage did."""

    steps: tuple[str, ...]
    """Steps of the schema that were done now, such as "0001 pre"; none when all were done before."""
    runtime_role: str | None = None
    """The role that now has just the rights that a server needs."""
    is_role_new: bool = False


@runtime_checkable
class LoneAppends(Protocol):
    """An engine that can commit on the event loop's own thread."""

    def append_alone(self, request: AppendRequest) -> AppendOutcome | None:
        """Store one request, and hold up the event loop until it is on stable storage. None when it would have to wait
        for anything else: :meth:`StorageEngine.append` does that. Raises what that raises."""
        ...


@runtime_checkable
class IndexedStorage(Protocol):
    """An engine whose index is apart from its log, and follows from it."""

    async def reindex(self, on_progress: Callable[[int, int], None]) -> int:
        """Make the index anew; how many events it has. ``on_progress`` hears how many it has so far, and of how many.
        Called instead of ``open``; raises what that raises, ``StoreLocked`` while anybody writes to the store too."""
        ...


@runtime_checkable
class ManagedStorage(Protocol):
    """A storage that somebody administers, with other rights than those who use it. On an engine that is not open."""

    async def init(
        self, *, runtime_role: str | None, password: str | None, post_deploy: bool, replication: str | None = None
    ) -> InitReport:
        """Make the storage or bring it to the newest schema; with ``post_deploy`` also take away what only older
        programs need. ``runtime_role`` is made if there is none, with ``password`` if one is given, and gets what a
        server needs. ``replication`` says how many copies a new storage keeps, where it keeps several. May be repeated.
        Raises ``Unavailable``, ``StorageFailure``, ``InvalidRequest``."""
        ...


@runtime_checkable
class ExaminedStorage(Protocol):
    """A storage that can tell whether what it stands on is fit for it."""

    async def examine(self) -> list[Finding]:
        """On an engine that is not open. Raises what opening it raises, where it is out of reach."""
        ...


class Engine(StorageEngine, SnapshotStorage, GroupStorage, RelayStorage, Protocol):
    """All that a store needs of an engine."""


class FallibleEngine:
    """What engines that may fail have in common: a failure for good is told once, and ends all writing."""

    def __init__(self, *, read_only: bool) -> None:
        self.on_failure: Callable[[StorageFailure], None] = lambda _: None
        self.warnings: tuple[str, ...] = ()
        self._read_only: Final = read_only
        self._failure: StorageFailure | None = None

    def storage_state(self) -> StorageState | None:
        return None

    def commit_counts(self) -> CommitCounts | None:
        return None

    def _fail(self, failure: StorageFailure) -> None:
        if self._failure is None:
            self._failure = failure
            self.on_failure(failure)

    def _require(self, writer: _T | None) -> _T:
        """What writes; None while the engine is closed. Raises why nothing may be written."""
        if self._failure is not None:
            raise StorageFailure(self._failure.message, nothing_stored=True)
        if self._read_only:
            raise InvalidRequest("the store is open for reading only")
        if writer is None:
            raise store_closed()
        return writer


def too_many_reads() -> Overloaded:
    return Overloaded("too many reads are waiting", retry_after_s=RETRY_AFTER_S)


def store_closed() -> ShuttingDown:
    return ShuttingDown("the store is closed", retry_after_s=RETRY_AFTER_S)


def not_replicated() -> InvalidRequest:
    return InvalidRequest("this kind of store keeps no copies by itself", pointer="/replication")


def aggregate_not_found(key: AggregateKey) -> AggregateNotFound:
    return AggregateNotFound(
        f"no aggregate {key.stream}", aggregate_type=key.aggregate_type, aggregate_id=key.aggregate_id
    )


def event_not_found(event_id: UUID) -> EventNotFound:
    return EventNotFound(f"no event has the id {event_id}", event_id=str(event_id))


class EngineMaker(Protocol):
    """What an entry point of the group ``indelible.engines`` names; the entry point's own name is the URL's scheme."""

    def __call__(self, url: str, *, read_only: bool) -> Engine | tuple[Engine, ...]:
        """The engine for a URL of this scheme, not opened yet; of a URL that names several partitions, one for each, in
        their order. Raises ``InvalidRequest`` with the pointer ``/store`` for a URL that names nothing, and where a
        package is missing: then with what to install."""
        ...
