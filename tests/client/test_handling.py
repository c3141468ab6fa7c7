"""Consumers that are given a handler: what is acknowledged and what refused, in which order, and how it ends."""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from uuid import uuid4

import pytest

from indelible import AsyncClient, Client, GroupNotFound, InvalidRequest, NewEvent, RecordedEvent, SyncConsumer
from indelible.groups import GroupInfo
from indelible.handling import _reason

PATIENCE_S = 60.0
GROUP = "billing"


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with AsyncClient("memory:") as client, asyncio.timeout(PATIENCE_S):
        await client.groups.create(GROUP, max_attempts=3)
        yield client


async def append(client: AsyncClient, aggregates: int, events: int = 1) -> None:
    for number in range(aggregates):
        await client.append("order", str(number), [NewEvent("Placed", n) for n in range(events)])


async def settled(client: AsyncClient) -> GroupInfo:
    """The group, once nothing is left to be delivered or to be acknowledged."""
    while (info := await client.groups.get(GROUP)).lag or info.in_flight:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.005)
    return info


async def end(running: asyncio.Task[None]) -> None:
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_each_event_goes_to_the_handler_in_the_order_of_its_aggregate(client: AsyncClient):
    await append(client, 20, 5)
    seen = defaultdict[str, list[object]](list)
    here = most = 0

    async def handle(event: RecordedEvent) -> None:
        nonlocal here, most
        here, most = here + 1, max(most, here + 1)
        await asyncio.sleep(0)
        seen[event.aggregate_id].append(event.event_data)
        here -= 1

    running = asyncio.create_task(client.consume(GROUP).run(handle, concurrency=8))
    info = await settled(client)
    await end(running)
    assert list(seen.values()) == [[0, 1, 2, 3, 4]] * 20
    assert most == 8
    assert (info.waiting, info.parked) == (0, 0)


async def test_an_event_whose_handler_fails_comes_again_and_the_traceback_is_logged(
    client: AsyncClient, caplog: pytest.LogCaptureFixture
):
    await append(client, 2, 2)
    attempts: list[tuple[str, int]] = []

    async def handle(event: RecordedEvent) -> None:
        attempts.append((event.aggregate_id, event.version))
        if event.aggregate_id == "1" and attempts.count(("1", 1)) < 2:
            raise LookupError("no such customer")

    running = asyncio.create_task(client.consume(GROUP).run(handle, concurrency=4, delay_s=0.01))
    await settled(client)
    await end(running)
    assert [version for aggregate_id, version in attempts if aggregate_id == "1"] == [1, 1, 2]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("indelible.handling", logging.ERROR)
    assert record.getMessage() == (
        "group billing: the handler of order-1 1, position 3 has failed in attempt 1; unless it was the last, the next "
        "is in 0.01 s"
    )
    assert "LookupError: no such customer" in caplog.text
    assert "in handle" in caplog.text


async def test_what_always_fails_is_parked_with_the_reason(client: AsyncClient, caplog: pytest.LogCaptureFixture):
    # Reports of tests are in UTF-8, which has no room for half a character.
    caplog.set_level("CRITICAL", "indelible.handling")
    await append(client, 1, 2)

    def handle(_: RecordedEvent) -> None:
        raise ValueError("half \ud800 and \0")

    running = asyncio.create_task(client.consume(GROUP).run(handle, delay_s=0))
    await settled(client)
    await end(running)
    (parked,) = (await client.groups.list_parked(GROUP)).parked
    assert (parked.attempts, parked.reason) == (3, "ValueError: half \\ud800 and \\0")
    assert len(_reason(ValueError("x" * 5_000))) == 1_000


async def test_cancelled_it_gives_back_all_and_counts_no_attempt(client: AsyncClient):
    await append(client, 6)
    has_begun = asyncio.Event()

    async def handle(_: RecordedEvent) -> None:
        has_begun.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(client.consume(GROUP).run(handle, concurrency=2))
    await has_begun.wait()
    await end(running)
    info = await client.groups.get(GROUP)
    assert (info.in_flight, info.parked) == (0, 0)
    found: list[int] = []
    while len(found) < 6:
        found += [one.attempt for one in await client.groups.pull(GROUP, wait_s=5)]
    assert found == [1] * 6


async def test_closed_it_lets_handlers_come_to_their_end(client: AsyncClient):
    await append(client, 6)
    has_begun, may_end = asyncio.Event(), asyncio.Event()
    done = 0

    async def handle(_: RecordedEvent) -> None:
        nonlocal done
        has_begun.set()
        await may_end.wait()
        done += 1

    consumer = client.consume(GROUP)
    running = asyncio.create_task(consumer.run(handle, concurrency=2))
    await has_begun.wait()
    await consumer.aclose()
    may_end.set()
    await running
    assert done == 2
    left = 4
    while left:
        left -= len(await client.groups.pull(GROUP, wait_s=5))
    assert await client.groups.pull(GROUP) == ()


async def test_time_is_extended_while_a_handler_runs(client: AsyncClient):
    await client.groups.change(GROUP, ack_timeout_s=6, max_attempts=1)
    await append(client, 1)
    count = 0

    async def deadline() -> datetime:
        (in_flight,) = await client.groups.list_in_flight(GROUP)
        return in_flight.deadline

    async def handle(_: RecordedEvent) -> None:
        nonlocal count
        count += 1
        for _again in range(2):
            before = await deadline()
            while await deadline() == before:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.05)

    running = asyncio.create_task(client.consume(GROUP).run(handle))
    info = await settled(client)
    await end(running)
    assert (count, info.parked) == (1, 0)


async def test_what_was_cancelled_within_a_handler_is_a_failure_like_others(client: AsyncClient):
    await append(client, 1)
    attempts = 0

    async def handle(_: RecordedEvent) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise asyncio.CancelledError

    running = asyncio.create_task(client.consume(GROUP).run(handle, delay_s=0))
    await settled(client)
    await end(running)
    assert attempts == 2


async def test_it_may_be_run_again_after_a_failure(client: AsyncClient):
    """As a supervisor does."""
    await append(client, 4)
    consumer, seen = client.consume(GROUP), list[str]()
    has_begun = asyncio.Event()

    async def handle(event: RecordedEvent) -> None:
        has_begun.set()
        if is_first:
            await asyncio.Event().wait()
        seen.append(event.aggregate_id)

    for is_first in (True, False):
        running = asyncio.create_task(consumer.run(handle, concurrency=2))
        await has_begun.wait()
        if not is_first:
            await settled(client)
        await end(running)
    assert sorted(seen) == ["0", "1", "2", "3"]


async def test_what_is_fatal_ends_it(client: AsyncClient):
    async def handle(_: RecordedEvent) -> None:
        await client.groups.delete(GROUP)

    with pytest.raises(GroupNotFound):
        await client.consume("nobody").run(handle, concurrency=3)
    await append(client, 1)
    with pytest.raises(GroupNotFound):
        await client.consume(GROUP).run(handle, concurrency=3)


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({"handler": None}, "/handler"),
        ({"handler": print, "concurrency": 0}, "/concurrency"),
        ({"handler": print, "delay_s": -1}, "/delay_s"),
    ],
)
async def test_bad_arguments(client: AsyncClient, arguments: dict[str, object], pointer: str):
    with pytest.raises(InvalidRequest) as caught:
        await client.consume(GROUP).run(**arguments)  # type: ignore[arg-type]  # that is what is wrong
    assert caught.value.pointer == pointer


# --- Threads ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sync_client() -> Iterator[Client]:
    with Client("memory:") as client:
        client.groups.create(GROUP)
        yield client


def run_in_a_thread(consumer: SyncConsumer, handler: object, **settings: object) -> threading.Thread:
    thread = threading.Thread(target=consumer.run, args=(handler,), kwargs=settings)
    thread.start()
    return thread


def test_the_client_for_threads(sync_client: Client, caplog: pytest.LogCaptureFixture):
    names, barrier = set[str](), threading.Barrier(3, timeout=PATIENCE_S)
    failed: list[str] = []

    def handle(event: RecordedEvent) -> None:
        names.add(threading.current_thread().name)
        if event.event_type == "Met":
            barrier.wait()
        elif not failed:
            failed.append(event.aggregate_id)
            raise LookupError("no such customer")
        # A handler may use the client.
        sync_client.append("invoice", event.aggregate_id, [NewEvent("Opened")], expected_version="any")

    group = uuid4().hex
    sync_client.groups.create(group)
    for number in range(3):
        sync_client.append("order", str(number), [NewEvent("Met"), NewEvent("Placed")])
    consumer = sync_client.consume(group)
    thread = run_in_a_thread(consumer, lambda e: e.aggregate_type == "order" and handle(e), concurrency=3, delay_s=0)
    give_up_at = time.monotonic() + PATIENCE_S
    while sync_client.groups.get(group).lag:
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
    consumer.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert len(names) == 3
    assert "LookupError: no such customer" in caplog.text
    assert sum(event.event_type == "Opened" for event in sync_client.iter_feed()) == 6


def test_ctrl_c_lets_handlers_come_to_their_end(sync_client: Client, monkeypatch: pytest.MonkeyPatch):
    sync_client.append("order", "1", [NewEvent("Placed")])
    has_begun, may_end = threading.Event(), threading.Event()

    def handle(_: RecordedEvent) -> None:
        has_begun.set()
        assert may_end.wait(PATIENCE_S)

    consumer = sync_client.consume(GROUP)
    start = sync_client._thread.start

    def start_and_interrupt(work: object) -> object:
        """What is started is waited for by a thread that Ctrl-C meets once."""
        running = start(work)  # type: ignore[arg-type]  # it is passed on
        result = running.result

        def interrupted() -> object:
            monkeypatch.undo()
            running.result = result  # type: ignore[method-assign]  # the next wait is as ever
            assert has_begun.wait(PATIENCE_S)
            threading.Timer(0.05, may_end.set).start()
            raise KeyboardInterrupt

        running.result = interrupted  # type: ignore[method-assign]  # for the first wait
        return running

    monkeypatch.setattr(sync_client._thread, "start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        consumer.run(handle)
    assert sync_client.groups.get(GROUP).lag == 0


def test_a_coroutine_function_is_refused(sync_client: Client):
    async def handle(_: RecordedEvent) -> None:
        pass

    with pytest.raises(InvalidRequest, match="must be a plain function") as caught:
        sync_client.consume(GROUP).run(handle)
    assert caught.value.pointer == "/handler"
