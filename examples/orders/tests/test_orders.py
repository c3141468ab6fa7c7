"""The rules by themselves, what is stored, and the service as its callers see it."""

import asyncio
from typing import Any

import pytest
from fastapi import HTTPException
from httpx import AsyncClient as Caller
from service import EVENTS, Order, OrderPaid, OrderPlaced, PaymentRequested

from indelible import AsyncClient

NEW = Order(customer="", total_cents=0)
PLACED = OrderPlaced(customer="ada", total_cents=4200)
CARD = PaymentRequested(card="4000")


def test_what_was_done_already_appends_nothing():
    order = Order(customer="ada", total_cents=4200, status="placed")
    assert NEW.place(PLACED) == [PLACED]
    assert order.place(PLACED) == []
    assert order.request_payment(CARD) == [CARD]
    assert order.model_copy(update={"status": "paid"}).request_payment(CARD) == []


def test_what_cannot_be_is_refused():
    with pytest.raises(HTTPException, match="another order"):
        Order(customer="grace", total_cents=1, status="placed").place(PLACED)


async def test_an_order_is_what_its_events_say(event_store: AsyncClient):
    repository = event_store.typed(EVENTS).repository("order", Order.apply, lambda: NEW)
    await repository.save("o-1", [PLACED, CARD, OrderPaid(receipt="r-1")], expected_version=0)
    assert (await repository.load("o-1", at_version=1)).state == Order(
        customer="ada", total_cents=4200, status="placed"
    )
    assert (await repository.load("o-1")).state.status == "paid"


async def test_an_order_is_placed_and_paid(api: Caller):
    for _ in range(2):
        assert (await api.put("/orders/o-1", json=PLACED.model_dump())).status_code == 204
    await until(api, "/open-orders", {"o-1": {"customer": "ada", "total_cents": 4200, "status": "placed"}})
    assert (await api.post("/orders/o-1/payment", json={"card": "4000"})).status_code == 202
    await until(api, "/orders/o-1", {"customer": "ada", "total_cents": 4200, "status": "paid"})
    await until(api, "/open-orders", {})
    assert (await api.get("/health")).status_code == 200


async def test_callers_are_told_why(api: Caller):
    assert (await api.get("/orders/o-1")).status_code == 404
    assert (await api.post("/orders/o-1/payment", json={"card": "4000"})).status_code == 404
    assert (await api.put("/orders/o-1", json=PLACED.model_dump())).status_code == 204
    other = await api.put("/orders/o-1", json={"customer": "ada", "total_cents": 1})
    assert (other.status_code, other.json()) == (409, {"detail": "there is another order of this id"})


async def until(api: Caller, path: str, wanted: dict[str, Any]) -> None:
    """What follows from an event comes a little later."""
    seen: Any = None
    for _ in range(1000):
        if (seen := (await api.get(path)).json()) == wanted:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"{path} says {seen}")
