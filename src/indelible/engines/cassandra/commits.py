"""Commits to the log: one compare-and-set of its end, and what became of one whose answer was lost.

A lost answer says nothing: the nodes may have done it, may be doing it, or may do it once a node that was held up goes
on. To read the end of the log settles it only where another commit is found there. Where the end is still the old one,
the same commit is sent again, with the same id: of the two only one can take effect, since each is on the condition
that the end is where it was. So in the end either it took effect, once, or another did, and then it never will.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from indelible.diagnostics import CommitCounts
from indelible.engines.cassandra.failures import InDoubt, NothingDone, unreachable
from indelible.engines.cassandra.places import LogEnd, read_end
from indelible.engines.cassandra.session import CassandraSession, Statement
from indelible.engines.engine import LogHead
from indelible.engines.planner import Plan, PlannedEvent
from indelible.errors import IndelibleError, Unavailable
from indelible.events import format_timestamp, hashed_line, unhashed_line
from indelible.limits import CASSANDRA_COMMIT_SIZE_BYTES_MAX, CASSANDRA_ROWS_AT_ONCE, DATABASE_RETRY_WAIT_S

_NEVER: Final = -1
"""No bucket has this head."""


class BucketSize(msgspec.Struct, frozen=True):
    """What fills a bucket."""

    events_max: int
    size_bytes_max: int


class Commit(msgspec.Struct, frozen=True):
    """What goes on from an end of the log. Sent twice it is the same."""

    commit_id: UUID
    end: LogEnd
    head: LogHead
    events: Sequence[PlannedEvent]
    lines: Sequence[bytes]
    seals: bool
    """Whether its bucket is full with it."""

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.lines))

    @property
    def end_in_bucket(self) -> LogEnd:
        """The end of the log once this took effect, in the bucket that it is in."""
        end = self.end
        return LogEnd(self.head, end.bucket, end.begins_after, end.size_bytes + self.size_bytes)

    @property
    def end_after(self) -> LogEnd:
        return self.end_in_bucket.after_sealing() if self.seals else self.end_in_bucket


def commit_of(end: LogEnd, head: LogHead, events: Sequence[PlannedEvent], size: BucketSize) -> Commit:
    lines = [_line_of(one) for one in events]
    commit = Commit(uuid4(), end, head, events, lines, seals=False)
    after = commit.end_in_bucket
    seals = head.position - end.begins_after >= size.events_max or after.size_bytes >= size.size_bytes_max
    return msgspec.structs.replace(commit, seals=seals)


def _line_of(one: PlannedEvent) -> bytes:
    timestamp = format_timestamp(one.timestamp_us)
    return hashed_line(unhashed_line(one.event, one.key, one.version, one.position, timestamp), one.hash)


class Sent:
    """What may have been done of a write."""

    planned: Plan | None = None
    """As it may be stored; None: nothing is."""
    trouble: Unavailable | None = None
    """Why it was not done at once."""


class Commits:
    """Makes commits to one log."""

    def __init__(self, session: CassandraSession, log: str, counts: CommitCounts) -> None:
        self.counts: Final = counts
        self._session: Final = session
        self._log: Final = log

    async def keep_lines(self, commit: Commit) -> bool:
        """Write the lines of a large commit beforehand. Whether that was done: else they go with the commit. Raises
        ``Unavailable``; then nothing was committed."""
        if commit.size_bytes <= CASSANDRA_COMMIT_SIZE_BYTES_MAX:
            return False
        for part in _parts([len(line) for line in commit.lines]):
            await self._session.write(
                [
                    ("keep_line", {
                        "log": self._log, "commit_id": commit.commit_id, "position": commit.events[number].position,
                        "line": commit.lines[number],
                    })
                    for number in part
                ]
            )  # fmt: skip
        return True

    async def make(self, commit: Commit, planned: Plan, sent: Sent, *, lines_are_kept: bool) -> bool:
        """Whether it took effect; if not, it never will. Tries for as long as it takes to know; to whoever gives up
        before, ``sent`` tells that ``planned`` may be stored."""
        began = time.monotonic()
        if await self._made(commit, planned, sent, lines_are_kept=lines_are_kept):
            self.counts.add_commit(len(commit.events), time.monotonic() - began)
            return True
        self.counts.lost += 1
        return False

    async def _made(self, commit: Commit, planned: Plan, sent: Sent, *, lines_are_kept: bool) -> bool:
        statements = self._statements(commit, lines_are_kept)
        while True:
            before, sent.planned = sent.planned, planned
            has_moved = False
            try:
                if await self._session.compare_and_set(statements) is None:
                    return True
                has_moved = True
            except NothingDone as error:
                sent.planned, sent.trouble = before, unreachable(error, "nothing was stored")
            except InDoubt as error:
                sent.trouble = unreachable(error, "nothing was stored")
                self.counts.unknown += 1
            except IndelibleError:
                sent.planned = before
                raise
            settled = await self._look_for(commit, has_moved=has_moved)
            if settled is not None:
                sent.planned = planned if settled else None
                return settled
            await asyncio.sleep(DATABASE_RETRY_WAIT_S)
            self.counts.repeats += 1

    async def try_out(self, end: LogEnd) -> None:
        """Commit nothing, on a condition that never holds. Raises ``Unavailable``."""
        head = ("append_head", {"log": self._log, "bucket": end.bucket, "expected_head": _NEVER})
        try:
            await self._session.compare_and_set([head])
        except (NothingDone, InDoubt) as error:
            raise unreachable(error, "nothing would be stored") from error

    async def _look_for(self, commit: Commit, *, has_moved: bool) -> bool | None:
        """Whether a commit took effect; None where the end of the log may still be the one that it goes on from."""
        end = commit.end
        try:
            # Not for a definite no either: nodes have said that of what they did themselves, when two got in each
            # other's way. But then the end has moved, and whose commit it was is there to be seen.
            if not has_moved and await read_end(self._session, self._log, end) == end:
                return None
            first = commit.events[0].position
            found = await self._session.read(
                "read_commit_id", serial=True, log=self._log, bucket=end.bucket, position=first
            )
        except Unavailable:
            return None
        return bool(found) and found[0][-1] == commit.commit_id

    def _statements(self, commit: Commit, lines_are_kept: bool) -> list[Statement]:
        end, head = commit.end, commit.head
        where = {"log": self._log, "bucket": end.bucket}
        moved: dict[str, Any] = {
            **where,
            "head": head.position,
            "head_timestamp_us": head.timestamp_us,
            "head_hash": head.hash,
            "begins_after": end.begins_after,
            "size_bytes": commit.end_in_bucket.size_bytes,
            "expected_head": end.expected_head,
        }
        if commit.seals:
            moved["is_sealed"] = True
        rows: list[Statement] = [("append_head", moved)]
        for one, line in zip(commit.events, commit.lines, strict=True):
            row = {
                **where, "position": one.position, "commit_id": commit.commit_id, "timestamp_us": one.timestamp_us,
                "payload_size_bytes": one.event.size_bytes,
            }  # fmt: skip
            rows.append(("append_row", row if lines_are_kept else {**row, "line": line}))
        return rows


def _parts(sizes: Sequence[int]) -> list[range]:
    """Lots of lines that are written at once, by their sizes."""
    parts, first, size_bytes = [], 0, 0
    for number, size in enumerate(sizes):
        is_full = size_bytes + size > CASSANDRA_COMMIT_SIZE_BYTES_MAX or number - first >= CASSANDRA_ROWS_AT_ONCE
        if number > first and is_full:
            parts.append(range(first, number))
            first, size_bytes = number, 0
        size_bytes += size
    parts.append(range(first, len(sizes)))
    return parts
