"""Appends batches for as long as it takes to know what became of them: over one connection, or the next.

An attempt that loses its connection before the commit was sent has stored nothing. After that nobody knows, until
another transaction holds the head: then the first one has ended, and its event ids tell whether they are stored. So a
batch is simply run again with the same ids.
"""

import asyncio
import time
from collections.abc import Sequence
from copy import copy
from typing import Final

import psycopg

from indelible.engines.engine import AppendOutcome
from indelible.engines.planner import Plan
from indelible.engines.postgres.connections import Statements
from indelible.engines.postgres.failures import (
    is_cut_off,
    is_locked,
    is_retryable,
    lacks_partition,
    too_large,
    translated,
    unreachable,
)
from indelible.engines.postgres.hosts import Hosts
from indelible.engines.postgres.schema import Partitions
from indelible.engines.postgres.writer import Attempt, ReplicationInDoubt, Write, Writer
from indelible.errors import IndelibleError, OutcomeUnknown, PayloadTooLarge, Unavailable
from indelible.eventstore import AtomicAppendResult
from indelible.limits import (
    DATABASE_LATE_TIMEOUT_S,
    DATABASE_RETRY_TOTAL_S,
    DATABASE_RETRY_WAIT_S,
    DATABASE_TIMEOUT_S,
)
from indelible.postgres_connections import is_broken

_ROUND_S: Final = DATABASE_RETRY_TOTAL_S + DATABASE_LATE_TIMEOUT_S


class Appender:
    """Owns the connection that writes, if there is one. Calls must not overlap."""

    def __init__(self, hosts: Hosts, statements: Statements, partitions: Partitions, *, may_lose_commits: bool) -> None:
        self._hosts: Final = hosts
        self._may_lose_commits: Final = may_lose_commits
        self._statement: Final = statements
        self._partitions: Final = partitions
        self._writer: Writer | None = None
        self._failing_since: float | None = None
        """When the first of the attempts began that failed since one succeeded."""
        self._round_began = 0.0
        self._last_failed_at = float("-inf")

    async def append(self, write: Write) -> Plan:
        """What was stored, and the outcomes. Raises :class:`Unavailable` and :class:`PayloadTooLarge` (nothing was
        stored), :class:`StorageFailure`, :class:`OutcomeUnknown` where there is no request to say it to, and what
        ``write`` raises."""
        earlier: list[Plan] = []
        while True:
            attempt = Attempt(write)
            started = time.monotonic()
            self._begin(started)
            try:
                return _as_first_answered(await self.run(attempt), earlier)
            except _Failed as failed:
                error, is_final = failed.error, self._is_overdue(started)
            except Unavailable as refused:
                self._is_overdue(started)
                error, is_final = refused, True
            except PayloadTooLarge as refused:
                error, is_final = refused, True
            if attempt.may_be_stored and attempt.planned is not None:
                earlier.append(attempt.planned)
            if is_final:
                return _unknown_outcomes(earlier, error)
            await asyncio.sleep(DATABASE_RETRY_WAIT_S)

    def _begin(self, started: float) -> None:
        """Attempts that fail come in rounds. The first of a round may use up all the time that a caller has; those that
        waited behind it get what is left, or a little. When they are answered, nobody waits from before."""
        if self._failing_since is None or started > self._round_began + _ROUND_S:
            self._round_began = started

    @property
    def _timeout_s(self) -> float:
        left_s = self._round_began + DATABASE_RETRY_TOTAL_S - time.monotonic()
        return min(max(left_s, DATABASE_LATE_TIMEOUT_S), DATABASE_TIMEOUT_S)

    def _is_overdue(self, started: float) -> bool:
        """Whether it is time to tell the callers. Once the database has been away for so long, those who come later are
        told after one attempt."""
        if self._failing_since is None:
            self._failing_since = started
        return time.monotonic() + DATABASE_RETRY_WAIT_S > self._failing_since + DATABASE_RETRY_TOTAL_S

    async def run(self, attempt: Attempt) -> Plan:
        """One transaction. Raises :class:`_Failed` when another may succeed, else the store's error."""
        writer = await self._connected()
        started = time.monotonic()
        try:
            planned = await writer.run(attempt, self._timeout_s)
        except ReplicationInDoubt:
            await self._leave(writer)
            raise _Failed(unreachable(None, "the wait for its standbys was cancelled")) from None
        except psycopg.Error as error:
            raise await self._classified(writer, attempt, error, time.monotonic() - started) from error
        self._failing_since = None
        return planned

    async def _classified(
        self, writer: Writer, attempt: Attempt, error: psycopg.Error, took_s: float
    ) -> "_Failed | IndelibleError":
        if is_broken(writer.connection, error):
            await self._leave(writer)
            return _Failed(unreachable(error, "nothing was stored"))
        attempt.may_be_stored = False  # the database has said so
        if is_locked(error):
            # By an append that waits for ever, if the database leads no more.
            await self._leave(writer)
        if is_cut_off(error) and not attempt.write.is_small:
            timeout_s = await writer.statement_timeout_s()
            # Else an administrator has ended it.
            if timeout_s is not None and took_s >= timeout_s:
                return too_large(timeout_s)
        if lacks_partition(error) and attempt.planned is not None:
            await self._partitions.make(attempt.planned.head.position)
            return _Failed(translated(error))
        return _Failed(translated(error)) if is_retryable(error) else translated(error)

    async def _connected(self) -> Writer:
        if self._writer is None:
            if time.monotonic() < self._last_failed_at + DATABASE_RETRY_WAIT_S / 2:
                raise _Failed(unreachable(None, "nothing was stored"))
            try:
                connection = await self._hosts.connect()
            except psycopg.Error as error:
                self._last_failed_at = time.monotonic()
                raise _Failed(unreachable(error, "nothing was stored")) from error
            self._writer = Writer(connection, self._statement, may_lose_commits=self._may_lose_commits)
        return self._writer

    async def _leave(self, writer: Writer) -> None:
        """Connect anew for the next attempt, to another host if there is one."""
        self._hosts.failed(writer.place)
        await self.close()

    async def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.connection.close()


class _Failed(Exception):
    """An attempt that another may make up for. ``error`` is what the caller hears when there is none."""

    def __init__(self, error: IndelibleError) -> None:
        super().__init__(error.message)
        self.error = error


def _as_first_answered(decided: Plan, earlier: Sequence[Plan]) -> Plan:
    """What an earlier attempt stored without a word comes back as a repeat; to the caller it is the first answer."""
    outcomes = list(decided.outcomes)
    for planned in earlier:
        for index, first in enumerate(planned.outcomes):
            if _is_new(first) and _repeats(outcomes[index], first):
                outcomes[index] = first
    return Plan(outcomes, decided.events, decided.head)


def _is_new(outcome: AppendOutcome) -> bool:
    return isinstance(outcome, AtomicAppendResult) and not outcome.replayed


def _repeats(outcome: AppendOutcome, first: AppendOutcome) -> bool:
    return (
        isinstance(outcome, AtomicAppendResult)
        and isinstance(first, AtomicAppendResult)
        and outcome.replayed
        and [result.events for result in outcome.results] == [result.events for result in first.results]
    )


def _unknown_outcomes(earlier: Sequence[Plan], error: IndelibleError) -> Plan:
    """Outcomes when no attempt came to an end that is known. Raises ``error`` when nothing can be stored."""
    if not earlier:
        raise error
    message = f"{error.message.partition(';')[0]}; append again with the same event ids to learn the outcome"
    if not earlier[-1].outcomes:
        raise OutcomeUnknown(message)
    outcomes: list[AppendOutcome] = [
        OutcomeUnknown(message) if any(_is_new(planned.outcomes[index]) for planned in earlier) else copy(error)
        for index in range(len(earlier[-1].outcomes))
    ]
    return Plan(outcomes, [], earlier[-1].head)
