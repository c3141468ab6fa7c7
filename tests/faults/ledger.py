"""What a store has acknowledged, kept outside of it, and whether the store still says the same."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from faults.history.log import check_log
from faults.history.model import logged_event
from indelible.core.verify import verify
from indelible.engines.planner import same_content
from indelible.errors import IndelibleError, OutcomeUnknown
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import AggregateAppend, AppendedEvent, AppendResult, EventStore
from indelible.limits import PAGE_EVENTS_MAX
from indelible.testing.conformance.helpers import read_feed_to_end


class Entry(msgspec.Struct, eq=False):
    """One append, single or atomic, and what is known of it."""

    appends: tuple[AggregateAppend, ...]
    atomic: bool
    results: tuple[AppendResult, ...] | None = None
    """As acknowledged first."""
    may_be_stored: bool = False
    """Whether an attempt ended without saying that nothing was stored."""

    @property
    def events(self) -> tuple[NewEvent, ...]:
        return tuple(event for append in self.appends for event in append.events)

    @property
    def appended(self) -> dict[UUID, AppendedEvent]:
        """Where its events stand, by id."""
        return {event.event_id: event for result in self.results or () for event in result.events}


class Ledger:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.unknown_outcomes = 0
        self.replays = 0

    def open(self, appends: Sequence[AggregateAppend], *, atomic: bool) -> Entry:
        entry = Entry(tuple(appends), atomic)
        self.entries.append(entry)
        return entry

    @property
    def pending(self) -> list[Entry]:
        """What was tried and is not acknowledged."""
        return [entry for entry in self.entries if entry.results is None]

    @property
    def acknowledged(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.results is not None]

    async def send(self, store: EventStore, entry: Entry) -> None:
        """One attempt. Raises the store's error after noting what it says; asserts that a repeat says the same."""
        try:
            results, replayed = await _append(store, entry)
        except OutcomeUnknown:
            entry.may_be_stored = True
            self.unknown_outcomes += 1
            raise
        if entry.results is None:
            assert entry.may_be_stored or not replayed, f"nothing was stored, it was said, of {entry}"
            entry.results = results
        else:
            assert replayed
            assert _places(results) == _places(entry.results)
        self.replays += replayed

    async def settle(self, store: EventStore) -> None:
        """Send what is pending again, until all is acknowledged. The store must be well."""
        for entry in self.pending:
            await self.send(store, entry)

    async def check(self, store: EventStore) -> int:
        """Compare with all that the store holds; returns how many events that is. Every entry must be settled."""
        assert self.pending == []
        events = await read_feed_to_end(store, limit=PAGE_EVENTS_MAX)
        assert check_log([logged_event(event) for event in events]) == []
        assert len(events) == (await store.head()).position
        stored = {event.event_id: event for event in events}
        for entry in self.entries:
            _check_entry(entry, stored)
        assert len(stored) == sum(len(entry.events) for entry in self.entries), "events that nobody appended"
        report = await verify(store)
        assert report.damage is None
        assert report.verified == len(stored)
        return len(stored)


async def _append(store: EventStore, entry: Entry) -> tuple[tuple[AppendResult, ...], bool]:
    if entry.atomic:
        done = await store.append_atomic(entry.appends)
        return done.results, done.replayed
    one = entry.appends[0]
    result = await store.append(
        one.key.aggregate_type, one.key.aggregate_id, one.events, expected_version=one.expected_version
    )
    return (result,), result.replayed


def _places(results: Sequence[AppendResult]) -> list[tuple[AppendedEvent, ...]]:
    return [result.events for result in results]


def _check_entry(entry: Entry, stored: dict[UUID, RecordedEvent]) -> None:
    places = entry.appended
    for append in entry.appends:
        for event in append.events:
            found = stored[event.event_id]
            assert found.key == append.key
            assert same_content(event, found)
            assert (found.version, found.position) == (places[event.event_id].version, places[event.event_id].position)
    positions = sorted(place.position for place in places.values())
    assert positions == list(range(positions[0], positions[0] + len(positions))), "an append lies in one piece"


async def attempt(ledger: Ledger, store: EventStore, entry: Entry) -> IndelibleError | None:
    """Send once; what the store answered instead of an acknowledgement."""
    try:
        await ledger.send(store, entry)
    except IndelibleError as error:
        return error
    return None
