"""The EventStore protocol: the one door to a store, local or remote, and the values that pass through it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Protocol, Self, TypeVar
from uuid import UUID

import msgspec

from indelible import words
from indelible.access import check_reserved
from indelible.conditions import NOT_SCANNED, AppendCondition, ExpectedVersion, Scanned, check_expected_version
from indelible.cursors import Cursor, Lag, cursor_at, position_of
from indelible.errors import IndelibleError, InvalidRequest, PayloadTooLarge
from indelible.events import (
    AggregateKey,
    NewEvent,
    RecordedEvent,
    Snapshot,
    check_aggregate_type,
    check_name,
    decode_events,
)
from indelible.groups import ConsumerGroups
from indelible.index_state import SearchIndex
from indelible.keys import Keys
from indelible.limits import (
    CONDITION_NAMES_PER_EVENT,
    PAGE_EVENTS_DEFAULT,
    REQUEST_EVENTS_MAX,
    REQUEST_SIZE_BYTES_MAX,
    REQUEST_TAGS_MAX,
    SEARCH_WAIT_S,
    TAGS_PER_EVENT_MAX,
)
from indelible.queries import EVERYTHING, Direction, EventQuery
from indelible.relay_state import Relays
from indelible.schemas import Schemas
from indelible.search import Order, SearchPage, SearchQuery

# --- Appending -------------------------------------------------------------------------------------------------------

NewEvents = NewEvent | Sequence[NewEvent]
"""One event, or several in order."""


class AggregateAppend(msgspec.Struct, frozen=True, gc=False):
    """Events for one aggregate, in order, and the version that it is expected to have before them."""

    key: AggregateKey
    events: tuple[NewEvent, ...]
    expected_version: ExpectedVersion = "any"

    @classmethod
    def of(
        cls,
        aggregate_type: str,
        aggregate_id: str,
        events: NewEvents,
        *,
        expected_version: ExpectedVersion = "any",
    ) -> "AggregateAppend":
        several = (events,) if isinstance(events, NewEvent) else tuple(events)
        return cls(AggregateKey(aggregate_type, aggregate_id), several, expected_version)

    def check(self, *, is_reserved: bool = False) -> None:
        """Raises :class:`InvalidRequest` naming the first bad field. ``is_reserved``: of one of the store's own
        aggregate types, which are refused otherwise."""
        check_aggregate_type(self.key.aggregate_type)
        check_reserved(self.key.aggregate_type, is_reserved=is_reserved)
        check_name(self.key.aggregate_id, "/aggregate_id")
        if self.expected_version != "any":
            check_expected_version(self.expected_version)
        if not self.events:
            raise InvalidRequest("must hold at least one event", pointer="/events")
        for i, event in enumerate(self.events):
            if not isinstance(event, NewEvent):
                raise InvalidRequest("must be a NewEvent", pointer=f"/events/{i}")


class AppendRequest(msgspec.Struct, frozen=True, gc=False):
    """One append, stored whole or not at all, in its order. An aggregate may stand in it again, with "any" as expected
    version: what is expected of it is said where it stands first."""

    appends: tuple[AggregateAppend, ...]
    condition: AppendCondition | None = None
    scanned: Scanned = NOT_SCANNED
    """What is known about the condition already; the store's own."""

    @property
    def condition_start(self) -> int:
        """The condition asks for events after this position that nobody has looked at yet."""
        if self.condition is None:
            return 0
        return max(position_of(self.condition.after, "/condition/after"), self.scanned.up_to)

    @property
    def weight(self) -> int:
        """How long the writer is busy with this, in events."""
        names = 0 if self.condition is None else self.condition.name_count
        return self.event_count + names // CONDITION_NAMES_PER_EVENT

    @property
    def event_count(self) -> int:
        total = 0
        for append in self.appends:
            total += len(append.events)
        return total

    @property
    def tag_count(self) -> int:
        return sum(len(event.tags) for append in self.appends for event in append.events)

    @property
    def size_bytes(self) -> int:
        total = 0
        for append in self.appends:
            for event in append.events:
                total += len(event.event_data_raw) + len(event.metadata_raw)
        return total

    def check(self, *, atomic: bool, is_reserved: bool = False) -> None:
        """Raises :class:`InvalidRequest` naming the first bad field. ``atomic``: the caller gave a list of appends, so
        pointers begin with ``/appends/0``. ``is_reserved``: see :meth:`AggregateAppend.check`."""
        if not self.appends:
            raise InvalidRequest("must hold at least one append", pointer="/appends")
        for i, append in enumerate(self.appends):
            try:
                append.check(is_reserved=is_reserved)
            except InvalidRequest as error:
                raise error.under(f"/appends/{i}") if atomic else error from None
        if self.condition is not None:
            self.condition.check()
        # One event has one id, and keeps a bound of its own.
        if len(self.appends) > 1 or len(self.appends[0].events) > 1:
            self._check_uniqueness(atomic)
            self._check_size(atomic)

    def _check_uniqueness(self, atomic: bool) -> None:
        keys = {append.key for append in self.appends}
        if len(keys) < len(self.appends):
            self._refuse_version_of_repeat()
        if repeat_ids((self,)):
            self._refuse_repeated_id(atomic)

    def _refuse_version_of_repeat(self) -> None:
        keys: set[AggregateKey] = set()
        for i, append in enumerate(self.appends):
            if append.key in keys and append.expected_version != "any":
                raise InvalidRequest(
                    "the aggregate stands in the request before, where its expected version is said",
                    pointer=f"/appends/{i}/expected_version",
                )
            keys.add(append.key)

    def _refuse_repeated_id(self, atomic: bool) -> None:
        ids: set[bytes] = set()
        for i, append in enumerate(self.appends):
            prefix = f"/appends/{i}" if atomic else ""
            for j, event in enumerate(append.events):
                if event.event_id.bytes in ids:
                    pointer = f"{prefix}/events/{j}/event_id"
                    raise InvalidRequest("the event id stands twice in the request", pointer=pointer)
                ids.add(event.event_id.bytes)

    def _check_size(self, atomic: bool) -> None:
        pointer = "/appends" if atomic else "/events"
        if self.event_count > REQUEST_EVENTS_MAX:
            raise PayloadTooLarge(
                f"holds {self.event_count} events, more than {REQUEST_EVENTS_MAX}",
                pointer=pointer, events_max=REQUEST_EVENTS_MAX,
            )  # fmt: skip
        if self.event_count * TAGS_PER_EVENT_MAX > REQUEST_TAGS_MAX and self.tag_count > REQUEST_TAGS_MAX:
            raise PayloadTooLarge(
                f"holds {self.tag_count} tags, more than {REQUEST_TAGS_MAX}",
                pointer=pointer, tags_max=REQUEST_TAGS_MAX,
            )  # fmt: skip
        if self.size_bytes > REQUEST_SIZE_BYTES_MAX:
            raise PayloadTooLarge(
                f"holds {self.size_bytes} bytes of payload, more than {REQUEST_SIZE_BYTES_MAX}",
                pointer=pointer, size_bytes_max=REQUEST_SIZE_BYTES_MAX,
            )  # fmt: skip


def repeat_ids(requests: Sequence[AppendRequest]) -> bool:
    """Whether an event id stands twice in these requests."""
    ids = [event.event_id for request in requests for append in request.appends for event in append.events]
    # As text, because whoever makes UUIDs can give all of them one hash: a set of 10,000 such takes seconds.
    return len(set(msgspec.to_builtins(ids))) < len(ids)


class AppendedEvent(msgspec.Struct, frozen=True, gc=False):
    """Where one appended event stands."""

    event_id: words.EventId
    version: words.Version
    position: words.Position


class AppendResult(msgspec.Struct, frozen=True, gc=False):
    """What an append to one aggregate did: the same when it is sent again, but for ``replayed``."""

    aggregate_type: words.AggregateType
    aggregate_id: words.AggregateId
    version: Annotated[int, words.meta("The aggregate's version right after the append.", words.VERSION, example=1)]
    position: Annotated[
        int, words.meta("Position of the append's last event in this aggregate.", words.VERSION, example=1)
    ]
    events: Annotated[tuple[AppendedEvent, ...], words.meta("Where each event stands.", {"minItems": 1})]
    replayed: words.Replayed = False


AppendOutcome = AppendResult | IndelibleError
"""Of one of several independent appends: what it did, or why it did nothing."""


class AtomicAppendResult(msgspec.Struct, frozen=True, gc=False):
    """What an atomic append did, one result an aggregate, in the order of the request."""

    position: Annotated[int, words.meta("Position of the append's last event.", words.VERSION, example=3)]
    results: Annotated[tuple[AppendResult, ...], words.meta("One element an append, in the order of the request.")]
    replayed: words.Replayed = False


def as_requests(appends: Sequence[AggregateAppend]) -> list[AppendRequest | IndelibleError]:
    """Independent appends, each as a request of its own, or what is wrong with it."""
    requests: list[AppendRequest | IndelibleError] = []
    for append in appends:
        request = AppendRequest((append,))
        try:
            request.check(atomic=False)
        except IndelibleError as error:
            requests.append(error)
        else:
            requests.append(request)
    return requests


T = TypeVar("T")
R = TypeVar("R")


async def each_outcome(
    given: Sequence[T | IndelibleError], do: Callable[[list[T]], Awaitable[Sequence[R | IndelibleError]]]
) -> list[R | IndelibleError]:
    """Have done what is given, all at once: one outcome each, in their order. What is wrong with one already is its own
    outcome; the others go on."""
    outcomes = iter(await do([one for one in given if not isinstance(one, IndelibleError)]))
    return [one if isinstance(one, IndelibleError) else next(outcomes) for one in given]


# --- Reading ---------------------------------------------------------------------------------------------------------


class AggregatePage(msgspec.Struct, frozen=True):
    """Some events of one aggregate, in the order asked for."""

    lines: bytes
    """The events as NDJSON, without a line end after the last; ready to send on."""
    count: int
    version: int
    """The aggregate's version when the page was read."""
    next_version: int | None
    """Where the next page starts (``from_version``, or ``to_version`` when reading backward); None at the end."""

    @property
    def events(self) -> tuple[RecordedEvent, ...]:
        return decode_events(self.lines)


class FeedPage(msgspec.Struct, frozen=True):
    """Some events of the log, in the order asked for.

    A page may be short, or empty, without being the last: a filtered page looks at a bounded part of the log. Go on
    from ``cursor`` until ``at_end``.
    """

    lines: bytes
    """The events as NDJSON, without a line end after the last; ready to send on."""
    count: int
    cursor: Cursor
    """How far the page has come: ``after`` of the next page."""
    at_end: bool
    """Whether the page reached the head (backward: position 1), or the end of the query's time window."""
    cursors: tuple[Cursor, ...] | None = None
    """Behind each of its events, in their order; None where they read as the events' positions. Pages of
    :meth:`EventStore.follow` have them."""

    @property
    def events(self) -> tuple[RecordedEvent, ...]:
        return decode_events(self.lines)

    def events_with_cursors(self) -> Iterator[tuple[RecordedEvent, Cursor]]:
        """Each event, and how far a reader of :meth:`EventStore.follow` has come who has passed it."""
        events = self.events
        return zip(events, self.cursors or [cursor_at(event.position) for event in events], strict=True)


class Head(msgspec.Struct, frozen=True):
    """Where the log ends now."""

    position: Annotated[
        int,
        words.meta(
            "The last committed position; 0 in an empty store. Of several partitions the sum of theirs: "
            "how many events there are.",
            words.COUNT, example=3,
        ),
    ]  # fmt: skip
    cursor: Annotated[
        Cursor, words.meta("The cursor of a reader that has come there.", {"type": "string"}, example="3")
    ]
    partitions: Annotated[int, words.meta("How many partitions the store has.", {"minimum": 1}, example=1)] = 1


class AggregateInfo(msgspec.Struct, frozen=True):
    """How far an aggregate has come."""

    aggregate_type: words.AggregateType
    aggregate_id: words.AggregateId
    version: Annotated[int, words.meta("The aggregate's version: its number of events.", words.VERSION, example=2)]
    first_timestamp: Annotated[words.Time, words.meta("Of its first event.")]
    last_timestamp: Annotated[words.Time, words.meta("Of its last event.")]


class AggregateList(msgspec.Struct, frozen=True):
    """A page of the aggregates."""

    aggregates: Annotated[
        tuple[AggregateInfo, ...], words.meta("Ordered by aggregate_type and aggregate_id, as UTF-8 bytes.")
    ]
    cursor: words.PageCursor
    at_end: words.AtEnd


class EventTypeInfo(msgspec.Struct, frozen=True):
    """How many events of one type the aggregates of one type hold."""

    event_type: words.EventType
    aggregate_type: words.AggregateType
    events: Annotated[int, words.meta("How many there are.", words.COUNT, example=1)]


class AggregateTypeInfo(msgspec.Struct, frozen=True):
    """How much there is of one aggregate type."""

    aggregate_type: words.AggregateType
    aggregates: Annotated[int, words.meta("How many aggregates there are.", words.COUNT, example=1)]
    events: Annotated[int, words.meta("How many events they hold.", words.COUNT, example=2)]


class Replay(msgspec.Struct, frozen=True):
    """What rebuilds an aggregate's state: the newest snapshot, if any, and the events after it."""

    snapshot: Snapshot | None
    page: AggregatePage


class EventStore(Protocol):
    """The one door to a store. Methods raise :class:`indelible.errors.IndelibleError` and nothing else on purpose.

    A store has one partition, or several; :meth:`head` says how many. Each aggregate lies in one. Of several, each is a
    log with positions, timestamps and a hash chain of its own, so that

    - a position names an event in its partition, and is no place in the feed: that is a cursor, in any store;
    - the feed keeps the order of each partition. How they alternate in it is left open, and two reads may differ in
      that, but never in what comes after a cursor: nothing that is stored later comes at it or before;
    - an append whose aggregates lie in different partitions is ``InvalidRequest``, with the pointer of the first that
      lies in another than ``/appends/0``;
    - an event id stands for one event of its partition: the same id is not looked for in others. ``get_event`` gives
      the one that was stored first;
    - a condition looks at the events of the append's partition. One that may match events of others is
      ``InvalidRequest``, with the pointer of the item;
    - a consumer group keeps a checkpoint in each, and counts what is in flight there;
    - it may take no relays: then making one is ``InvalidRequest``, and none is there.

    All methods may be called concurrently. An append that is cancelled, or that raises ``OutcomeUnknown``, may still be
    stored; appending the same :class:`NewEvent` objects again is always safe and tells.
    """

    @property
    def groups(self) -> ConsumerGroups:
        """The store's consumer groups."""
        ...

    @property
    def relays(self) -> Relays:
        """The store's relays."""
        ...

    @property
    def index(self) -> SearchIndex:
        """The store's query index."""
        ...

    @property
    def keys(self) -> Keys:
        """The keys of those who call servers of the store."""
        ...

    @property
    def schemas(self) -> Schemas:
        """The schemas of the store's event types."""
        ...

    async def append(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: NewEvents,
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        """Append events to one aggregate, whole or not at all. Returns once they are on stable storage.

        Raises ``InvalidRequest``, ``PayloadTooLarge``, ``SchemaMismatch``, ``VersionConflict``, ``EventIdConflict``,
        ``Overloaded``, ``StorageFull``, ``ShuttingDown`` (nothing stored) and ``OutcomeUnknown``.
        """
        ...

    async def append_each(self, appends: Sequence[AggregateAppend]) -> list[AppendOutcome]:
        """Independent appends in one call: each is stored or refused as if it had come by itself, one outcome an
        append, in their order. They are stored in that order too, but others' may come between. An outcome is what
        :meth:`append` gives, or the error that it raises.
        """
        ...

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        """Append to many aggregates of one partition, whole or not at all. Also raises ``ConditionFailed``,
        ``ConditionTooCostly``."""
        ...

    async def read_aggregate(
        self,
        aggregate_type: str,
        aggregate_id: str,
        *,
        from_version: int | None = None,
        to_version: int | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> AggregatePage:
        """A page of one aggregate's events; both versions inclusive. Backward starts at ``to_version``.

        Raises ``AggregateNotFound`` when it has no events. Versions above the aggregate's give an empty page.
        """
        ...

    async def read_feed(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> FeedPage:
        """A page of the log. ``after`` is exclusive, in the direction of reading; None starts at the first event, or
        at the head when reading backward. A cursor past the head is ``InvalidRequest``."""
        ...

    def follow(
        self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None, gather_s: float = 0.0
    ) -> AsyncGenerator[FeedPage]:
        """Pages of the log from ``after`` (exclusive; None: from the first event) on, for ever: what is there, and then
        what comes, in order, without a gap. ``at_end`` says that a page has caught up with the log. Empty pages tell
        how far reading has come. To go on after a break, subscribe after the last page's cursor.

        What comes within ``gather_s`` seconds of the page that caught up last is given together: for readers whom a few
        large pages cost less than many small ones, and who can wait for so long.

        The next page is read when it is asked for, so a slow reader costs nothing. Leave by ``aclose()``, or cancel.
        The iterator raises what :meth:`read_feed` raises.
        """
        ...

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        """One event. Raises ``EventNotFound``."""
        ...

    async def get_aggregate(self, aggregate_type: str, aggregate_id: str) -> AggregateInfo:
        """Raises ``AggregateNotFound``."""
        ...

    async def replay(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Replay:
        """The newest snapshot (not above ``at_version``) and a first page of the events after it, up to ``at_version``.

        Raises ``AggregateNotFound``. When ``page.next_version`` is not None, read on with :meth:`read_aggregate`.
        """
        ...

    async def save_snapshot(
        self,
        aggregate_type: str,
        aggregate_id: str,
        *,
        version: int,
        state: Any,
        metadata: Mapping[str, Any] | None = None,
    ) -> Snapshot:
        """Save a state; one that is saved already at this version is replaced. A version above the aggregate's is
        ``InvalidRequest``, an aggregate without events ``AggregateNotFound``."""
        ...

    async def get_snapshot(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Snapshot:
        """The newest snapshot, not above ``at_version`` if given. Raises ``SnapshotNotFound``."""
        ...

    async def head(self) -> Head: ...

    async def event_types(self, *, prefix: str = "") -> tuple[EventTypeInfo, ...]:
        """Every pair of event type and aggregate type, ordered by both; of event types that begin with ``prefix``."""
        ...

    async def aggregate_types(self, *, prefix: str = "") -> tuple[AggregateTypeInfo, ...]:
        """Every aggregate type that begins with ``prefix``, ordered by name."""
        ...

    async def list_aggregates(
        self,
        *,
        aggregate_type: str | None = None,
        prefix: str = "",
        after: str | None = None,
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> AggregateList:
        """A page of the aggregates whose id begins with ``prefix``. ``after`` is the cursor of an earlier page."""
        ...

    async def search(
        self,
        query: SearchQuery,
        *,
        order: Order = "newest",
        limit: int = PAGE_EVENTS_DEFAULT,
        cursor: str | None = None,
        aggregates: bool = False,
        wait_for: Cursor | None = None,
        wait_s: float = SEARCH_WAIT_S,
        allow_stale: bool = False,
    ) -> SearchPage:
        """A page of the events that fit, or with ``aggregates`` of their distinct aggregates, by type and id.
        ``cursor``: of an earlier page of the same search. The query index follows the log, so the answer may lack the
        last events. With ``wait_for`` it is waited for until it has come to that cursor, for ``wait_s`` seconds; if it
        has not, with ``allow_stale`` the answer is marked ``is_stale``.

        Raises ``InvalidRequest``, ``SearchTooCostly``, ``SearchUnavailable``, ``IndexBehind``, ``IndexBuilding``,
        ``IndexMismatch`` and ``Unavailable``.
        """
        ...

    async def aclose(self) -> None:
        """Finish what is in flight and let go of everything. May be called twice."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


class RecordingStore(EventStore, Protocol):
    """A store that also takes events as another store has recorded them: what a copy goes into."""

    async def append_recorded(self, events: Sequence[RecordedEvent]) -> None:
        """Store events of another store exactly as they are, all or none: they must continue this log, their hashes
        included. For copies of whole logs; no server offers it.

        Raises ``InvalidRequest`` when they do not, with the first such ``position``; also ``PayloadTooLarge``,
        ``StorageFull`` and ``StorageFailure``.
        """
        ...


class MeasuringStore(EventStore, Protocol):
    """A store that can be searched: it can tell of two cursors which of them is further, and how far one is from the
    head, since only a store knows what is in its cursors; and it reads events as it has them, many at once."""

    async def lag_behind(self, cursor: Cursor) -> Lag:
        """Of a reader who has come to a cursor. One that is past the head has no lag."""
        ...

    async def has_passed(self, cursor: Cursor, other: Cursor, pointer: str = "/cursor") -> bool:
        """Whether a reader who has come to ``cursor`` has seen all that one at ``other`` has. Raises ``InvalidRequest``
        with the pointer when ``other`` is past the head, or no cursor of this store."""
        ...

    async def hash_at(self, cursor: Cursor) -> str | None:
        """What the log is up to a cursor: that of another store, or of this one restored from a backup and appended to
        since, has another hash there. None where the cursor is past the head. Raises ``InvalidRequest`` when it is no
        cursor of this store."""
        ...

    async def read_lines(self, event_ids: Sequence[UUID]) -> Sequence[Sequence[bytes]]:
        """The lines of the events with each of these ids, in this order: each partition may have one. Up to
        ``PAGE_EVENTS_MAX`` ids. Of all of them, or of the first ones, as many as a page may hold. Ends before one that
        cannot be read, and raises ``StoreCorrupted`` when that is the first."""
        ...
