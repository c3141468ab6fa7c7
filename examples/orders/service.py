"""The service: an API by FastAPI, payments by a consumer group, and the open orders. README.md says how to run it."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import orders
from indelible import AsyncClient, EventQuery, OutcomeUnknown, Supervisor, Unavailable
from orders import EVENTS, NoSuchOrder, Order, OrderEvent, OrderPlaced, PaymentRequested, Refused


def make_app(client: AsyncClient | None = None) -> FastAPI:
    client = client or AsyncClient(os.environ.get("INDELIBLE_URL", "http://127.0.0.1:8080"))
    events, supervisor, open_orders = client.typed(EVENTS), Supervisor(), dict[str, Order]()
    repository = events.repository("order", orders.apply, lambda: None)

    async def take_payment(event: OrderEvent) -> None:
        await events.append("order", event.aggregate_id, orders.paid(event))

    async def take_payments() -> None:
        await client.groups.create("payments", EventQuery.of(event_types=["PaymentRequested"]))
        await events.consume("payments").run(take_payment, concurrency=8)

    async def keep_open_orders() -> None:
        open_orders.clear()
        async for event in events.subscribe(EventQuery.of(aggregate_types=["order"])):
            order = orders.apply(open_orders.pop(event.aggregate_id, None), event)
            if order and order.status != "paid":
                open_orders[event.aggregate_id] = order

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with client, supervisor:
            supervisor.start("payments", take_payments)
            supervisor.start("open orders", keep_open_orders)
            yield

    async def refuse(_: Request, error: Exception) -> JSONResponse:
        status: dict[type[Exception], int] = {NoSuchOrder: 404, Refused: 409}
        return JSONResponse({"detail": str(error)}, status.get(type(error), 503))

    app = FastAPI(lifespan=lifespan, exception_handlers=dict.fromkeys((Refused, Unavailable, OutcomeUnknown), refuse))

    @app.put("/orders/{order_id}", status_code=204)
    async def place(order_id: str, placed: OrderPlaced) -> None:
        await repository.update(order_id, lambda order: orders.place(order, placed))

    @app.post("/orders/{order_id}/payment", status_code=202)
    async def pay(order_id: str, request: PaymentRequested) -> None:
        await repository.update(order_id, lambda order: orders.request_payment(order, request))

    @app.get("/orders/{order_id}")
    async def show(order_id: str) -> Order:
        return orders.found((await repository.load(order_id)).state)

    @app.get("/open-orders")
    async def show_open() -> dict[str, Order]:
        return open_orders

    @app.get("/health")
    async def health() -> JSONResponse:
        failing = supervisor.failing | ({"store": str(client.outage)} if client.outage else {})
        return JSONResponse(failing, 503 if failing else 200)

    return app
