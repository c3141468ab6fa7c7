"""A question to a store that may hang."""

import asyncio

import pytest

from indelible.core import append_queue
from indelible.core.partitions.store import PartitionedStore
from indelible.core.store import LocalEventStore
from indelible.engines.engine import LogHead
from indelible.engines.memory import MemoryEngine
from indelible.errors import StorageFailure, Unavailable
from indelible.events import NewEvent
from indelible.eventstore import Head
from indelible.server import services
from indelible.server.compose import make_services
from indelible.server.services import StoreQuestion


class Store:
    """Answers when it is let to."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.failure: StorageFailure | None = None

    async def head(self) -> int:
        self.asked += 1
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        return self.asked


async def test_a_store_that_hangs_is_asked_once_and_heard_when_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "STORE_ANSWER_TIMEOUT_S", 0.05)
    store = Store()
    question = StoreQuestion(store.head)
    for outcome in await asyncio.gather(*(question.ask() for _ in range(5)), return_exceptions=True):
        assert isinstance(outcome, Unavailable)
        assert outcome.message == "it has not answered within 0.05 s"
    assert store.asked == 1
    monkeypatch.undo()
    waiting = asyncio.create_task(question.ask())
    await asyncio.sleep(0)
    store.may_answer.set()
    assert await waiting == 1
    assert await question.ask() == 2


async def test_failures_reach_everyone_who_waits_and_are_not_kept() -> None:
    store = Store()
    store.failure = StorageFailure("gone")
    store.may_answer.set()
    question = StoreQuestion(store.head)
    assert await asyncio.gather(question.ask(), question.ask(), return_exceptions=True) == [store.failure] * 2
    store.failure = None
    assert await question.ask() == 2


class Broken(LocalEventStore):
    """Raises what no store should."""

    async def head(self) -> Head:
        raise ZeroDivisionError("a bug")

    async def storage_size_bytes(self) -> int:
        raise OSError("no such file")


async def test_a_store_that_breaks_is_not_ready_and_metrics_go_on() -> None:
    async with Broken(MemoryEngine()) as store:
        serving = make_services(store)
        with pytest.raises(Unavailable, match="the store is out of reach: ZeroDivisionError: a bug"):
            await serving.check_ready()
        text = await serving.metrics_text()
    assert b"\nindelible_ready 0.0\n" in text
    assert b"indelible_queue_depth" in text


class _Away(MemoryEngine):
    """Of a database that may be out of reach."""

    is_away = False

    async def head(self) -> LogHead:
        await self.check_writable(0)
        return await super().head()

    async def check_writable(self, size_bytes: int) -> None:
        if self.is_away:
            raise Unavailable("the database is out of reach", retry_after_s=1)
        await super().check_writable(size_bytes)


async def _metrics(serving: services.Services) -> str:
    return (await serving.metrics.text()).decode()


async def test_a_partition_that_is_out_of_reach_keeps_nobody_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append_queue, "READY_PROOF_S", 0.0)
    engines = [_Away() for _ in range(3)]
    store = PartitionedStore([LocalEventStore(one, is_partition=True) for one in engines])
    async with store:
        serving = make_services(store)
        assert {one.state for one in await serving.check_ready(verbose=True)} == {"running"}
        engines[1].is_away = True
        parts = {one.name: one for one in await serving.check_ready(verbose=True)}
        assert [parts[f"partition {n}"].state for n in range(3)] == ["running", "failed", "running"]
        assert parts["partition 1"].not_ready_because == "it takes no appends: the database is out of reach"
        assert "indelible_partition_writable" in (text := await _metrics(serving))
        assert [f'indelible_partition_writable{{partition="{n}"}} {n != 1:d}.0' in text for n in range(3)] == [True] * 3
        names = {store.partition_of("order", str(n)): str(n) for n in range(30)}
        assert (await store.append("order", names[0], [NewEvent("Placed")])).version == 1
        for one in engines:
            one.is_away = True
        with pytest.raises(Unavailable):
            await serving.check_ready()
