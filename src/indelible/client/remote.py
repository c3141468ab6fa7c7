"""What both ways to a server have in common: the operations as methods."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial, update_wrapper
from typing import Any, Concatenate, Final, ParamSpec, Protocol, Self, TypedDict, TypeVar

import msgspec

from indelible.batching import Batcher, Bounds, in_bounds
from indelible.client.calls import Calls, Retry
from indelible.client.outages import Outages
from indelible.client.tls import ClientTls
from indelible.client.traces import trace_headers
from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.cursors import START, Cursor
from indelible.events import Snapshot, encode_snapshot_state
from indelible.eventstore import (
    AggregateAppend,
    AggregatePage,
    AppendOutcome,
    AppendRequest,
    AppendResult,
    AtomicAppendResult,
    EventStore,
    FeedPage,
    NewEvents,
    as_requests,
    each_outcome,
)
from indelible.groups import ConsumerGroups, GroupInfo, Start, check_group_query
from indelible.index_state import SearchIndex
from indelible.keys import Keys
from indelible.limits import (
    CLIENT_BATCH_APPENDS_MAX,
    CLIENT_BATCH_APPENDS_MIN,
    CLIENT_BATCH_SIZE_BYTES_MAX,
    CLIENT_BATCHES_IN_FLIGHT_MAX,
    CLIENT_RETRY_TOTAL_MAX_S,
    CLIENT_TIMEOUT_S,
    GROUP_ACK_TIMEOUT_DEFAULT_S,
    GROUP_ATTEMPTS_DEFAULT,
    GROUP_IN_FLIGHT_DEFAULT,
    PAGE_EVENTS_DEFAULT,
    REQUEST_EVENTS_MAX,
    SEARCH_WAIT_S,
)
from indelible.operations import Operation, Parameters
from indelible.operations import deliveries as on_deliveries
from indelible.operations import events as on_events
from indelible.operations import groups as on_groups
from indelible.operations import keys as on_keys
from indelible.operations import relays as on_relays
from indelible.operations import replays as on_replays
from indelible.operations import schemas as on_schemas
from indelible.operations import search as on_search
from indelible.operations import store as on_store
from indelible.operations.events import Subscribe, query_fields
from indelible.queries import EVERYTHING, Direction, EventQuery, check_gather, check_page, check_query
from indelible.relay_state import Relays
from indelible.schemas import Compatibility, SchemaInfo, Schemas, encode_schema
from indelible.search import Order, SearchPage, SearchQuery

A = ParamSpec("A")
P = TypeVar("P", bound=Parameters)
R = TypeVar("R")


SendBatch = Callable[[Sequence[bytes]], Awaitable[Sequence[AppendOutcome]]]
"""One attempt to send encoded appends; one outcome each, in their order. Raises when there is no outcome for any."""

BATCH: Final = Bounds(CLIENT_BATCH_APPENDS_MAX, REQUEST_EVENTS_MAX, CLIENT_BATCH_SIZE_BYTES_MAX)
"""Independent appends in one request."""


def append_batcher(send: SendBatch) -> Batcher[bytes, AppendResult]:
    """Lets appends of concurrent tasks travel together."""
    return Batcher(
        "append-batch", send, BATCH, at_once_max=CLIENT_BATCHES_IN_FLIGHT_MAX, unshared=CLIENT_BATCH_APPENDS_MIN
    )


class RemoteSettings(TypedDict, total=False):
    """See :class:`indelible.client.AsyncClient`."""

    timeout_s: float
    retry_total_s: float | None
    headers: Mapping[str, str] | None
    tls: ClientTls
    token: str | None
    outages: Outages | None


class _Ask(Protocol):
    async def __call__(self, operation: Operation[P, R], parameters: P) -> R: ...


class _Asking(Protocol):
    @property
    def _ask(self) -> _Ask: ...


def _asks(
    operation: Operation[Any, R], method: Callable[Concatenate[Any, A], Coroutine[Any, Any, R]]
) -> Callable[Concatenate[_Asking, A], Coroutine[Any, Any, R]]:
    """The method of the contract whose arguments are the operation's parameters, by name."""

    async def call(self: _Asking, /, *args: A.args, **kwargs: A.kwargs) -> R:
        return await self._ask(operation, operation.parameters(*args, **kwargs))

    update_wrapper(call, method)
    return call


class RemoteStore(ABC):
    """Implements :class:`indelible.eventstore.EventStore`; its subclasses know how to ask a server. Belongs to one
    event loop.

    Appends of concurrent tasks travel together, see :class:`indelible.batching.Batcher`, but for those within a span of
    OpenTelemetry that is sampled; above ``CLIENT_APPENDS_WAITING_MAX`` of them further callers wait. An append may come
    back ``replayed`` because an earlier attempt, whose answer was lost, stored it.

    What may be done twice is repeated as :class:`indelible.client.calls.Retry` says. Deleting a group, replaying or
    skipping parked events, and what is asked of a relay's replays and events set aside, may not: they raise
    ``OutcomeUnknown`` when their answer is lost. One attempt raises ``Unavailable`` when the server was not reached,
    ``OutcomeUnknown`` when it may have been, but gave no (whole) answer, and what the server's error answer stands for.
    """

    def __init__(
        self,
        *,
        timeout_s: float = CLIENT_TIMEOUT_S,
        retry_total_s: float | None = CLIENT_RETRY_TOTAL_MAX_S,
        headers: Mapping[str, str] | None = None,
        tls: ClientTls = ClientTls(),  # noqa: B008 - it never changes
        token: str | None = None,
        outages: Outages | None = None,
    ) -> None:
        self._tls: Final = tls
        self._timeout_s: Final = timeout_s
        self._headers: Final = {**(headers or {}), **({} if token is None else {"Authorization": f"Bearer {token}"})}
        self._calls: Final = Calls(Retry(retry_total_s, outages))
        self._batches: Final = append_batcher(self._send_batch)
        self.groups: Final = RemoteGroups(self._ask)
        self.relays: Final = RemoteRelays(self._ask)
        self.index: Final = RemoteIndex(self._ask)
        self.keys: Final = RemoteKeys(self._ask)
        self.schemas: Final = RemoteSchemas(self._ask)

    async def aclose(self) -> None:
        """Finish what is in flight, but retry no more."""
        await self._calls.stop()
        await self._close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @abstractmethod
    async def open(self) -> Self:
        """Make ready."""

    @abstractmethod
    async def _close(self) -> None:
        """Let go of the server."""

    @abstractmethod
    def _encode_append(self, append: AggregateAppend) -> bytes:
        """As it stands in a batch."""

    @abstractmethod
    async def _send_batch(self, appends: Sequence[bytes]) -> Sequence[AppendOutcome]:
        """One attempt to send encoded appends; one outcome each."""

    @abstractmethod
    async def _send_atomic(self, request: AppendRequest) -> AtomicAppendResult:
        """One attempt."""

    @abstractmethod
    def _connect(self, asked: Subscribe) -> AsyncGenerator[FeedPage]:
        """One connection of a subscription, until it breaks."""

    @abstractmethod
    async def _send(self, operation: Operation[P, R], parameters: P, *, wait_s: float = 0.0) -> R:
        """One attempt. ``wait_s`` is how long the server may wait because it was asked to."""

    async def _ask(self, operation: Operation[P, R], parameters: P) -> R:
        return await self._ask_by(self._calls, operation, parameters)

    async def _ask_by(self, calls: Calls, operation: Operation[P, R], parameters: P) -> R:
        """Check what is asked, and have it done, repeated as the operation's row allows."""
        parameters.check()
        if operation.retry == "poll":

            async def attempt(left_s: float) -> R:
                return await self._send(operation, msgspec.structs.replace(parameters, wait_s=left_s), wait_s=left_s)

            return await calls.poll(attempt, getattr(parameters, "wait_s"))  # noqa: B009 - of all that are polled
        repeat = {"read": calls.read, "idempotent": calls.idempotent, "once": calls.once}
        return await repeat[operation.retry](lambda: self._send(operation, parameters))

    def lasting_groups(self, retry_total_s: float | None) -> "RemoteGroups":
        """The groups, for consumers: what they ask is repeated for so many seconds, None for ever."""
        return RemoteGroups(partial(self._ask_by, self._calls.lasting(retry_total_s)))

    # --- Appending ---------------------------------------------------------------------------------------------------

    async def append(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: NewEvents,
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        append = AggregateAppend.of(aggregate_type, aggregate_id, events, expected_version=expected_version)
        request = AppendRequest((append,))
        request.check(atomic=False)
        if trace_headers(only_sampled=True):
            # By itself, so that its span shows what it waited for, and no other's.
            stored = await self._calls.append(lambda: self._send_atomic(request))
            return stored.results[0]
        body = self._encode_append(append)
        return await self._calls.append(lambda: self._batches.put(body, len(append.events), len(body)))

    async def append_each(self, appends: Sequence[AggregateAppend]) -> list[AppendOutcome]:
        return await each_outcome(as_requests(appends), self._append_lots)

    async def _append_lots(self, requests: Sequence[AppendRequest]) -> list[AppendOutcome]:
        """One after the other, so that all are stored in their order."""
        encoded = ((body := self._encode_append(one.appends[0]), one.event_count, len(body)) for one in requests)
        outcomes: list[AppendOutcome] = []
        for lot in in_bounds(encoded, BATCH):
            outcomes += await self._calls.append_each(lot, self._send_batch)
        return outcomes

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        request = AppendRequest(tuple(appends), condition)
        request.check(atomic=True)
        return await self._calls.append(lambda: self._send_atomic(request))

    # --- Events ------------------------------------------------------------------------------------------------------

    get_event = _asks(on_events.GET_EVENT, EventStore.get_event)
    replay = _asks(on_events.REPLAY, EventStore.replay)

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
        check_page(limit, direction)
        asked = on_events.ReadAggregate(aggregate_type, aggregate_id, from_version, to_version, direction, limit)
        return await self._ask(on_events.READ_AGGREGATE, asked)

    async def read_feed(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> FeedPage:
        check_page(limit, direction)
        asked = on_events.ReadFeed(after=after, direction=direction, limit=limit, **query_fields(check_query(query)))
        return await self._ask(on_events.READ_FEED, asked)

    async def follow(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        gather_s: float = 0.0,
        retry_total_s: float | None = None,
    ) -> AsyncGenerator[FeedPage]:
        """Connects anew by itself for ``retry_total_s`` seconds, None for ever; see :meth:`Calls.follow`."""
        asked = Subscribe(gather_s=check_gather(gather_s), **query_fields(check_query(query)))
        calls, start = self._calls.lasting(retry_total_s), START if after is None else Cursor.parse(after)
        pages = calls.follow(lambda cursor: self._connect(msgspec.structs.replace(asked, after=cursor)), start)
        async with aclosing(pages):
            async for page in pages:
                yield page

    # --- Aggregates, snapshots and catalogues ------------------------------------------------------------------------

    get_aggregate = _asks(on_store.GET_AGGREGATE, EventStore.get_aggregate)
    get_snapshot = _asks(on_store.GET_SNAPSHOT, EventStore.get_snapshot)
    head = _asks(on_store.HEAD, EventStore.head)
    event_types = _asks(on_store.EVENT_TYPES, EventStore.event_types)
    aggregate_types = _asks(on_store.AGGREGATE_TYPES, EventStore.aggregate_types)
    list_aggregates = _asks(on_store.LIST_AGGREGATES, EventStore.list_aggregates)

    async def save_snapshot(
        self,
        aggregate_type: str,
        aggregate_id: str,
        *,
        version: int,
        state: Any,
        metadata: Mapping[str, Any] | None = None,
    ) -> Snapshot:
        encoded, encoded_metadata = map(msgspec.Raw, encode_snapshot_state(state, metadata))
        asked = on_store.SaveSnapshot(
            aggregate_type, aggregate_id, version=version, state=encoded, metadata=encoded_metadata
        )
        return await self._ask(on_store.SAVE_SNAPSHOT, asked)

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
        asked = on_search.Search.of(
            query, order=order, limit=limit, cursor=cursor, aggregates=aggregates,
            wait_for=wait_for, wait_s=wait_s, allow_stale=allow_stale,
        )  # fmt: skip
        return await self._ask(on_search.SEARCH, asked)


class RemoteGroups:
    """Implements :class:`indelible.groups.ConsumerGroups`."""

    def __init__(self, ask: _Ask) -> None:
        self._ask: Final = ask

    async def create(
        self,
        group: str,
        query: EventQuery = EVERYTHING,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
        ack_timeout_s: float = GROUP_ACK_TIMEOUT_DEFAULT_S,
        max_attempts: int = GROUP_ATTEMPTS_DEFAULT,
        max_in_flight: int = GROUP_IN_FLIGHT_DEFAULT,
    ) -> GroupInfo:
        asked = on_groups.CreateGroup(
            group, check_group_query(query), start, after, since, ack_timeout_s, max_attempts, max_in_flight
        )
        return await self._ask(on_groups.CREATE_GROUP, asked)

    list = _asks(on_groups.LIST_GROUPS, ConsumerGroups.list)
    get = _asks(on_groups.GET_GROUP, ConsumerGroups.get)
    change = _asks(on_groups.CHANGE_GROUP, ConsumerGroups.change)
    delete = _asks(on_groups.DELETE_GROUP, ConsumerGroups.delete)
    reset = _asks(on_groups.RESET_GROUP, ConsumerGroups.reset)
    pull = _asks(on_deliveries.PULL, ConsumerGroups.pull)
    ack = _asks(on_deliveries.ACK, ConsumerGroups.ack)
    nack = _asks(on_deliveries.NACK, ConsumerGroups.nack)
    extend = _asks(on_deliveries.EXTEND, ConsumerGroups.extend)
    list_in_flight = _asks(on_deliveries.LIST_IN_FLIGHT, ConsumerGroups.list_in_flight)
    list_parked = _asks(on_deliveries.LIST_PARKED, ConsumerGroups.list_parked)
    skip_parked = _asks(on_deliveries.SKIP_PARKED, ConsumerGroups.skip_parked)
    list_skipped = _asks(on_deliveries.LIST_SKIPPED, ConsumerGroups.list_skipped)

    async def redrive_parked(
        self, group: str, positions: Sequence[int] | None = None, *, partition: int | None = None
    ) -> int:
        return await self._ask(
            on_deliveries.REDRIVE_PARKED, on_deliveries.RedriveParked(group, positions, positions is None, partition)
        )


class RemoteRelays:
    """Implements :class:`indelible.relay_state.Relays`."""

    def __init__(self, ask: _Ask) -> None:
        self._ask: Final = ask

    claim = _asks(on_relays.CLAIM_RELAY, Relays.claim)
    advance = _asks(on_relays.ADVANCE_RELAY, Relays.advance)
    release = _asks(on_relays.RELEASE_RELAY, Relays.release)
    list = _asks(on_relays.LIST_RELAYS, Relays.list)
    get = _asks(on_relays.GET_RELAY, Relays.get)
    pause = _asks(on_relays.PAUSE_RELAY, Relays.pause)
    resume = _asks(on_relays.RESUME_RELAY, Relays.resume)
    reset = _asks(on_relays.RESET_RELAY, Relays.reset)
    replay = _asks(on_replays.REPLAY_RELAY, Relays.replay)
    cancel_replay = _asks(on_replays.CANCEL_REPLAY, Relays.cancel_replay)
    list_set_aside = _asks(on_replays.LIST_SET_ASIDE, Relays.list_set_aside)

    async def retry_set_aside(self, relay: str, positions: Sequence[int] | None = None) -> int:
        return await self._ask(
            on_replays.RETRY_SET_ASIDE, on_replays.RetrySetAside(relay, positions, positions is None)
        )

    async def dismiss_set_aside(self, relay: str, positions: Sequence[int] | None = None) -> int:
        return await self._ask(
            on_replays.DISMISS_SET_ASIDE, on_replays.DismissSetAside(relay, positions, positions is None)
        )


class RemoteIndex:
    """Implements :class:`indelible.index_state.SearchIndex`."""

    def __init__(self, ask: _Ask) -> None:
        self._ask: Final = ask

    status = _asks(on_search.GET_INDEX, SearchIndex.status)
    rebuild = _asks(on_search.REBUILD_INDEX, SearchIndex.rebuild)
    retry = _asks(on_search.RETRY_INDEX, SearchIndex.retry)
    drop = _asks(on_search.DROP_INDEX, SearchIndex.drop)


class RemoteKeys:
    """Implements :class:`indelible.keys.Keys`."""

    def __init__(self, ask: _Ask) -> None:
        self._ask: Final = ask

    create = _asks(on_keys.CREATE_KEY, Keys.create)
    list = _asks(on_keys.LIST_KEYS, Keys.list)
    revoke = _asks(on_keys.REVOKE_KEY, Keys.revoke)


class RemoteSchemas:
    """Implements :class:`indelible.schemas.Schemas`."""

    def __init__(self, ask: _Ask) -> None:
        self._ask: Final = ask

    get = _asks(on_schemas.GET_SCHEMA, Schemas.get)
    list = _asks(on_schemas.LIST_SCHEMAS, Schemas.list)
    list_versions = _asks(on_schemas.LIST_SCHEMA_VERSIONS, Schemas.list_versions)
    set_compatibility = _asks(on_schemas.SET_SCHEMA_COMPATIBILITY, Schemas.set_compatibility)
    retire = _asks(on_schemas.RETIRE_SCHEMA, Schemas.retire)

    async def register(
        self,
        event_type: str,
        schema: Mapping[str, Any] | msgspec.Raw,
        *,
        compatibility: Compatibility | None = None,
        dry_run: bool = False,
    ) -> SchemaInfo:
        text = msgspec.Raw(encode_schema(schema))
        asked = on_schemas.RegisterSchema(event_type, text, compatibility, dry_run)
        return await self._ask(on_schemas.REGISTER_SCHEMA, asked)
