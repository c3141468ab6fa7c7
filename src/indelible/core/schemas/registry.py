"""Schemas over a store's own events: each change is one, of a reserved aggregate type, one aggregate an event type. So
any engine keeps them, and whoever follows the log hears of every change."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec
from msgspec import Raw

from indelible.conditions import ExpectedVersion
from indelible.core.schemas.compare_process import Comparing
from indelible.core.schemas.comparison import Broken
from indelible.core.schemas.guard import SchemaGuard
from indelible.core.schemas.validators import Check, check_extra
from indelible.errors import AggregateNotFound, InvalidRequest, Overloaded, SchemaIncompatible, VersionConflict
from indelible.events import NewEvent
from indelible.eventstore import AggregatePage, AppendResult
from indelible.json_text import decode_json, json_equal
from indelible.limits import PAGE_EVENTS_DEFAULT, RETRY_AFTER_S, SCHEMA_VERSIONS_MAX, SCHEMAS_MAX
from indelible.schema_events import (
    SCHEMA_REGISTERED,
    SchemaRecord,
    changed,
    compatibility_changed_event,
    registered_event,
    retired_event,
)
from indelible.schemas import (
    SCHEMA_AGGREGATE_TYPE,
    Compatibility,
    EventSchema,
    SchemaInfo,
    check_compatibility,
    check_event_type,
    check_schema_version,
    encode_schema,
    schema_not_found,
)
from indelible.tasks import hear_of_failure, to_its_end

_TRIES: Final = 8
_FIRST_COMPATIBILITY: Final = "backward"


class _AppendReserved(Protocol):
    async def __call__(
        self, aggregate_type: str, aggregate_id: str, events: Sequence[NewEvent], *, expected_version: ExpectedVersion
    ) -> AppendResult: ...


class _ReadAggregate(Protocol):
    async def __call__(
        self, aggregate_type: str, aggregate_id: str, *, from_version: int | None = None, limit: int = ...
    ) -> AggregatePage: ...


class _Known(msgspec.Struct):
    """What the events of an event type's schema come to."""

    newest: SchemaRecord | None = None
    versions: list[SchemaInfo] = []
    asked: SchemaRecord | None = None
    """The version that was asked for, as it was registered."""
    log_version: int = 0
    """Of the aggregate."""


_Decide = Callable[[_Known], Awaitable[tuple[NewEvent | None, SchemaInfo]]]
"""The event that is to be appended, if any, and what the answer is then."""


class LocalSchemas:
    """Implements :class:`indelible.schemas.Schemas`."""

    def __init__(self, append: _AppendReserved, read_aggregate: _ReadAggregate, guard: SchemaGuard) -> None:
        self._append: Final = append
        self._read_aggregate: Final = read_aggregate
        self._guard: Final = guard
        self._comparing: Final = Comparing()
        self._checking: Final = asyncio.Lock()

    # --- What there is -----------------------------------------------------------------------------------------------

    async def get(self, event_type: str, *, version: int | None = None) -> EventSchema:
        check_event_type(event_type)
        if version is not None:
            check_schema_version(version)
        known = await self._known(event_type, version)
        newest = known.newest
        if newest is None:
            raise schema_not_found(event_type)
        if version is None or version == newest.version:
            return newest.told()
        if known.asked is None:
            raise schema_not_found(event_type, version)
        return known.asked.told("superseded")

    async def list(self) -> tuple[SchemaInfo, ...]:
        await self._guard.look()
        return tuple([self._guard.records[name].info() for name in sorted(self._guard.records)])

    async def list_versions(self, event_type: str) -> tuple[SchemaInfo, ...]:
        known = await self._known(check_event_type(event_type))
        if known.newest is None:
            raise schema_not_found(event_type)
        return (*known.versions[:-1], known.newest.info())

    async def _known(self, event_type: str, asked: int | None = None) -> _Known:
        known, start = _Known(), 1
        records: dict[str, SchemaRecord] = {}
        while True:
            try:
                page = await self._read_aggregate(
                    SCHEMA_AGGREGATE_TYPE, event_type, from_version=start, limit=PAGE_EVENTS_DEFAULT
                )
            except AggregateNotFound:
                return known
            for event in page.events:
                known.log_version = event.version
                record = changed(records, event)
                if record is None:
                    continue
                records[event_type] = known.newest = record
                if event.event_type == SCHEMA_REGISTERED:
                    known.versions.append(record.info("superseded"))
                    known.asked = record if record.version == asked else known.asked
            if page.next_version is None:
                return known
            start = page.next_version

    # --- Changes -----------------------------------------------------------------------------------------------------

    async def register(
        self,
        event_type: str,
        schema: Mapping[str, Any] | Raw,
        *,
        compatibility: Compatibility | None = None,
        dry_run: bool = False,
    ) -> SchemaInfo:
        check_event_type(event_type)
        if compatibility is not None:
            check_compatibility(compatibility)
        text = encode_schema(schema)
        check_extra()

        async def decide(known: _Known) -> tuple[NewEvent | None, SchemaInfo]:
            newest = known.newest
            kept = compatibility or (_FIRST_COMPATIBILITY if newest is None else newest.compatibility)
            if newest is not None and not newest.is_retired and json_equal(newest.schema, text):
                if kept == newest.compatibility:
                    return None, newest.info()
                return compatibility_changed_event(kept), msgspec.structs.replace(newest, compatibility=kept).info()
            await self._check_room(newest)
            await self._check(text, newest, kept)
            version = 1 if newest is None else newest.version + 1
            info = SchemaInfo(event_type, version, kept, "active", datetime.now(UTC))
            return registered_event(version, kept, text), info

        return await self._change(event_type, decide, dry_run=dry_run)

    async def set_compatibility(self, event_type: str, compatibility: Compatibility) -> SchemaInfo:
        kept = check_compatibility(compatibility)

        async def decide(known: _Known) -> tuple[NewEvent | None, SchemaInfo]:
            newest = known.newest
            if newest is None:
                raise schema_not_found(event_type)
            info = msgspec.structs.replace(newest, compatibility=kept).info()
            return (None if kept == newest.compatibility else compatibility_changed_event(kept)), info

        return await self._change(check_event_type(event_type), decide)

    async def retire(self, event_type: str) -> SchemaInfo:
        async def decide(known: _Known) -> tuple[NewEvent | None, SchemaInfo]:
            newest = known.newest
            if newest is None:
                raise schema_not_found(event_type)
            return (None if newest.is_retired else retired_event()), newest.info("retired")

        return await self._change(check_event_type(event_type), decide)

    async def _change(self, event_type: str, decide: _Decide, *, dry_run: bool = False) -> SchemaInfo:
        """What is decided is done if nobody else changed the schema meanwhile; else it is decided anew."""
        for _ in range(_TRIES):
            known = await self._known(event_type)
            event, info = await decide(known)
            if dry_run:
                return info
            if event is None:
                here = self._guard.records.get(event_type)
                if here is None or known.newest is None or here.info() != known.newest.info():
                    # Whoever changed it may not have come to look.
                    await self._guard.look()
                return info
            try:
                await self._store(event_type, event, known.log_version)
            except VersionConflict:
                continue
            await self._guard.look()
            return self._guard.records[event_type].info()
        raise Overloaded(f"others change the schema of {event_type} all the time", retry_after_s=RETRY_AFTER_S)

    async def _store(self, event_type: str, event: NewEvent, log_version: int) -> None:
        """A caller that gives up does not keep it from being stored, so whatever becomes of it is looked at."""
        storing = asyncio.ensure_future(
            self._append(SCHEMA_AGGREGATE_TYPE, event_type, [event], expected_version=log_version)
        )
        storing.add_done_callback(self._end_store)
        await asyncio.shield(storing)

    def _end_store(self, done: asyncio.Future[AppendResult]) -> None:
        hear_of_failure(done)
        self._guard.look_again()

    async def _check_room(self, newest: SchemaRecord | None) -> None:
        if newest is not None and newest.version >= SCHEMA_VERSIONS_MAX:
            message = (
                f"the schema of {newest.event_type} has {SCHEMA_VERSIONS_MAX} versions already, the most there may be"
            )
            raise InvalidRequest(message, pointer="/event_type", versions_max=SCHEMA_VERSIONS_MAX)
        if newest is None or newest.is_retired:
            await self._guard.look()
            if sum(not one.is_retired for one in self._guard.records.values()) >= SCHEMAS_MAX:
                message = f"{SCHEMAS_MAX} event types have schemas already; retire some"
                raise InvalidRequest(message, pointer="/event_type", schemas_max=SCHEMAS_MAX)

    async def _check(self, text: bytes, before: SchemaRecord | None, kept: Compatibility) -> None:
        try:
            # One at a time: what it takes is Python's, so that threads take turns from the event loop.
            async with self._checking:
                await to_its_end(asyncio.to_thread(Check, decode_json(text)))
        except InvalidRequest as error:
            raise error.under("/schema") from None
        if before is not None and kept != "none":
            broken = await self._comparing.first_broken(text, before.schema, kept)
            if broken is not None:
                raise _incompatible(before, broken)


def _incompatible(before: SchemaRecord, broken: Broken) -> SchemaIncompatible:
    one, other = f"version {before.version}", "the new schema"
    refusing, refused = (other, one) if broken.direction == "backward" else (one, other)
    may = "refuses" if broken.is_certain else "may refuse"
    where = f", by {broken.pointer}" if broken.pointer else ""
    sure = "" if broken.is_certain else "; whether it does cannot be told"
    return SchemaIncompatible(
        f"not {broken.direction} compatible: {refusing} {may} data that fits {refused}{where}{sure}",
        event_type=before.event_type, version=before.version, broken=broken.direction, pointer=broken.pointer,
        is_certain=broken.is_certain,
    )  # fmt: skip
