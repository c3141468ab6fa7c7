"""Appends to one log: decides a batch on what is known of the log's end, commits it there, and brings the index up to
it.

Any number of servers do so at once. One that finds that another has moved the end looks at what came, writes what the
index may lack of it (:mod:`catching_up`), and decides anew. So a commit whose server died before its index was written
is made good by the next who appends; until then nobody has acknowledged it, and nobody sees it.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from indelible.diagnostics import CommitCounts
from indelible.engines.cassandra.catching_up import CatchUp
from indelible.engines.cassandra.commits import BucketSize, Commits, Sent, commit_of
from indelible.engines.cassandra.failures import unreachable
from indelible.engines.cassandra.knowledge import Knowledge
from indelible.engines.cassandra.lines import LineReader
from indelible.engines.cassandra.log_events import row_of_head
from indelible.engines.cassandra.lookups import find_aggregates, find_positions_of_ids
from indelible.engines.cassandra.places import LogEnd, read_seen
from indelible.engines.cassandra.session import CassandraSession
from indelible.engines.cassandra.writes import Write
from indelible.engines.planner import Plan, RecentEvent, StoredState
from indelible.engines.rows import readable_event
from indelible.errors import IndelibleError, InvalidRequest, Unavailable
from indelible.events import RecordedEvent, decode_events
from indelible.limits import (
    CASSANDRA_LOST_WAIT_S,
    CASSANDRA_RECALLED_MAX,
    DATABASE_LATE_TIMEOUT_S,
    DATABASE_RETRY_TOTAL_S,
    DATABASE_RETRY_WAIT_S,
    PAGE_SIZE_BYTES_MAX,
    RETRY_AFTER_S,
)


class _Behind(Exception):
    """Another has moved the log's end."""


class Proposer:
    """Calls must not overlap."""

    def __init__(
        self,
        session: CassandraSession,
        log: str,
        lines: LineReader,
        bucket_size: BucketSize,
        *,
        clock_us: Callable[[], int],
        counts: CommitCounts,
    ) -> None:
        self._session: Final = session
        self._log: Final = log
        self._lines: Final = lines
        self._bucket_size: Final = bucket_size
        self._clock_us: Final = clock_us
        self._commits: Final = Commits(session, log, counts)
        self._catching_up: Final = CatchUp(session, log)
        self._knowledge: Knowledge | None = None
        """None: to be learnt anew, since nobody knows what became of the last write."""
        self._is_failing = False

    async def catch_up(self) -> None:
        """Write what the index lacks of the log. Raises ``Unavailable``, :class:`StoreCorrupted`."""
        self._knowledge = await self._catching_up.to_end(None)

    async def close(self) -> None:
        await self._catching_up.close()

    async def try_out(self) -> None:
        """Go the way of an append without storing anything: a quorum is to look at the log's end, and to take a row of
        the index. Raises ``Unavailable``."""
        seen = await read_seen(self._session, self._log)
        await self._commits.try_out(LogEnd.of_seen(seen))
        if seen.head.position:
            await self._session.write([row_of_head(self._log, seen)], timeout_s=DATABASE_LATE_TIMEOUT_S)

    async def append(self, write: Write) -> Plan:
        """What was stored, and the outcomes: ``OutcomeUnknown`` where nobody knows in time. Raises ``Unavailable``
        (nothing was stored), ``OutcomeUnknown`` where there is no request to say it to, and what ``write`` raises."""
        sent = Sent()
        # Those that waited behind one that used up its time get what their callers have left.
        timeout_s = DATABASE_LATE_TIMEOUT_S if self._is_failing else DATABASE_RETRY_TOTAL_S
        try:
            async with asyncio.timeout(timeout_s):
                decided = await self._append(write, sent)
        except TimeoutError:
            failed: IndelibleError = sent.trouble or self._why_late()
        except IndelibleError as error:
            failed = error
        else:
            self._is_failing = False
            return decided
        self._is_failing = isinstance(failed, Unavailable)
        if sent.planned is not None:
            return write.unknown(sent.planned, failed)
        raise failed

    def _why_late(self) -> Unavailable:
        if not self._catching_up.is_making_good:
            return unreachable(None, "nothing was stored")
        return Unavailable(
            "the index of what was appended before is still being written; nothing was stored",
            retry_after_s=RETRY_AFTER_S,
        )

    async def _append(self, write: Write, sent: Sent) -> Plan:
        is_behind = False
        while True:
            # Put back once it is sure to be true.
            knowledge, self._knowledge = self._knowledge, None
            try:
                if knowledge is None or is_behind:
                    knowledge = await self._catching_up.to_end(knowledge)
                planned = await self._try(write, sent, knowledge)
            except _Behind:
                self._knowledge, is_behind = knowledge, True
                await asyncio.sleep(random.uniform(0, CASSANDRA_LOST_WAIT_S))  # noqa: S311 - only spreads them
            except Unavailable as error:
                if sent.planned is not None:
                    raise
                sent.trouble = error
                await asyncio.sleep(DATABASE_RETRY_WAIT_S)
            else:
                self._knowledge = knowledge
                return planned

    async def _try(self, write: Write, sent: Sent, knowledge: Knowledge) -> Plan:
        state = await self._look_up(write, knowledge)
        try:
            planned = write.decide(state, self._clock_us())
        except InvalidRequest:
            await self._check_end(knowledge)
            raise
        if planned.events:
            await self._commit(planned, sent, knowledge)
        else:
            await self._check_end(knowledge)
        knowledge.forget_some()
        return planned

    async def _check_end(self, knowledge: Knowledge) -> None:
        """Nothing is refused, or answered as a repeat, on a state that was over when it was asked for: what others had
        acknowledged by then, they had made to be seen."""
        if (await read_seen(self._session, self._log)).head.position > knowledge.end.head.position:
            raise _Behind

    # --- What there is -----------------------------------------------------------------------------------------------

    async def _look_up(self, write: Write, knowledge: Knowledge) -> StoredState:
        head = knowledge.end.head
        unknown = knowledge.unknown(write.keys)
        rows, places = await asyncio.gather(
            find_aggregates(self._session, self._log, unknown),
            find_positions_of_ids(self._session, self._log, write.event_ids),
        )
        if max([*places.values(), *(row.position for row in rows.values())], default=0) > head.position:
            raise _Behind
        knowledge.learn({key: rows.get(key) for key in unknown})
        events, unreadable = await self._stored(places)
        await self._recall(knowledge, write.unseen_after)
        versions, recent = knowledge.versions(write.keys), knowledge.recent(write.unseen_after)
        return StoredState(head, versions, events, recent, unreadable)

    async def _stored(self, places: Mapping[UUID, int]) -> tuple[dict[UUID, RecordedEvent], dict[UUID, int]]:
        """Events that are stored, and the positions of those that cannot be read."""
        if not places:
            return {}, {}
        lines = await self._lines.found(list(places.values()))
        found = {event_id: readable_event(lines.get(position)) for event_id, position in places.items()}
        events = {event_id: event for event_id, event in found.items() if event is not None}
        return events, {event_id: places[event_id] for event_id, event in found.items() if event is None}

    async def _recall(self, knowledge: Knowledge, after: int) -> None:
        """Events that a condition has not been held against, and that were stored before this server learnt of the log.
        Of very many it is enough that the condition is looked at anew."""
        low, high = knowledge.not_remembered(after)
        if low <= high:
            positions = range(high, low - 1, -1)[:CASSANDRA_RECALLED_MAX]
            lines, _ = await self._lines.page(positions, PAGE_SIZE_BYTES_MAX)
            events = decode_events(lines)
            knowledge.recall([RecentEvent(one.event_type, one.aggregate_type, one.tags) for one in events])

    # --- Committing --------------------------------------------------------------------------------------------------

    async def _commit(self, planned: Plan, sent: Sent, knowledge: Knowledge) -> None:
        commit = commit_of(knowledge.end, planned.head, planned.events, self._bucket_size)
        are_kept = await self._commits.keep_lines(commit)
        if not await self._commits.make(commit, planned, sent, lines_are_kept=are_kept):
            raise _Behind
        await self._catching_up.index(knowledge, commit, planned.events)
