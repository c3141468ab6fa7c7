"""AsyncClient: a store by its URL, with what applications need on top of the store's own calls."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from functools import partial, update_wrapper
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Final,
    Generic,
    ParamSpec,
    Protocol,
    Self,
    TypeVar,
    Unpack,
    runtime_checkable,
)

from indelible.client.iterators import Subscription, iterate_aggregate, iterate_feed
from indelible.client.outages import OnBack, OnLost, Outages
from indelible.client.repository import Apply, Repository, T, as_it_is, rebuild
from indelible.client.tls import ClientTls, File
from indelible.client.typed import AsyncTypedClient
from indelible.consumer import Consumer
from indelible.cursors import Cursor
from indelible.errors import ClientClosed, IndelibleError, InvalidRequest
from indelible.event_registry import E, EventRegistry
from indelible.eventstore import EventStore, FeedPage
from indelible.groups import ConsumerGroups
from indelible.index_state import SearchIndex
from indelible.keys import Keys, check_token
from indelible.limits import CLIENT_RETRY_TOTAL_MAX_S, CLIENT_TIMEOUT_S, GROUP_PULL_DEFAULT
from indelible.projections.database import C, Database, Handler, Step
from indelible.projections.projection import OnError, Projection
from indelible.queries import EVERYTHING, EventQuery
from indelible.relay_state import Relays
from indelible.schemas import Schemas
from indelible.store_urls import (
    GRPC_SCHEMES,
    SERVER_SCHEMES,
    check_server_url,
    engine_schemes,
    is_engine_url,
    is_server_url,
    scheme_of,
)
from indelible.tasks import hear_of_failure

if TYPE_CHECKING:
    from indelible.client.grpc import GrpcEventStore
    from indelible.client.remote import RemoteSettings


URL_VARIABLE: Final = "INDELIBLE_URL"
"""The environment variable with the URL of a client that is given none; the command line knows it too."""


class OpenableStore(EventStore, Protocol):
    async def open(self) -> object:
        """Make ready; called once, before anything else."""
        ...


@runtime_checkable
class LastingStore(Protocol):
    """A server's, which may be out of reach for a while."""

    def lasting_groups(self, retry_total_s: float | None) -> ConsumerGroups:
        """See :meth:`indelible.client.remote.RemoteStore.lasting_groups`."""
        ...

    def follow(
        self, query: EventQuery, *, after: Cursor | None, gather_s: float, retry_total_s: float | None
    ) -> AsyncGenerator[FeedPage]:
        """See :meth:`indelible.client.remote.RemoteStore.follow`."""
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


def url_or_environments(url: str | None) -> str:
    """A URL that was checked: the one that is given, or that of the environment. Raises ``InvalidRequest``."""
    if url is None:
        url = os.environ.get(URL_VARIABLE, "")
        if not url:
            raise InvalidRequest(f"give the URL of a store, or set {URL_VARIABLE} in the environment", pointer="/url")
    check_url(url)
    return url


def make_store(url: str, **settings: Unpack["RemoteSettings"]) -> OpenableStore:
    """A store for a URL that was checked, not opened yet. All but ``url`` is for servers."""
    if not is_server_url(url):
        # Nothing of it is loaded, nor needed, by a client of a server.
        from indelible.core.open import open_local_store  # noqa: PLC0415 - see above
        from indelible.indexes.beside import with_index_beside  # noqa: PLC0415 - see above

        return with_index_beside(open_local_store(url, may_hold_loop=True), url)
    url = check_server_url(url)
    if scheme_of(url) in GRPC_SCHEMES:
        return _grpc_store()(url, **settings)
    # A client of a local store never loads the HTTP library.
    from indelible.client.http import HttpEventStore  # noqa: PLC0415 - see above

    return HttpEventStore(url, **settings)


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


class _LastingGroups(AsyncGroups):
    """The same for a consumer, which waits for a server that is out of reach."""

    def __init__(self, open_store: Callable[[], Coroutine[Any, Any, EventStore]], retry_total_s: float | None) -> None:
        super().__init__(open_store)
        self._retry_total_s: Final = retry_total_s

    async def _inner(self) -> ConsumerGroups:
        store = await self._open_store()
        return store.lasting_groups(self._retry_total_s) if isinstance(store, LastingStore) else store.groups


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


class AsyncKeys(_Opening[Keys]):
    """The keys of an :class:`AsyncClient`'s store: its ``keys``."""

    def __init__(self, open_store: Callable[[], Coroutine[Any, Any, EventStore]]) -> None:
        self._open_store: Final = open_store

    async def _inner(self) -> Keys:
        return (await self._open_store()).keys

    create = _forwarded(Keys.create)
    list = _forwarded(Keys.list)
    revoke = _forwarded(Keys.revoke)


class AsyncSchemas(_Opening[Schemas]):
    """The schemas of an :class:`AsyncClient`'s store: its ``schemas``."""

    def __init__(self, open_store: Callable[[], Coroutine[Any, Any, EventStore]]) -> None:
        self._open_store: Final = open_store

    async def _inner(self) -> Schemas:
        return (await self._open_store()).schemas

    register = _forwarded(Schemas.register)
    get = _forwarded(Schemas.get)
    list = _forwarded(Schemas.list)
    list_versions = _forwarded(Schemas.list_versions)
    set_compatibility = _forwarded(Schemas.set_compatibility)
    retire = _forwarded(Schemas.retire)


class AsyncClient(_Opening[EventStore]):
    """A client of one store; implements :class:`indelible.eventstore.EventStore`.

    ``url`` is ``http://HOST:PORT`` or ``grpc://HOST:PORT`` of a server, ``https://…`` and ``grpcs://…`` over TLS,
    ``memory:`` for an empty store in this process, or ``sqlite:PATH`` for a database file that this process opens
    itself; without one it is the environment variable INDELIBLE_URL. Use as ``async with AsyncClient(url) as client``,
    or call :meth:`aclose` at the end; it connects at the first call. It belongs to one event loop, and any number of
    tasks may use it at once: their appends travel together.
    For a store in this process, an append that comes alone may be committed on the event loop, on a fast disk; and
    searches read the query index that a server has left beside the database file, as far as that has come.

    For servers: ``timeout_s`` bounds one request. Requests that may succeed later (no connection, time-out, an
    overloaded or restarting server) are repeated with growing waits for ``retry_total_s`` seconds in all, 0 for never,
    None for ever. That is safe for appends too, because events carry their ids. Subscriptions and consumers go on for
    ever, unless told otherwise. ``on_lost`` is called with the error when the server is found to be out of reach, and
    ``on_back`` when it is back: once each, whatever the client does at the time, on its event loop, so they must not
    wait for anything. The log of ``indelible.client.outages`` says the same.

    ``headers`` go with every request, and so does ``token``: a key, or another token that the server takes to know who
    asks. It is shown nowhere. Over TLS, ``tls_ca`` is a file with certificates to trust in place of the system's,
    ``tls_certificate`` and ``tls_key`` are to show.

    Raises ``InvalidRequest`` for a URL that names no store.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        timeout_s: float = CLIENT_TIMEOUT_S,
        retry_total_s: float | None = CLIENT_RETRY_TOTAL_MAX_S,
        headers: Mapping[str, str] | None = None,
        tls_ca: File = None,
        tls_certificate: File = None,
        tls_key: File = None,
        token: str | None = None,
        on_lost: OnLost | None = None,
        on_back: OnBack | None = None,
    ) -> None:
        url = url_or_environments(url)
        if token is not None:
            check_token(token)
        self.url: Final = url
        self._outages: Final = Outages(on_lost, on_back)
        self._make_store = partial(
            make_store, url, timeout_s=timeout_s, retry_total_s=retry_total_s, headers=headers, token=token,
            tls=ClientTls(tls_ca, tls_certificate, tls_key), outages=self._outages,
        )  # fmt: skip
        self._opening: asyncio.Task[OpenableStore] | None = None
        self._waiting = 0
        """Callers who wait for the store to be opened."""
        self._closing: Final = asyncio.Lock()
        self._opened: OpenableStore | None = None
        self._closed: Final = asyncio.Event()
        self._groups: Final = AsyncGroups(self._inner)
        self._relays: Final = AsyncRelays(self._inner)
        self._index: Final = AsyncIndex(self._inner)
        self._keys: Final = AsyncKeys(self._inner)
        self._schemas: Final = AsyncSchemas(self._inner)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    @property
    def outage(self) -> IndelibleError | None:
        """Why the server is out of reach; None while it is not, as far as this client has noticed."""
        return self._outages.error

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

    @property
    def keys(self) -> AsyncKeys:
        """The keys of those who call servers of the store."""
        return self._keys

    @property
    def schemas(self) -> AsyncSchemas:
        """The schemas of the store's event types."""
        return self._schemas

    async def _inner(self) -> EventStore:
        return self._opened or await self._open_once()

    async def _open_once(self) -> OpenableStore:
        if self._closed.is_set():
            raise ClientClosed("the client is closed")
        if self._opened is not None:
            return self._opened
        # In a task of its own: a caller that gives up (a time-out) must not leave a store behind that is half open,
        # and the next caller goes on waiting for the same.
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open(), name="open-store")
            self._opening.add_done_callback(hear_of_failure)
        opening = self._opening
        self._waiting += 1
        try:
            await asyncio.wait({opening})
        finally:
            self._waiting -= 1
        if opening.cancelled():
            raise ClientClosed("the client is closed")
        return opening.result()

    async def _open(self) -> OpenableStore:
        store = self._make_store()
        await store.open()
        self._opened = store
        return store

    async def __aenter__(self) -> Self:
        await self._open_once()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Finish what is in flight and let go of everything. May be called twice. Later calls of other
        methods raise ``ShuttingDown``."""
        async with self._closing:
            self._closed.set()
            opening, self._opening = self._opening, None
            if opening is not None:
                if not self._waiting:
                    opening.cancel()
                await asyncio.wait({opening})
            store, self._opened = self._opened, None
            if store is not None:
                await store.aclose()

    async def wait_closed(self) -> None:
        """Return once :meth:`aclose` is called: for what goes on without asking the store for anything."""
        await self._closed.wait()

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

    def subscribe(
        self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None, retry_total_s: float | None = None
    ) -> Subscription:
        """All events of the log that match, and then those that come, in order, for ever: see :class:`Subscription`.

        ``after`` is where an earlier subscription had come to; None starts at the first event. A broken connection is
        made anew, and nothing is missed or given out twice. A server that is out of reach is waited for, for ever; with
        ``retry_total_s`` for so many seconds, and then it raises ``Unavailable``. Keep ``Subscription.cursor`` to go on
        later.
        """
        return Subscription(self.follow(query, after=after, retry_total_s=retry_total_s), after)

    async def follow(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        gather_s: float = 0.0,
        retry_total_s: float | None = None,
    ) -> AsyncGenerator[FeedPage]:
        """The pages of :meth:`subscribe`."""
        store = await self._inner()
        if isinstance(store, LastingStore):
            following = store.follow(query, after=after, gather_s=gather_s, retry_total_s=retry_total_s)
        else:
            following = store.follow(query, after=after, gather_s=gather_s)
        async with aclosing(following) as pages:
            async for page in pages:
                yield page

    def consume(
        self,
        group: str,
        *,
        member: str = "",
        max_in_flight: int = GROUP_PULL_DEFAULT,
        retry_total_s: float | None = None,
    ) -> Consumer:
        """Be a member of a consumer group: events as they come, each to be acknowledged; see :class:`Consumer`.

        ``member`` is for people to read. At most ``max_in_flight`` events are with this consumer at once. A server that
        is out of reach is waited for, for ever; with ``retry_total_s`` for so many seconds, and then the call that
        waits raises ``Unavailable``.
        """
        groups = _LastingGroups(self._inner, retry_total_s)
        return Consumer(groups, group, member=member, max_in_flight=max_in_flight)

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

    def typed(self, registry: EventRegistry[E]) -> AsyncTypedClient[E]:
        """Append and read objects of the classes that are registered for event types; this client stays as it is."""
        return AsyncTypedClient(self, registry)

    def projection(
        self,
        name: str,
        database: Database[C],
        handle: Handler[C],
        *,
        version: int = 1,
        query: EventQuery = EVERYTHING,
        prepare: Step[C] | None = None,
        after: Cursor | None = None,
        on_error: OnError = "stop",
        gather_s: float = 0.0,
    ) -> Projection[C]:
        """Keep a read model in a database of yours up to date; see :class:`indelible.projections.Projection`."""
        return Projection(
            self, name, database, handle, version=version, query=query, prepare=prepare, after=after,
            on_error=on_error, gather_s=gather_s,
        )  # fmt: skip
