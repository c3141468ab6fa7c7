"""What both ways to a server have in common: the operations as methods."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, Protocol, Self, TypeVar
from uuid import UUID

import msgspec

from indelible.client.append_batches import AppendBatches, cut_lots
from indelible.client.calls import Calls
from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.cursors import START, Cursor
from indelible.events import NewEvent, RecordedEvent, Snapshot, encode_snapshot_state
from indelible.eventstore import (
    AggregateAppend,
    AggregateInfo,
    AggregateList,
    AggregatePage,
    AggregateTypeInfo,
    AppendOutcome,
    AppendRequest,
    AppendResult,
    AtomicAppendResult,
    EventTypeInfo,
    FeedPage,
    Head,
    Replay,
    as_requests,
    each_outcome,
)
from indelible.groups import (
    Delivery,
    GroupInfo,
    InFlight,
    ParkedList,
    Settled,
    SkippedList,
    Start,
    check_group_query,
)
from indelible.limits import (
    GROUP_ACK_TIMEOUT_DEFAULT_S,
    GROUP_ATTEMPTS_DEFAULT,
    GROUP_IN_FLIGHT_DEFAULT,
    GROUP_PULL_DEFAULT,
    PAGE_EVENTS_DEFAULT,
)
from indelible.operations import Nothing, Operation, Parameters
from indelible.operations import deliveries as on_deliveries
from indelible.operations import events as on_events
from indelible.operations import groups as on_groups
from indelible.operations import store as on_store
from indelible.operations.events import Subscribe, query_fields
from indelible.queries import EVERYTHING, Direction, EventQuery

P = TypeVar("P", bound=Parameters)
R = TypeVar("R")


class RemoteStore(ABC):
    """Implements :class:`indelible.eventstore.EventStore`; its subclasses know how to ask a server. Belongs to one
    event loop.

    Appends of concurrent tasks travel together, see :class:`AppendBatches`; above ``CLIENT_APPENDS_WAITING_MAX`` of
    them further callers wait. An append may come back ``replayed`` because an earlier attempt, whose answer was lost,
    stored it.

    What may be done twice is repeated as :class:`indelible.client.calls.Retry` says. Deleting a group, and replaying or
    skipping parked events, may not: they raise ``OutcomeUnknown`` when their answer is lost.
    """

    def __init__(self, retry_total_s: float) -> None:
        self._calls: Final = Calls(retry_total_s)
        self._batches: Final = AppendBatches(self._send_batch)
        self.groups: Final = RemoteGroups(self._ask)

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
        """Check what is asked, and have it done, repeated as the operation's row allows."""
        parameters.check()
        if operation.retry == "poll":

            async def attempt(left_s: float) -> R:
                return await self._send(operation, msgspec.structs.replace(parameters, wait_s=left_s), wait_s=left_s)

            return await self._calls.poll(attempt, getattr(parameters, "wait_s"))  # noqa: B009 - of all that are polled
        repeat = {"read": self._calls.read, "idempotent": self._calls.retried, "once": self._calls.once}
        return await repeat[operation.retry](lambda: self._send(operation, parameters))

    # --- Appending ---------------------------------------------------------------------------------------------------

    async def append(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: Sequence[NewEvent],
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        append = AggregateAppend.of(aggregate_type, aggregate_id, events, expected_version=expected_version)
        AppendRequest((append,)).check(atomic=False)
        body = self._encode_append(append)
        return await self._calls.append(lambda: self._batches.append(body, len(append.events)))

    async def append_each(self, appends: Sequence[AggregateAppend]) -> list[AppendOutcome]:
        return await each_outcome(as_requests(appends), self._append_lots)

    async def _append_lots(self, requests: Sequence[AppendRequest]) -> list[AppendOutcome]:
        """One after the other, so that all are stored in their order."""
        encoded = ((self._encode_append(one.appends[0]), one.event_count) for one in requests)
        outcomes: list[AppendOutcome] = []
        for lot in cut_lots(encoded):
            outcomes += await self._calls.append_each(lot, self._send_batch)
        return outcomes

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        request = AppendRequest(tuple(appends), condition)
        request.check(atomic=True)
        return await self._calls.append(lambda: self._send_atomic(request))

    # --- Events ------------------------------------------------------------------------------------------------------

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
        asked = on_events.ReadFeed(after=after, direction=direction, limit=limit, **query_fields(query.checked()))
        return await self._ask(on_events.READ_FEED, asked)

    async def follow(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> AsyncGenerator[FeedPage]:
        """Connects anew by itself, see :meth:`Calls.follow`."""
        asked = Subscribe(**query_fields(query.checked()))
        cursor = START if after is None else Cursor.parse(after)
        pages = self._calls.follow(lambda cursor: self._connect(msgspec.structs.replace(asked, after=cursor)), cursor)
        async with aclosing(pages):
            async for page in pages:
                yield page

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        return await self._ask(on_events.GET_EVENT, on_events.GetEvent(event_id))

    async def replay(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Replay:
        asked = on_events.ReplayAggregate(aggregate_type, aggregate_id, at_version)
        return await self._ask(on_events.REPLAY, asked)

    # --- Aggregates, snapshots and catalogues ------------------------------------------------------------------------

    async def get_aggregate(self, aggregate_type: str, aggregate_id: str) -> AggregateInfo:
        return await self._ask(on_store.GET_AGGREGATE, on_store.GetAggregate(aggregate_type, aggregate_id))

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

    async def get_snapshot(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Snapshot:
        return await self._ask(on_store.GET_SNAPSHOT, on_store.GetSnapshot(aggregate_type, aggregate_id, at_version))

    async def head(self) -> Head:
        return await self._ask(on_store.HEAD, Nothing())

    async def event_types(self) -> tuple[EventTypeInfo, ...]:
        return await self._ask(on_store.EVENT_TYPES, Nothing())

    async def aggregate_types(self) -> tuple[AggregateTypeInfo, ...]:
        return await self._ask(on_store.AGGREGATE_TYPES, Nothing())

    async def list_aggregates(
        self, *, aggregate_type: str | None = None, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> AggregateList:
        return await self._ask(on_store.LIST_AGGREGATES, on_store.ListAggregates(aggregate_type, after, limit))


class _Ask(Protocol):
    async def __call__(self, operation: Operation[P, R], parameters: P) -> R: ...


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

    async def list(self) -> tuple[GroupInfo, ...]:
        return await self._ask(on_groups.LIST_GROUPS, Nothing())

    async def get(self, group: str) -> GroupInfo:
        return await self._ask(on_groups.GET_GROUP, on_groups.GetGroup(group))

    async def change(
        self,
        group: str,
        *,
        ack_timeout_s: float | None = None,
        max_attempts: int | None = None,
        max_in_flight: int | None = None,
    ) -> GroupInfo:
        asked = on_groups.ChangeGroup(group, ack_timeout_s, max_attempts, max_in_flight)
        return await self._ask(on_groups.CHANGE_GROUP, asked)

    async def delete(self, group: str) -> None:
        await self._ask(on_groups.DELETE_GROUP, on_groups.DeleteGroup(group))

    async def reset(
        self,
        group: str,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
    ) -> GroupInfo:
        return await self._ask(on_groups.RESET_GROUP, on_groups.ResetGroup(group, start, after, since))

    async def pull(
        self, group: str, *, member: str = "", limit: int = GROUP_PULL_DEFAULT, wait_s: float = 0.0
    ) -> tuple[Delivery, ...]:
        return await self._ask(on_deliveries.PULL, on_deliveries.Pull(group, member, limit, wait_s))

    async def ack(self, group: str, delivery_ids: Sequence[str]) -> Settled:
        return await self._ask(on_deliveries.ACK, on_deliveries.Ack(group, delivery_ids))

    async def nack(
        self,
        group: str,
        delivery_ids: Sequence[str],
        *,
        delay_s: float = 0.0,
        reason: str = "",
        park: bool = False,
        untried: bool = False,
    ) -> Settled:
        asked = on_deliveries.Nack(group, delivery_ids, delay_s, reason, park, untried)
        return await self._ask(on_deliveries.NACK, asked)

    async def extend(self, group: str, delivery_ids: Sequence[str], *, ack_timeout_s: float | None = None) -> Settled:
        return await self._ask(on_deliveries.EXTEND, on_deliveries.Extend(group, delivery_ids, ack_timeout_s))

    async def list_in_flight(self, group: str) -> tuple[InFlight, ...]:
        return await self._ask(on_deliveries.LIST_IN_FLIGHT, on_deliveries.ListInFlight(group))

    async def list_parked(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> ParkedList:
        return await self._ask(on_deliveries.LIST_PARKED, on_deliveries.ListParked(group, after, limit))

    async def replay_parked(self, group: str, positions: Sequence[int] | None = None) -> int:
        return await self._ask(
            on_deliveries.REPLAY_PARKED, on_deliveries.ReplayParked(group, positions, positions is None)
        )

    async def skip_parked(self, group: str, positions: Sequence[int], *, reason: str) -> int:
        return await self._ask(on_deliveries.SKIP_PARKED, on_deliveries.SkipParked(group, positions, reason))

    async def list_skipped(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> SkippedList:
        return await self._ask(on_deliveries.LIST_SKIPPED, on_deliveries.ListSkipped(group, after, limit))
