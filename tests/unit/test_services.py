"""A question to a store that may hang."""

import asyncio

import pytest

from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import StorageFailure, Unavailable
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


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "STORE_ANSWER_TIMEOUT_S", 0.05)


async def test_a_store_that_hangs_is_asked_once_and_heard_when_it_answers() -> None:
    store = Store()
    question = StoreQuestion(store.head)
    for outcome in await asyncio.gather(*(question.ask() for _ in range(5)), return_exceptions=True):
        assert isinstance(outcome, Unavailable)
        assert outcome.message == "it has not answered within 0.05 s"
    assert store.asked == 1
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
