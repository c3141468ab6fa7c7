"""Requests of a session whose driver is one of the test: how many are under way, and which answers are theirs."""

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final

import pytest

from indelible.engines.cassandra import session as session_module
from indelible.engines.cassandra.address import parse_address
from indelible.engines.cassandra.failures import InDoubt
from indelible.engines.cassandra.session import CassandraSession
from indelible.errors import Unavailable


class _Prepared:
    def __init__(self, text: str) -> None:
        columns = text.partition("SELECT ")[2].partition(" FROM")[0].replace("DISTINCT ", "")
        self.result_metadata: Final = [("k", "t", column.strip(), None) for column in columns.split(",")]

    def bind(self, values: Any) -> Any:
        return SimpleNamespace(values=values)


class _Driver:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.is_asked: Final = asyncio.Event()
        self.asked: Final[list[tuple[Callable[[Any], None], Callable[[Any], None]]]] = []
        self.answers: Final[list[Any]] = []
        """Given at once, one after the other."""

    def prepare(self, text: str) -> _Prepared:
        return _Prepared(text)

    def execute_async(self, *_: Any, **__: Any) -> Any:
        def add_callbacks(succeeded: Callable[[Any], None], failed: Callable[[Any], None]) -> None:
            self.asked.append((succeeded, failed))
            self.is_asked.set()
            if self.answers:
                succeeded(self.answers.pop(0))

        return SimpleNamespace(add_callbacks=add_callbacks)


@pytest.fixture
def driver() -> _Driver:
    return _Driver()


@pytest.fixture
def session(driver: _Driver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(session_module, "CASSANDRA_REQUESTS_MAX", 1)
    monkeypatch.setattr(session_module, "DATABASE_RETRY_WAIT_S", 0.001)
    monkeypatch.setattr(session_module, "BatchStatement", lambda _: SimpleNamespace(add=lambda _: None))
    session = CassandraSession(parse_address("cassandra://127.0.0.1/keyspace"))
    session._session = driver
    yield session
    session.shut_down()


async def test_room_is_given_back_once_the_request_has_ended(session: Any, driver: _Driver):
    """Not when its caller gives up: it is still under way."""
    given_up = asyncio.create_task(session.read("read_head", log="a"))
    await driver.is_asked.wait()
    given_up.cancel()
    other = asyncio.create_task(session.read("read_head", log="a"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(driver.asked) == 1
    driver.is_asked.clear()
    driver.asked[0][0]([])
    await driver.is_asked.wait()
    driver.asked[1][0]([("a", 1, 2, b"", 0, 1)])
    assert await other == [("a", 1, 2, b"", 0, 1)]
    assert given_up.cancelled()


async def test_room_is_given_back_once(session: Any, driver: _Driver):
    """Though the driver may tell of a request twice: that it took too long, and what was answered then."""
    driver.answers.append([])
    await session.read("read_head", log="a")
    reading = [asyncio.create_task(session.read("read_head", log="a")) for _ in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(driver.asked) == 2
    driver.asked[1][0]([])
    driver.asked[1][0]([])
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(driver.asked) == 3
    for one in reading:
        one.cancel()


@pytest.mark.parametrize(
    ("foreign", "statement", "values"),
    [
        ([("b", 1, 2, b"", 0, 1)], "read_head", {"log": "a"}),
        ([("a", 1, 2)], "read_head", {"log": "a"}),
        (None, "read_head", {"log": "a"}),
        ([("a", 1, 7, "id")], "read_commit_id", {"log": "a", "bucket": 1, "position": 8}),
        ([("a", 2, 8, b"", b"", 0, 0, None)], "read_end", {"log": "a", "bucket": 1}),
        ([(1, 2, "other")], "read_versions", {"log": "a", "aggregate_id": "one", "low": 1, "high": 9}),
        ([("other", 2)], "read_event_ids", {"log": "a", "slot": 1, "event_ids": ["one", "two"]}),
    ],
)
async def test_an_answer_to_another_read_is_none(
    session: Any, driver: _Driver, foreign: Any, statement: str, values: dict[str, Any]
):
    """So it is asked again."""
    driver.answers += [foreign, []]
    assert await session.read(statement, **values) == []
    assert len(driver.asked) == 2


async def test_rows_are_no_answer_to_a_write(session: Any, driver: _Driver):
    driver.answers.append([("a", 1)])
    with pytest.raises(Unavailable):
        await session.write([("write_bucket", {"log": "a"})], timeout_s=0)


@pytest.mark.parametrize(
    "foreign", [None, [], [{"log": "a", "bucket": 1}], [{"[applied]": False, "log": "b", "bucket": 1, "head": 3}]]
)
async def test_an_answer_to_another_commit_leaves_it_in_doubt(session: Any, driver: _Driver, foreign: Any):
    driver.answers.append(foreign)
    with pytest.raises(InDoubt):
        await session.compare_and_set([("append_head", {"log": "a", "bucket": 1})])


async def test_answers_to_a_commit(session: Any, driver: _Driver):
    refused = {"[applied]": False, "log": "a", "bucket": 1, "position": None, "head": 3, "is_sealed": None}
    driver.answers += [[{"[applied]": True}], [{"[applied]": False}], [refused]]
    commit = [("append_head", {"log": "a", "bucket": 1}), ("append_row", {"log": "a", "bucket": 1, "position": 4})]
    assert await session.compare_and_set(commit) is None
    assert await session.compare_and_set(commit) == {"[applied]": False}
    assert await session.compare_and_set(commit) == refused
