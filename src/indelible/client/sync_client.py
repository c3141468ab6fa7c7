"""Client: an AsyncClient for code without an event loop. Every method is AsyncClient's own, made to wait.

::

    with Client("http://127.0.0.1:8080") as client:
        client.append("Order", "42", [NewEvent("OrderPlaced", {"total": 990})])

``blocking`` makes the methods: they have AsyncClient's signatures and documentation because they are those methods, run
on one background thread. So threads that share a Client share its connections, and their appends travel together.
"""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import update_wrapper
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, Self, TypeVar

from indelible.client.async_client import AsyncClient, AsyncGroups, AsyncIndex, AsyncRelays
from indelible.client.iterators import Page, Subscription
from indelible.client.repository import Repository, T
from indelible.consumer import Consumer
from indelible.cursors import Cursor
from indelible.errors import ShuttingDown
from indelible.events import RecordedEvent
from indelible.groups import Delivery
from indelible.limits import CLIENT_RETRY_TOTAL_MAX_S, CLIENT_TIMEOUT_S

R = TypeVar("R")


class LoopThread:
    """Runs coroutines for other threads. The thread is a daemon: it never keeps a program from ending."""

    def __init__(self, name: str) -> None:
        self._loop: Final = asyncio.new_event_loop()
        self._pid: Final = os.getpid()
        self._lock: Final = threading.Lock()
        self._stopped = False
        self._thread: Final = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
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
        try:
            self._check_usable()
            future = self._submit(work)
        except BaseException:
            work.close()
            raise
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _check_usable(self) -> None:
        if not self.is_of_this_process:
            raise RuntimeError("this client was made before a fork, in the parent process; make a new one here")
        if self.is_here:
            raise RuntimeError("apply, decide, encode and decode functions run within the client and cannot call it")

    def _submit(self, work: Coroutine[Any, Any, R]) -> Future[R]:
        # The lock keeps work from being queued behind the stop, where it would wait for ever.
        with self._lock:
            if self._stopped:
                raise ShuttingDown("the client is closed")
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """Let all work end, then the thread. Call once, from another thread."""
        with self._lock:
            self._stopped = True
        asyncio.run_coroutine_threadsafe(_end_of_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_of_others() -> None:
    """Wait until this task is the loop's last."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
P = ParamSpec("P")


class Blocking(Generic[A]):
    """Something asynchronous, and the thread that its methods run on."""

    def __init__(self, target: A, thread: LoopThread) -> None:
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
            with suppress(ShuttingDown):
                self._thread.run(events.aclose())

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
        self._events = _each_event(subscription, thread)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> RecordedEvent:
        event, self.cursor = next(self._events)
        return event

    def close(self) -> None:
        self._events.close()


def _each_event(subscription: Subscription, thread: LoopThread) -> Generator[tuple[RecordedEvent, Cursor], None, None]:
    """With the cursor behind it. Goes to the thread once a page, and ends when it is forgotten."""
    try:
        while True:
            yield from thread.run(subscription.next_page()).events_with_cursors()
    finally:
        with suppress(ShuttingDown):
            thread.run(subscription.aclose())


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


class SyncRepository(Blocking[Repository[T]], Generic[T]):
    """A :class:`Repository` for threads; made by :meth:`Client.repository`."""

    load = blocking(Repository[T].load)
    save = blocking(Repository[T].save)
    update = blocking(Repository[T].update)


class SyncConsumer(Blocking[Consumer]):
    """A :class:`Consumer` for threads; made by :meth:`Client.consume`. Iterate with ``for``, in as many threads as you
    like. Use as ``with``, or leave by :meth:`close`."""

    next_delivery = blocking(Consumer.next_delivery)
    ack = blocking(Consumer.ack)
    nack = blocking(Consumer.nack)
    extend = blocking(Consumer.extend)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Delivery:
        delivery = self.next_delivery()
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


class Client(Blocking[AsyncClient]):
    """A client of one store, for threads. Use as ``with Client(url) as client``, or call :meth:`close` at the end.

    Takes what :class:`AsyncClient` takes, and any number of threads may share it. ``apply``, ``decide``, ``encode``
    and ``decode`` functions run on the client's own thread and cannot call the client. After a fork the child needs a
    client of its own.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = CLIENT_TIMEOUT_S,
        retry_total_s: float = CLIENT_RETRY_TOTAL_MAX_S,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        client = AsyncClient(url, timeout_s=timeout_s, retry_total_s=retry_total_s, headers=headers)
        super().__init__(client, LoopThread(name="indelible-client"))
        self.url: Final = url
        self._groups: Final = SyncGroups(self._target.groups, self._thread)
        self._relays: Final = SyncRelays(self._target.relays, self._thread)
        self._index: Final = SyncIndex(self._target.index, self._thread)
        # Also runs when the client is forgotten, and at the end of the program.
        self._finalizer = weakref.finalize(self, _close, self._target, self._thread)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

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


def _close(target: AsyncClient, thread: LoopThread) -> None:
    if thread.is_of_this_process and not thread.is_here:
        try:
            thread.run(target.aclose())
        finally:
            thread.stop()
