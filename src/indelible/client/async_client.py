"""AsyncClient: a store by its URL, with what applications need on top of the store's own calls."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from functools import partial, update_wrapper
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

from indelible.client.consumer import Consumer
from indelible.client.event_iterator import EventIterator, iterate_aggregate, iterate_feed
from indelible.client.rebuild import Apply, Rebuilt, T, as_it_is, rebuild
from indelible.client.repository import Repository
from indelible.client.stores import OpenableStore, check_url, make_store
from indelible.client.subscription import Subscription
from indelible.errors import ShuttingDown
from indelible.eventstore import AggregatePage, EventStore, FeedPage
from indelible.limits import CLIENT_RETRY_TOTAL_MAX_S, CLIENT_TIMEOUT_S, GROUP_PULL_DEFAULT, PAGE_EVENTS_MAX
from indelible.queries import EVERYTHING, Cursor, Direction, EventQuery

P = ParamSpec("P")
R = TypeVar("R")


def _forwarded(
    method: Callable[Concatenate[EventStore, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, R]]:
    """A method of AsyncClient that is the store's own, with the same signature and documentation."""
    name = method.__name__

    async def call(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> R:
        store = self._opened or await self._open_once()
        result: R = await getattr(store, name)(*args, **kwargs)
        return result

    update_wrapper(call, method)
    return call


class AsyncClient:
    """A client of one store; implements :class:`indelible.eventstore.EventStore`.

    ``url`` is ``http://HOST:PORT``, ``https://…`` or ``grpc://HOST:PORT`` of a server, ``memory:`` for an empty store
    in this process, or ``sqlite:PATH`` for a database file that this process opens itself. Use as ``async with
    AsyncClient(url) as client``, or call :meth:`aclose` at the end; it connects at the first call. It belongs to one
    event loop, and any number of tasks may use it at once: their appends travel together.

    For servers: ``timeout_s`` bounds one request. Requests that may succeed later (no connection, time-out, an
    overloaded or restarting server) are repeated with growing waits for ``retry_total_s`` seconds in all, 0 for never.
    That is safe for appends too, because events carry their ids. ``headers`` go with every request.

    Raises ``InvalidRequest`` for a URL that names no store.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = CLIENT_TIMEOUT_S,
        retry_total_s: float = CLIENT_RETRY_TOTAL_MAX_S,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        check_url(url)
        self.url: Final = url
        self._make_store = partial(
            make_store, url, timeout_s=timeout_s, retry_total_s=retry_total_s, headers=headers or {}
        )
        self._opening = asyncio.Lock()
        self._opened: OpenableStore | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    async def _open_once(self) -> OpenableStore:
        async with self._opening:
            if self._closed:
                raise ShuttingDown("the client is closed")
            if self._opened is None:
                store = self._make_store()
                await store.open()
                self._opened = store
            return self._opened

    async def __aenter__(self) -> Self:
        await self._open_once()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Finish what is in flight and let go of everything. May be called twice. Later calls of other
        methods raise ``ShuttingDown``."""
        async with self._opening:
            self._closed = True
            store, self._opened = self._opened, None
            if store is not None:
                await store.aclose()

    append = _forwarded(EventStore.append)
    append_each = _forwarded(EventStore.append_each)
    append_atomic = _forwarded(EventStore.append_atomic)
    read_aggregate = _forwarded(EventStore.read_aggregate)
    read_feed = _forwarded(EventStore.read_feed)
    get_event = _forwarded(EventStore.get_event)
    get_aggregate = _forwarded(EventStore.get_aggregate)
    replay = _forwarded(EventStore.replay)
    save_snapshot = _forwarded(EventStore.save_snapshot)
    get_snapshot = _forwarded(EventStore.get_snapshot)
    head = _forwarded(EventStore.head)
    event_types = _forwarded(EventStore.event_types)
    aggregate_types = _forwarded(EventStore.aggregate_types)
    list_aggregates = _forwarded(EventStore.list_aggregates)
    create_group = _forwarded(EventStore.create_group)
    list_groups = _forwarded(EventStore.list_groups)
    get_group = _forwarded(EventStore.get_group)
    change_group = _forwarded(EventStore.change_group)
    delete_group = _forwarded(EventStore.delete_group)
    reset_group = _forwarded(EventStore.reset_group)
    pull = _forwarded(EventStore.pull)
    ack = _forwarded(EventStore.ack)
    nack = _forwarded(EventStore.nack)
    extend = _forwarded(EventStore.extend)
    list_in_flight = _forwarded(EventStore.list_in_flight)
    list_parked = _forwarded(EventStore.list_parked)
    replay_parked = _forwarded(EventStore.replay_parked)
    skip_parked = _forwarded(EventStore.skip_parked)
    list_skipped = _forwarded(EventStore.list_skipped)

    def iter_aggregate(
        self,
        aggregate_type: str,
        aggregate_id: str,
        *,
        from_version: int | None = None,
        to_version: int | None = None,
        direction: Direction = "forward",
        page_size: int = PAGE_EVENTS_MAX,
    ) -> EventIterator[AggregatePage]:
        """All events of one aggregate, both versions inclusive, page after page, one page ahead of the caller.

        The iterator raises ``AggregateNotFound`` when the aggregate has no events.
        """
        return iterate_aggregate(
            self, aggregate_type, aggregate_id,
            from_version=from_version, to_version=to_version, direction=direction, page_size=page_size,
        )  # fmt: skip

    def iter_feed(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        direction: Direction = "forward",
        page_size: int = PAGE_EVENTS_MAX,
    ) -> EventIterator[FeedPage]:
        """All events of the log that match, up to the head, page after page, one page ahead of the caller.

        To go on later from where you came to, take pages (``next_page()``) and keep the last one's ``cursor``.
        """
        return iterate_feed(self, query, after=after, direction=direction, page_size=page_size)

    def subscribe(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> Subscription:
        """All events of the log that match, and then those that come, in order, for ever: see :class:`Subscription`.

        ``after`` is where an earlier subscription had come to; None starts at the first event. A broken connection is
        made anew, and nothing is missed or given out twice; a server that is out of reach for ``retry_total_s`` seconds
        raises ``Unavailable``. Keep ``Subscription.cursor``, or ``Cursor.at(event.position)``, to go on later.
        """
        return Subscription(self.follow(query, after=after), after)

    async def follow(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> AsyncGenerator[FeedPage]:
        """The pages of :meth:`subscribe`."""
        store = self._opened or await self._open_once()
        async with aclosing(store.follow(query, after=after)) as pages:
            async for page in pages:
                yield page

    def consume(self, group: str, *, member: str = "", max_in_flight: int = GROUP_PULL_DEFAULT) -> Consumer:
        """Be a member of a consumer group: events as they come, each to be acknowledged; see :class:`Consumer`.

        ``member`` is for people to read. At most ``max_in_flight`` events are with this consumer at once.
        """
        return Consumer(self, group, member=member, max_in_flight=max_in_flight)

    async def rebuild(
        self,
        aggregate_type: str,
        aggregate_id: str,
        apply: Apply[T],
        initial: T,
        *,
        at_version: int | None = None,
        use_snapshots: bool = True,
        snapshot_every: int | None = None,
        encode: Callable[[T], Any] = as_it_is,
        decode: Callable[[Any], T] = as_it_is,
    ) -> Rebuilt[T]:
        """The state of an aggregate and its version: the newest snapshot, and ``apply`` for every event after it.

        ``initial`` is the state before the first event. ``at_version`` gives the state as it was at that version (the
        newest, if the aggregate has not come to it). With ``snapshot_every`` a snapshot is saved when that many events
        or more came since the last one. A state that is not JSON needs ``encode`` (to JSON) and ``decode``.

        An aggregate has one line of snapshots. So states that another ``apply`` gives, and states of an older
        program's shape, must be kept apart: with ``use_snapshots=False`` every event is read instead.
        Raises ``AggregateNotFound``.
        """
        return await rebuild(
            self, aggregate_type, aggregate_id, apply, initial,
            at_version=at_version, use_snapshots=use_snapshots, snapshot_every=snapshot_every,
            encode=encode, decode=decode,
        )  # fmt: skip

    def repository(
        self,
        aggregate_type: str,
        apply: Apply[T],
        initial: Callable[[], T],
        *,
        snapshot_every: int | None = None,
        encode: Callable[[T], Any] = as_it_is,
        decode: Callable[[Any], T] = as_it_is,
    ) -> Repository[T]:
        """Load and save the aggregates of one type as states; see :class:`Repository`."""
        return Repository(
            self, aggregate_type, apply, initial, snapshot_every=snapshot_every, encode=encode, decode=decode
        )
