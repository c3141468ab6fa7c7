"""The loop that keeps a read model up to date: a page of events, a transaction with what the handler writes of them and
with the cursor behind them, the next page.

So the read model is exactly as far as it says, whatever dies and whenever.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from inspect import iscoroutinefunction, signature
from typing import Any, Final, Generic, Literal, Protocol, get_args, runtime_checkable

from indelible.access import is_own
from indelible.cursors import START, Cursor, has_reached
from indelible.errors import (
    AggregateNotFound,
    ClientClosed,
    InternalError,
    InvalidRequest,
    OutcomeUnknown,
    StoreCorrupted,
    Unavailable,
)
from indelible.events import RecordedEvent
from indelible.eventstore import EventStore, FeedPage
from indelible.limits import (
    PROJECTION_LEAVE_S,
    PROJECTION_RETRY_WAIT_MAX_S,
    PROJECTION_RETRY_WAIT_MIN_S,
    PROJECTION_STANDBY_S,
    PROJECTION_SWAP_S,
    PROJECTION_WAIT_S,
)
from indelible.projections.checkpoints import Checkpoint, CheckpointTable, live_of, version_of
from indelible.projections.database import C, Database, DatabaseUnavailable, Handler, Step
from indelible.projections.failures import CheckpointMismatch, HandlerFailed, Trouble, VersionDropped, handler_failed
from indelible.projections.read_model import ReadModel, check_model_version
from indelible.queries import EVERYTHING, EventQuery, check_gather, check_query
from indelible.tasks import Waits, end_if_cancelled, first_of, leave_within

OnError = Literal["stop", "retry"]
_OUTAGES: Final = (Unavailable, OutcomeUnknown, InternalError)
"""Of the store; what else it raises does not pass."""


class _MovedByAnother(Exception):
    """The checkpoint is not where it was: another process runs the projection, too. Nothing was saved."""


@runtime_checkable
class ClosableStore(Protocol):
    """A client. While the projection stands by, or waits for its database, it meets no closed store."""

    async def wait_closed(self) -> None:
        """See :meth:`indelible.client.AsyncClient.wait_closed`."""
        ...


async def _until_closed(store: ClosableStore) -> None:
    await store.wait_closed()
    raise ClientClosed("the client is closed")


class Projection(Generic[C]):
    """Keeps one version of a read model up to date. Belongs to one event loop.

    ``handle(connection, event)`` writes what an event means, and is called for each that matches ``query``, in order;
    the store's own events have to be asked for by their type. It must not commit: what it writes and how far that has
    come are saved in one transaction, a page of events at a time, so that an event counts once. ``prepare(connection)``
    makes the tables, in the transaction that begins the version. Of two processes that run the same version one stands
    by.

    A ``version`` with another number is built beside the one that is live, in tables of its own: see :meth:`swap`. A
    new one begins at the first event, or ``after`` a cursor.

    ``on_error``: what happens when the handler raises something. "stop": :meth:`run` raises
    :class:`indelible.projections.HandlerFailed`. "retry": the event is tried again, with growing waits, until it works.
    What comes within ``gather_s`` seconds is saved together, as :meth:`indelible.eventstore.EventStore.follow` says.

    Raises ``InvalidRequest``.
    """

    def __init__(
        self,
        store: EventStore,
        name: str,
        database: Database[C],
        handle: Handler[C],
        *,
        version: int = 1,
        query: EventQuery = EVERYTHING,
        prepare: Step[C] | None = None,
        after: Cursor | None = None,
        on_error: OnError = "stop",
        gather_s: float = 0.0,
    ) -> None:
        self.read_model: Final = ReadModel(database, name)
        self.name: Final = self.read_model.name
        self.version: Final = check_model_version(version)
        self.is_blocking: Final = database.is_blocking
        self._store: Final = store
        self._follow_once: Final = _without_reconnecting(store)
        self._database: Final = database
        self._table: Final = CheckpointTable(database)
        self._handle: Final = _check_callable(handle, "/handle", is_blocking=database.is_blocking)
        self._prepare: Final = (
            None if prepare is None else _check_callable(prepare, "/prepare", is_blocking=database.is_blocking)
        )
        self._query: Final = check_query(query)
        self._after: Final = START if after is None else Cursor.parse(after)
        self._on_error: Final = _check_on_error(on_error)
        self._gather_s: Final = check_gather(gather_s)
        self._trouble: Final = Trouble(f"projection {self.name}, version {version}")
        self._stopped: Final = asyncio.Event()
        self._is_begun = False
        """Whether the version was there once."""

    # --- Reading it --------------------------------------------------------------------------------------------------

    async def wait_for(self, cursor: Cursor, *, timeout_s: float = PROJECTION_WAIT_S) -> None:
        """:meth:`ReadModel.wait_for` of this version, whichever process runs it."""
        await self.read_model.wait_for(cursor, timeout_s=timeout_s, version=self.version)

    async def live_version(self) -> int | None:
        """:meth:`ReadModel.live_version`."""
        return await self.read_model.live_version()

    async def checkpoints(self) -> tuple[Checkpoint, ...]:
        """:meth:`ReadModel.checkpoints`."""
        return await self.read_model.checkpoints()

    async def swap(self, *, timeout_s: float = PROJECTION_SWAP_S, also: Step[C] | None = None) -> None:
        """:meth:`ReadModel.swap` to this version."""
        await self.read_model.swap(self.version, timeout_s=timeout_s, also=also)

    async def drop(self, version: int, *, also: Step[C] | None = None) -> None:
        """:meth:`ReadModel.drop` of another version."""
        await self.read_model.drop(version, also=also)

    # --- Running it --------------------------------------------------------------------------------------------------

    async def run(self, *, until: Cursor | None = None) -> None:
        """Follow the log until cancelled, or until all up to the cursor ``until`` is in the read model. Outages of
        store and database are ridden over, however long they take; the logger ``indelible.projections`` says when one
        begins and ends.

        Raises :class:`indelible.projections.ProjectionStopped`, ``ClientClosed``, and what else does not pass.
        """
        until = None if until is None else Cursor.parse(until, "/until")
        ends: list[Awaitable[object]] = [self._run(until), self._stopped.wait()]
        if isinstance(self._store, ClosableStore):
            ends.append(_until_closed(self._store))
        await first_of(*ends)

    async def stop(self) -> None:
        """Let :meth:`run` return, also one that is called later. What is under way is rolled back."""
        self._stopped.set()

    async def _run(self, until: Cursor | None) -> None:
        waits = Waits(PROJECTION_RETRY_WAIT_MIN_S, PROJECTION_RETRY_WAIT_MAX_S)
        stands_by = False
        while True:
            end_if_cancelled()
            try:
                if stands_by:
                    await self._stand_by(until)
                    stands_by = False
                reached = await self._begin()
                return await self._follow(reached, until, waits)
            except ClientClosed:
                raise
            except _MovedByAnother:
                self._trouble.tell_of_another()
                stands_by = True
                continue
            except _OUTAGES as error:
                self._trouble.begins("the event store is away", error)
            except DatabaseUnavailable as error:
                self._trouble.begins("the database is away", error)
            except HandlerFailed as error:
                if self._on_error == "stop":
                    raise
                self._trouble.begins(f"the handler failed at position {error.fields['position']}", error)
            await waits.wait()

    async def _stand_by(self, until: Cursor | None) -> None:
        """Return when nobody moves the read model any more, or it has come far enough."""
        before: Cursor | None = None
        while (now := await self._find()) is not None and now.cursor != before:
            if until is not None and has_reached(now.cursor, until, "/until"):
                return
            before = now.cursor
            await asyncio.sleep(PROJECTION_STANDBY_S * random.uniform(0.5, 1.0))  # noqa: S311 - only spreads them

    async def _find(self) -> Checkpoint | None:
        found = await leave_within(PROJECTION_LEAVE_S, self.read_model.checkpoints())
        return version_of(found, self.version)

    async def _begin(self) -> Cursor:
        """Where it goes on."""
        checkpoint = await self._find()
        if checkpoint is None:
            if self._is_begun:
                raise self._dropped("was dropped")
            checkpoint = await leave_within(PROJECTION_LEAVE_S, self._add())
        self._is_begun = True
        await self._check_log(checkpoint)
        self.read_model.note(self.version, checkpoint.cursor)
        return checkpoint.cursor

    async def _add(self) -> Checkpoint:
        async with self._database.transaction() as transaction:
            await self._table.make(transaction)
            if await self._table.is_dropped(transaction, self.name, self.version):
                raise self._dropped("was dropped")
            live = live_of(await self._table.read(transaction, self.name))
            if live is not None and live.version > self.version:
                raise self._dropped(f"is not there, and version {live.version} is live")
            new = Checkpoint(self.version, self._after, live is None)
            if not await self._table.add(transaction, self.name, new):
                raise _MovedByAnother
            if self._prepare is not None:
                await transaction.run([self._prepare])
        return new

    def _dropped(self, what: str) -> VersionDropped:
        message = f"projection {self.name}: version {self.version} {what}"
        return VersionDropped(message, projection=self.name, version=self.version)

    async def _check_log(self, checkpoint: Checkpoint) -> None:
        """Each event's hash says what all before it are: so the store's log is the one that the read model is of."""
        last = checkpoint.last_event
        if last is None:
            return
        # Whether one that is damaged by now was the same, nobody can tell.
        with suppress(StoreCorrupted):
            try:
                page = await self._store.read_aggregate(
                    last.aggregate_type, last.aggregate_id, from_version=last.version, limit=1
                )
            except AggregateNotFound:
                raise self._mismatch(checkpoint) from None
            if [event.hash for event in page.events] != [last.hash]:
                raise self._mismatch(checkpoint)

    def _mismatch(self, checkpoint: Checkpoint) -> CheckpointMismatch:
        return CheckpointMismatch(
            f"projection {self.name}, version {self.version} has come to {checkpoint.cursor} of a log that is not this "
            "store's: this is another store, or was restored from a backup. Build the read model anew: a new version",
            projection=self.name, version=self.version, cursor=str(checkpoint.cursor),
        )  # fmt: skip

    async def _follow(self, reached: Cursor, until: Cursor | None, waits: Waits) -> None:
        if until is not None and has_reached(reached, until, "/until"):
            return
        async with aclosing(self._follow_once(self._query, after=reached, gather_s=self._gather_s)) as pages:
            try:
                async for page in pages:
                    end_if_cancelled()
                    if page.cursor != reached:
                        await self._apply(page, reached)
                        reached = page.cursor
                    if page.count or page.at_end:
                        self._trouble.is_over()
                        waits.begin_anew()
                    if until is not None and has_reached(reached, until, "/until"):
                        return
            except InvalidRequest as error:
                if error.pointer != "/after":
                    raise
                raise self._mismatch(Checkpoint(self.version, reached, is_live=False)) from error

    async def _apply(self, page: FeedPage, before: Cursor) -> None:
        """In one transaction. If that fails, each event in its own: so the one is known that it fails with."""
        pairs = [pair for pair in page.events_with_cursors() if self._is_given(pair[0])]
        try:
            await self._save([event for event, _ in pairs], before, page.cursor)
        except (_MovedByAnother, DatabaseUnavailable):
            raise
        except Exception as error:
            if not pairs:
                raise
            if len(pairs) == 1:
                raise handler_failed(self.name, self.version, pairs[0][0], error) from error
            await self._apply_each(pairs, before)
            if pairs[-1][1] != page.cursor:
                await self._save([], pairs[-1][1], page.cursor)

    def _is_given(self, event: RecordedEvent) -> bool:
        """The store's own events are for those who ask for them."""
        if not is_own(event.aggregate_type):
            return True
        return self._query.is_given(event.event_type, event.aggregate_type, event.tags)

    async def _apply_each(self, pairs: Sequence[tuple[RecordedEvent, Cursor]], before: Cursor) -> None:
        for event, cursor in pairs:
            try:
                await self._save([event], before, cursor)
            except (_MovedByAnother, DatabaseUnavailable):
                raise
            except Exception as error:
                raise handler_failed(self.name, self.version, event, error) from error
            before = cursor

    async def _save(self, events: Sequence[RecordedEvent], before: Cursor, after: Cursor) -> None:
        await leave_within(PROJECTION_LEAVE_S, self._save_whole(events, before, after))

    async def _save_whole(self, events: Sequence[RecordedEvent], before: Cursor, after: Cursor) -> None:
        """Raises :class:`_MovedByAnother`."""
        last = events[-1] if events else None
        async with self._database.transaction() as transaction:
            # First, for its lock: another process waits here, and then finds the checkpoint moved.
            if not await self._table.lock(transaction, self.name, self.version, before):
                raise _MovedByAnother
            await transaction.run([partial(_give, self._handle, event) for event in events])
            if not await self._table.move(transaction, self.name, self.version, before=before, after=after, last=last):
                raise _MovedByAnother
        self.read_model.note(self.version, after)


def _without_reconnecting(store: EventStore) -> Callable[..., AsyncGenerator[FeedPage]]:
    """Its ``follow``, of a client too until the connection breaks. Behind another connection there may be a store that
    was restored meanwhile, so the log is compared again first."""
    follow: Callable[..., AsyncGenerator[FeedPage]] = store.follow
    return partial(follow, retry_total_s=0.0) if "retry_total_s" in signature(follow).parameters else follow


def _give(handle: Handler[C], event: RecordedEvent, connection: C) -> object:
    return handle(connection, event)


def _check_callable(given: Any, pointer: str, *, is_blocking: bool) -> Any:
    if not callable(given):
        raise InvalidRequest(f"must be a function, not {type(given).__name__}", pointer=pointer)
    if is_blocking and iscoroutinefunction(given):
        message = "must be an ordinary function: the database's driver blocks, and calls it in a thread"
        raise InvalidRequest(message, pointer=pointer)
    return given


def _check_on_error(on_error: OnError) -> OnError:
    if on_error not in get_args(OnError):
        raise InvalidRequest(f"must be {' or '.join(get_args(OnError))}", pointer="/on_error")
    return on_error
