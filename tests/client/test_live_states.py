"""The states of all aggregates of a type, kept in memory."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from indelible import AsyncClient, Client, LiveStates, NewEvent, RecordedEvent, Repository, ShuttingDown

PATIENCE_S = 60.0


def apply(balance: int, event: RecordedEvent) -> int:
    return balance + event.event_data


@pytest.fixture
def accounts(event_store: AsyncClient) -> Repository[int]:
    return event_store.repository("Account", apply, int)


async def pay_in(store: AsyncClient, account: str, *amounts: int) -> None:
    await store.append("Account", account, [NewEvent("Deposited", amount) for amount in amounts])


@asynccontextmanager
async def running(states: LiveStates[int]) -> AsyncIterator[None]:
    task = asyncio.create_task(states.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(states: LiveStates[int], wanted: dict[str, int]) -> None:
    for _ in range(int(PATIENCE_S / 0.01)):
        if dict(states) == wanted:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"it has {dict(states)}")


async def test_they_are_those_of_before_and_follow_what_happens(event_store: AsyncClient, accounts: Repository[int]):
    states = accounts.live()
    await pay_in(event_store, "1", 5, 6)
    await event_store.append("Other", "1", NewEvent("Deposited", 99))
    assert (len(states), states.cursor) == (0, None)
    async with running(states):
        await until(states, {"1": 11})
        await pay_in(event_store, "2", 7)
        await pay_in(event_store, "1", -1)
        await until(states, {"1": 10, "2": 7})
    # It goes on where it was.
    await pay_in(event_store, "2", 1)
    async with running(states):
        await until(states, {"1": 10, "2": 8})
    assert (states["2"], len(states), "3" in states) == (8, 2, False)


async def test_what_was_left_out_is_right_when_it_comes_back(event_store: AsyncClient, accounts: Repository[int]):
    states = accounts.live(until=lambda balance: balance == 0)
    await pay_in(event_store, "1", 5, -5)
    await pay_in(event_store, "2", 1)
    async with running(states):
        await until(states, {"2": 1})
        await pay_in(event_store, "1", 3, 4)
        await until(states, {"1": 7, "2": 1})


async def test_an_event_that_failed_is_met_again(event_store: AsyncClient):
    is_broken = True

    def add(seen: list[int], event: RecordedEvent) -> list[int]:
        seen.append(event.event_data)
        if is_broken and event.version == 3:
            raise ZeroDivisionError
        return seen

    states = event_store.repository("Account", add, list[int]).live()
    await pay_in(event_store, "1", 1, 2, 3)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await states.run()
    is_broken = False
    task = asyncio.create_task(states.run())
    async with asyncio.timeout(PATIENCE_S):
        while "1" not in states:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    # Not with what the attempts that failed have done to it.
    assert states["1"] == [1, 2, 3]
    task.cancel()


def test_in_threads(event_store_client: Client):
    client = event_store_client
    states = client.repository("Account", apply, int).live(until=lambda balance: balance == 0)
    for account, amount in (("1", 5), ("2", 7), ("1", -5)):
        client.append("Account", account, NewEvent("Deposited", amount))

    def run() -> None:
        with suppress(ShuttingDown):
            states.run()

    running = threading.Thread(target=run)
    running.start()
    for _ in range(int(PATIENCE_S / 0.01)):
        if states.states() == {"2": 7}:
            break
        time.sleep(0.01)
    assert states.states() == {"2": 7}
    client.close()
    running.join(PATIENCE_S)
    assert not running.is_alive()
