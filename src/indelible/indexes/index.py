"""What a backend of the query index does.

An index holds documents, one an event, and beside them how far in the log it has come; both change in one atomic step,
so that they always agree, whatever dies. It may hold two generations: the one that is searched, and one that is being
built from the first event on, because somebody asked or because other fields are declared. When that has come to the
head it takes the other's place in one step.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from msgspec import Struct

from indelible.cursors import Cursor
from indelible.events import AggregateKey
from indelible.search import CheckedQuery, FieldType, Order, Value


class IndexUnavailable(Exception):
    """The backend is out of reach, or does not take more for now: try again later. Says why, for people."""


class IndexMoved(Exception):
    """The generation is not where the caller thought: somebody else has applied events, or swapped it."""


class SearchTooBroad(Exception):
    """The search took too long, or looked at as many events as it may. Says which, for people."""


class Place(NamedTuple):
    """Where an event stands in the order of searches, by which it is known. In one partition that is the order of the
    log. Its id alone would not do: another partition may have an event with the same."""

    timestamp_us: int
    position: int
    event_id: UUID


class Document(NamedTuple):
    """What is to be found of an event."""

    place: Place
    event_type: str
    aggregate: AggregateKey
    version: int
    tags: tuple[str, ...]
    values: Mapping[str, tuple[Value, ...]]
    """Of the declared fields that it has."""
    text: str
    """All strings of its data, with line ends between them."""


class Rejected(Struct, frozen=True):
    """An event that the backend refuses for good. It stays in its generation's list until it is taken."""

    place: Place
    reason: str


def by_position(one: Rejected) -> tuple[int, UUID]:
    return one.place.position, one.place.event_id


class Generation(Struct, frozen=True):
    """One whole index."""

    number: int
    """1, 2, 3 …, in the order in which they were begun."""
    fields: Mapping[str, FieldType]
    cursor: Cursor
    """Every event up to here is found in it."""
    documents: int
    """About how many it holds."""
    log_hash: str = ""
    """What the log was up to the cursor, as :meth:`indelible.eventstore.MeasuringStore.hash_at` says; empty where
    nobody said."""


class IndexState(Struct, frozen=True):
    """What a backend holds."""

    serving: Generation | None
    """What is searched; None before the first is complete."""
    building: Generation | None


class Capabilities(NamedTuple):
    """What a backend can do."""

    text: bool
    """Whether it finds words."""
    narrowing_only: frozenset[str] = frozenset()
    """Fields that every event has, conditions on which only narrow what another part of the query finds."""
    looks_at_max: int | None = None
    """At how many events one search looks at the most; None: at as many as it has time for."""


class Hits(NamedTuple):
    """Events, or the aggregates of all events that fit, in order; at most as many as were asked for."""

    places: Sequence[Place]
    aggregates: Sequence[AggregateKey]
    is_last: bool
    """Whether there are no more behind these."""


class QueryIndex(Protocol):
    """A backend. Raises ``IndexUnavailable`` within a bounded time when it is out of reach."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def open(self) -> IndexState:
        """Connect, and make what is missing. May be called again after ``IndexUnavailable``."""
        ...

    async def state(self) -> IndexState: ...

    async def begin(self, fields: Mapping[str, FieldType]) -> Generation:
        """Begin a generation with these fields, empty, at the start of the log. One that was being built is dropped,
        unless it has the same fields: then it goes on where it was."""
        ...

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        """Add documents, and move the generation from ``after`` to ``cursor`` and ``log_hash``, in one atomic step:
        none of it is seen before all of it is. A document with the place of one that is there replaces it. Gives those
        that the backend refuses; all others are added. Raises ``IndexMoved`` when the generation is gone or is not at
        ``after``.

        In the same step those that are refused come into the list of :meth:`rejected`, and those that are added leave
        it. So documents at or below the cursor are tried again by applying them with ``cursor`` as ``after``."""
        ...

    async def rejected(self, generation: int) -> Sequence[Rejected]:
        """The documents that the backend refuses, by position and id, each with the reason it gave last. Raises
        ``IndexMoved`` when the generation is gone."""
        ...

    async def swap(self, generation: int) -> None:
        """Search this generation from now on, and drop the one before. Raises ``IndexMoved`` when it is gone."""
        ...

    async def drop(self) -> None:
        """Forget all of it."""
        ...

    async def search(
        self, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
    ) -> tuple[Hits, Generation]:
        """The first ``limit`` events that fit, behind a place in the order asked for; and what generation said so, as
        it was at that moment. Raises ``SearchTooBroad``, and ``IndexMoved`` when none serves."""
        ...

    async def search_aggregates(
        self, query: CheckedQuery, *, limit: int, behind: AggregateKey | None
    ) -> tuple[Hits, Generation]:
        """The distinct aggregates of all events that fit, by type and id as UTF-8 bytes."""
        ...

    async def close(self) -> None:
        """May be called twice, and raises nothing."""
        ...
