"""AsyncClient: a store by its URL, with what applications need on top of the store's own calls."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, Protocol, Self, TypeVar

from indelible.client.iterators import Subscription, iterate_aggregate, iterate_feed
from indelible.client.repository import Apply, Repository, T, as_it_is, rebuild
from indelible.consumer import Consumer
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest, ShuttingDown
from indelible.eventstore import EventStore, FeedPage
from indelible.groups import ConsumerGroups
from indelible.index_state import SearchIndex
from indelible.limits import CLIENT_RETRY_TOTAL_MAX_S, CLIENT_TIMEOUT_S, GROUP_PULL_DEFAULT
from indelible.queries import EVERYTHING, EventQuery
from indelible.relay_state import Relays
from indelible.store_urls import SERVER_SCHEMES, check_server_url, engine_schemes, is_engine_url, is_server_url

if TYPE_CHECKING:
    from indelible.client.grpc import GrpcEventStore


class OpenableStore(EventStore, Protocol):
    async def open(self) -> object:
        """Make ready; called once, before anything else."""
        ...


def check_url(url: object) -> None:
    """Raises ``InvalidRequest`` when it is no URL, or no store is known for its scheme."""
    if not isinstance(url, str):
        raise InvalidRequest(f"must be a URL, not {type(url).__name__}", pointer="/url")
    if is_server_url(url):
        check_server_url(url)
    elif not is_engine_url(url):
        known = ", ".join(f"{name}:" for name in (*SERVER_SCHEMES, *engine_schemes()))
        raise InvalidRequest(f"{url!r} is not the URL of a store; known schemes are {known}", pointer="/url")


def make_store(url: str, *, timeout_s: float, retry_total_s: float, headers: Mapping[str, str]) -> OpenableStore:
    """A store for a URL that was checked, not opened yet. All but ``url`` is for servers."""
    if not is_server_url(url):
        # Nothing of it is loaded, nor needed, by a client of a server.
        from indelible.core.open import open_local_store  # noqa: PLC0415 - see above
        from indelible.indexes.beside import with_index_beside  # noqa: PLC0415 - see above

        return with_index_beside(open_local_store(url, may_hold_loop=True), url)
    url = check_server_url(url)
    if url.startswith("grpc:"):
        return _grpc_store()(url, timeout_s=timeout_s, retry_total_s=retry_total_s, headers=headers)
    # A client of a local store never loads the HTTP library.
    from indelible.client.http import HttpEventStore  # noqa: PLC0415 - see above

    return HttpEventStore(url, timeout_s=timeout_s, retry_total_s=retry_total_s, headers=headers)


def _grpc_store() -> "type[GrpcEventStore]":
    try:
        from indelible.client.grpc import GrpcEventStore  # noqa: PLC0415 - needs packages of an extra
    except ImportError as error:
        raise InvalidRequest.of_extra("grpc", error, pointer="/url") from None
    return GrpcEventStore


D = TypeVar("D")
P = ParamSpec("P")
R = TypeVar("R")


class _Opening(Generic[D]):
    """What calls something that has to be opened first."""

    _opened: D | None = None
    """Once it is known, where it stays the same."""

    async def _inner(self) -> D:
        raise NotImplementedError


def _forwarded(
    method: Callable[Concatenate[D, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[_Opening[D], P], Coroutine[Any, Any, R]]:
    """A method that is the inner one's own, with the same signature and documentation."""
    name = method.__name__

    async def call(self: _Opening[D], /, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = await getattr(self._opened or await self._inner(), name)(*args, **kwargs)
        return result

    update_wrapper(call, method)
    return call


class AsyncGroups(_Opening[ConsumerGroups]):
    """The consumer groups of an :class:`AsyncClient`'s store: its ``groups``."""

    def __init__(self, open_store: Callable[[], Coroutine[Any, Any, EventStore]]) -> None:
        self._open_store: Final = open_store

    async def _inner(self) -> ConsumerGroups:
        return (await self._open_store()).groups

    create = _forwarded(ConsumerGroups.create)
    list = _forwarded(ConsumerGroups.list)
    get = _forwarded(ConsumerGroups.get)
    change = _forwarded(ConsumerGroups.change)
    delete = _forwarded(ConsumerGroups.delete)
    reset = _forwarded(ConsumerGroups.reset)
    pull = _forwarded(ConsumerGroups.pull)
    ack = _forwarded(ConsumerGroups.ack)
    nack = _forwarded(ConsumerGroups.nack)
    extend = _forwarded(ConsumerGroups.extend)
    list_in_flight = _forwarded(ConsumerGroups.list_in_flight)
    list_parked = _forwarded(ConsumerGroups.list_parked)
    redrive_parked = _forwarded(ConsumerGroups.redrive_parked)
    skip_parked = _forwarded(ConsumerGroups.skip_parked)
    list_skipped = _forwarded(ConsumerGroups.list_skipped)


class AsyncRelays(_Opening[Relays]):
    """The relays of an :class:`AsyncClient`'s store: its ``relays``."""

    def __init__(self, open_store: Callable[[], Coroutine[Any, Any, EventStore]]) -> None:
        self._open_store: Final = open_store

    async def _inner(self) -> Relays:
        return (await self._open_store()).relays

    claim = _forwarded(Relays.claim)
    advance = _forwarded(Relays.advance)
    release = _forwarded(Relays.release)
    list = _forwarded(Relays.list)
    get = _forwarded(Relays.get)
    pause = _forwarded(Relays.pause)
    resume = _forwarded(Relays.resume)
    reset = _forwarded(Relays.reset)
    replay = _forwarded(Relays.replay)
    cancel_replay = _forwarded(Relays.cancel_replay)
    list_set_aside = _forwarded(Relays.list_set_aside)
    retry_set_aside = _forwarded(Relays.retry_set_aside)
    dismiss_set_aside = _forwarded(Relays.dismiss_set_aside)


class AsyncIndex(_Opening[SearchIndex]):
    """The query index of an :class:`AsyncClient`'s store: its ``index``."""

    def __init__(self, open_store: Callable[[], Coroutine[Any, Any, EventStore]]) -> None:
        self._open_store: Final = open_store

    async def _inner(self) -> SearchIndex:
        return (await self._open_store()).index

    status = _forwarded(SearchIndex.status)
    rebuild = _forwarded(SearchIndex.rebuild)
    retry = _forwarded(SearchIndex.retry)
    drop = _forwarded(SearchIndex.drop)


class AsyncClient(_Opening[EventStore]):
    """A client of one store; implements :class:`indelible.eventstore.EventStore`.

    ``url`` is ``http://HOST:PORT``, ``https://…`` or ``grpc://HOST:PORT`` of a server, ``memory:`` for an empty store
    in this process, or ``sqlite:PATH`` for a database file that this process opens itself. Use as ``async with
    AsyncClient(url) as client``, or call :meth:`aclose` at the end; it connects at the first call. It belongs to one
    event loop, and any number of tasks may use it at once: their appends travel together.
    For a store in this process, an append that comes alone may be committed on the event loop, on a fast disk; and
    searches read the query index that a server has left beside the database file, as far as that has come.

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
        self._groups: Final = AsyncGroups(self._inner)
        self._relays: Final = AsyncRelays(self._inner)
        self._index: Final = AsyncIndex(self._inner)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    @property
    def groups(self) -> AsyncGroups:
        """The store's consumer groups."""
        return self._groups

    @property
    def relays(self) -> AsyncRelays:
        """The store's relays."""
        return self._relays

    @property
    def index(self) -> AsyncIndex:
        """The store's query index."""
        return self._index

    async def _inner(self) -> EventStore:
        return self._opened or await self._open_once()

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
    search = _forwarded(EventStore.search)

    iter_aggregate = iterate_aggregate
    iter_feed = iterate_feed
    rebuild = rebuild

    def subscribe(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> Subscription:
        """All events of the log that match, and then those that come, in order, for ever: see :class:`Subscription`.

        ``after`` is where an earlier subscription had come to; None starts at the first event. A broken connection is
        made anew, and nothing is missed or given out twice; a server that is out of reach for ``retry_total_s`` seconds
        raises ``Unavailable``. Keep ``Subscription.cursor`` to go on later.
        """
        return Subscription(self.follow(query, after=after), after)

    async def follow(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> AsyncGenerator[FeedPage]:
        """The pages of :meth:`subscribe`."""
        store = await self._inner()
        async with aclosing(store.follow(query, after=after)) as pages:
            async for page in pages:
                yield page

    def consume(self, group: str, *, member: str = "", max_in_flight: int = GROUP_PULL_DEFAULT) -> Consumer:
        """Be a member of a consumer group: events as they come, each to be acknowledged; see :class:`Consumer`.

        ``member`` is for people to read. At most ``max_in_flight`` events are with this consumer at once.
        """
        return Consumer(self.groups, group, member=member, max_in_flight=max_in_flight)

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
