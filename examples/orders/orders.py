"""What happens to an order, and what it then is. Nothing here knows of the web, or of where events are kept."""

from typing import TypeAlias
from uuid import uuid5

from pydantic import BaseModel

from indelible import EventRegistry, NewEvent, TypedEvent


class OrderPlaced(BaseModel):
    customer: str
    total_cents: int


class PaymentRequested(BaseModel):
    card: str


class OrderPaid(BaseModel):
    receipt: str


class Order(OrderPlaced):
    status: str = "placed"


class Refused(Exception):
    """What an order is forbids it."""


class NoSuchOrder(Refused):
    """It was never placed."""


EVENTS = EventRegistry().add(OrderPlaced).add(PaymentRequested).add(OrderPaid)
OrderEvent: TypeAlias = TypedEvent[OrderPlaced | PaymentRequested | OrderPaid]


def apply(order: Order | None, event: OrderEvent) -> Order | None:
    """The order after an event; None is an order that was never placed."""
    match order, event.event_data:
        case _, OrderPlaced() as placed:
            return Order(customer=placed.customer, total_cents=placed.total_cents)
        case Order(), PaymentRequested():
            return order.model_copy(update={"status": "paying"})
        case Order(), OrderPaid():
            return order.model_copy(update={"status": "paid"})
        case _:
            return order


def found(order: Order | None) -> Order:
    if order is None:
        raise NoSuchOrder("there is no such order")
    return order


def place(order: Order | None, placed: OrderPlaced) -> list[OrderPlaced]:
    """What is to be appended: nothing when it was placed already, so that callers may ask again."""
    if order and (order.customer, order.total_cents) != (placed.customer, placed.total_cents):
        raise Refused("there is another order of this id")
    return [] if order else [placed]


def request_payment(order: Order | None, request: PaymentRequested) -> list[PaymentRequested]:
    """Nothing when that was done already."""
    return [request] if found(order).status == "placed" else []


def paid(request: OrderEvent) -> NewEvent:
    """What says that a payment was taken. Its id follows from the request's: stored again, it is the same event."""
    return EVENTS.new_event(OrderPaid(receipt=f"r-{request.position}"), event_id=uuid5(request.event_id, "paid"))
