"""A consumer of a group whose deliveries hold typed events: made by ``AsyncTypedClient.consume``."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Generic, Self

from indelible.consumer import Consumer
from indelible.event_registry import E, EventRegistry
from indelible.groups import Delivery, GroupInfo
from indelible.handling import check_handling
from indelible.limits import HANDLER_DELAY_DEFAULT_S
from indelible.queries import EventQuery
from indelible.typed_events import TypedEvent


class TypedDelivery(Generic[E]):
    """A :class:`Delivery` of a typed event."""

    __slots__ = ("_registry", "recorded")

    def __init__(self, recorded: Delivery, registry: EventRegistry[E]) -> None:
        self.recorded: Final = recorded
        self._registry: Final = registry

    @property
    def event(self) -> TypedEvent[E]:
        """Raises ``EventNotDecoded``. The delivery is with the caller then, to be refused or parked like any other."""
        return self._registry.read(self.recorded.event)

    @property
    def delivery_id(self) -> str:
        return self.recorded.delivery_id

    @property
    def attempt(self) -> int:
        return self.recorded.attempt

    @property
    def deadline(self) -> datetime:
        return self.recorded.deadline


class TypedConsumer(Generic[E]):
    """A :class:`Consumer` of typed events: the same methods, for the same deliveries."""

    def __init__(self, recorded: Consumer, registry: EventRegistry[E]) -> None:
        self.recorded: Final = recorded
        self.registry: Final = registry

    async def create_group(self, query: EventQuery) -> GroupInfo:
        """See :meth:`Consumer.create_group`."""
        return await self.recorded.create_group(query)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TypedDelivery[E]:
        return TypedDelivery(await anext(self.recorded), self.registry)

    async def next_delivery(self) -> TypedDelivery[E] | None:
        """See :meth:`Consumer.next_delivery`."""
        delivery = await self.recorded.next_delivery()
        return None if delivery is None else TypedDelivery(delivery, self.registry)

    async def ack(self, delivery: TypedDelivery[E]) -> bool:
        """See :meth:`Consumer.ack`."""
        return await self.recorded.ack(delivery.recorded)

    async def nack(
        self, delivery: TypedDelivery[E], *, delay_s: float = 0.0, reason: str = "", park: bool = False
    ) -> bool:
        """See :meth:`Consumer.nack`."""
        return await self.recorded.nack(delivery.recorded, delay_s=delay_s, reason=reason, park=park)

    async def extend(self, delivery: TypedDelivery[E], *, ack_timeout_s: float | None = None) -> bool:
        """See :meth:`Consumer.extend`."""
        return await self.recorded.extend(delivery.recorded, ack_timeout_s=ack_timeout_s)

    async def run(
        self,
        handler: Callable[[TypedEvent[E]], Awaitable[object] | object],
        *,
        concurrency: int = 1,
        delay_s: float = HANDLER_DELAY_DEFAULT_S,
    ) -> None:
        """See :meth:`Consumer.run`. An event that does not fit its class is refused, as if the handler had raised."""
        check_handling(handler, concurrency, delay_s)
        read = self.registry.read
        await self.recorded.run(lambda event: handler(read(event)), concurrency=concurrency, delay_s=delay_s)

    async def aclose(self) -> None:
        """See :meth:`Consumer.aclose`."""
        await self.recorded.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
