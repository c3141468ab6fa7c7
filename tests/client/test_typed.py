"""Clients whose events hold objects: of a store in this process, and of a server; on an event loop, and in threads."""

from collections.abc import Iterator
from decimal import Decimal
from uuid import uuid4

import pytest

from indelible import (
    AggregateAppend,
    AsyncClient,
    Client,
    EventNotDecoded,
    EventQuery,
    InvalidRequest,
    NewEvent,
    TypedEvent,
    TypedSubscription,
    Unregistered,
)
from typing_checks.order_events import (
    EVENTS,
    InvoiceSent,
    OrderPaid,
    OrderPlaced,
    apply,
    deliveries,
    refused,
    run,
    run_in_a_thread,
)

PLACED = OrderPlaced(Decimal("12.50"), "EUR")


def unique() -> str:
    return str(uuid4())


async def test_a_program_in_this_process(event_store: AsyncClient):
    assert await run(event_store, "1") == (Decimal(1), 4)


async def test_a_program_over_http(http_client: AsyncClient):
    assert await run(http_client, unique()) == (Decimal(1), 4)


def test_a_program_in_a_thread(event_store_client: Client):
    assert run_in_a_thread(event_store_client, "1") == (Decimal(1), 4)
    assert [event.event_type for event in event_store_client.iter_feed()] == [
        "OrderPlaced", "OrderPaid", "OrderPaid", "OrderPlaced",
    ]  # fmt: skip


def test_what_a_type_checker_refuses_is_refused(event_store_client: Client):
    with pytest.raises(InvalidRequest) as caught:
        refused(event_store_client)
    assert caught.value.pointer == "/events/0/event_data"
    assert event_store_client.head().position == 0


@pytest.fixture
def client(event_store_client: Client) -> Client:
    """Of a store with events of both versions, of another type, and one that fits no class, at position 4."""
    for event in (
        NewEvent("OrderPlaced", {"total": "1.10"}),
        NewEvent("OrderPlaced", {"total": "2", "currency": "USD"}, metadata={"schema_version": 2}),
        NewEvent("OrderNoted", {"text": "x"}),
        NewEvent("OrderPlaced", 5, tags=["bad"]),
        NewEvent("OrderPaid", {"by": "ada"}),
    ):
        event_store_client.append("order", "1", event)
    return event_store_client


def read_all(events: Iterator) -> list[object]:
    """What each step gives, or raises."""
    found: list[object] = []
    while True:
        try:
            found.append(next(events).event_data)
        except EventNotDecoded as error:
            found.append(error.fields["position"])
        except StopIteration:
            return found


def _are_expected(found: list[object]) -> bool:
    other = found.pop(2)
    placed = [OrderPlaced(Decimal("1.10"), "EUR"), OrderPlaced(Decimal(2), "USD")]
    is_raw = isinstance(other, Unregistered) and other.event_data == {"text": "x"}
    return is_raw and found == [*placed, 4, OrderPaid("ada")]


def test_iterators_go_on_behind_an_event_that_fits_no_class(client: Client):
    orders = client.typed(EVENTS)
    assert _are_expected(read_all(orders.iter_feed()))
    assert _are_expected(read_all(orders.iter_aggregate("order", "1")))


def test_a_subscription_stays_before_an_event_that_fits_no_class(client: Client):
    orders = client.typed(EVENTS)
    subscription = orders.subscribe()
    for _ in range(3):
        next(subscription)
    before = subscription.cursor
    for one in (subscription, orders.subscribe(after=before)):
        with pytest.raises(EventNotDecoded) as caught:
            next(one)
        assert caught.value.fields["position"] == 4
        assert one.cursor == before
        assert next(one).position == 5
        assert one.cursor > before
        one.close()


async def _step(subscription: TypedSubscription, *, fails: bool) -> str:
    if fails:
        with pytest.raises(EventNotDecoded):
            await anext(subscription)
    else:
        await anext(subscription)
    return str(subscription.cursor)


async def test_on_an_event_loop_too(event_store: AsyncClient):
    for data in (5, {"by": "ada"}, 5, {"by": "hedy"}):
        await event_store.append("order", "1", NewEvent("OrderPaid", data))
    orders = event_store.typed(EVENTS)
    async with orders.subscribe() as subscription:
        assert [await _step(subscription, fails=n % 2 == 0) for n in range(4)] == ["0", "2", "2", "4"]
    events = orders.iter_feed()
    with pytest.raises(EventNotDecoded):
        await anext(events)
    assert (await anext(events)).event_data == OrderPaid("ada")
    await events.aclose()
    page = await orders.iter_feed().next_page()
    assert [event.event_data for event in page.events] == [5, {"by": "ada"}, 5, {"by": "hedy"}]
    with pytest.raises(EventNotDecoded):
        await orders.rebuild("order", "1", apply, Decimal(0))


def test_one_event_by_its_id(client: Client):
    event = EVENTS.new_event(PLACED)
    client.append("order", "2", event)
    assert client.typed(EVENTS).get_event(event.event_id).event_data == PLACED


def test_many_aggregates_at_once(client: Client):
    made = [AggregateAppend.of("order", name, EVENTS.new_event(PLACED)) for name in ("2", "3")]
    assert client.append_atomic([*made, AggregateAppend.of("order", "4", EVENTS.new_events([PLACED]))]).position == 8


def test_consuming(client: Client):
    client.groups.create("billing", EventQuery.of(event_types=["OrderPaid"]))
    assert deliveries(client, "billing") == [OrderPaid("ada")]
    assert client.groups.get("billing").in_flight == 0


def test_a_delivery_that_fits_no_class_can_be_parked(client: Client):
    client.groups.create("billing", EventQuery.of(tags=["bad"]))
    with client.typed(EVENTS).consume("billing", member="b-1") as consumer:
        delivery = next(consumer)
        with pytest.raises(EventNotDecoded):
            delivery.event  # noqa: B018 - the access is the test
        assert delivery.attempt == 1
        assert consumer.extend(delivery)
        assert consumer.nack(delivery, reason="fits no class", park=True)
    assert client.groups.get("billing").parked == 1


def test_a_handler_gets_objects(client: Client):
    client.groups.create("billing", EventQuery.of(event_types=["OrderPaid"]))
    seen: list[object] = []
    with client.typed(EVENTS).consume("billing") as consumer:

        def handle(event: TypedEvent[OrderPlaced | OrderPaid]) -> None:
            seen.append(event.event_data)
            consumer.close()

        consumer.run(handle, concurrency=2)
    assert seen == [OrderPaid("ada")]
    info = client.groups.get("billing")
    assert (info.in_flight, info.lag) == (0, 0)


def test_a_handler_that_fits_no_thread_is_refused(client: Client):
    async def handle(_: TypedEvent[OrderPlaced | OrderPaid]) -> None: ...

    consumer = client.typed(EVENTS).consume("billing")
    for wrong in (handle, 5):
        with pytest.raises(InvalidRequest) as caught:
            consumer.run(wrong)
        assert caught.value.pointer == "/handler"


async def test_consuming_on_an_event_loop(event_store: AsyncClient):
    await event_store.groups.create("billing")
    orders = event_store.typed(EVENTS)
    await orders.append("order", "1", [PLACED, OrderPaid("ada")])
    async with orders.consume("billing") as consumer:
        async for delivery in consumer:
            assert delivery.deadline > delivery.event.timestamp
            await consumer.ack(delivery)
            if delivery.event.version == 2:
                break
    assert await consumer.next_delivery() is None


def test_a_wrong_decision_is_not_saved(client: Client):
    repository = client.typed(EVENTS).repository("order", apply, Decimal)
    with pytest.raises(InvalidRequest):
        repository.update("9", lambda owed: InvoiceSent(1))
    assert repository.load("9") == (0, 0)
    assert repository.update("9", lambda owed: []) is None
    assert repository.save("9", PLACED, expected_version=0).version == 1


def test_one_event_where_several_may_stand(client: Client):
    repository = client.repository("account", lambda count, event: count + 1, int)
    assert repository.save("1", NewEvent("Opened"), expected_version=0).version == 1
    assert repository.update("1", lambda count: NewEvent("Deposited", count)).version == 2
