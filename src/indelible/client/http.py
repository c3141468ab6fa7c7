"""HttpEventStore: the EventStore of a server, over its REST API."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final, Self
from uuid import UUID

from indelible.client.event_source import read_pages
from indelible.client.remote import P, R, RemoteStore
from indelible.client.transport import Parameters, Transport
from indelible.conditions import AppendCondition
from indelible.cursors import START, Cursor
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
from indelible.wire import requests, responses
from indelible.wire.feed_query import query_parameters
from indelible.wire.operation_json import decode_answer, encode_parameters
from indelible.wire.paths import aggregate_path


class HttpEventStore(RemoteStore):
    """Implements :class:`indelible.eventstore.EventStore`. Belongs to one event loop.

    Every call is repeated as :class:`Retry` says; that is safe for appends because events carry their ids. Appends of
    concurrent tasks travel together, see :class:`indelible.batching.Batcher`; above ``CLIENT_APPENDS_WAITING_MAX`` of
    them further callers wait. An append may come back ``replayed`` because an earlier attempt, whose answer was lost,
    stored it.
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
        self._transport: Final = Transport(url, timeout_s=timeout_s, headers=headers or {})

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

    async def _send(self, operation: Operation[P, R], parameters: P, *, wait_s: float = 0.0) -> R:
        path, query, body = encode_parameters(operation, parameters)
        return decode_answer(operation, await self._transport.send(operation.method, path, query, body, wait_s=wait_s))

    async def _read(self, decode: Callable[[bytes], R], path: str, parameters: Parameters = ()) -> R:
        return decode(await self._calls.read(partial(self._transport.get, path, parameters)))

    # --- Appending ---------------------------------------------------------------------------------------------------

    def _encode_append(self, append: AggregateAppend) -> bytes:
        return requests.encode_batch_append(append)

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

    async def replay(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Replay:
        path = _aggregate_path(aggregate_type, aggregate_id)
        return await self._read(responses.decode_replay, f"{path}/replay", [_version("at_version", at_version)])


# A query string knows only text, where 1, "1" and 1.0 look alike: what is wrong must be found before it becomes text.


def _version(name: str, value: int | None) -> tuple[str, object]:
    return name, None if value is None else check_version(value, f"/{name}")


def _page(limit: int, direction: Direction = "forward") -> list[tuple[str, object]]:
    check_page(limit, direction)
    return [("direction", None if direction == "forward" else direction), ("limit", limit)]


def _aggregate_path(aggregate_type: str, aggregate_id: str) -> str:
    return aggregate_path(AggregateKey.checked(aggregate_type, aggregate_id))
