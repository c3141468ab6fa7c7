"""What a store says to whoever runs it: what it is fit for, what it takes, and measures of its work."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, Literal, Protocol, runtime_checkable

import msgspec


class Capabilities(msgspec.Struct, frozen=True):
    """In what storages may differ. Suites ask for these, never for an engine's name."""

    durable: bool
    """Whether events outlive the process."""
    many_processes: bool = False
    """Whether several processes may append to one store."""
    read_only_beside_writer: bool = False
    """Whether another process may read a store that a server has open."""


class Finding(msgspec.Struct, frozen=True):
    """What "doctor" has looked at, and found."""

    check: str
    """What was looked at: "settings", "disk", "clock" …"""
    level: Literal["ok", "notice", "problem"]
    """A notice is worth knowing, and may be meant so; a problem is to be mended."""
    message: str
    advice: str | None = None
    """What to do about it; None where it is fine."""


class BatchMeasure(msgspec.Struct, frozen=True):
    """What one commit was like, for metrics."""

    requests: int
    events: int
    commit_s: float


COMMIT_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Of :attr:`CommitCounts.within`."""


class CommitCounts(msgspec.Struct):
    """Commits of this process to one partition, where other servers commit too and answers may be lost; counted since
    the process first opened it, for metrics."""

    events: int = 0
    """In commits that took effect."""
    lost: int = 0
    """Commits that found that another server had moved the end of the log; what was in them was decided anew."""
    repeats: int = 0
    """How often a commit was sent again."""
    unknown: int = 0
    """Answers that were lost, so that it had to be found out what became of the commit."""
    commit_s: float = 0.0
    """What all commits that took effect took together, from when they were first sent until that was known."""
    within: list[int] = msgspec.field(default_factory=lambda: [0] * (len(COMMIT_BOUNDS_S) + 1))
    """How many of them took at most each of the bounds, and more than the one before; the last counts those beyond."""

    @property
    def commits(self) -> int:
        """That took effect."""
        return sum(self.within)

    def add_commit(self, events: int, took_s: float) -> None:
        self.events += events
        self.commit_s += took_s
        self.within[bisect_left(COMMIT_BOUNDS_S, took_s)] += 1


class DamagedEvent(msgspec.Struct, frozen=True):
    """An event that a consumer group parked because the store cannot read it."""

    position: int
    reason: str


class GroupMeasure(msgspec.Struct):
    """What happened to a consumer group between two saves, for metrics and logs."""

    deliveries: int = 0
    redeliveries: int = 0
    """Those of them that were not the first of their event."""
    acks: int = 0
    nacks: int = 0
    timeouts: int = 0
    parked: int = 0
    """Events that were given up."""
    damage: list[DamagedEvent] = msgspec.field(default_factory=list)
    """Those of them that the store cannot read."""


class StorageState(msgspec.Struct, frozen=True, kw_only=True):
    """How far an index that follows the log has come, and what is written ahead of both."""

    index_lag_events: int
    """Events that are stored, and found, though the index does not have them yet."""
    index_lag_s: float
    """For how long the first of them may have been stored."""
    index_rebuilds: int
    """How often the index was made anew, or that was tried, since the store was opened."""
    index_trouble: str | None
    """Why the index is not written now."""
    index_last_error: str | None
    log_wal_size_bytes: int
    index_wal_size_bytes: int
    disk_free_bytes: int
    """What the file system of the log has left for this process; as of ``disk_size_bytes``."""
    disk_size_bytes: int


@runtime_checkable
class StoreDiagnostics(Protocol):
    """What a store of this process offers beside :class:`indelible.eventstore.EventStore` to whoever runs or checks it;
    a remote store offers none of it. Methods raise what the storage raises."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What whoever runs the store should know; a sentence each. Complete once the store is open."""
        ...

    @property
    def queue_depth(self) -> int:
        """Appends that wait for a commit to begin."""
        ...

    def storage_state(self) -> StorageState | None:
        """None where no index follows the log."""
        ...

    def commit_counts(self) -> Sequence[CommitCounts]:
        """Of each partition, in their order; empty where nobody counts them."""
        ...

    async def check_takes_appends(self) -> None:
        """Raises why an append would not be stored now; stores nothing to find out."""
        ...

    def partition_troubles(self) -> Sequence[str | None]:
        """Why each partition took no appends when :meth:`check_takes_appends` looked last, which raises only where none
        takes any; None for one that does. Empty for a store of one."""
        ...

    async def storage_size_bytes(self) -> int:
        """What the store takes where it lives; 0 when that has no meaning."""
        ...

    async def find_missing_end(self) -> tuple[int, str] | None:
        """The first position that the log is known to have had and is not there, and what was found."""
        ...

    async def find_unindexed(self, first: int, last: int) -> tuple[int, str] | None:
        """The first event of these positions that an index does not lead to, and by which field."""
        ...
