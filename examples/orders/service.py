"""Orders: an API by FastAPI, payments by a consumer group, and the open orders. README.md says how to run it."""

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from indelible import AsyncClient, EventRegistry, TypedEvent
from indelible.integrations.fastapi import attach, command, state


class OrderPlaced(BaseModel):
    customer: str
    total_cents: int


class PaymentRequested(BaseModel):
    card: str


class OrderPaid(BaseModel):
    receipt: str


EVENTS = EventRegistry().add(OrderPlaced).add(PaymentRequested).add(OrderPaid)


class Order(OrderPlaced):
    status: str = "new"

    def apply(self, event: TypedEvent[OrderPlaced | PaymentRequested | OrderPaid]) -> "Order":
        match event.event_data:
            case OrderPlaced() as placed:
                return Order(**placed.model_dump(), status="placed")
            case PaymentRequested():
                return self.model_copy(update={"status": "paying"})
            case OrderPaid():
                return self.model_copy(update={"status": "paid"})
            case _:
                return self

    def place(self, placed: OrderPlaced) -> list[OrderPlaced]:
        """Appends nothing when it was placed already, so that callers may ask again."""
        if self.status != "new" and (self.customer, self.total_cents) != (placed.customer, placed.total_cents):
            raise HTTPException(409, "there is another order of this id")
        return [placed] if self.status == "new" else []

    def request_payment(self, request: PaymentRequested) -> list[PaymentRequested]:
        return [request] if self.status == "placed" else []


async def take_payment(event: TypedEvent[PaymentRequested]) -> OrderPaid:
    """What it returns is appended to the order, once, however often it is called for the same event."""
    return OrderPaid(receipt=f"r-{event.position}")


def make_app(url: str | None = None) -> FastAPI:
    app, client = FastAPI(title="Orders"), AsyncClient(url)
    events, supervisor = client.typed(EVENTS), attach(app, client)
    orders = events.repository("order", Order.apply, lambda: Order(customer="", total_cents=0))
    open_orders = orders.live(until=lambda order: order.status == "paid")
    supervisor.start("payments", events.react, "payments", PaymentRequested, take_payment, concurrency=8)
    supervisor.start("open orders", open_orders.run)
    app.put("/orders/{aggregate_id}", status_code=204)(command(orders, Order.place, may_create=True))
    app.post("/orders/{aggregate_id}/payment", status_code=202)(command(orders, Order.request_payment))
    app.get("/orders/{aggregate_id}", response_model=Order)(state(orders))

    @app.get("/open-orders")
    async def show_open() -> dict[str, Order]:
        return dict(open_orders)

    return app
