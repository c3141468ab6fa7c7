"""TypedClient: an AsyncTypedClient for code without an event loop, made by ``Client.typed``. Its methods are
AsyncTypedClient's own, made to wait. What iterators give is decoded in the caller's thread."""

from collections.abc import Callable, Iterator
from functools import update_wrapper
from typing import Concatenate, Final, Generic, ParamSpec, Self

from indelible.client.repository import T
from indelible.client.sync_client import (
    Blocking,
    Consuming,
    LoopThread,
    SyncConsumer,
    SyncLiveStates,
    SyncSubscription,
    blocking,
    blocking_iterator,
    check_plain,
    for_threads,
)
from indelible.client.typed import AsyncTypedClient, TypedIterator, TypedRepository, TypedSubscription
from indelible.client.typed_consumer import TypedConsumer, TypedDelivery
from indelible.cursors import Cursor
from indelible.errors import EventNotDecoded
from indelible.event_registry import E
from indelible.handling import check_handling
from indelible.limits import HANDLER_DELAY_DEFAULT_S
from indelible.typed_events import TypedEvent

P = ParamSpec("P")


def _typed(
    method: Callable[Concatenate[AsyncTypedClient[E], P], TypedIterator[E]],
) -> Callable[Concatenate["TypedClient[E]", P], Iterator[TypedEvent[E]]]:
    """The method, with an ordinary iterator as its result."""
    recorded = blocking_iterator(method)

    def call(self: "TypedClient[E]", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[TypedEvent[E]]:
        # A map goes on after a step that raised.
        return map(self.registry.read, recorded(self, *args, **kwargs))

    update_wrapper(call, method)
    return call


class SyncTypedSubscription(Generic[E]):
    """A :class:`TypedSubscription` for threads; made by :meth:`TypedClient.subscribe`. Iterate with ``for``. Leave by
    :meth:`close`, or just forget it."""

    def __init__(self, subscription: TypedSubscription[E], thread: LoopThread) -> None:
        self._recorded: Final = SyncSubscription(subscription.recorded, thread)
        self._read: Final = subscription.registry.read
        self.cursor: Cursor = self._recorded.cursor

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> TypedEvent[E]:
        before = self._recorded.cursor
        event = next(self._recorded)
        try:
            typed = self._read(event)
        except EventNotDecoded:
            self.cursor = before
            raise
        self.cursor = self._recorded.cursor
        return typed

    def close(self) -> None:
        self._recorded.close()


class SyncTypedRepository(Blocking[TypedRepository[T, E]], Generic[T, E]):
    """A :class:`TypedRepository` for threads; made by :meth:`TypedClient.repository`."""

    load = blocking(TypedRepository[T, E].load)
    save = blocking(TypedRepository[T, E].save)
    update = blocking(TypedRepository[T, E].update)
    live = for_threads(TypedRepository[T, E].live, SyncLiveStates[T])


class SyncTypedConsumer(Consuming[TypedConsumer[E], TypedDelivery[E]], Generic[E]):
    """A :class:`TypedConsumer` for threads; made by :meth:`TypedClient.consume`. Use as a :class:`SyncConsumer`."""

    create_group = blocking(TypedConsumer[E].create_group)
    next_delivery = blocking(TypedConsumer[E].next_delivery)
    ack = blocking(TypedConsumer[E].ack)
    nack = blocking(TypedConsumer[E].nack)
    extend = blocking(TypedConsumer[E].extend)

    def run(
        self,
        handler: Callable[[TypedEvent[E]], object],
        *,
        concurrency: int = 1,
        delay_s: float = HANDLER_DELAY_DEFAULT_S,
    ) -> None:
        """See :meth:`SyncConsumer.run`. An event that does not fit its class is refused, as if the handler had
        raised."""
        check_handling(handler, concurrency, delay_s)
        check_plain(handler)
        read = self._target.registry.read
        consumer = SyncConsumer(self._target.recorded, self._thread)
        consumer.run(lambda event: handler(read(event)), concurrency=concurrency, delay_s=delay_s)


class TypedClient(Blocking[AsyncTypedClient[E]], Generic[E]):
    """An :class:`AsyncTypedClient` for threads; made by :meth:`Client.typed`."""

    def __init__(self, client: AsyncTypedClient[E], thread: LoopThread) -> None:
        super().__init__(client, thread)
        self.registry: Final = client.registry

    append = blocking(AsyncTypedClient[E].append)
    get_event = blocking(AsyncTypedClient[E].get_event)
    rebuild = blocking(AsyncTypedClient[E].rebuild)
    iter_aggregate = _typed(AsyncTypedClient[E].iter_aggregate)
    iter_feed = _typed(AsyncTypedClient[E].iter_feed)
    subscribe = for_threads(AsyncTypedClient[E].subscribe, SyncTypedSubscription[E])
    consume = for_threads(AsyncTypedClient[E].consume, SyncTypedConsumer[E])
    repository = for_threads(AsyncTypedClient[E].repository, SyncTypedRepository)
