"""What stands between appends and the log: the schemas in force, as this process knows them, and the check of data.

They follow from the log. A store that one process has open is read once, and then only when its schemas change. One
that several share is looked at again once in ``SCHEMAS_FOLLOW_S`` while there are appends, beside them; where the last
look is older than ``SCHEMAS_FRESH_S``, because nobody appended or the store was out of reach, they wait for a new one.
A store without schemas costs its appends one comparison of times.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Final, Protocol
from uuid import UUID

from msgspec.structs import replace

from indelible.core.schemas.validators import Check, check_extra
from indelible.cursors import Cursor
from indelible.errors import IndelibleError, InvalidRequest, Unavailable
from indelible.eventstore import AggregateList, AppendRequest, FeedPage
from indelible.json_text import decode_json
from indelible.limits import PAGE_EVENTS_MAX, RETRY_AFTER_S, SCHEMA_TURN_S, SCHEMAS_FOLLOW_S, SCHEMAS_FRESH_S
from indelible.queries import EventQuery
from indelible.schema_events import SchemaRecord, changed
from indelible.schemas import SCHEMA_AGGREGATE_TYPE, SCHEMAS_QUERY
from indelible.tasks import hear_of_failure

IsStored = Callable[[UUID], Awaitable[bool]]


class _Log(Protocol):
    """What of a store is needed here."""

    async def list_aggregates(self, *, aggregate_type: str, limit: int) -> AggregateList: ...

    async def read_feed(self, query: EventQuery, *, after: Cursor | None, limit: int) -> FeedPage: ...


class SchemaGuard:
    """Checks appends. ``is_shared``: other processes may change the schemas. ``is_in_parts``: a part of the log may be
    out of reach, which must not keep appends from the others: once the schemas are known, nobody waits for a look."""

    def __init__(self, log: _Log, *, is_shared: bool, is_in_parts: bool = False) -> None:
        self.records: Final[dict[str, SchemaRecord]] = {}
        """The newest version of each, by event type; those that are retired too, without text."""
        self._in_force: Final[dict[str, SchemaRecord]] = {}
        self._checks: Final[dict[str, tuple[int, asyncio.Task[Check]]]] = {}
        """With the version that each is of."""
        self._log: Final = log
        self._is_shared: Final = is_shared
        self._is_in_parts: Final = is_in_parts
        self._cursor: Cursor | None = None
        self._look_at = self._valid_until = -math.inf
        self._looking: asyncio.Task[None] | None = None
        self._forgotten = 0
        """How often, so that a look that was under way meanwhile is known to have come too early."""
        self._under_way = 0
        """Checks."""
        self._all_done: Final = asyncio.Event()

    # --- What is in force --------------------------------------------------------------------------------------------

    @property
    def is_clear(self) -> bool:
        """Whether no event type has a schema, as far as that need be known."""
        return monotonic() < self._look_at and not self._in_force

    def forget(self) -> None:
        """Look again before the next append."""
        self._look_at = self._valid_until = -math.inf
        self._forgotten += 1

    def look_again(self) -> None:
        """The schemas may have changed: look before the next append; beside it where nobody is to wait for a look."""
        if not self._is_in_parts:
            self.forget()
            return
        self._look_at = -math.inf
        self._forgotten += 1

    async def look(self) -> None:
        """Know what the log holds now."""
        if self._looking is not None:
            # It may have passed what the caller asks about.
            await asyncio.wait([self._looking])
        await asyncio.shield(self._begin_look())

    async def look_if_old(self) -> None:
        now = monotonic()
        is_known = self._valid_until > -math.inf
        if now >= self._valid_until and not (is_known and self._is_in_parts):
            await asyncio.shield(self._begin_look())
        elif now >= self._look_at:
            self._look_at = now + SCHEMAS_FOLLOW_S
            self._begin_look()

    async def finish(self) -> None:
        """Wait for the checks and the look that are under way: their appends are in the queue then."""
        while self._under_way:
            self._all_done.clear()
            await self._all_done.wait()
        if self._looking is not None:
            await asyncio.wait([self._looking])

    def _begin_look(self) -> asyncio.Task[None]:
        if self._looking is None:
            self._looking = asyncio.create_task(self._read_changes(), name="schemas-look")
            self._looking.add_done_callback(self._end_look)
        return self._looking

    def _end_look(self, done: asyncio.Task[None]) -> None:
        self._looking = None
        hear_of_failure(done)

    async def _read_changes(self) -> None:
        forgotten = -1
        while forgotten != self._forgotten:
            forgotten, began_at = self._forgotten, monotonic()
            await self._read_to_end()
        self._look_at = began_at + SCHEMAS_FOLLOW_S if self._is_shared else math.inf
        self._valid_until = began_at + SCHEMAS_FRESH_S if self._is_shared else math.inf

    async def _read_to_end(self) -> None:
        # Most stores have none: to see that takes no page of the feed, for which there may be a queue.
        at_end = self._cursor is None and not await self._are_there_any()
        while not at_end:
            page = await self._log.read_feed(SCHEMAS_QUERY, after=self._cursor, limit=PAGE_EVENTS_MAX)
            for event in page.events:
                record = changed(self.records, event)
                if record is not None:
                    self._take(record)
            self._cursor, at_end = page.cursor, page.at_end

    async def _are_there_any(self) -> bool:
        found = await self._log.list_aggregates(aggregate_type=SCHEMA_AGGREGATE_TYPE, limit=1)
        return bool(found.aggregates)

    def _take(self, record: SchemaRecord) -> None:
        # Of what is not in force nobody needs the text here, and there is no bound of how many there are.
        self.records[record.event_type] = replace(record, schema=b"") if record.is_retired else record
        if record.is_retired:
            self._in_force.pop(record.event_type, None)
            self._checks.pop(record.event_type, None)
        else:
            self._in_force[record.event_type] = record

    # --- Checks ------------------------------------------------------------------------------------------------------

    async def check(self, request: AppendRequest, is_stored: IsStored, *, atomic: bool) -> None:
        """Raises ``SchemaMismatch`` for the first event that does not fit, ``PayloadTooLarge``, and ``Unavailable``
        where a schema cannot be used here. An event that is stored already is none to check: it was sent again.
        ``atomic``: see :meth:`AppendRequest.check`."""
        with self._being_done():
            await self._check(request, is_stored, atomic=atomic)

    @contextmanager
    def _being_done(self) -> Iterator[None]:
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._all_done.set()

    async def _check(self, request: AppendRequest, is_stored: IsStored, *, atomic: bool) -> None:
        await self.look_if_old()
        turn_ends_at = monotonic() + SCHEMA_TURN_S
        for i, append in enumerate(request.appends):
            for j, event in enumerate(append.events):
                record = self._in_force.get(event.event_type)
                if record is None:
                    continue
                error = (await self._check_of(record)).error_of(event, record.version)
                if error is not None and not await is_stored(event.event_id):
                    at = f"/appends/{i}/events/{j}" if atomic else f"/events/{j}"
                    raise error.under(at) if isinstance(error, InvalidRequest) else error
                if monotonic() > turn_ends_at:
                    await asyncio.sleep(0)
                    turn_ends_at = monotonic() + SCHEMA_TURN_S

    async def check_each(
        self, requests: Sequence[AppendRequest | IndelibleError], is_stored: IsStored
    ) -> list[AppendRequest | IndelibleError]:
        """Independent appends: each as it is, or why it is refused."""
        with self._being_done():
            return [await self._checked(one, is_stored) for one in requests]

    async def _checked(
        self, request: AppendRequest | IndelibleError, is_stored: IsStored
    ) -> AppendRequest | IndelibleError:
        if isinstance(request, AppendRequest):
            try:
                await self._check(request, is_stored, atomic=False)
            except IndelibleError as error:
                return error
        return request

    async def _check_of(self, record: SchemaRecord) -> Check:
        version, making = self._checks.get(record.event_type, (0, None))
        if making is None or version != record.version:
            # Once for all appends that wait for it.
            making = asyncio.create_task(_make_check(record), name="schemas-make")
            making.add_done_callback(hear_of_failure)
            self._checks[record.event_type] = (record.version, making)
        try:
            return making.result() if making.done() else await asyncio.shield(making)
        except IndelibleError:
            self._checks.pop(record.event_type, None)
            raise

    async def check_usable(self) -> None:
        """Raises ``InvalidRequest`` where the log has schemas and the library for them is not installed."""
        await self.look_if_old()
        if self._in_force:
            try:
                check_extra()
            except InvalidRequest as error:
                raise InvalidRequest(f"has schemas of event types, and {error.message}", pointer="/store") from None


async def _make_check(record: SchemaRecord) -> Check:
    try:
        check_extra()
        return await asyncio.to_thread(Check, decode_json(record.schema))
    except InvalidRequest as error:
        raise Unavailable(
            f"the schema of {record.event_type} cannot be used here, and nothing was stored: {error.message}",
            retry_after_s=RETRY_AFTER_S,
        ) from None
