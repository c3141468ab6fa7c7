"""Keys over a store's own events: each change is one, of a reserved aggregate type, and what a key is follows from its
events. So any engine keeps them, and whoever follows the log hears of every change."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from indelible.conditions import ExpectedVersion
from indelible.cursors import Cursor
from indelible.errors import AggregateNotFound, InvalidRequest, Overloaded, VersionConflict
from indelible.events import NewEvent
from indelible.eventstore import AggregatePage, AppendResult, FeedPage
from indelible.key_events import KeyRecord, changed, created_event, revoked_event
from indelible.keys import (
    KEY_AGGREGATE_TYPE,
    KEYS_QUERY,
    KeyInfo,
    NewKey,
    check_key_id,
    check_new_key,
    key_not_found,
    make_key,
    token_digest,
)
from indelible.limits import KEYS_MAX, PAGE_EVENTS_MAX, RETRY_AFTER_S
from indelible.queries import EventQuery

_REVOKE_TRIES: Final = 8


class _AppendReserved(Protocol):
    async def __call__(
        self, aggregate_type: str, aggregate_id: str, events: Sequence[NewEvent], *, expected_version: ExpectedVersion
    ) -> AppendResult: ...


class _ReadFeed(Protocol):
    async def __call__(self, query: EventQuery, *, after: Cursor | None, limit: int) -> FeedPage: ...


class LocalKeys:
    """Implements :class:`indelible.keys.Keys`."""

    def __init__(
        self,
        append: _AppendReserved,
        read_feed: _ReadFeed,
        read_aggregate: Callable[[str, str], Awaitable[AggregatePage]],
    ) -> None:
        self._append: Final = append
        self._read_feed: Final = read_feed
        self._read_aggregate: Final = read_aggregate

    async def create(self, name: str, grants: Sequence[str], *, expires_in_s: float | None = None) -> NewKey:
        checked = check_new_key(name, grants, expires_in_s)
        now = datetime.now(UTC)
        if sum(one.state(now) == "valid" for one in await self._records()) >= KEYS_MAX:
            raise InvalidRequest(f"there are {KEYS_MAX} keys already; revoke some", keys_max=KEYS_MAX)
        expires_at = None if expires_in_s is None else now + timedelta(seconds=expires_in_s)
        key, key_id = make_key()
        event = created_event(name, checked, token_digest(key), expires_at)
        await self._append(KEY_AGGREGATE_TYPE, key_id, [event], expected_version="none")
        return NewKey(key, key_id, name, checked, expires_at)

    async def list(self) -> tuple[KeyInfo, ...]:
        now = datetime.now(UTC)
        return tuple([one.info(now) for one in await self._records()])

    async def revoke(self, key_id: str) -> KeyInfo:
        check_key_id(key_id)
        for _ in range(_REVOKE_TRIES):
            known, version = await self._record(key_id)
            if known.revoked_at is not None:
                return known.info(datetime.now(UTC))
            try:
                await self._append(KEY_AGGREGATE_TYPE, key_id, [revoked_event()], expected_version=version)
            except VersionConflict:
                continue  # somebody else was first; what came of it is to be seen
        raise Overloaded(f"others change the key {key_id} all the time", retry_after_s=RETRY_AFTER_S)

    async def _record(self, key_id: str) -> tuple[KeyRecord, int]:
        """The key, and the version of its aggregate."""
        try:
            page = await self._read_aggregate(KEY_AGGREGATE_TYPE, key_id)
        except AggregateNotFound:
            raise key_not_found(key_id) from None
        records: dict[str, KeyRecord] = {}
        for event in page.events:
            if (record := changed(records, event)) is not None:
                records[key_id] = record
        return records[key_id], page.version

    async def _records(self) -> Sequence[KeyRecord]:
        records: dict[str, KeyRecord] = {}
        cursor, at_end = None, False
        while not at_end:
            page = await self._read_feed(KEYS_QUERY, after=cursor, limit=PAGE_EVENTS_MAX)
            for event in page.events:
                if (record := changed(records, event)) is not None:
                    records[event.aggregate_id] = record
            cursor, at_end = page.cursor, page.at_end
        return tuple(records.values())
