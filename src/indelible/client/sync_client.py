"""Client: an AsyncClient for code without an event loop. Every method is AsyncClient's own, made to wait.

::

    with Client("http://127.0.0.1:8080") as client:
        client.append("Order", "42", [NewEvent("OrderPlaced", {"total": 990})])

``blocking`` makes the methods: they have AsyncClient's signatures and documentation because they are those methods, run
on one background thread. So threads that share a Client share its connections, and their appends travel together.
"""

import asyncio
import inspect
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, Protocol, Self, TypeVar

from indelible.client.async_client import AsyncClient, AsyncGroups, AsyncIndex, AsyncKeys, AsyncRelays, AsyncSchemas
from indelible.client.iterators import Page, Subscription
from indelible.client.live_states import LiveStates
from indelible.client.outages import OnBack, OnLost
from indelible.client.repository import Repository, T
from indelible.client.tls import File
from indelible.client.typed import AsyncTypedClient
from indelible.consumer import Consumer
from indelible.cursors import Cursor
from indelible.errors import ClientClosed, IndelibleError, InvalidRequest, ShuttingDown
from indelible.event_registry import E
from indelible.events import RecordedEvent
from indelible.eventstore import FeedPage
from indelible.groups import Delivery
from indelible.handling import check_handling
from indelible.limits import (
    CLIENT_RETRY_TOTAL_MAX_S,
    CLIENT_TIMEOUT_S,
    HANDLER_DELAY_DEFAULT_S,
    PROJECTION_LEAVE_S,
)
from indelible.projections.projection import Projection
from indelible.tasks import to_its_end

if TYPE_CHECKING:
    from indelible.client.sync_typed import TypedClient

R = TypeVar("R")


class LoopThread:
    """Runs coroutines for other threads. The thread is a daemon: it never keeps a program from ending."""

    def __init__(self, name: str) -> None:
        self._loop: Final = asyncio.new_event_loop()
        self._pid: Final = os.getpid()
        # A forgotten generator may be ended within it, by the interpreter, on the thread that holds it.
        self._lock: Final = threading.RLock()
        self._stopped = False
        self._thread: Final = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether the caller runs in this very thread."""
        return threading.current_thread() is self._thread

    @property
    def is_of_this_process(self) -> bool:
        """False in the child after a fork: threads stay behind."""
        return self._pid == os.getpid()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Run to the end and return what it returns, raise what it raises. An interrupted wait cancels it."""
        future = self.start(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def start(self, work: Coroutine[Any, Any, R]) -> Future[R]:
        """Run without waiting for it."""
        try:
            self._check_usable()
            return self._submit(work)
        except BaseException:
            work.close()
            raise

    def finish(self, work: Coroutine[Any, Any, object]) -> None:
        """Run what is left to do, for what the interpreter may forget on this very thread, where nobody can wait."""
        with suppress(ShuttingDown):
            if self.is_here:
                self._submit(work)
            else:
                self.run(work)

    def _check_usable(self) -> None:
        if not self.is_of_this_process:
            raise RuntimeError("this client was made before a fork, in the parent process; make a new one here")
        if self.is_here:
            raise RuntimeError("apply, decide, encode and decode functions run within the client and cannot call it")

    def _submit(self, work: Coroutine[Any, Any, R]) -> Future[R]:
        # The lock keeps work from being queued behind the stop, where it would wait for ever.
        with self._lock:
            if self._stopped:
                work.close()
                raise ClientClosed("the client is closed")
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """Let all work end, then the thread. Call once, from another thread."""
        with self._lock:
            self._stopped = True
        if asyncio.run_coroutine_threadsafe(_end_of_others(), self._loop).result():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        else:
            # The thread ends behind what hangs, or with the program.
            asyncio.run_coroutine_threadsafe(_stop_behind_others(), self._loop)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()


async def _end_of_others() -> bool:
    """Wait until this task is the loop's last. False when only those are left that were cancelled, and do not end:
    a database that hangs must not keep a program from ending."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        are_cancelled = all(task.cancelling() for task in others)
        patience_s = PROJECTION_LEAVE_S if are_cancelled else None
        ended, _ = await asyncio.wait(others, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if are_cancelled and not ended:
            return False
    return True


async def _stop_behind_others() -> None:
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    asyncio.get_running_loop().stop()


A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)
B = TypeVar("B")
C = TypeVar("C")
P = ParamSpec("P")


class Blocking(Generic[A_co]):
    """Something asynchronous, and the thread that its methods run on. Methods of what it is a kind of are its own."""

    def __init__(self, target: A_co, thread: LoopThread) -> None:
        self._target: Final = target
        self._thread: Final = thread


def blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Blocking[A], P], R]:
    """The method, made to wait for its result."""

    def call(self: Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._thread.run(method(self._target, *args, **kwargs))

    update_wrapper(call, method)
    return call


class _Pages(Protocol):
    async def next_page(self) -> Page | None: ...
    async def aclose(self) -> None: ...


def blocking_iterator(
    method: Callable[Concatenate[A, P], _Pages],
) -> Callable[Concatenate[Blocking[A], P], Iterator[RecordedEvent]]:
    """The method, with an ordinary iterator as its result. It goes to the thread once a page, not once an event."""

    def call(self: Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[RecordedEvent]:
        events = method(self._target, *args, **kwargs)
        try:
            while (page := self._thread.run(events.next_page())) is not None:
                yield from page.events
        finally:
            # A generator that is forgotten ends when it pleases the interpreter, perhaps after the client.
            self._thread.finish(events.aclose())

    update_wrapper(call, method)
    return call


def for_threads(
    method: Callable[Concatenate[A, P], B], kind: Callable[[B, LoopThread], C]
) -> Callable[Concatenate[Blocking[A], P], C]:
    """The method, with what it makes as a ``kind`` for threads."""

    def call(self: Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> C:
        return kind(method(self._target, *args, **kwargs), self._thread)

    update_wrapper(call, method)
    return call


class SyncSubscription:
    """A :class:`Subscription` for threads; made by :meth:`Client.subscribe`. Iterate with ``for``; :attr:`cursor` says
    how far that has come. Leave by :meth:`close`, or just forget it."""

    def __init__(self, subscription: Subscription, thread: LoopThread) -> None:
        self.cursor = subscription.cursor
        self._thread: Final = thread
        self._pages: Final = _PagesToClose(subscription)
        self._events: Final = _each_event(self._pages, thread)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> RecordedEvent:
        if self._pages.is_closed:
            raise StopIteration
        event, self.cursor = next(self._events)
        return event

    def close(self) -> None:
        """Give out no more. May be called twice, and by another thread than the one that iterates, which then comes to
        the end of its ``for`` even where it waits for an event."""
        self._thread.finish(self._pages.aclose())


class _PagesToClose:
    """The pages of a subscription, which may be closed while one is waited for. Its coroutines run on one loop."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription: Final = subscription
        self._waiting: asyncio.Task[Any] | None = None
        self.is_closed = False

    async def next_page(self) -> FeedPage | None:
        """None once it is closed."""
        if self.is_closed:
            return None
        self._waiting = asyncio.current_task()
        try:
            return await self._subscription.next_page()
        except asyncio.CancelledError:
            if not self.is_closed:
                raise
            return None
        finally:
            self._waiting = None

    async def aclose(self) -> None:
        self.is_closed = True
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait({self._waiting})
        await self._subscription.aclose()


def _each_event(pages: _PagesToClose, thread: LoopThread) -> Generator[tuple[RecordedEvent, Cursor], None, None]:
    """With the cursor behind it. Goes to the thread once a page, and ends when it is forgotten."""
    try:
        while (page := thread.run(pages.next_page())) is not None:
            yield from page.events_with_cursors()
    finally:
        thread.finish(pages.aclose())


class SyncGroups(Blocking[AsyncGroups]):
    """The consumer groups of a :class:`Client`'s store: its ``groups``."""

    create = blocking(AsyncGroups.create)
    list = blocking(AsyncGroups.list)
    get = blocking(AsyncGroups.get)
    change = blocking(AsyncGroups.change)
    delete = blocking(AsyncGroups.delete)
    reset = blocking(AsyncGroups.reset)
    pull = blocking(AsyncGroups.pull)
    ack = blocking(AsyncGroups.ack)
    nack = blocking(AsyncGroups.nack)
    extend = blocking(AsyncGroups.extend)
    list_in_flight = blocking(AsyncGroups.list_in_flight)
    list_parked = blocking(AsyncGroups.list_parked)
    redrive_parked = blocking(AsyncGroups.redrive_parked)
    skip_parked = blocking(AsyncGroups.skip_parked)
    list_skipped = blocking(AsyncGroups.list_skipped)


class SyncRelays(Blocking[AsyncRelays]):
    """The relays of a :class:`Client`'s store: its ``relays``."""

    claim = blocking(AsyncRelays.claim)
    advance = blocking(AsyncRelays.advance)
    release = blocking(AsyncRelays.release)
    list = blocking(AsyncRelays.list)
    get = blocking(AsyncRelays.get)
    pause = blocking(AsyncRelays.pause)
    resume = blocking(AsyncRelays.resume)
    reset = blocking(AsyncRelays.reset)
    replay = blocking(AsyncRelays.replay)
    cancel_replay = blocking(AsyncRelays.cancel_replay)
    list_set_aside = blocking(AsyncRelays.list_set_aside)
    retry_set_aside = blocking(AsyncRelays.retry_set_aside)
    dismiss_set_aside = blocking(AsyncRelays.dismiss_set_aside)


class SyncIndex(Blocking[AsyncIndex]):
    """The query index of a :class:`Client`'s store: its ``index``."""

    status = blocking(AsyncIndex.status)
    rebuild = blocking(AsyncIndex.rebuild)
    retry = blocking(AsyncIndex.retry)
    drop = blocking(AsyncIndex.drop)


class SyncKeys(Blocking[AsyncKeys]):
    """The keys of a :class:`Client`'s store: its ``keys``."""

    create = blocking(AsyncKeys.create)
    list = blocking(AsyncKeys.list)
    revoke = blocking(AsyncKeys.revoke)


class SyncSchemas(Blocking[AsyncSchemas]):
    """The schemas of a :class:`Client`'s store: its ``schemas``."""

    register = blocking(AsyncSchemas.register)
    get = blocking(AsyncSchemas.get)
    list = blocking(AsyncSchemas.list)
    list_versions = blocking(AsyncSchemas.list_versions)
    set_compatibility = blocking(AsyncSchemas.set_compatibility)
    retire = blocking(AsyncSchemas.retire)


class SyncLiveStates(Blocking[LiveStates[T]], Generic[T]):
    """:class:`LiveStates` for threads; made by :meth:`SyncRepository.live`. :meth:`run` is for a thread of its own,
    which ends with the client."""

    run = blocking(LiveStates[T].run)
    states = blocking(LiveStates[T].states)


class SyncRepository(Blocking[Repository[T]], Generic[T]):
    """A :class:`Repository` for threads; made by :meth:`Client.repository`."""

    load = blocking(Repository[T].load)
    save = blocking(Repository[T].save)
    update = blocking(Repository[T].update)
    live = for_threads(Repository[T].live, SyncLiveStates[T])


class SyncProjection(Blocking[Projection[T]], Generic[T]):
    """A :class:`indelible.projections.Projection` for threads; made by :meth:`Client.projection`. :meth:`run` returns
    when another thread calls :meth:`stop`. The database's driver has to be one that blocks: handlers are called in a
    thread of their own. Raises ``InvalidRequest``."""

    def __init__(self, projection: Projection[T], thread: LoopThread) -> None:
        if not projection.is_blocking:
            message = "must be one whose driver blocks; those for an event loop need an AsyncClient of that loop"
            raise InvalidRequest(message, pointer="/database")
        super().__init__(projection, thread)

    run = blocking(Projection[T].run)
    stop = blocking(Projection[T].stop)
    wait_for = blocking(Projection[T].wait_for)
    live_version = blocking(Projection[T].live_version)
    checkpoints = blocking(Projection[T].checkpoints)
    swap = blocking(Projection[T].swap)
    drop = blocking(Projection[T].drop)


class _Deliveries(Protocol):
    async def next_delivery(self) -> Any: ...
    async def aclose(self) -> None: ...


Q = TypeVar("Q", bound=_Deliveries)
D = TypeVar("D")


class Consuming(Blocking[Q], Generic[Q, D]):
    """What consumers have in common, whose deliveries are each a ``D``."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> D:
        delivery: D | None = self._thread.run(self._target.next_delivery())
        if delivery is None:
            raise StopIteration
        return delivery

    def close(self) -> None:
        """Take no more, and give back what nobody has taken. May be called twice."""
        # A client that is closed has given it back to nobody; the group's time-out does.
        with suppress(ShuttingDown):
            self._thread.run(self._target.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SyncConsumer(Consuming[Consumer, Delivery]):
    """A :class:`Consumer` for threads; made by :meth:`Client.consume`. Iterate with ``for``, in as many threads as you
    like. Use as ``with``, or leave by :meth:`close`."""

    create_group = blocking(Consumer.create_group)
    next_delivery = blocking(Consumer.next_delivery)
    ack = blocking(Consumer.ack)
    nack = blocking(Consumer.nack)
    extend = blocking(Consumer.extend)

    def run(
        self,
        handler: Callable[[RecordedEvent], object],
        *,
        concurrency: int = 1,
        delay_s: float = HANDLER_DELAY_DEFAULT_S,
    ) -> None:
        """As :meth:`Consumer.run`, with plain functions, each in a thread of its own, which may call the client. Goes
        on until :meth:`close` is called by another thread, or Ctrl-C: handlers that run come to their end then."""
        check_handling(handler, concurrency, delay_s)
        check_plain(handler)
        with ThreadPoolExecutor(concurrency, "indelible-handler") as pool:

            async def handle_in_thread(event: RecordedEvent) -> None:
                await to_its_end(_call(pool, handler, event))

            running = self._thread.start(self._target.run(handle_in_thread, concurrency=concurrency, delay_s=delay_s))
            try:
                running.result()
            except KeyboardInterrupt:
                self.close()
                running.result()
                raise


def check_plain(handler: object) -> None:
    """Raises ``InvalidRequest`` for what threads cannot call."""
    if inspect.iscoroutinefunction(handler):
        raise InvalidRequest("must be a plain function: coroutine functions are for AsyncClient", pointer="/handler")


async def _call(pool: Executor, handler: Callable[[RecordedEvent], object], event: RecordedEvent) -> None:
    await asyncio.get_running_loop().run_in_executor(pool, handler, event)


def _typed(client: AsyncTypedClient[E], thread: LoopThread) -> "TypedClient[E]":
    from indelible.client.sync_typed import TypedClient  # noqa: PLC0415 - it is made of what stands here

    return TypedClient(client, thread)


class Client(Blocking[AsyncClient]):
    """A client of one store, for threads. Use as ``with Client(url) as client``, or call :meth:`close` at the end.

    Takes what :class:`AsyncClient` takes, and any number of threads may share it. ``apply``, ``decide``, ``encode`` and
    ``decode`` functions, and those that are told of outages, run on the client's own thread and cannot call the client.
    After a fork the child needs a client of its own.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        timeout_s: float = CLIENT_TIMEOUT_S,
        retry_total_s: float | None = CLIENT_RETRY_TOTAL_MAX_S,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        tls_ca: File = None,
        tls_certificate: File = None,
        tls_key: File = None,
        on_lost: OnLost | None = None,
        on_back: OnBack | None = None,
    ) -> None:
        client = AsyncClient(
            url, timeout_s=timeout_s, retry_total_s=retry_total_s, headers=headers, token=token,
            tls_ca=tls_ca, tls_certificate=tls_certificate, tls_key=tls_key, on_lost=on_lost, on_back=on_back,
        )  # fmt: skip
        super().__init__(client, LoopThread(name="indelible-client"))
        self.url: Final = client.url
        self._groups: Final = SyncGroups(self._target.groups, self._thread)
        self._relays: Final = SyncRelays(self._target.relays, self._thread)
        self._index: Final = SyncIndex(self._target.index, self._thread)
        self._keys: Final = SyncKeys(self._target.keys, self._thread)
        self._schemas: Final = SyncSchemas(self._target.schemas, self._thread)
        # Also runs when the client is forgotten, and at the end of the program.
        self._finalizer = weakref.finalize(self, _close, self._target, self._thread)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    @property
    def outage(self) -> IndelibleError | None:
        """Why the server is out of reach; None while it is not, as far as this client has noticed."""
        return self._target.outage

    @property
    def groups(self) -> SyncGroups:
        """The store's consumer groups."""
        return self._groups

    @property
    def relays(self) -> SyncRelays:
        """The store's relays."""
        return self._relays

    @property
    def index(self) -> SyncIndex:
        """The store's query index."""
        return self._index

    @property
    def keys(self) -> SyncKeys:
        """The keys of those who call servers of the store."""
        return self._keys

    @property
    def schemas(self) -> SyncSchemas:
        """The schemas of the store's event types."""
        return self._schemas

    def close(self) -> None:
        """Finish what is in flight and let go of everything. May be called twice."""
        self._finalizer()

    def __enter__(self) -> Self:
        try:
            self._thread.run(self._target.__aenter__())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    append = blocking(AsyncClient.append)
    append_each = blocking(AsyncClient.append_each)
    append_atomic = blocking(AsyncClient.append_atomic)
    read_aggregate = blocking(AsyncClient.read_aggregate)
    read_feed = blocking(AsyncClient.read_feed)
    get_event = blocking(AsyncClient.get_event)
    get_aggregate = blocking(AsyncClient.get_aggregate)
    replay = blocking(AsyncClient.replay)
    save_snapshot = blocking(AsyncClient.save_snapshot)
    get_snapshot = blocking(AsyncClient.get_snapshot)
    head = blocking(AsyncClient.head)
    event_types = blocking(AsyncClient.event_types)
    aggregate_types = blocking(AsyncClient.aggregate_types)
    list_aggregates = blocking(AsyncClient.list_aggregates)
    search = blocking(AsyncClient.search)
    rebuild = blocking(AsyncClient.rebuild)
    iter_aggregate = blocking_iterator(AsyncClient.iter_aggregate)
    iter_feed = blocking_iterator(AsyncClient.iter_feed)
    subscribe = for_threads(AsyncClient.subscribe, SyncSubscription)
    consume = for_threads(AsyncClient.consume, SyncConsumer)
    repository = for_threads(AsyncClient.repository, SyncRepository)
    typed = for_threads(AsyncClient.typed, _typed)

    projection = for_threads(AsyncClient.projection, SyncProjection)


def _close(target: AsyncClient, thread: LoopThread) -> None:
    if thread.is_of_this_process and not thread.is_here:
        try:
            thread.run(target.aclose())
        finally:
            thread.stop()
