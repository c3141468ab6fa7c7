"""GrpcEventStore: the EventStore of a server, over gRPC."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from google.protobuf.message import Message

from indelible.client.append_batches import AppendBatches
from indelible.client.calls import Calls
from indelible.client.grpc_channel import Channel
from indelible.client.grpc_groups import GrpcConsumerGroups
from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.errors import InternalError
from indelible.events import (
    AggregateKey,
    NewEvent,
    RecordedEvent,
    Snapshot,
    check_aggregate_type,
    check_event_id,
    check_version,
    encode_snapshot_state,
)
from indelible.eventstore import (
    AggregateAppend,
    AggregateInfo,
    AggregateList,
    AggregatePage,
    AggregateTypeInfo,
    AppendRequest,
    AppendResult,
    AtomicAppendResult,
    EventTypeInfo,
    FeedPage,
    Head,
    Replay,
)
from indelible.limits import (
    CLIENT_RETRY_TOTAL_MAX_S,
    CLIENT_SILENCE_MAX_S,
    CLIENT_TIMEOUT_S,
    PAGE_EVENTS_DEFAULT,
)
from indelible.queries import EVERYTHING, START, Cursor, Direction, EventQuery, check_list_cursor, check_page
from indelible.wire import proto_requests as requests
from indelible.wire import proto_responses as responses
from indelible.wire.pb import event_store_pb2 as pb
from indelible.wire.pb.events_pb2 import EventQuery as EventQueryMessage

M = TypeVar("M", bound=Message)
R = TypeVar("R")


class GrpcEventStore(GrpcConsumerGroups):
    """Implements :class:`indelible.eventstore.EventStore`. Belongs to one event loop.

    Behaves as :class:`indelible.client.http.HttpEventStore` does. ``url`` is ``grpc://HOST:PORT``; ``headers`` are sent
    as metadata.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = CLIENT_TIMEOUT_S,
        retry_total_s: float = CLIENT_RETRY_TOTAL_MAX_S,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._channel = Channel(urlsplit(url).netloc, timeout_s=timeout_s, headers=headers or {})
        self._calls = Calls(retry_total_s)
        self._batches: Final = AppendBatches(self._channel.append_batch)

    async def open(self) -> Self:
        self._channel.open()
        return self

    async def aclose(self) -> None:
        """Finish what is in flight, but retry no more."""
        await self._calls.stop()
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _read(self, decode: Callable[[M], R], method: str, request: Message, answer: type[M]) -> R:
        return decode(await self._calls.read(partial(self._channel.call, method, request, answer)))

    async def _read_page(self, decode: Callable[[M], R], method: str, request: Message, answer: type[M]) -> R:
        return decode(await self._calls.read(partial(self._first, method, request, answer)))

    async def _first(self, method: str, request: Message, answer: type[M]) -> M:
        async with aclosing(self._channel.stream(method, request, answer)) as messages:
            async for message in messages:
                return message
        raise InternalError("the server's answer holds no page")

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
        body = requests.encode_batch_append(append)
        return await self._calls.append(lambda: self._batches.append(body, len(append.events)))

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        request = AppendRequest(tuple(appends), condition)
        request.check(atomic=True)
        message = requests.atomic_append_message(request.appends, request.condition)
        send = partial(self._channel.call, "AppendAtomic", message, pb.AppendAtomicResponse)
        return responses.decode_atomic_append_result(await self._calls.append(send))

    # --- Reading -----------------------------------------------------------------------------------------------------

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
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        check_page(limit, direction)
        request = pb.ReadAggregateRequest(
            aggregate_type=key.aggregate_type,
            aggregate_id=key.aggregate_id,
            from_version=_version("/from_version", from_version),
            to_version=_version("/to_version", to_version),
            direction=requests.direction_value(direction),
            limit=limit,
            pages_max=1,
        )
        return await self._read_page(
            responses.decode_aggregate_page, "ReadAggregate", request, pb.ReadAggregateResponse
        )

    async def read_feed(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> FeedPage:
        query = query.checked()
        check_page(limit, direction)
        request = pb.ReadFeedRequest(
            query=requests.query_message(query),
            after=None if after is None else Cursor.parse(after),
            direction=requests.direction_value(direction),
            limit=limit,
            pages_max=1,
        )
        return await self._read_page(responses.decode_feed_page, "ReadFeed", request, pb.ReadFeedResponse)

    async def follow(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> AsyncGenerator[FeedPage]:
        """Connects anew by itself, see :meth:`Calls.follow`."""
        message = requests.query_message(query.checked())
        cursor = START if after is None else Cursor.parse(after)
        async with aclosing(self._calls.follow(lambda after: self._subscribe(message, after), cursor)) as pages:
            async for page in pages:
                yield page

    async def _subscribe(self, query: EventQueryMessage, after: Cursor) -> AsyncGenerator[FeedPage]:
        request = pb.SubscribeRequest(query=query, after=after)
        messages = self._channel.stream("Subscribe", request, pb.SubscribeResponse, silence_max_s=CLIENT_SILENCE_MAX_S)
        async with aclosing(messages):
            async for message in messages:
                yield responses.decode_told_page(message)

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        request = pb.GetEventRequest(event_id=str(check_event_id(event_id)))
        return await self._read(responses.decode_recorded_event, "GetEvent", request, pb.GetEventResponse)

    async def get_aggregate(self, aggregate_type: str, aggregate_id: str) -> AggregateInfo:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        request = pb.GetAggregateRequest(aggregate_type=key.aggregate_type, aggregate_id=key.aggregate_id)
        return await self._read(responses.decode_aggregate_info, "GetAggregate", request, pb.GetAggregateResponse)

    async def replay(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Replay:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        request = pb.ReplayRequest(
            aggregate_type=key.aggregate_type,
            aggregate_id=key.aggregate_id,
            at_version=_version("/at_version", at_version),
        )
        return await self._read(responses.decode_replay, "Replay", request, pb.ReplayResponse)

    async def head(self) -> Head:
        return await self._read(responses.decode_head, "GetHead", pb.GetHeadRequest(), pb.GetHeadResponse)

    async def event_types(self) -> tuple[EventTypeInfo, ...]:
        request = pb.ListEventTypesRequest()
        return await self._read(responses.decode_event_types, "ListEventTypes", request, pb.ListEventTypesResponse)

    async def aggregate_types(self) -> tuple[AggregateTypeInfo, ...]:
        request = pb.ListAggregateTypesRequest()
        return await self._read(
            responses.decode_aggregate_types, "ListAggregateTypes", request, pb.ListAggregateTypesResponse
        )

    async def list_aggregates(
        self, *, aggregate_type: str | None = None, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> AggregateList:
        if aggregate_type is not None:
            aggregate_type = check_aggregate_type(aggregate_type)
        check_page(limit)
        request = pb.ListAggregatesRequest(aggregate_type=aggregate_type, after=check_list_cursor(after), limit=limit)
        return await self._read(responses.decode_aggregate_list, "ListAggregates", request, pb.ListAggregatesResponse)

    # --- Snapshots ---------------------------------------------------------------------------------------------------

    async def save_snapshot(
        self,
        aggregate_type: str,
        aggregate_id: str,
        *,
        version: int,
        state: Any,
        metadata: Mapping[str, Any] | None = None,
    ) -> Snapshot:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        check_version(version, "/version")
        encoded, encoded_metadata = encode_snapshot_state(state, metadata)
        request = pb.SaveSnapshotRequest(
            aggregate_type=key.aggregate_type,
            aggregate_id=key.aggregate_id,
            version=version,
            state=encoded.decode(),
            metadata=encoded_metadata.decode(),
        )
        save = partial(self._channel.call, "SaveSnapshot", request, pb.SaveSnapshotResponse)
        return responses.decode_snapshot(await self._calls.retried(save))

    async def get_snapshot(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Snapshot:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        request = pb.GetSnapshotRequest(
            aggregate_type=key.aggregate_type,
            aggregate_id=key.aggregate_id,
            at_version=_version("/at_version", at_version),
        )
        return await self._read(responses.decode_snapshot, "GetSnapshot", request, pb.GetSnapshotResponse)


def _version(pointer: str, value: int | None) -> int | None:
    return None if value is None else check_version(value, pointer)
