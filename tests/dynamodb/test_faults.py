"""Whatever is lost, late, throttled or killed: what is found and the cursor agree, and no event is lost or twice."""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from dynamodb.gate import Fate, Gate, let_pass
from dynamodb.server import CREDENTIALS, Dynalite, dynalite_server
from indelible.cursors import START, cursor_at
from indelible.indexes.dynamodb import DynamoIndex, searching, service, writing
from indelible.indexes.dynamodb.entries import SORT
from indelible.indexes.index import Document, IndexMoved, IndexUnavailable
from indelible.search import SearchQuery
from indelible.testing.conformance.index_helpers import AMOUNT, FIELDS, NAME, document, filled, found, more, those_where
from indexes.troubled import until
from postgres.server import free_port
from relays.proxy import proxy

ALL = SearchQuery()
PATIENCE_S = 60
SEEDS = 4
ITEMS_OF_ONE = 9
"""A document of :func:`some`, and its entries: four of every event, a tag, a name, two amounts."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    # As long as a busy machine needs; see :func:`giving_up_soon`.
    monkeypatch.setattr(service, "DYNAMODB_UNREACHABLE_S", PATIENCE_S)
    monkeypatch.setattr(service, "DYNAMODB_RETRY_WAIT_MAX_S", 0.05)


@contextlib.contextmanager
def giving_up_soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What cannot be reached, and who does not answer."""
    with monkeypatch.context() as patched:
        patched.setattr(service, "DYNAMODB_UNREACHABLE_S", 0.5)
        patched.setattr(service, "DYNAMODB_CALL_TIMEOUT_S", 0.3)
        yield


@pytest.fixture
async def gate(dynalite: Dynalite) -> AsyncIterator[Gate]:
    async with Gate(dynalite.endpoint).open() as gate:
        yield gate


@pytest.fixture
def url(dynalite: Dynalite) -> str:
    return dynalite.new_url()


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[DynamoIndex]:
    index = DynamoIndex.of(url)
    await index.open()
    try:
        yield index
    finally:
        await index.close()


def behind(gate: Gate, url: str) -> str:
    return f"{url.partition('endpoint=')[0]}endpoint=http://127.0.0.1:{gate.port}"


def some(count: int) -> list[Document]:
    return [document(tags=["t"], values={NAME: [f"n{n}"], AMOUNT: [n, n + 0.5]}) for n in range(count)]


async def all_items(index: DynamoIndex) -> Sequence[Mapping[str, Any]]:
    answer = await index._service.call("scan", service.Patience(PATIENCE_S), TableName=index._target.table)
    assert "LastEvaluatedKey" not in answer
    found: Sequence[Mapping[str, Any]] = answer["Items"]
    return found


async def check(index: DynamoIndex, documents: Sequence[Document]) -> None:
    """That it holds these and no others, by every list."""
    places = [one.place for one in documents]
    for query in (ALL, SearchQuery(tags=("t",)), SearchQuery(event_types=("Happened",))):
        assert await found(index, query) == places, query
    everything = list(range(len(documents)))
    assert await those_where(index, documents, NAME, "prefix", "n") == everything
    assert await those_where(index, documents, AMOUNT, "exists", True) == everything
    serving = (await index.state()).serving
    assert serving is not None
    assert serving.documents == len(documents)


async def test_given_up_at_any_request(url: str, gate: Gate) -> None:
    """As by a process that dies there. The next one has other events in its step, fewer or more."""
    held: list[Document] = []
    async with opened(url) as index:
        await filled(index, [])
        for number in itertools.count(1):
            batch = some(6)
            before = (await index.state()).serving.cursor
            await _give_up_at(behind(gate, url), gate, number, batch)
            if (await index.state()).serving.cursor != before:
                break
            await check(index, held)
            rest = batch[: 2 if number % 2 else 6]
            await index.apply(1, rest, after=before, cursor=cursor_at(int(before) + len(rest)))
            held += rest
        held += batch
        await check(index, held)
        assert number > 8, "it was given up at all that it does"
        # The state; documents and their entries; the last journal; and hints, also of events that never came.
        items = [one for one in await all_items(index) if one[SORT]["B"] != bytes(8)]
        assert len(items) == 1 + ITEMS_OF_ONE * len(held) + 1, "what was given up is removed"


async def _give_up_at(url: str, gate: Gate, number: int, batch: Sequence[Document]) -> None:
    is_there = asyncio.Event()

    async def decide(operation: str, asked: Mapping[str, Any]) -> Fate:
        if gate.count == number:
            is_there.set()
            return "lose"
        return "pass"

    async with opened(url) as index:
        serving = (await index.state()).serving
        gate.count, gate.decide = 0, decide
        goal = cursor_at(int(serving.cursor) + len(batch))
        applying = asyncio.create_task(index.apply(serving.number, batch, after=serving.cursor, cursor=goal))
        waiting = asyncio.create_task(is_there.wait())
        await asyncio.wait({applying, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S)
        applying.cancel()
        waiting.cancel()
        await asyncio.wait({applying})
        gate.decide = let_pass
        await until(lambda: gate.under_way == 0)


@pytest.mark.parametrize("held_up", ["PutItem", "BatchGetItem", "BatchWriteItem"])
async def test_a_writer_that_is_late_changes_nothing(url: str, gate: Gate, held_up: str) -> None:
    """It is held up in a step, until others have gone on; then it writes what is left of it."""
    is_let_go, is_there, count = asyncio.Event(), asyncio.Event(), itertools.count(1)

    async def decide(operation: str, asked: Mapping[str, Any]) -> Fate:
        # The first claims the step, or writes the journal.
        if operation == held_up and (held_up == "BatchGetItem" or next(count) > 1):
            is_there.set()
            await is_let_go.wait()
        return "pass"

    old, again = some(3), some(30)
    async with opened(url) as index, opened(behind(gate, url)) as late:
        await filled(index, old)
        gate.decide = decide
        # One of those that are there comes again, and would be over in the step.
        applying = asyncio.create_task(late.apply(1, [old[0], *again], after=cursor_at(1), cursor=cursor_at(40)))
        async with asyncio.timeout(PATIENCE_S):
            await is_there.wait()
        await check(index, old)
        await index.apply(1, again[:10], after=cursor_at(1), cursor=cursor_at(11))
        is_let_go.set()
        with pytest.raises(IndexMoved):
            await applying
        await check(index, [*old, *again[:10]])
        await index.apply(1, again[10:], after=cursor_at(11), cursor=cursor_at(31))
        await check(late, [*old, *again])


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_requests_that_are_lost_and_throttled(url: str, gate: Gate, seed: int) -> None:
    luck = random.Random(seed)
    fates: Sequence[Fate] = ("throttle", "halve", "lose", "lose answer")

    async def decide(operation: str, asked: Mapping[str, Any]) -> Fate:
        return luck.choice(fates) if luck.random() < 0.3 else "pass"

    held: list[Document] = []
    async with opened(url) as index, opened(behind(gate, url)) as troubled:
        await filled(index, [])
        gate.decide = decide
        while len(held) < 60:
            batch = some(luck.randint(1, 30))
            cursor = (await index.state()).serving.cursor
            applying = asyncio.create_task(
                troubled.apply(1, batch, after=cursor, cursor=cursor_at(int(cursor) + len(batch)))
            )
            if luck.random() < 0.4:
                await asyncio.sleep(luck.random() / 20)
                applying.cancel()
            with contextlib.suppress(asyncio.CancelledError, IndexUnavailable):
                async with asyncio.timeout(PATIENCE_S):
                    await applying
            # What was given up may still be on its way.
            await until(lambda: gate.under_way == 0)
            if (await index.state()).serving.cursor != cursor:
                held += batch
            assert await found(troubled, ALL) == [one.place for one in held]
        await check(index, held)


async def test_killed_and_started_again(
    dynalite_program: Path, dynalite: Dynalite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dynalite_server(dynalite_program, tmp_path, is_kept=True) as server:
        held: list[Document] = []
        async with Gate(server.endpoint).open() as gate, opened(server.new_url(gate.port)) as index:
            await filled(index, [])
            for number in (1, 2, 5):
                count, is_killed = itertools.count(1), asyncio.Event()

                async def decide(
                    operation: str, asked: Mapping[str, Any], n: int = number, c: Any = count, k: Any = is_killed
                ) -> Fate:
                    if operation == "BatchWriteItem" and next(c) == n:
                        server.kill()
                        k.set()
                        return "lose"
                    return "pass"

                gate.decide = decide
                batch = some(30)
                cursor = (await index.state()).serving.cursor
                goal = cursor_at(int(cursor) + 30)
                applying = asyncio.create_task(index.apply(1, batch, after=cursor, cursor=goal))
                await is_killed.wait()
                with giving_up_soon(monkeypatch), pytest.raises(IndexUnavailable):
                    await applying
                await asyncio.to_thread(server.start)
                await check(index, held)
                await index.apply(1, batch, after=cursor, cursor=goal)
                held += batch
                await check(index, held)


async def test_throttled_for_long(url: str, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    throttled: set[str] = set()

    async def decide(operation: str, asked: Mapping[str, Any]) -> Fate:
        return "throttle" if operation in throttled else "pass"

    one = some(1)
    async with opened(behind(gate, url)) as index:
        await filled(index, one)
        gate.decide = decide
        with monkeypatch.context() as hasty:
            hasty.setattr(writing, "DYNAMODB_IDLE_MAX_S", 2.0)
            hasty.setattr(searching, "SEARCH_TIMEOUT_S", 1.0)
            for one_of_them in ("BatchWriteItem", "PutItem"):
                throttled.add(one_of_them)
                with pytest.raises(IndexUnavailable, match="too much"):
                    await index.apply(1, some(5), after=cursor_at(1), cursor=cursor_at(2))
            throttled.add("Query")
            with pytest.raises(IndexUnavailable, match="too much"):
                await found(index, ALL)
        throttled.clear()
        await check(index, one)


async def test_out_of_reach(dynalite: Dynalite, monkeypatch: pytest.MonkeyPatch) -> None:
    began_at = time.monotonic()
    index = DynamoIndex.of(dynalite.new_url(free_port()))
    with giving_up_soon(monkeypatch), pytest.raises(IndexUnavailable, match=r"127\.0\.0\.1"):
        await index.open()
    with pytest.raises(IndexUnavailable, match="is not open"):
        await index.state()
    await index.close()
    with proxy(dynalite.port) as before:
        async with opened(dynalite.new_url(before.port)) as index:
            await filled(index, some(2))
            before.freeze()
            with giving_up_soon(monkeypatch):
                with pytest.raises(IndexUnavailable):
                    await more(index, some(2))
                with pytest.raises(IndexUnavailable):
                    await found(index, ALL)
            before.thaw()
            await more(index, some(2))
            assert len(await found(index, ALL)) == 4
    assert time.monotonic() - began_at < PATIENCE_S


async def test_without_credentials(dynalite: Dynalite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    index = DynamoIndex.of(dynalite.new_url())
    with pytest.raises(IndexUnavailable, match="credentials"):
        await index.open()
    await index.close()


async def test_a_table_that_is_deleted_is_made_again(url: str) -> None:
    async with opened(url) as index, opened(url) as other:
        await filled(index, some(2))
        await index._service.call("delete_table", service.Patience(PATIENCE_S), TableName=index._target.table)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(IndexUnavailable):
                    state = await index.open()
                    break
        assert (state.serving, state.building) == (None, None)
        assert (await other.begin(FIELDS)).cursor == START


async def test_a_table_of_somebody_else_is_left_alone(dynalite: Dynalite, url: str) -> None:
    async with opened(url) as index:
        await index._service.call(
            "create_table", service.Patience(PATIENCE_S), TableName="of-somebody-else", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )  # fmt: skip
    other = DynamoIndex.of(f"dynamodb://eu-central-1/of-somebody-else?endpoint={dynalite.endpoint}")
    with pytest.raises(IndexUnavailable, match="none of Indelible's"):
        await other.open()
    await other.close()


async def test_several_make_the_table_at_once(url: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        indexes = [DynamoIndex.of(url) for _ in range(4)]
        for one in indexes:
            stack.push_async_callback(one.close)
        await asyncio.gather(*(one.open() for one in indexes))
        await filled(indexes[0], some(2))
        assert len(await found(indexes[3], ALL)) == 2
