"""Brings what a server knows of a log, and the index, up to where the log ends: a step at a time, and outside the time
of whoever waits for it.

A commit may be of ten thousand events, and nodes that are busy may take minutes to write the index of it. Whoever waits
may give up; this goes on, and the next finds it further. Where it fails, the next begins where the last step ended. It
may run beside others that do the same: all of them write the same rows.

What is seen of the log moves when the end is reached and not between the steps, for a commit is seen as a whole.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

from indelible.engines.cassandra.commits import Commit
from indelible.engines.cassandra.knowledge import Knowledge
from indelible.engines.cassandra.lines import with_kept_lines
from indelible.engines.cassandra.log_events import (
    LogEvent,
    of_planned,
    of_recorded,
    parts_of,
    row_of_bucket,
    row_of_head,
    together,
)
from indelible.engines.cassandra.lookups import find_aggregates, read_counts
from indelible.engines.cassandra.places import LogEnd, Seen, Tail, read_end, read_seen, read_tail
from indelible.engines.cassandra.session import CassandraSession
from indelible.engines.engine import LogHead
from indelible.engines.planner import PlannedEvent
from indelible.engines.rows import readable_event
from indelible.errors import StoreCorrupted, Unavailable
from indelible.events import RecordedEvent
from indelible.limits import (
    CASSANDRA_BEHIND_EVENTS_MAX,
    CASSANDRA_PARTS_AT_ONCE,
    CASSANDRA_TAIL_EVENTS,
    DATABASE_RETRY_TOTAL_S,
)
from indelible.tasks import few_at_once, hear_of_failure, taken_by_turns


class CatchUp:
    """Of one log. Who is cancelled while it waits leaves it under way: what it would have got is there for the next."""

    def __init__(self, session: CassandraSession, log: str) -> None:
        self._session: Final = session
        self._log: Final = log
        self._running: asyncio.Task[Knowledge] | None = None
        self._reached: Knowledge | None = None
        """What is known at the end of the last step, of a run that has not come to its end."""
        self._steps = 0
        self._is_behind = False

    @property
    def is_making_good(self) -> bool:
        """Whether the index is known to lack something, and that is being written."""
        return self._running is not None and self._is_behind

    async def to_end(self, knowledge: Knowledge | None) -> Knowledge:
        """What is known at the log's end; as of when it was reached, where that was for somebody before. Goes on for as
        long as it gets further. Raises ``Unavailable``, :class:`StoreCorrupted`."""
        if self._running is None:
            self._begin(self._until_reached(knowledge or self._reached))
        return await self._reached_end()

    async def index(self, knowledge: Knowledge, commit: Commit, events: Sequence[PlannedEvent]) -> None:
        """Write the index of a commit that took effect, and goes on from what is known. Raises ``Unavailable``."""
        self._begin(self._indexed(knowledge, commit, events))
        await self._reached_end()

    async def close(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.wait({running})

    def _begin(self, run: Coroutine[Any, Any, Knowledge]) -> None:
        self._running = asyncio.create_task(run, name="catch-up")
        self._running.add_done_callback(hear_of_failure)

    async def _reached_end(self) -> Knowledge:
        running = self._running
        assert running is not None
        try:
            return await asyncio.shield(running)
        finally:
            if running.done():
                self._running = None

    # --- What is in the log ------------------------------------------------------------------------------------------

    async def _until_reached(self, knowledge: Knowledge | None) -> Knowledge:
        self._reached = knowledge
        while True:
            steps = self._steps
            try:
                return await self._to_end()
            except Unavailable:
                if self._steps == steps:
                    raise

    async def _to_end(self) -> Knowledge:
        knowledge = self._reached
        if knowledge is None:
            knowledge = await self._learn()
        seen, end = await self._ends(knowledge)
        # All up to there is in the index, so that there is nothing to do but to read it. What an append needs of it is
        # read then.
        if seen.head.position - knowledge.end.head.position > CASSANDRA_BEHIND_EVENTS_MAX:
            knowledge = await self._learn()
            seen, end = await self._ends(knowledge)
        # Where whoever committed it has written it all, there is nothing to make good.
        self._is_behind = seen.head.position < end.head.position
        while knowledge.end.head.position < end.head.position:
            tail = await read_tail(self._session, self._log, knowledge.end, end)
            await self._tell(knowledge, tail, seen)
            knowledge.forget_some()
        if self._is_behind:
            await self._show(Seen(end.head, end.bucket_of_head, knowledge.types))
        return self._ended(knowledge, end)

    async def _learn(self) -> Knowledge:
        seen = await read_seen(self._session, self._log)
        self._reached = Knowledge(LogEnd.of_seen(seen), await read_counts(self._session, self._log))
        return self._reached

    async def _ends(self, knowledge: Knowledge) -> tuple[Seen, LogEnd]:
        return await asyncio.gather(
            read_seen(self._session, self._log), read_end(self._session, self._log, knowledge.end)
        )  # fmt: skip

    async def _tell(self, knowledge: Knowledge, tail: Tail, seen: Seen) -> None:
        lines = await with_kept_lines(self._session, self._log, tail.rows)
        recorded = await taken_by_turns(_readable(position, line) for position, line in lines.items())
        events = [of_recorded(event) for event in recorded]
        unknown = knowledge.unknown({event.key for event in events})
        rows = await find_aggregates(self._session, self._log, unknown)
        knowledge.learn({key: rows.get(key) for key in unknown})
        last = events[-1]
        head = LogHead(last.position, last.timestamp_us, bytes.fromhex(recorded[-1].hash))
        await self._step(
            knowledge,
            events,
            tail.begun,
            LogEnd.within(head, tail.bucket),
            is_indexed=last.position <= seen.head.position,
        )

    # --- What this server committed ----------------------------------------------------------------------------------

    async def _indexed(self, knowledge: Knowledge, commit: Commit, events: Sequence[PlannedEvent]) -> Knowledge:
        self._reached, self._is_behind = knowledge, True
        bucket = commit.end.bucket
        begun = {bucket: commit.end.begins_after} if commit.end.expected_head is None else {}
        for part in parts_of(events, CASSANDRA_TAIL_EVENTS):
            last = part[-1]
            end = LogEnd.within(LogHead(last.position, last.timestamp_us, last.hash), bucket)
            await self._step(knowledge, [of_planned(one) for one in part], begun, end)
            begun = {}
        await self._show(Seen(commit.head, bucket, knowledge.types))
        return self._ended(knowledge, commit.end_after)

    # --- Writing -----------------------------------------------------------------------------------------------------

    async def _step(
        self,
        knowledge: Knowledge,
        events: Sequence[LogEvent],
        begun: Mapping[int, int],
        end: LogEnd,
        *,
        is_indexed: bool = False,
    ) -> None:
        """Events that go on from what is known, and are committed. Done again it does the same."""
        rows = await taken_by_turns(knowledge.add(self._log, events))
        if not is_indexed:
            rows += [row_of_bucket(self._log, bucket, begins_after) for bucket, begins_after in begun.items()]
            await few_at_once(
                CASSANDRA_PARTS_AT_ONCE,
                (self._session.write(part, timeout_s=DATABASE_RETRY_TOTAL_S) for part in together(rows)),
            )
        knowledge.end = end
        self._steps += 1

    async def _show(self, seen: Seen) -> None:
        """All up to there is in the index."""
        await self._session.write([row_of_head(self._log, seen)], timeout_s=DATABASE_RETRY_TOTAL_S)

    def _ended(self, knowledge: Knowledge, end: LogEnd) -> Knowledge:
        knowledge.end, self._reached, self._is_behind = end, None, False
        return knowledge


def _readable(position: int, line: bytes | None) -> RecordedEvent:
    event = readable_event(line)
    if event is None:
        raise StoreCorrupted(
            f"the event at position {position} cannot be read, and is not in the index yet", position=position
        )  # fmt: skip
    return event
