"""What both ways to a server have in common: the operations that are one question and one answer, as methods."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import msgspec

from indelible.batching import Batcher, Bounds, in_bounds
from indelible.client.calls import Calls
from indelible.conditions import ExpectedVersion
from indelible.cursors import Cursor
from indelible.events import NewEvent, Snapshot, encode_snapshot_state
from indelible.eventstore import (
    AggregateAppend,
    AggregateInfo,
    AggregateList,
    AggregateTypeInfo,
    AppendOutcome,
    AppendRequest,
    AppendResult,
    EventTypeInfo,
    Head,
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
    CLIENT_BATCH_APPENDS_MAX,
    CLIENT_BATCH_APPENDS_MIN,
    CLIENT_BATCH_SIZE_BYTES_MAX,
    CLIENT_BATCHES_IN_FLIGHT_MAX,
    GROUP_ACK_TIMEOUT_DEFAULT_S,
    GROUP_ATTEMPTS_DEFAULT,
    GROUP_IN_FLIGHT_DEFAULT,
    GROUP_PULL_DEFAULT,
    PAGE_EVENTS_DEFAULT,
    REQUEST_EVENTS_MAX,
)
from indelible.operations import Operation, Parameters
from indelible.operations import deliveries as on_deliveries
from indelible.operations import groups as on_groups
from indelible.operations import store as on_store
from indelible.queries import EVERYTHING, EventQuery

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


class RemoteStore(ABC):
    """Implements those parts of :class:`indelible.eventstore.EventStore`; its subclasses know how to ask a server.

    What may be done twice is repeated as :class:`indelible.client.retry.Retry` says. Deleting a group, and replaying or
    skipping parked events, may not: they raise ``OutcomeUnknown`` when their answer is lost.
    """

    def __init__(self, retry_total_s: float) -> None:
        self._calls: Final = Calls(retry_total_s)
        self._batches: Final = append_batcher(self._send_batch)
        self.groups: Final = RemoteGroups(self._ask)

    @abstractmethod
    def _encode_append(self, append: AggregateAppend) -> bytes:
        """As it stands in a batch."""

    @abstractmethod
    async def _send_batch(self, appends: Sequence[bytes]) -> Sequence[AppendOutcome]:
        """One attempt to send encoded appends; one outcome each."""

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
        repeat = {"read": self._calls.read, "idempotent": self._calls.retried, "once": self._calls.once}[
            operation.retry
        ]
        return await repeat(lambda: self._send(operation, parameters))

    # --- Independent appends -----------------------------------------------------------------------------------------

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
        return await self._ask(on_store.HEAD, on_store.Nothing())

    async def event_types(self) -> tuple[EventTypeInfo, ...]:
        return await self._ask(on_store.EVENT_TYPES, on_store.Nothing())

    async def aggregate_types(self) -> tuple[AggregateTypeInfo, ...]:
        return await self._ask(on_store.AGGREGATE_TYPES, on_store.Nothing())

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
        return await self._ask(on_groups.LIST_GROUPS, on_groups.ListGroups())

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
