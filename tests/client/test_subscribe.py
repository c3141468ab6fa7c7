"""Subscriptions of the client: what they give out, where they go on, and what they ride over."""

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from client.conftest import Server
from indelible import AsyncClient, Client, EventQuery, InvalidRequest, NewEvent, ShuttingDown, Unavailable
from indelible.cursors import cursor_at

PATIENCE_S = 60.0


def some(count: int, **more: object) -> list[NewEvent]:
    return [NewEvent("Counted", {"n": n, "text": "x" * 50}, **more) for n in range(count)]  # type: ignore[arg-type]  # tags


@asynccontextmanager
async def cutting(target: str, after_bytes: Iterator[int]) -> AsyncIterator[str]:
    """A way to a server on which each connection is cut after so many bytes of the answer; none once they run out."""
    host, port = target.removeprefix("http://").split(":")
    open_tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = next(after_bytes, None)
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        sending = asyncio.create_task(_copy(reader, up_writer, None))
        open_tasks.add(sending)
        try:
            await _copy(up_reader, writer, left)
        finally:
            sending.cancel()
            for each in (writer, up_writer):
                each.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
    while data := await reader.read(65_536 if left is None else max(1, min(left, 65_536))):
        writer.write(data)
        await writer.drain()
        if left is not None and (left := left - len(data)) <= 0:
            return


async def test_a_connection_cut_at_any_byte_loses_and_doubles_nothing(http_client: AsyncClient):
    start = (await http_client.head()).cursor
    events = some(4)
    await http_client.append("Order", uuid4().hex, events)
    ids = [event.event_id for event in events]
    # Far enough for one event at least each time, and at another byte of what follows.
    for beyond in range(0, 900, 41):
        async with (
            cutting(http_client.url, iter([600 + beyond, 700])) as url,
            AsyncClient(url) as client,
            asyncio.timeout(PATIENCE_S),
            client.subscribe(after=start) as subscription,
        ):
            assert [(await anext(subscription)).event_id for _ in ids] == ids


async def test_it_goes_on_after_a_kill_and_a_restart(durable_server: Server):
    async with AsyncClient(durable_server.url, retry_total_s=60) as client:
        await client.append("Order", "1", some(5))
        async with asyncio.timeout(PATIENCE_S), client.subscribe() as subscription:
            positions = [(await anext(subscription)).position for _ in range(5)]
            for _ in range(2):
                durable_server.stop(signal.SIGKILL)
                durable_server.start()
                await client.append("Order", "1", some(3))
                positions += [(await anext(subscription)).position for _ in range(3)]
        assert positions == [*range(1, 12)]


async def test_it_gives_up_after_retry_total_s(durable_server: Server):
    async with AsyncClient(durable_server.url) as client:
        await client.append("Order", "1", some(1))
        async with client.subscribe(retry_total_s=0.5) as subscription:
            await anext(subscription)
            durable_server.stop(signal.SIGKILL)
            started = time.monotonic()
            with pytest.raises(Unavailable):
                await anext(subscription)
            assert 0.4 < time.monotonic() - started < 20
            assert subscription.cursor == cursor_at(1)


async def test_it_never_tries_again_with_retry_total_s_0(durable_server: Server):
    async with AsyncClient(durable_server.url) as client:
        await client.append("Order", "1", some(1))
        async with client.subscribe(retry_total_s=0) as subscription:
            await anext(subscription)
            durable_server.stop(signal.SIGKILL)
            with pytest.raises(Unavailable):
                await anext(subscription)


async def test_what_is_wrong_comes_out_at_once(http_client: AsyncClient):
    with pytest.raises(InvalidRequest) as caught:
        await anext(http_client.subscribe(after=cursor_at(10**12)))
    assert caught.value.pointer == "/after"
    with pytest.raises(InvalidRequest):
        await anext(http_client.subscribe(EventQuery.of(tags=[""])))


async def test_the_cursor_is_behind_what_was_given_out(http_client: AsyncClient):
    start, tag = (await http_client.head()).cursor, uuid4().hex
    query = EventQuery.of(tags=[tag])
    await http_client.append("Order", uuid4().hex, [*some(2), *some(1, tags=[tag]), *some(2), *some(1, tags=[tag])])
    async with asyncio.timeout(PATIENCE_S), http_client.subscribe(query, after=start) as subscription:
        assert subscription.cursor == start
        for _ in range(2):
            event = await anext(subscription)
            assert subscription.cursor == cursor_at(event.position)
        # Whoever asks for more says that he is done with these; then the page's end counts.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await anext(subscription)
        assert subscription.cursor == (await http_client.head()).cursor


async def test_pages_tell_how_far_reading_is_and_when_it_has_caught_up(http_client: AsyncClient):
    start = (await http_client.head()).cursor
    await http_client.append("Order", uuid4().hex, some(300))
    count = 0
    async with asyncio.timeout(PATIENCE_S), http_client.subscribe(after=start) as subscription:
        while not (page := await subscription.next_page()).at_end:
            count += page.count
            assert subscription.cursor == page.cursor
        assert count + page.count == 300
        assert subscription.cursor == (await http_client.head()).cursor


async def test_many_subscriptions_of_one_client_leave_room_for_calls(http_client: AsyncClient):
    """More than an HTTP client opens connections by itself."""
    start = (await http_client.head()).cursor
    subscriptions = [http_client.subscribe(after=start) for _ in range(150)]
    async with asyncio.timeout(PATIENCE_S):
        pages = await asyncio.gather(*(subscription.next_page() for subscription in subscriptions))
        assert all(page.at_end for page in pages)
        events = some(1)
        await http_client.append("Order", uuid4().hex, events)
        found = await asyncio.gather(*(anext(subscription) for subscription in subscriptions))
        assert {event.event_id for event in found} == {events[0].event_id}
        for subscription in subscriptions:
            await subscription.aclose()


@contextmanager
def sync_client(server: Server) -> Iterator[Client]:
    with Client(server.url) as client:
        yield client


def test_the_synchronous_client(shared_server: Server):
    with sync_client(shared_server) as client:
        start = client.head().cursor
        events = some(5)
        client.append("Order", uuid4().hex, events)
        subscription = client.subscribe(after=start)
        assert [event.event_id for event in islice(subscription, 5)] == [event.event_id for event in events]
        more = some(1)
        client.append("Order", uuid4().hex, more)
        assert next(subscription).event_id == more[0].event_id


def test_leaving_early_leaves_nothing_behind(shared_server: Server):
    """Neither a generator that is closed nor one that is forgotten keeps the client from closing."""
    started = time.monotonic()
    with sync_client(shared_server) as client:
        client.append("Order", uuid4().hex, some(3))
        for event in client.subscribe():
            assert event.position == 1
            break
        subscription = client.subscribe()
        next(subscription)
        subscription.close()  # type: ignore[attr-defined]  # it is a generator
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("store", ["memory:", "sqlite:{tmp}/x.db"])
async def test_a_store_in_this_process(store: str, tmp_path: object):
    async with AsyncClient(store.format(tmp=tmp_path)) as client, client.subscribe() as subscription:
        for _ in range(3):
            (event,) = some(1)
            await client.append("Order", "1", [event])
            async with asyncio.timeout(PATIENCE_S):
                assert (await anext(subscription)).event_id == event.event_id


@pytest.fixture(params=["memory:", "server"])
async def any_client(request: pytest.FixtureRequest, shared_server: Server) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(shared_server.url if request.param == "server" else request.param) as client:
        yield client


async def times_out(step: Coroutine[Any, Any, object]) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(step, 0.01)


async def test_it_goes_on_after_a_wait_that_timed_out(any_client: AsyncClient):
    await any_client.append("Order", str(uuid4()), some(1))
    async with any_client.subscribe(after=(await any_client.head()).cursor) as subscription:
        for _ in range(2):
            await times_out(subscription.__anext__())
            (event,) = some(1)
            await any_client.append("Order", str(uuid4()), [event])
            async with asyncio.timeout(PATIENCE_S):
                assert (await anext(subscription)).event_id == event.event_id
        await times_out(subscription.__anext__())
        await any_client.append("Order", str(uuid4()), some(1))
        async with asyncio.timeout(PATIENCE_S):
            while not (await subscription.next_page()).count:
                pass
        assert subscription.cursor == (await any_client.head()).cursor


async def test_closing_it_ends_a_step_that_waits(any_client: AsyncClient):
    subscription = any_client.subscribe(after=(await any_client.head()).cursor)
    await times_out(subscription.__anext__())
    waiting = asyncio.create_task(subscription.__anext__())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="another task"):
        await anext(subscription)
    await subscription.aclose()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(StopAsyncIteration):
            await waiting
    with pytest.raises(StopAsyncIteration):
        await anext(subscription)
    await subscription.aclose()


async def test_forgotten_after_a_wait_that_timed_out_it_ends(any_client: AsyncClient):
    subscription = any_client.subscribe(after=(await any_client.head()).cursor)
    await times_out(subscription.__anext__())
    waiting = {task for task in asyncio.all_tasks() if task.get_name() == "next-page"}
    assert len(waiting) == 1
    del subscription
    gc.collect()
    done, _ = await asyncio.wait(waiting, timeout=PATIENCE_S)
    assert done == waiting


@pytest.mark.parametrize("url", ["memory:", "server"])
def test_closing_the_client_ends_a_subscription_that_waits(shared_server: Server, url: str):
    client = Client(shared_server.url if url == "server" else url)
    ended: Future[type[BaseException]] = Future()

    def wait() -> None:
        try:
            for _ in client.subscribe(after=client.head().cursor):
                pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test looks at it
            ended.set_result(type(error))

    thread = Thread(target=wait, daemon=True)
    thread.start()
    time.sleep(0.5)
    closing = Thread(target=client.close, daemon=True)
    closing.start()
    assert issubclass(ended.result(60), ShuttingDown)
    closing.join(60)
    assert not closing.is_alive()
