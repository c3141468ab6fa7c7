"""HttpEventStore: the EventStore of a server, over its REST API."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from indelible.client.append_batches import AppendBatches, AppendOutcome
from indelible.client.calls import Calls
from indelible.client.event_source import read_pages
from indelible.client.http_groups import HttpConsumerGroups
from indelible.client.transport import Parameters, Transport
from indelible.conditions import AppendCondition, ExpectedVersion
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
from indelible.wire import requests, responses
from indelible.wire.feed_query import query_parameters
from indelible.wire.paths import aggregate_path

R = TypeVar("R")


class HttpEventStore(HttpConsumerGroups):
    """Implements :class:`indelible.eventstore.EventStore`. Belongs to one event loop.

    Every call is repeated as :class:`Retry` says; that is safe for appends because events carry their ids. Appends of
    concurrent tasks travel together, see :class:`AppendBatches`; above ``CLIENT_APPENDS_WAITING_MAX`` of them further
    callers wait. An append may come back ``replayed`` because an earlier attempt, whose answer was lost, stored it.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = CLIENT_TIMEOUT_S,
        retry_total_s: float = CLIENT_RETRY_TOTAL_MAX_S,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(Transport(url, timeout_s=timeout_s, headers=headers or {}), Calls(retry_total_s))
        self._batches: Final = AppendBatches(self._send_batch)

    async def open(self) -> Self:
        self._transport.open()
        return self

    async def aclose(self) -> None:
        """Finish what is in flight, but retry no more."""
        await self._calls.stop()
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _read(self, decode: Callable[[bytes], R], path: str, parameters: Parameters = ()) -> R:
        return decode(await self._calls.read(partial(self._transport.get, path, parameters)))

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

    async def _send_batch(self, appends: Sequence[bytes]) -> Sequence[AppendOutcome]:
        return responses.decode_batch_results(await self._transport.post("/v1/batch", requests.join_batch(appends)))

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        request = AppendRequest(tuple(appends), condition)
        request.check(atomic=True)
        body = requests.encode_atomic_append(request.appends, request.condition)
        return await self._calls.append(lambda: self._send_atomic(body))

    async def _send_atomic(self, body: bytes) -> AtomicAppendResult:
        return responses.decode_atomic_append_result(await self._transport.post("/v1/append", body))

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
        path = _aggregate_path(aggregate_type, aggregate_id)
        versions = [_version("from_version", from_version), _version("to_version", to_version)]
        parameters = [*versions, *_page(limit, direction)]
        return await self._read(responses.decode_aggregate_page, f"{path}/events", parameters)

    async def read_feed(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> FeedPage:
        parameters = [*query_parameters(query.checked()), *_page(limit, direction)]
        cursor = None if after is None else Cursor.parse(after)
        return await self._read(responses.decode_feed_page, "/v1/events", [*parameters, ("after", cursor)])

    async def follow(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> AsyncGenerator[FeedPage]:
        """Connects anew by itself, see :meth:`Calls.follow`."""
        parameters = query_parameters(query.checked())
        cursor = START if after is None else Cursor.parse(after)
        async with aclosing(self._calls.follow(partial(self._connect_feed, parameters), cursor)) as pages:
            async for page in pages:
                yield page

    def _connect_feed(self, parameters: list[tuple[str, str]], after: Cursor) -> AsyncGenerator[FeedPage]:
        chunks = self._transport.stream(
            "/v1/events",
            [*parameters, ("after", after)],
            headers={"Accept": "text/event-stream"},
            silence_max_s=CLIENT_SILENCE_MAX_S,
        )
        return read_pages(chunks)

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        return await self._read(responses.decode_recorded_event, f"/v1/events/{check_event_id(event_id)}")

    async def get_aggregate(self, aggregate_type: str, aggregate_id: str) -> AggregateInfo:
        return await self._read(responses.decode_aggregate_info, _aggregate_path(aggregate_type, aggregate_id))

    async def replay(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Replay:
        path = _aggregate_path(aggregate_type, aggregate_id)
        return await self._read(responses.decode_replay, f"{path}/replay", [_version("at_version", at_version)])

    async def head(self) -> Head:
        return await self._read(responses.decode_head, "/v1/head")

    async def event_types(self) -> tuple[EventTypeInfo, ...]:
        return await self._read(responses.decode_event_types, "/v1/event-types")

    async def aggregate_types(self) -> tuple[AggregateTypeInfo, ...]:
        return await self._read(responses.decode_aggregate_types, "/v1/aggregate-types")

    async def list_aggregates(
        self, *, aggregate_type: str | None = None, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> AggregateList:
        if aggregate_type is not None:
            aggregate_type = check_aggregate_type(aggregate_type)
        parameters = [("aggregate_type", aggregate_type), *_page(limit), ("after", check_list_cursor(after))]
        return await self._read(responses.decode_aggregate_list, "/v1/aggregates", parameters)

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
        path = _aggregate_path(aggregate_type, aggregate_id)
        check_version(version, "/version")
        body = requests.encode_snapshot(version, *encode_snapshot_state(state, metadata))
        return responses.decode_snapshot(
            await self._calls.retried(lambda: self._transport.put(f"{path}/snapshot", body))
        )

    async def get_snapshot(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Snapshot:
        path = _aggregate_path(aggregate_type, aggregate_id)
        return await self._read(responses.decode_snapshot, f"{path}/snapshot", [_version("at_version", at_version)])


# A query string knows only text, where 1, "1" and 1.0 look alike: what is wrong must be found before it becomes text.


def _version(name: str, value: int | None) -> tuple[str, object]:
    return name, None if value is None else check_version(value, f"/{name}")


def _page(limit: int, direction: Direction = "forward") -> list[tuple[str, object]]:
    check_page(limit, direction)
    return [("direction", None if direction == "forward" else direction), ("limit", limit)]


def _aggregate_path(aggregate_type: str, aggregate_id: str) -> str:
    return aggregate_path(AggregateKey.checked(aggregate_type, aggregate_id))
