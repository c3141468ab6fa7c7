"""Servers that are away: what goes on by itself, and who is told what about it."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path
from threading import Thread

import pytest

from client.own_time import in_own_time
from faults.server_process import ServerProcess, server_process
from indelible import AsyncClient, Client, IndelibleError, NewEvent, RecordedEvent, Unavailable, VersionConflict
from indelible.client.calls import Calls, Retry, _wait_s
from indelible.client.outages import Outages
from indelible.errors import OutcomeUnknown, Overloaded
from postgres.server import free_port

SHORT_S = 0.5
EVENTS = 20
PATIENCE_S = 100.0


class Told:
    """What a client has said of its server."""

    def __init__(self) -> None:
        self.lost: list[IndelibleError] = []
        self.back = 0
        self.is_lost = asyncio.Event()

    def on_lost(self, error: IndelibleError) -> None:
        self.lost.append(error)
        self.is_lost.set()

    def on_back(self) -> None:
        self.back += 1


class Attempt:
    """Raises one error after the other, then gives an answer."""

    def __init__(self, *errors: IndelibleError) -> None:
        self.errors = list(errors)

    async def __call__(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


# --- Being told ------------------------------------------------------------------------------------------------------


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(one.levelname, one.getMessage()) for one in caplog.records if one.name.startswith("indelible.client")]


async def test_calls_that_fail_at_once_are_one_outage_and_told_once(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    told = Told()
    retry = Retry(None, Outages(told.on_lost, told.on_back))
    away = Unavailable("nobody there")
    await asyncio.gather(*(retry.call(Attempt(*[away] * failures)) for failures in (2, 2, 3)))
    assert (told.lost, told.back, retry.outages.error) == ([away], 1, None)
    (level, lost), (after, back) = messages(caplog)
    assert (level, lost) == ("WARNING", "the event store is out of reach: nobody there; trying again")
    assert (after, back[:29]) == ("INFO", "the event store is back after")


async def test_one_failure_alone_is_no_outage_nor_is_a_server_that_is_busy():
    told = Told()
    outages = Outages(told.on_lost, told.on_back)
    await Retry(None, outages).call(Attempt(Unavailable("x")))
    await Retry(10, outages).call(Attempt(*[Overloaded("busy")] * 2))
    assert told.lost == []
    # But whoever goes on for ever must not do so unnoticed.
    await Retry(None, outages).call(Attempt(*[Overloaded("busy")] * 2))
    assert (len(told.lost), told.back) == (1, 1)


def test_a_call_that_is_given_up_brings_nothing_back_and_any_answer_does():
    async def call() -> None:
        told = Told()
        retry = Retry(1.0, Outages(told.on_lost, told.on_back))
        with pytest.raises(Unavailable):
            await retry.call(Attempt(*[Unavailable("x")] * 99))
        assert retry.outages.error is not None
        with pytest.raises(VersionConflict):
            await retry.call(Attempt(VersionConflict("lost")))
        assert (len(told.lost), told.back, retry.outages.error) == (1, 1, None)

    in_own_time(call())


async def test_a_function_that_fails_when_it_is_told_ends_nothing(caplog: pytest.LogCaptureFixture):
    def fail(_: IndelibleError) -> None:
        raise LookupError("who asked")

    await Retry(None, Outages(fail)).call(Attempt(*[Unavailable("x")] * 2))
    assert "who asked" in caplog.text


def test_waits_stay_bounded_however_long_it_lasts():
    assert _wait_s(100_000, Unavailable("x")) < 10


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ("append", Unavailable, "away; nothing was stored"),
        ("append", OutcomeUnknown, "away; it may have been stored: append it again with the same event ids"),
        ("read", OutcomeUnknown, "away; nothing was changed"),
        ("once", OutcomeUnknown, "away; it may have been done: look before you ask again"),
        ("idempotent", OutcomeUnknown, "away; it may have been done, and to ask again does no harm"),
    ],
)
async def test_an_error_says_what_may_have_happened(call: str, error: type[IndelibleError], said: str):
    with pytest.raises(Unavailable if call == "read" else error) as caught:
        await getattr(Calls(Retry(0)), call)(Attempt(error("away")))
    assert caught.value.message == said


# --- Real servers ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    async with server_process(tmp_path / "store.db", flags=("--grpc", f"127.0.0.1:{free_port()}")) as server:
        yield server


class Service:
    """A service as people write it: it projects, and deals with what a group delivers."""

    def __init__(self, url: str, group: str) -> None:
        self.told = Told()
        self.client = AsyncClient(url, retry_total_s=SHORT_S, on_lost=self.told.on_lost, on_back=self.told.on_back)
        self.group = group
        self.projected: list[int] = []
        self.handled: dict[str, list[int]] = {}
        self.has_begun = asyncio.Event()

    async def project(self) -> None:
        async for event in self.client.subscribe():
            self.projected.append(event.position)
            self.has_begun.set()
            if event.position == 2 * EVENTS:
                return

    async def handle(self, event: RecordedEvent) -> None:
        await asyncio.sleep(0.01)
        self.handled.setdefault(event.aggregate_id, []).append(event.version)


async def until_handled(client: AsyncClient, group: str) -> None:
    while (await client.groups.get(group)).lag:  # noqa: ASYNC110 - what is waited for sets no event
        await asyncio.sleep(0.05)


class ThreadedService:
    """The same with threads."""

    def __init__(self, url: str) -> None:
        self.lost, self.back = list[IndelibleError](), 0
        self.client = Client(url, retry_total_s=SHORT_S, on_lost=self.lost.append, on_back=self._on_back)
        self.client.groups.create("threads")
        self.consumer = self.client.consume("threads")
        self.handled = set[int]()
        self.projected: list[int] = []
        self._threads = [Thread(target=self._project), Thread(target=self._handle)]
        for thread in self._threads:
            thread.start()

    def _on_back(self) -> None:
        self.back += 1

    def _project(self) -> None:
        events = self.client.subscribe()
        self.projected += [event.position for event in islice(events, 2 * EVENTS)]
        events.close()

    def _handle(self) -> None:
        self.consumer.run(lambda event: self.handled.add(event.position), concurrency=2)

    def end(self) -> None:
        self.consumer.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self.client.close()


async def append(client: AsyncClient) -> None:
    for number in range(EVENTS):
        await client.append("order", str(number % 4), [NewEvent("Placed", number)])


async def test_a_server_that_is_away_longer_than_any_call_waits(
    server: ServerProcess, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "indelible")
    services = [Service(server.url, "http"), Service(f"grpc://{server._flags[1]}", "grpc")]
    async with asyncio.timeout(PATIENCE_S):
        for service in services:
            await service.client.groups.create(service.group, ack_timeout_s=30)
        projecting = [asyncio.create_task(service.project()) for service in services]
        consuming = [
            asyncio.create_task(service.client.consume(service.group).run(service.handle, concurrency=4))
            for service in services
        ]
        threads = await asyncio.to_thread(ThreadedService, server.url)
        await append(services[0].client)
        await asyncio.gather(*(service.has_begun.wait() for service in services))
        await server.kill()
        for service in services:
            await service.told.is_lost.wait()
            assert service.client.outage is service.told.lost[0]
            with pytest.raises(Unavailable, match=r"^cannot connect to .*: connection refused.*; nothing was stored$"):
                await service.client.append("order", "1", [NewEvent("Placed")])
            with pytest.raises(Unavailable, match=r"; nothing was changed$"):
                await service.client.head()
        while not threads.lost:  # noqa: ASYNC110 - it is told on another thread
            await asyncio.sleep(0.01)
        await server.start()
        async with AsyncClient(server.url, retry_total_s=60) as other:
            await append(other)
            await asyncio.gather(*projecting, *(until_handled(other, group) for group in ("http", "grpc", "threads")))
        for task in consuming:
            task.cancel()
        await asyncio.gather(*consuming, return_exceptions=True)
        for service in services:
            assert service.projected == [*range(1, 2 * EVENTS + 1)]
            for versions in service.handled.values():
                # At least once, and in order but for what was under way when the server was killed.
                assert sorted(set(versions)) == [*range(1, 2 * EVENTS // 4 + 1)]
                assert len(versions) <= 2 * EVENTS // 4 + 4
            assert (len(service.told.lost), service.told.back, service.client.outage) == (1, 1, None)
            info = await service.client.groups.get(service.group)
            assert (info.in_flight, info.waiting, info.parked) == (0, 0, 0)
            await service.client.aclose()
        await asyncio.to_thread(threads.end)
    assert threads.projected == [*range(1, 2 * EVENTS + 1)]
    assert threads.handled == {*threads.projected}
    assert (len(threads.lost), threads.back) == (1, 1)
    assert sorted(level for level, _ in messages(caplog)) == ["INFO"] * 3 + ["WARNING"] * 3


async def test_an_address_where_nobody_is_is_waited_for_too():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        told = Told()
        async with AsyncClient(url, on_lost=told.on_lost) as client, client.subscribe() as subscription:
            waiting = asyncio.create_task(anext(subscription))
            async with asyncio.timeout(PATIENCE_S):
                await told.is_lost.wait()
            assert not waiting.done()
            waiting.cancel()
            await asyncio.wait({waiting})
