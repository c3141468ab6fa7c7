"""Where a log ends, and in which bucket each of its positions is.

A bucket is one Cassandra partition of the table ``log``: only within one can several rows be written on a condition.
What order there is comes from this:

- A commit names the head that it goes on from, and takes effect only if its bucket still has that head.
- The commit that fills a bucket seals it, in the same write. Nothing is ever added to a sealed bucket, because every
  commit is on the condition that it is not sealed. So the head of a sealed bucket is final, whoever reads it, and it
  is what the next bucket begins after.
- The first commit of a bucket is on the condition that the bucket has no head; it is made only by who has seen, by a
  serial read or by its own commit, that the bucket before is sealed. Of several, one takes effect.

So there is one end at any time, and every commit is one conditional write, that which changes buckets too. How much
fits into a bucket is the choice of who commits: nobody needs to agree on it, and it may change at any time.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import msgspec

from indelible.engines.cassandra.session import CassandraSession, Row
from indelible.engines.engine import LogHead
from indelible.errors import StoreCorrupted
from indelible.events import HASH_BEFORE_FIRST
from indelible.limits import CASSANDRA_TAIL_EVENTS

EMPTY: Final = LogHead(0, 0, HASH_BEFORE_FIRST)


class LogEnd(msgspec.Struct, frozen=True):
    """The end of the log, and the bucket that takes what follows."""

    head: LogHead
    bucket: int = 0
    begins_after: int = 0
    size_bytes: int = 0
    """Of the lines in the bucket."""

    @property
    def expected_head(self) -> int | None:
        """What the bucket is to have as its head when the next commit is made."""
        return None if self.head.position == self.begins_after else self.head.position

    @property
    def bucket_of_head(self) -> int:
        return self.bucket if self.expected_head is not None else max(self.bucket - 1, 0)

    @classmethod
    def of_seen(cls, seen: "Seen") -> "LogEnd":
        """Known to no more than where it is."""
        return cls.within(seen.head, seen.bucket) if seen.head.position else cls(EMPTY)

    @classmethod
    def within(cls, head: LogHead, bucket: int) -> "LogEnd":
        """A place that the log has passed, known to no more than where it is."""
        return cls(head, bucket, -1)

    def after_sealing(self) -> "LogEnd":
        """The same end, once its bucket is sealed."""
        return LogEnd(self.head, self.bucket + 1, self.head.position)


async def read_end(session: CassandraSession, log: str, known: LogEnd) -> LogEnd:
    """The end of the log, which is at ``known`` or beyond. A commit that was under way has taken effect by then, or is
    to come. Raises :class:`StoreCorrupted` where the log ends before."""
    end = known
    while True:
        rows = await session.read("read_end", serial=True, log=log, bucket=end.bucket)
        if not rows:
            if end.expected_head is not None:
                raise _shorter(log, known, 0)
            return end
        _, bucket, position, timestamp_us, hash_, begins_after, size_bytes, is_sealed = rows[0]
        if position < known.head.position:
            raise _shorter(log, known, position)
        end = LogEnd(LogHead(position, timestamp_us, hash_), bucket, begins_after, size_bytes)
        if not is_sealed:
            return end
        end = end.after_sealing()


def _shorter(log: str, known: LogEnd, position: int) -> StoreCorrupted:
    return StoreCorrupted(
        f"the log {log} ends at position {position}, but went on to {known.head.position}: was only a part restored?",
        position=position + 1,
    )


class Tail(msgspec.Struct, frozen=True):
    """What stands between two ends of a log, or the first part of it: of one bucket, and not more than can be looked at
    at once."""

    rows: Sequence[Row]
    """``position``, ``payload_size_bytes``, ``line``, ``commit_id`` and ``log``, in order."""
    bucket: int
    begun: dict[int, int]
    """Its bucket, and after which position that begins, unless the first end is within it."""


async def read_tail(session: CassandraSession, log: str, known: LogEnd, end: LogEnd) -> Tail:
    """There is something between the two. Raises :class:`StoreCorrupted` where an event is missing."""
    bucket, position = known.bucket, known.head.position
    begun = {bucket: position} if known.expected_head is None else {}
    last = min(position + CASSANDRA_TAIL_EVENTS, end.head.position)
    while True:
        rows = await session.read("lines_of_range", log=log, bucket=bucket, low=position + 1, high=last)
        if rows or bucket >= end.bucket:
            break
        bucket += 1
        begun[bucket] = position
    # Of what was decided no quorum lacks anything, once the end was read.
    if not rows or [row[0] for row in rows] != list(range(position + 1, position + len(rows) + 1)):
        raise StoreCorrupted(f"the event at position {position + 1} of {log} is not found", position=position + 1)
    return Tail(rows, bucket, begun)


class Seen(msgspec.Struct, frozen=True):
    """What readers see of a log: all up to a head is in all tables."""

    head: LogHead
    bucket: int
    """Which the head is in."""
    types: int
    """How many types of events there are."""


async def read_seen(session: CassandraSession, log: str) -> Seen:
    for _, position, timestamp_us, hash_, bucket, types in await session.read("read_head", log=log):
        return Seen(LogHead(position, timestamp_us, hash_), bucket, types)
    return Seen(EMPTY, 0, 0)


class Buckets:
    """Which buckets there are. They are never taken away, so what was read once stays true."""

    def __init__(self, session: CassandraSession, log: str) -> None:
        self._session: Final = session
        self._log: Final = log
        self._begin_after: Final = [0]
        """Of each bucket, from 0."""
        self._newest = Seen(EMPTY, 0, 0)
        """All up to there are known."""

    async def seen(self) -> Seen:
        """What readers see now; then all buckets up to there are known."""
        seen = await read_seen(self._session, self._log)
        if seen.bucket >= len(self._begin_after):
            rows = await self._session.read("read_buckets", log=self._log, first=len(self._begin_after))
            for bucket, begins_after in rows:
                # Two readers may have asked at once.
                if bucket == len(self._begin_after):
                    self._begin_after.append(begins_after)
            if seen.bucket >= len(self._begin_after):
                raise StoreCorrupted(f"where bucket {len(self._begin_after)} of {self._log} begins is not stored")
        if seen.head.position > self._newest.head.position:
            self._newest = seen
        return seen

    async def seen_to(self, position: int) -> Seen:
        """The same as of some moment when this position was seen."""
        return await self.seen() if position > self._newest.head.position else self._newest

    def of(self, position: int) -> int:
        return max(bisect_left(self._begin_after, position) - 1, 0)

    def split(self, positions: Sequence[int]) -> list[tuple[int, Sequence[int]]]:
        """Ascending positions by the buckets that they are in."""
        parts: list[tuple[int, Sequence[int]]] = []
        first = 0
        while first < len(positions):
            bucket, last = self.of(positions[first]), first + 1
            while last < len(positions) and self.of(positions[last]) == bucket:
                last += 1
            parts.append((bucket, positions[first:last]))
            first = last
        return parts
