"""What follows from an event is appended once, however often the event comes."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest

from indelible import AsyncClient, EventQuery, GroupExists, InvalidRequest, NewEvent, TypedEvent
from typing_checks import order_events
from typing_checks.order_events import EVENTS, InvoiceSent, OrderPaid, OrderPlaced

PLACED = OrderPlaced(Decimal("12.50"), "EUR")
PATIENCE_S = 60.0


class Cashier:
    """Returns one thing after the other, or raises it; stops the test's member after the last."""

    def __init__(self, *returned: object) -> None:
        self.returned = list(returned)
        self.called = 0
        self.is_done = asyncio.Event()

    async def __call__(self, event: TypedEvent[OrderPlaced]):
        self.called += 1
        found = self.returned.pop(0)
        if not self.returned:
            self.is_done.set()
        if isinstance(found, Exception):
            raise found
        return found


async def react(client: AsyncClient, cashier: Cashier, group: str = "cashiers") -> None:
    """Until all that the cashier has to give is given, and nothing is left in the group."""
    orders = client.typed(EVENTS)
    member = asyncio.create_task(orders.react(group, OrderPlaced, cashier, delay_s=0))
    async with asyncio.timeout(PATIENCE_S):
        await cashier.is_done.wait()
        while (info := await client.groups.get(group)).lag or info.in_flight:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    member.cancel()
    with suppress(asyncio.CancelledError):
        await member


async def stored(client: AsyncClient) -> list[tuple[str, object]]:
    return [(event.event_type, event.event_data) async for event in client.iter_aggregate("order", "1")][1:]


async def test_nothing_one_or_several_follow(event_store: AsyncClient):
    orders = event_store.typed(EVENTS)
    for _ in range(4):
        await orders.append("order", "1", PLACED)
    noted = EVENTS.new_event(OrderPaid("c"), tags=["customer:ada"], metadata={"trace": "x"})
    await react(event_store, Cashier(ZeroDivisionError(), None, OrderPaid("a"), [], [OrderPaid("b"), noted]))
    events = [event async for event in event_store.iter_aggregate("order", "1")][4:]
    assert [event.event_data for event in events] == [{"by": "a"}, {"by": "b"}, {"by": "c"}]
    assert (events[2].tags, events[2].metadata) == (("customer:ada",), {"trace": "x"})


async def test_an_event_that_comes_again_appends_nothing_more(event_store: AsyncClient):
    await event_store.typed(EVENTS).append("order", "1", PLACED)
    await react(event_store, Cashier([OrderPaid("a")]))
    for again in ([OrderPaid("a")], [OrderPaid("another")], [OrderPaid("a"), OrderPaid("more")]):
        await event_store.groups.reset("cashiers", start="beginning")
        await react(event_store, Cashier(again))
    assert await stored(event_store) == [("OrderPaid", {"by": "a"})]
    assert (await event_store.groups.get("cashiers")).parked == 0


async def test_each_group_has_its_own(event_store: AsyncClient):
    await event_store.typed(EVENTS).append("order", "1", PLACED)
    for group in ("cashiers", "others"):
        await react(event_store, Cashier(OrderPaid(group)), group)
    assert await stored(event_store) == [("OrderPaid", {"by": "cashiers"}), ("OrderPaid", {"by": "others"})]


async def test_what_cannot_be(event_store: AsyncClient):
    orders = event_store.typed(EVENTS)
    with pytest.raises(InvalidRequest, match="InvoiceSent is not registered") as caught:
        await orders.react("cashiers", InvoiceSent, Cashier())
    assert caught.value.pointer == "/kind"
    await event_store.groups.create("cashiers", EventQuery.of(event_types=["OrderPaid"]))
    with pytest.raises(GroupExists):
        await orders.react("cashiers", OrderPlaced, Cashier())


async def test_what_does_not_fit_its_class_is_refused_and_parked(event_store: AsyncClient):
    await event_store.append("order", "1", NewEvent("OrderPlaced", 5))
    await event_store.groups.create("cashiers", EventQuery.of(event_types=["OrderPlaced"]))
    member = asyncio.create_task(event_store.typed(EVENTS).react("cashiers", OrderPlaced, Cashier(), delay_s=0))
    async with asyncio.timeout(PATIENCE_S):
        while not (await event_store.groups.get("cashiers")).parked:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    member.cancel()


async def test_a_program_that_reacts(event_store: AsyncClient):
    await event_store.typed(EVENTS).append("order", "1", PLACED)
    member = asyncio.create_task(order_events.react(event_store, "cashiers"))
    async with asyncio.timeout(PATIENCE_S):
        while not await stored(event_store):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    member.cancel()
    assert await stored(event_store) == [("OrderPaid", {"by": "ada"})]
