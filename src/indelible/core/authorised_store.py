"""A store as one principal may use it.

Every operation is decided here, whichever API it came by: the table of operations says what permission each needs, and
the principal's grants for which aggregate types it has that. What is not decided is not offered: this is no
:class:`indelible.store_around.StoreAround`, which passes on what it does not know.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast, get_args
from uuid import UUID
from weakref import WeakValueDictionary

from msgspec.structs import replace

from indelible.access import Grant, Permission, Principal, Reach, check_reserved
from indelible.conditions import AppendCondition, ExpectedVersion, condition_failed
from indelible.core.authorised_groups import AuthorisedGroups, GroupQueries
from indelible.core.readable_lists import list_readable_aggregates, searched_types
from indelible.cursors import Cursor
from indelible.engines.engine import event_not_found
from indelible.errors import ConditionFailed, EventIdConflict, Forbidden, IndelibleError, InvalidRequest, Overloaded
from indelible.events import RecordedEvent, check_aggregate_type
from indelible.eventstore import (
    AggregateAppend,
    AggregateList,
    AggregateTypeInfo,
    AppendOutcome,
    AppendResult,
    AtomicAppendResult,
    EventStore,
    EventTypeInfo,
    FeedPage,
    Head,
    NewEvents,
    each_outcome,
)
from indelible.index_state import SearchIndex
from indelible.keys import Keys
from indelible.limits import CONDITION_SCANS_MAX, PAGE_EVENTS_DEFAULT, PRINCIPALS_KEPT_MAX, RETRY_AFTER_S
from indelible.operations import OPERATIONS
from indelible.queries import EVERYTHING, Direction, EventQuery, QueryItem
from indelible.readable_feed import ReadableFeed
from indelible.relay_state import Relays
from indelible.schemas import Schemas
from indelible.search import SearchPage, SearchQuery

P = ParamSpec("P")
R = TypeVar("R")

PERMISSIONS: Final[Mapping[str, Permission]] = {
    row.store_method or row.name: row.permission for row in OPERATIONS if row.permission is not None
}
"""What each method of a store needs, as the table of operations has it."""


def _of_aggregate(
    method: Callable[Concatenate[EventStore, str, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate["AuthorisedStore", str, P], Coroutine[Any, Any, R]]:
    """A method that concerns one aggregate, whose type comes first."""
    name = method.__name__

    async def decided(self: "AuthorisedStore", aggregate_type: str, *args: Any, **options: Any) -> Any:
        self._check(name, aggregate_type)
        return await getattr(self.inner, name)(aggregate_type, *args, **options)

    return cast("Callable[Concatenate[AuthorisedStore, str, P], Coroutine[Any, Any, R]]", decided)


class _DecidedPart:
    """The store's ``part``, such as "relays". Each of its methods needs its permission for every aggregate type; where
    ``any_reads``, reading needs it for any. One that the table of operations does not have is nobody's. ``reaches``: by
    the store's method."""

    def __init__(self, part: str, inner: object, reaches: Mapping[str, Reach], *, any_reads: bool = False) -> None:
        self._part: Final = part
        self._inner: Final = inner
        self._reaches: Final = reaches
        self._any_reads: Final = any_reads

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def decided(*args: Any, **options: Any) -> Any:
            reach = self._reaches.get(f"{self._part}.{name}")
            if reach is None:
                raise Forbidden(f"nobody may {self._part}.{name}: it is no operation", permission="admin")
            if self._any_reads and reach.permission == "read":
                reach.check_any()
            else:
                reach.check_all()
            return await getattr(self._inner, name)(*args, **options)

        return decided


class AuthorisedStore:
    """Implements :class:`indelible.eventstore.EventStore` for whoever holds the ``grants``. Methods also raise
    ``Forbidden``. ``group_queries`` are those of the inner store's groups, shared by all stores around it."""

    def __init__(self, inner: EventStore, grants: Sequence[Grant], group_queries: "GroupQueries | None" = None) -> None:
        self.inner: Final = inner
        of = {permission: Reach.of(permission, grants) for permission in get_args(Permission)}
        self._reaches: Final = {method: of[permission] for method, permission in PERMISSIONS.items()}
        self._read: Final = of["read"]
        self._feed: Final = ReadableFeed(inner, of["read"])
        self.groups: Final = AuthorisedGroups(inner.groups, self._reaches, group_queries or GroupQueries(inner.groups))
        self.relays: Final = cast("Relays", _DecidedPart("relays", inner.relays, self._reaches))
        self.index: Final = cast("SearchIndex", _DecidedPart("index", inner.index, self._reaches))
        self.keys: Final = cast("Keys", _DecidedPart("keys", inner.keys, self._reaches))
        # They are of event types, of no aggregate type: whoever reads any events may know what to expect of them.
        self.schemas: Final = cast("Schemas", _DecidedPart("schemas", inner.schemas, self._reaches, any_reads=True))

    def _check(self, method: str, aggregate_type: str) -> None:
        reach = self._reaches[method]
        if aggregate_type.__class__ is str and reach.covers(aggregate_type):
            return
        # What no server takes is the caller's mistake first of all.
        aggregate_type = check_aggregate_type(aggregate_type)
        if reach.permission == "append":
            check_reserved(aggregate_type)
        reach.check(aggregate_type)

    # --- Appending ---------------------------------------------------------------------------------------------------

    save_snapshot = _of_aggregate(EventStore.save_snapshot)

    async def append(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: NewEvents,
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        self._check("append", aggregate_type)
        try:
            return await self.inner.append(aggregate_type, aggregate_id, events, expected_version=expected_version)
        except EventIdConflict as error:
            raise self._told(error) from None

    async def append_each(self, appends: Sequence[AggregateAppend]) -> list[AppendOutcome]:
        decided = [self._refusal("append_each", one) or one for one in appends]
        outcomes = await each_outcome(decided, self.inner.append_each)
        return [self._told(one) if isinstance(one, EventIdConflict) else one for one in outcomes]

    def _told(self, error: EventIdConflict) -> EventIdConflict:
        """That an id is taken cannot be hidden, since it is so in the whole log; what has it can."""
        if self._read.covers_everything:
            return error
        event_id = error.fields["event_id"]
        return EventIdConflict(f"event id {event_id} is stored already, as something else", event_id=event_id)

    def _refusal(self, method: str, append: AggregateAppend) -> IndelibleError | None:
        try:
            self._check(method, append.key.aggregate_type)
        except IndelibleError as error:
            return error
        return None

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        appends = tuple(appends)
        for i, one in enumerate(appends):
            refusal = self._refusal("append_atomic", one)
            if refusal is not None:
                raise refusal.under(f"/appends/{i}") if isinstance(refusal, InvalidRequest) else refusal
        try:
            if condition is None or self._read.covers_everything:
                return await self.inner.append_atomic(appends, condition=condition)
            condition.check()
            self._check_condition(condition.fail_if)
            return await self._append_unless_seen(appends, condition)
        except EventIdConflict as error:
            raise self._told(error) from None

    def _check_condition(self, items: Sequence[QueryItem]) -> None:
        """It promises that nothing happened, and can do so only for what the caller may read. That the caller has to
        say: a promise that shrinks in silence would be none."""
        for item in items:
            for aggregate_type in item.aggregate_types:
                self._read.check(aggregate_type)
        if not (self._read.covers_all or all(item.aggregate_types for item in items)):
            raise Forbidden(
                "you may not read every aggregate type: name those that the condition is about in each item of fail_if",
                permission=self._read.permission,
            )

    async def _append_unless_seen(
        self, appends: Sequence[AggregateAppend], condition: AppendCondition
    ) -> AtomicAppendResult:
        """An event that matches and may not be read, one of the store's own, is passed over: the condition then begins
        behind it, where it is checked anew, in one step with the append."""
        for _ in range(CONDITION_SCANS_MAX):
            try:
                return await self.inner.append_atomic(appends, condition=condition)
            except ConditionFailed:
                seen = await self.read_feed(EventQuery(condition.fail_if), after=condition.after, limit=1)
                for event in seen.events:
                    raise condition_failed(event.position) from None
                condition = replace(condition, after=seen.cursor)
        raise Overloaded("the log grows faster than the condition is looked at", retry_after_s=RETRY_AFTER_S)

    # --- Reading -----------------------------------------------------------------------------------------------------

    read_aggregate = _of_aggregate(EventStore.read_aggregate)
    get_aggregate = _of_aggregate(EventStore.get_aggregate)
    replay = _of_aggregate(EventStore.replay)
    get_snapshot = _of_aggregate(EventStore.get_snapshot)

    async def read_feed(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> FeedPage:
        reach = self._reaches["read_feed"]
        reach.check_any()
        feed = self.inner if reach.covers_everything else self._feed
        return await feed.read_feed(query, after=after, direction=direction, limit=limit)

    async def follow(
        self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None, gather_s: float = 0.0
    ) -> AsyncGenerator[FeedPage]:
        reach = self._reaches["follow"]
        reach.check_any()
        feed = self.inner if reach.covers_everything else self._feed
        async with aclosing(feed.follow(query, after=after, gather_s=gather_s)) as pages:
            while True:
                yield await anext(pages)

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        reach = self._reaches["get_event"]
        reach.check_any()
        event = await self.inner.get_event(event_id)
        if not reach.covers(event.aggregate_type):
            raise event_not_found(event_id)
        return event

    async def head(self) -> Head:
        """The log's own: readers compare their cursors with it."""
        self._reaches["head"].check_any()
        return await self.inner.head()

    async def event_types(self, *, prefix: str = "") -> tuple[EventTypeInfo, ...]:
        reach = self._reaches["event_types"]
        reach.check_any()
        return tuple(one for one in await self.inner.event_types(prefix=prefix) if reach.covers(one.aggregate_type))

    async def aggregate_types(self, *, prefix: str = "") -> tuple[AggregateTypeInfo, ...]:
        reach = self._reaches["aggregate_types"]
        reach.check_any()
        return tuple(one for one in await self.inner.aggregate_types(prefix=prefix) if reach.covers(one.aggregate_type))

    async def list_aggregates(
        self,
        *,
        aggregate_type: str | None = None,
        prefix: str = "",
        after: str | None = None,
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> AggregateList:
        reach = self._reaches["list_aggregates"]
        reach.check_any()
        if aggregate_type is not None:
            self._check("list_aggregates", aggregate_type)
        elif not reach.covers_everything:
            return await list_readable_aggregates(self.inner, reach, prefix=prefix, after=after, limit=limit)
        return await self.inner.list_aggregates(aggregate_type=aggregate_type, prefix=prefix, after=after, limit=limit)

    async def search(self, query: SearchQuery, **options: Any) -> SearchPage:
        reach = self._reaches["search"]
        reach.check_any()
        if not reach.covers_everything:
            query = await searched_types(self.inner, reach, query)
        return await self.inner.search(query, **options)

    # --- The store itself --------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Who opened the inner store closes it."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class AuthorisedStores:
    """Stores for principals, around one that is open. Those who may do the same have the same store, and share what is
    kept by it."""

    def __init__(self, inner: EventStore) -> None:
        self._inner: Final = inner
        self._group_queries: Final = GroupQueries(inner.groups)
        self._of_principal: Final[dict[int, tuple[Principal, AuthorisedStore]]] = {}
        """By the principal's identity, which is kept with it: to compare grants would take longer than all else."""
        self._of_grants: Final[WeakValueDictionary[tuple[Grant, ...], AuthorisedStore]] = WeakValueDictionary()

    def of(self, principal: Principal) -> AuthorisedStore:
        found = self._of_principal.get(id(principal))
        return self._add(principal) if found is None else found[1]

    def _add(self, principal: Principal) -> AuthorisedStore:
        store = self._of_grants.get(principal.grants)
        if store is None:
            store = AuthorisedStore(self._inner, principal.grants, self._group_queries)
            self._of_grants[principal.grants] = store
        while len(self._of_principal) >= PRINCIPALS_KEPT_MAX:
            del self._of_principal[next(iter(self._of_principal))]
        self._of_principal[id(principal)] = (principal, store)
        return store
