"""A client whose events carry objects of the classes of an :class:`EventRegistry`: made by ``AsyncClient.typed``."""

from collections.abc import Callable, Iterator
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, Self, TypeVar
from uuid import UUID

from indelible.client.iterators import EventIterator, Subscription, iterate_aggregate, iterate_feed
from indelible.client.live_states import LiveStates, never
from indelible.client.reactions import Reacting, reaction
from indelible.client.repository import UPDATE_ATTEMPTS_MAX, Apply, Rebuilt, Repository, T, as_it_is, rebuild
from indelible.client.typed_consumer import TypedConsumer
from indelible.conditions import ExpectedVersion
from indelible.cursors import Cursor
from indelible.errors import EventNotDecoded
from indelible.event_registry import E, EventRegistry, F, TypedEvents
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import AppendResult, EventStore
from indelible.limits import GROUP_PULL_DEFAULT, HANDLER_DELAY_DEFAULT_S
from indelible.queries import EVERYTHING, EventQuery
from indelible.typed_events import TypedEvent

if TYPE_CHECKING:
    from indelible.client.async_client import AsyncClient

P = ParamSpec("P")
PageT = TypeVar("PageT")
TypedApply = Callable[[T, TypedEvent[E]], T]
"""Returns the state after an event; may change and return the state that it was given."""


class TypedIterator(Generic[E]):
    """An :class:`EventIterator` over typed events. A step raises ``EventNotDecoded`` for one that does not fit its
    class; the step after it passes over that."""

    def __init__(self, recorded: EventIterator[Any], registry: EventRegistry[E]) -> None:
        self._recorded: Final = recorded
        self._read: Final = registry.read
        self._events: Iterator[RecordedEvent] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TypedEvent[E]:
        while True:
            for event in self._events:
                return self._read(event)
            page = await self._recorded.next_page()
            if page is None:
                raise StopAsyncIteration
            self._events = iter(page.events)

    async def next_page(self) -> Any:
        """The next page as it is, with recorded events; None after the last."""
        return await self._recorded.next_page()

    async def aclose(self) -> None:
        """Let go of the page that was read ahead. Not needed: an iterator may just be left."""
        await self._recorded.aclose()


class TypedSubscription(Generic[E]):
    """A :class:`Subscription` to typed events. A step raises ``EventNotDecoded`` for one that does not fit its class:
    :attr:`cursor` stays before it, so that a subscription from there meets it again. The step after it passes over it.
    """

    def __init__(self, recorded: Subscription, registry: EventRegistry[E]) -> None:
        self.recorded: Final = recorded
        self.registry: Final = registry
        self._before: Cursor | None = None
        """The event that was not decoded, if that was the last one."""

    @property
    def cursor(self) -> Cursor:
        """How far the caller has come: every event that was given out lies at or before it."""
        return self.recorded.cursor if self._before is None else self._before

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TypedEvent[E]:
        before = self.recorded.cursor
        event = await anext(self.recorded)
        try:
            typed = self.registry.read(event)
        except EventNotDecoded:
            self._before = before
            raise
        self._before = None
        return typed

    async def aclose(self) -> None:
        await self.recorded.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class TypedRepository(Generic[T, E]):
    """A :class:`Repository` whose states come of typed events, and whose decisions may be objects of the classes."""

    def __init__(self, recorded: Repository[T], registry: EventRegistry[E]) -> None:
        self._recorded: Final = recorded
        self._registry: Final = registry

    async def load(self, aggregate_id: str, *, at_version: int | None = None, must_exist: bool = False) -> Rebuilt[T]:
        """See :meth:`Repository.load`. Raises ``EventNotDecoded`` too, for the aggregate's first such event."""
        return await self._recorded.load(aggregate_id, at_version=at_version, must_exist=must_exist)

    async def save(self, aggregate_id: str, events: TypedEvents[E], *, expected_version: int) -> AppendResult:
        """See :meth:`Repository.save`, and :meth:`EventRegistry.new_events`."""
        made = self._registry.new_events(events)
        return await self._recorded.save(aggregate_id, made, expected_version=expected_version)

    async def update(
        self,
        aggregate_id: str,
        decide: Callable[[T], TypedEvents[E]],
        *,
        attempts_max: int = UPDATE_ATTEMPTS_MAX,
        must_exist: bool = False,
    ) -> AppendResult | None:
        """See :meth:`Repository.update`, and :meth:`EventRegistry.new_events`."""

        def decide_events(state: T) -> list[NewEvent]:
            return self._registry.new_events(decide(state))

        return await self._recorded.update(
            aggregate_id, decide_events, attempts_max=attempts_max, must_exist=must_exist
        )

    def live(self, *, until: Callable[[T], bool] = never) -> LiveStates[T]:
        """See :meth:`Repository.live`. An event that fits no class ends its ``run`` by ``EventNotDecoded``."""
        return self._recorded.live(until=until)


def _typed(
    iterate: Callable[Concatenate[EventStore, P], EventIterator[Any]],
) -> Callable[Concatenate["AsyncTypedClient[E]", P], TypedIterator[E]]:
    """The method, over typed events."""

    def call(self: "AsyncTypedClient[E]", /, *args: P.args, **kwargs: P.kwargs) -> TypedIterator[E]:
        return TypedIterator(iterate(self.client, *args, **kwargs), self.registry)

    update_wrapper(call, iterate)
    return call


class AsyncTypedClient(Generic[E]):
    """What an :class:`AsyncClient` does with events, with objects of the classes of ``registry``, whose union is ``E``.

    Events that it gives are :class:`TypedEvent`; those of types that are not registered hold :class:`Unregistered`.
    Whatever it appends is checked against the classes first. ``client`` is for all else; close that one.
    """

    def __init__(self, client: "AsyncClient", registry: EventRegistry[E]) -> None:
        self.client: Final = client
        self.registry: Final = registry

    async def append(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: TypedEvents[E],
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        """As :meth:`AsyncClient.append`: an object, or several, or what :meth:`EventRegistry.new_event` made of them.
        Raises ``InvalidRequest`` with the pointer of a field that is not what its class says; nothing is stored then.
        """
        made = self.registry.new_events(events)
        return await self.client.append(aggregate_type, aggregate_id, made, expected_version=expected_version)

    async def get_event(self, event_id: UUID) -> TypedEvent[E]:
        """One event. Raises ``EventNotFound``, ``EventNotDecoded``."""
        return self.registry.read(await self.client.get_event(event_id))

    iter_aggregate = _typed(iterate_aggregate)
    iter_feed = _typed(iterate_feed)

    def subscribe(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> TypedSubscription[E]:
        """See :meth:`AsyncClient.subscribe`."""
        return TypedSubscription(self.client.subscribe(query, after=after), self.registry)

    def consume(self, group: str, *, member: str = "", max_in_flight: int = GROUP_PULL_DEFAULT) -> TypedConsumer[E]:
        """See :meth:`AsyncClient.consume`."""
        return TypedConsumer(self.client.consume(group, member=member, max_in_flight=max_in_flight), self.registry)

    async def react(
        self,
        group: str,
        kind: type[F],
        handler: Reacting[F, E],
        *,
        concurrency: int = 1,
        delay_s: float = HANDLER_DELAY_DEFAULT_S,
    ) -> None:
        """Be a member of the consumer group ``group``, of all events of the class ``kind``, and append what ``handler``
        returns (an object, several, or None) to the aggregate of the event that it was given. The group is created
        where there is none of its name.

        The ids of what is appended follow from the event's id and the group. So it is stored once, however often the
        event comes, and what was stored first stays. The handler itself may be called several times for one event, as
        by :meth:`TypedConsumer.run`, which has the rest.

        Raises ``InvalidRequest`` for a class that is not registered, ``GroupExists`` when the group that is there has
        another query or settings of its own, and what ``TypedConsumer.run`` raises.
        """
        query = EventQuery.of(event_types=[self.registry.event_type(kind)])
        react = reaction(self.client, self.registry, group, handler)
        async with self.consume(group) as consumer:
            await consumer.create_group(query)
            await consumer.run(react, concurrency=concurrency, delay_s=delay_s)

    async def rebuild(
        self,
        aggregate_type: str,
        aggregate_id: str,
        apply: TypedApply[T, E],
        initial: T,
        *,
        at_version: int | None = None,
        use_snapshots: bool = True,
        snapshot_every: int | None = None,
        encode: Callable[[T], Any] = as_it_is,
        decode: Callable[[Any], T] = as_it_is,
    ) -> Rebuilt[T]:
        """See :meth:`AsyncClient.rebuild`. Raises ``EventNotDecoded`` too."""
        return await rebuild(
            self.client, aggregate_type, aggregate_id, self._applied(apply), initial,
            at_version=at_version, use_snapshots=use_snapshots, snapshot_every=snapshot_every,
            encode=encode, decode=decode,
        )  # fmt: skip

    def repository(
        self,
        aggregate_type: str,
        apply: TypedApply[T, E],
        initial: Callable[[], T],
        *,
        snapshot_every: int | None = None,
        encode: Callable[[T], Any] = as_it_is,
        decode: Callable[[Any], T] = as_it_is,
    ) -> TypedRepository[T, E]:
        """See :meth:`AsyncClient.repository`."""
        recorded = Repository(
            self.client, aggregate_type, self._applied(apply), initial,
            snapshot_every=snapshot_every, encode=encode, decode=decode,
        )  # fmt: skip
        return TypedRepository(recorded, self.registry)

    def _applied(self, apply: TypedApply[T, E]) -> Apply[T]:
        read = self.registry.read
        return lambda state, event: apply(state, read(event))
