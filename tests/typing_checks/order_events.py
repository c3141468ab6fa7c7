"""A program with typed events, as its type checker sees it. mypy checks it with the package (``make types``): what
``assert_type`` says must be so, and what is suppressed must be wrong. Tests of clients run it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, assert_never, assert_type

from indelible import AsyncClient, Client, EventRegistry, LiveStates, NewEvent, Rebuilt, TypedEvent, Unregistered


@dataclass(frozen=True)
class OrderPlaced:
    total: Decimal
    currency: str


@dataclass(frozen=True)
class OrderPaid:
    by: str


@dataclass(frozen=True)
class InvoiceSent:
    """Of no order."""

    number: int


OrderEvent = OrderPlaced | OrderPaid


def with_currency(data: Any) -> Any:
    return {**data, "currency": "EUR"}


EVENTS = EventRegistry().add(OrderPlaced, schema_version=2, upcast={1: with_currency}).add(OrderPaid)
assert_type(EVENTS, EventRegistry[OrderPlaced | OrderPaid])


def apply(owed: Decimal, event: TypedEvent[OrderEvent]) -> Decimal:
    match event.event_data:
        case OrderPlaced(total=total):
            return owed + total
        case OrderPaid(by=who):
            assert_type(who, str)
            return Decimal(0)
        case Unregistered():
            return owed
        case other:
            assert_never(other)


async def run(client: AsyncClient, order_id: str) -> Rebuilt[Decimal]:
    orders = client.typed(EVENTS)
    await orders.append("order", order_id, OrderPlaced(Decimal("12.50"), "EUR"))
    await orders.append("order", order_id, [OrderPaid("ada"), EVENTS.new_event(OrderPaid("hedy"), tags=["late"])])
    async for event in orders.iter_aggregate("order", order_id, from_version=2):
        assert_type(event, TypedEvent[OrderPlaced | OrderPaid])
        assert_type(event.event_data, OrderPlaced | OrderPaid | Unregistered)
    async for event in orders.iter_feed():
        assert_type(event, TypedEvent[OrderPlaced | OrderPaid])
    async for event in orders.subscribe():
        assert_type(event, TypedEvent[OrderPlaced | OrderPaid])
        break
    repository = orders.repository("order", apply, Decimal)
    assert_type(repository.live(until=lambda owed: not owed), LiveStates[Decimal])
    await repository.update(order_id, lambda owed: OrderPlaced(owed + 1, "EUR"))
    assert_type(await repository.load(order_id), Rebuilt[Decimal])
    return await orders.rebuild("order", order_id, apply, Decimal(0))


async def pay(event: TypedEvent[OrderPlaced]) -> OrderPaid | None:
    assert_type(event.event_data, OrderPlaced | Unregistered)
    return OrderPaid("ada") if isinstance(event.event_data, OrderPlaced) else None


async def react(client: AsyncClient, group: str) -> None:
    await client.typed(EVENTS).react(group, OrderPlaced, pay, concurrency=2)


def run_in_a_thread(client: Client, order_id: str) -> Rebuilt[Decimal]:
    orders = client.typed(EVENTS)
    orders.append("order", order_id, OrderPlaced(Decimal("12.50"), "EUR"))
    orders.append("order", order_id, [OrderPaid("ada"), EVENTS.new_event(OrderPaid("hedy"), tags=["late"])])
    for event in orders.iter_aggregate("order", order_id, from_version=2):
        assert_type(event, TypedEvent[OrderPlaced | OrderPaid])
    for event in orders.subscribe():
        assert_type(event, TypedEvent[OrderPlaced | OrderPaid])
        break
    repository = orders.repository("order", apply, Decimal)
    repository.update(order_id, lambda owed: [OrderPlaced(owed + 1, "EUR")])
    assert_type(repository.load(order_id), Rebuilt[Decimal])
    return orders.rebuild("order", order_id, apply, Decimal(0))


def deliveries(client: Client, group: str) -> list[object]:
    taken: list[object] = []
    with client.typed(EVENTS).consume(group) as consumer:
        for delivery in consumer:
            assert_type(delivery.event.event_data, OrderPlaced | OrderPaid | Unregistered)
            taken.append(delivery.event.event_data)
            consumer.ack(delivery)
            if isinstance(taken[-1], OrderPaid):
                break
    return taken


def refused(client: Client) -> None:
    """What a type checker says no to; so does the registry, before anything is stored."""
    orders = client.typed(EVENTS)
    orders.append("order", "1", InvoiceSent(1))  # type: ignore[arg-type]  # it is not registered
    orders.append("order", "1", [OrderPaid("ada"), InvoiceSent(1)])  # type: ignore[list-item]  # nor here
    EVENTS.new_event(InvoiceSent(1))  # type: ignore[arg-type]  # nor here
    orders.append("order", 1, OrderPaid("ada"))  # type: ignore[arg-type]  # an id is a string
    orders.iter_feed(page=7)  # type: ignore[call-arg]  # it has another name
    client.append("order", "1", NewEvent("OrderPaid"), expected_version="nun")  # type: ignore[arg-type]  # no such word
    client.append("order", "1", InvoiceSent(1))  # type: ignore[arg-type]  # that takes events alone
