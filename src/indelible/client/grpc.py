"""GrpcEventStore: the EventStore of a server, over gRPC."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from google.protobuf.message import Message

from indelible.client.grpc_channel import Channel
from indelible.client.remote import P, R, RemoteStore
from indelible.conditions import AppendCondition
from indelible.cursors import START, Cursor
from indelible.errors import InternalError
from indelible.events import (
    AggregateKey,
    RecordedEvent,
    check_event_id,
    check_version,
)
from indelible.eventstore import (
    AggregateAppend,
    AggregatePage,
    AppendOutcome,
    AppendRequest,
    AtomicAppendResult,
    FeedPage,
    Replay,
)
from indelible.limits import (
    CLIENT_RETRY_TOTAL_MAX_S,
    CLIENT_SILENCE_MAX_S,
    CLIENT_TIMEOUT_S,
    PAGE_EVENTS_DEFAULT,
)
from indelible.operations import Operation
from indelible.queries import EVERYTHING, Direction, EventQuery, check_page
from indelible.wire import proto_requests as requests
from indelible.wire import proto_responses as responses
from indelible.wire.operation_proto import answer_type, decode_answer, encode_parameters
from indelible.wire.pb import event_store_pb2 as pb
from indelible.wire.pb.events_pb2 import EventQuery as EventQueryMessage

M = TypeVar("M", bound=Message)


class GrpcEventStore(RemoteStore):
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
        super().__init__(retry_total_s)
        self._channel = Channel(urlsplit(url).netloc, timeout_s=timeout_s, headers=headers or {})

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

    async def _send(self, operation: Operation[P, R], parameters: P, *, wait_s: float = 0.0) -> R:
        request, method = encode_parameters(operation, parameters), operation.grpc.partition(".")[2]
        answer = await self._channel.call(method, request, answer_type(operation), wait_s=wait_s)
        return decode_answer(operation, answer)

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

    def _encode_append(self, append: AggregateAppend) -> bytes:
        return requests.encode_batch_append(append)

    async def _send_batch(self, appends: Sequence[bytes]) -> Sequence[AppendOutcome]:
        return await self._channel.append_batch(appends)

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

    async def replay(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Replay:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        request = pb.ReplayRequest(
            aggregate_type=key.aggregate_type,
            aggregate_id=key.aggregate_id,
            at_version=_version("/at_version", at_version),
        )
        return await self._read(responses.decode_replay, "Replay", request, pb.ReplayResponse)


def _version(pointer: str, value: int | None) -> int | None:
    return None if value is None else check_version(value, pointer)
