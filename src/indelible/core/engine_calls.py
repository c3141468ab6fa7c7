"""What callers get of an engine's reads and changes that did not come to a good end.

Reads go around what is damaged: pages come up to the event that cannot be read, and then an error that names it. An
engine says that a page cannot be read, not which of its events is at fault. So the page is asked for in smaller parts,
until one can be read or a single event is left.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar
from uuid import UUID

from indelible.engines.engine import Lines, StorageEngine
from indelible.errors import OutcomeUnknown, ShuttingDown, StorageFailure, StoreCorrupted
from indelible.events import AggregateKey
from indelible.limits import PAGE_SIZE_BYTES_MAX, RETRY_AFTER_S
from indelible.queries import Direction, EventQuery

T = TypeVar("T")

# --- Reads -----------------------------------------------------------------------------------------------------------

Parse = Callable[[Lines], T]
"""Raises ValueError when a page does not say what it should."""


def unparsed(lines: Lines) -> Lines:
    return lines


class SoundReads:
    """The pages of an engine. Each method raises ``StoreCorrupted`` with the position of the first event that is
    damaged or missing, if that is the next one to read; ``position`` is left out where not even that can be told."""

    def __init__(self, engine: StorageEngine) -> None:
        self._engine: Final = engine

    async def feed(
        self,
        query: EventQuery,
        *,
        after: int,
        until: int,
        direction: Direction = "forward",
        limit: int,
        parse: Parse[T],
        size_bytes_max: int = PAGE_SIZE_BYTES_MAX,
    ) -> T:
        """As :meth:`StorageEngine.read_feed`."""

        async def read(limit: int, start: int = after, end: int = until) -> T:
            page = await self._engine.read_feed(
                query, after=start, until=end, direction=direction, limit=limit, size_bytes_max=size_bytes_max
            )
            return _parsed(page, parse)

        async def locate() -> int:
            step = 1 if direction == "forward" else -1
            if query.is_unrestricted and query.since is None and query.until is None:
                return after + step
            return await self._first_unreadable(read, after, until)

        return await _read_up_to_damage(read, limit, locate)

    async def events(self, event_ids: Sequence[UUID]) -> Sequence[bytes | None]:
        """As :meth:`StorageEngine.read_events`."""

        async def read(limit: int) -> Sequence[bytes | None]:
            return await self._engine.read_events(event_ids[:limit])

        async def locate() -> None:
            # The error of the one event says as much as there is to say.
            return None

        try:
            return await _read_up_to_damage(read, len(event_ids), locate)
        except StoreCorrupted as error:
            raise StoreCorrupted(f"the event {event_ids[0]} cannot be read: {error.message}") from error

    async def _first_unreadable(self, read: Callable[[int, int, int], Awaitable[T]], near: int, far: int) -> int:
        """Where the first matching event stands, when it alone cannot be read. Up to ``near`` there is none; up to
        ``far`` there is. The index knows, so it is halved in."""
        while abs(far - near) > 1:
            middle = (near + far) // 2
            try:
                await read(1, near, middle)
                near = middle
            except StoreCorrupted:
                far = middle
        return far

    async def aggregate(
        self,
        key: AggregateKey,
        *,
        from_version: int,
        to_version: int,
        direction: Direction = "forward",
        limit: int,
        parse: Parse[T],
    ) -> tuple[int, T]:
        """As :meth:`StorageEngine.read_aggregate`."""

        async def read(limit: int) -> tuple[int, T]:
            version, page = await self._engine.read_aggregate(
                key, from_version=from_version, to_version=to_version, direction=direction, limit=limit
            )
            return version, _parsed(page, parse)

        async def locate() -> int | None:
            first = max(from_version, 1) if direction == "forward" else to_version
            place = await self._engine.locate_version(key, first)
            return None if place is None else place[1]

        return await _read_up_to_damage(read, limit, locate)


def _parsed(page: Lines, parse: Parse[T]) -> T:
    try:
        return parse(page)
    except ValueError as error:
        raise StoreCorrupted(f"a stored event is not what an event is: {error}") from error


async def _read_up_to_damage(
    read: Callable[[int], Awaitable[T]], limit: int, locate: Callable[[], Awaitable[int | None]]
) -> T:
    try:
        return await read(limit)
    except StoreCorrupted as error:
        damage = error
    try:
        # The first alone, before all else: where much is gone it is so again and again.
        first = await read(1)
    except StoreCorrupted as error:
        position = await locate()
        fields = {} if position is None else {"position": position}
        raise StoreCorrupted(_at(position, error.message), **fields) from damage
    while (limit := limit // 2) > 1:
        try:
            return await read(limit)
        except StoreCorrupted:
            continue
    return first


def _at(position: int | None, message: str) -> str:
    return message if position is None else f"the event at position {position} cannot be read: {message}"


# --- Changes ---------------------------------------------------------------------------------------------------------


async def outcome_of(change: Awaitable[T], again: str) -> T:
    """Wait for a change of the engine's. Raises ``OutcomeUnknown`` when it may or may not be stored, where ``again``
    says how to find out; ``ShuttingDown`` when it is not, and the engine has stopped writing."""
    try:
        return await change
    except StorageFailure as failure:
        if failure.fields.get("nothing_stored"):
            raise ShuttingDown(
                f"the store has stopped writing: {failure.message}; nothing was stored", retry_after_s=RETRY_AFTER_S
            ) from failure
        raise OutcomeUnknown(f"the commit failed ({failure.message}); {again}") from failure
