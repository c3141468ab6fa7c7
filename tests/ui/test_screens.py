"""Each screen on a real store: what it shows, what its keys do, and what becomes of what is parked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from indelible import AsyncClient, EventQuery, NewEvent
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.eventstore import Head
from indelible.limits import UI_PAGE_EVENTS, UI_ROWS_MAX
from indelible.store_around import StoreAround
from indelible.ui import reach, top
from relays.proxy import proxy
from serving import serving_in_a_thread
from ui.looking import looking

HOSTILE_TYPE = "[red]Evil[/red]\u202e"
HOSTILE_DATA = {"say": "\x9b31m[bold]hello[/bold]\u202e\x1b]0;x\x07"}


@pytest.fixture
async def store() -> AsyncIterator[LocalEventStore]:
    async with LocalEventStore(MemoryEngine()) as store:
        yield store


async def _fill(store: LocalEventStore, count: int) -> None:
    for first in range(1, count + 1, 500):
        numbers = range(first, min(first + 500, count + 1))
        await store.append("order", "o-1", [NewEvent("Placed" if n % 2 else "Paid", {"n": n}) for n in numbers])


async def test_the_overview_shows_what_there_is_and_how_it_grows(store: LocalEventStore):
    await _fill(store, 3)
    await store.append("bill", "b-1", [NewEvent("Issued")])
    async with looking(store) as person:
        await person.until_sees("● 4 events", "the place", "Placed", "order", "bill", "Issued")
        await person.until_sees("3 event types, 2 aggregate types, 2 aggregates")
        await _fill(store, 1_000)
        await person.until_sees("1,004 events", "a second")
        assert not person.sees("   0 a second")
        await person.press("question_mark")
        await person.until_sees("Keys", "Ctrl-C")
        await person.press("escape")
        await person.until_gone("Ctrl-C")


async def test_the_feed_goes_back_to_the_first_event_and_keeps_a_bounded_list(store: LocalEventStore):
    count = UI_ROWS_MAX + UI_PAGE_EVENTS
    await _fill(store, count)
    async with looking(store, (160, 30)) as person:
        await person.press("2")
        await person.until_sees(f"{UI_PAGE_EVENTS} events · End looks further back", f'{{"n":{count}}}')
        for page in range(2, 6):
            await person.press("end")
            await person.until_sees(f"{page * UI_PAGE_EVENTS} events")
        await person.press("end")
        await person.until_sees(f"{UI_ROWS_MAX} events · back to the first")
        await person.press("end")
        await person.until_sees('{"n":1}')
        await store.append("order", "o-2", [NewEvent("Placed")])
        await person.until_sees("newer: n")
        await person.press("n")
        await person.until_sees(f" {count + 1} ", f"{UI_PAGE_EVENTS} events")


async def test_the_feed_is_filtered_and_an_event_leads_to_its_aggregate(store: LocalEventStore):
    await _fill(store, 10)
    await store.append("bill", "b-1", [NewEvent("Issued", {"total": 12.50}, tags=["customer:ada"])])
    await store.append("bill", "b-1", [NewEvent("Sent", {}, metadata={"by": "post"})])
    async with looking(store) as person:
        await person.press("2")
        await person.until_sees("Placed", "Sent")
        await person.press("slash")
        await person.types("Issued")
        await person.press("enter")
        await person.until_sees("1 events · back to the first", "bill-b-1", '"total": 12.5')
        assert not person.sees("Placed")
        await person.press("enter")
        await person.until_sees("customer:ada", "Back")
        await person.press("escape", "t")
        await person.until_sees("version 2 · 2 events shown · back to the first", "Sent", "Issued")
        await person.until_sees("metadata", '"by": "post"')
        await store.append("bill", "b-1", [NewEvent("Paid")])
        await person.until_sees("version 3", "Paid")
        await person.press("slash")
        await person.types("-")
        await person.press("enter")
        await person.until_sees("aggregate_type: ")
        await person.press("2", "slash", "end")
        await person.types("\\")
        await person.press("enter")
        await person.until_sees("Nothing like it is stored.")


async def test_the_tail_shows_what_comes_and_can_be_paused(store: LocalEventStore):
    await _fill(store, 3)
    async with looking(store) as person:
        await person.press("3")
        await person.until_sees("Live · waits for events")
        await store.append("order", "o-9", [NewEvent("Placed", {"it": "came"})])
        await person.until_sees("Live · 1 came", '{"it":"came"}')
        await person.press("space")
        await person.until_sees("Paused · 1 came")
        await store.append("order", "o-9", [NewEvent("Cancelled")])
        await person.until_sees("Paused · 2 came")
        assert not person.sees("Cancelled")
        await person.press("space")
        await person.until_sees("Live · 2 came", "Cancelled")
        await _fill(store, UI_ROWS_MAX + 10)
        await person.until_sees(f"Live · {UI_ROWS_MAX + 12} came, the last {UI_ROWS_MAX} are shown")


async def _park(store: LocalEventStore) -> None:
    """Three events of a group, each with one that follows."""
    for number in (1, 2, 3):
        await store.append("order", f"o-{number}", [NewEvent("Placed", {"n": number}), NewEvent("Paid")])
    await store.groups.create("billing", EventQuery.of(aggregate_types=["order"]))
    taken = await store.groups.pull("billing", limit=10)
    await store.groups.nack("billing", [one.delivery_id for one in taken], reason="no [red]card[/red]", park=True)


async def test_what_is_parked_is_delivered_again_or_skipped(store: LocalEventStore):
    await _park(store)
    async with looking(store) as person:
        await person.press("5")
        await person.until_sees("billing", "6 events are parked")
        await person.press("enter")
        await person.until_sees("Parked in billing", "6 events in 3 aggregates", "no [red]card[/red]")
        await person.press("enter")
        await person.until_sees("parked    no [red]card[/red]", '"n": 1')
        await person.press("escape", "r")
        await person.until_sees("Done: position 1 is delivered again", "4 events in 2 aggregates")
        assert [one.event.position for one in await store.groups.pull("billing")] == [1]

        await person.press("home", "s")
        await person.until_sees("Skip position 3", "Why?")
        await person.press("enter", "escape")
        await person.until_gone("Why?")
        await person.press("s")
        await person.until_sees("Why?")
        await person.types("a test order")
        await person.press("enter")
        await person.until_sees("Done: position 3 is skipped", "2 events in 1 aggregates")
        skipped = (await store.groups.list_skipped("billing")).skipped
        assert [(one.position, one.reason) for one in skipped] == [(3, "a test order")]

        await person.press("R")
        await person.until_sees("Deliver all that is parked in billing again?")
        await person.press("y")
        await person.until_sees("Done: all are delivered again", "Nothing is parked.")
        assert sorted(one.event.position for one in await store.groups.pull("billing", limit=5)) == [4, 5]
        await person.press("1")
        await person.until_sees("3 aggregates")


async def test_what_somebody_else_did_first_is_said(store: LocalEventStore):
    await _park(store)
    async with looking(store, (60, 20)) as person:
        await person.press("5")
        await person.until_sees("billing")
        await person.press("enter")
        await person.until_sees("6 events in 3 aggregates")
        await store.groups.redrive_parked("billing", [1])
        await person.press("r")
        await person.until_sees("Nothing was done: ")


@pytest.mark.parametrize("width", [60, 160])
async def test_nothing_that_is_stored_steers_the_terminal(store: LocalEventStore, width: int):
    large = NewEvent("Large", {"text": "x" * 300_000})
    await store.append("order\u202e", "o-1\u202e", [NewEvent(HOSTILE_TYPE, HOSTILE_DATA, tags=["\u2066t"]), large])
    await store.groups.create("g\u202e[/]")
    async with looking(store, (width, 24)) as person:
        drawn: list[str] = []
        for key, seen in (("1", "[red]Evil[/red]\\u202e"), ("2", "Large"), ("t", "Large"), ("5", "g\\u202e[/]")):
            await person.press(key)
            await person.until_sees(seen)
            drawn += person.lines()
        await person.press("2")
        await person.until_sees("Large")
        await person.press("down")
        await person.until_sees("[bold]hello[/bold]")
        drawn += person.lines()
        await person.press("up", "enter", "end")
        await person.until_sees("bytes in all: indelible read")
        drawn += person.lines()
    assert [line for line in drawn if not line.isprintable()] == []
    assert {len(line) > width for line in drawn} == {False}


async def test_a_store_that_goes_away_is_waited_for():
    with serving_in_a_thread(open_local_store("memory:")) as url, proxy(int(url.rpartition(":")[2])) as way:
        async with AsyncClient(f"http://127.0.0.1:{way.port}", retry_total_s=0.0) as client, AsyncClient(url) as other:
            await other.append("order", "o-1", [NewEvent("Placed")])
            async with looking(client) as person:
                await person.press("3")
                await person.until_sees("● 1 events", "waits for events")
                way.port_behind = 1
                way.cut()
                await person.until_sees("✖ no answer for")
                await other.append("order", "o-1", [NewEvent("Meanwhile")])
                way.port_behind = int(url.rpartition(":")[2])
                await person.until_sees("● 2 events", "Meanwhile", "Live · 1 came")


class _Stuck(StoreAround):
    """Answers nothing until it is let."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.may = asyncio.Event()

    async def head(self) -> Head:
        await self.may.wait()
        return await self.inner.head()


async def test_a_slow_store_holds_up_nobody(store: LocalEventStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(top, "SLOW_S", 0.1)
    monkeypatch.setattr(reach, "UI_ANSWER_TIMEOUT_S", 3.0)
    await _fill(store, 2)
    stuck = _Stuck(store)
    async with looking(stuck) as person:
        await person.until_sees("… waits for the store", "Placed")
        await person.press("2")
        await person.until_sees("2 events · back to the first")
        await person.until_sees("✖ no answer for", "within 3 s")
        stuck.may.set()
        await person.until_sees("● 2 events")


async def test_columns_follow_the_window(store: LocalEventStore):
    await _fill(store, 2)
    async with looking(store, (160, 24)) as person:
        await person.press("2")
        await person.until_sees("position", "event type", "data", "version")
        await person.pilot.resize_terminal(60, 24)
        await person.until_sees("position", "event type", "aggregate")
        heading = next(line for line in person.lines() if "position" in line and "time" in line)
        assert "data" not in heading
        assert len(heading) <= 60
