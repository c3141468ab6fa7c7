"""Consumer groups through the client: what is sent, what is waited for, and what is repeated."""

import asyncio
import time
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from client.conftest import Server
from client.test_riding_over import answering, cut_off, odd_server
from indelible import (
    AsyncClient,
    Client,
    EventQuery,
    GroupExists,
    GroupNotFound,
    InvalidRequest,
    NewEvent,
    OutcomeUnknown,
    ParkedEventNotFound,
    QueryItem,
    ShuttingDown,
    Unavailable,
)

EMPTY = b'{"deliveries": []}'


def unique() -> str:
    return uuid4().hex


async def test_the_life_of_a_group(http_client: AsyncClient):
    group, tag = f"a/é {unique()}", unique()
    query = EventQuery((QueryItem(tags=(tag,)), QueryItem(event_types=(unique(),))))
    head = (await http_client.head()).cursor
    made = await http_client.groups.create(group, query, after=head, max_attempts=1)
    assert (made.group, made.items, made.cursor, made.max_attempts) == (group, query.items, head, 1)
    assert (await http_client.groups.create(group, query, max_attempts=1)).created == made.created
    with pytest.raises(GroupExists):
        await http_client.groups.create(group, query)
    await http_client.append("Order", unique(), [NewEvent("X", n, tags=[tag]) for n in range(3)])
    (first,) = await http_client.groups.pull(group, member="me")
    assert (first.attempt, first.event.event_data) == (1, 0)
    (in_flight,) = await http_client.groups.list_in_flight(group)
    assert (in_flight.member, in_flight.deadline) == ("me", first.deadline)
    assert (await http_client.groups.extend(group, [first.delivery_id], ack_timeout_s=600)).settled == 1
    assert (await http_client.groups.ack(group, [first.delivery_id])).settled == 1
    (second,) = await http_client.groups.pull(group)
    assert (await http_client.groups.nack(group, [second.delivery_id], reason="bad")).lost == ()
    (parked,) = (await http_client.groups.list_parked(group)).parked
    assert (parked.reason, parked.following) == ("bad", 1)
    assert await http_client.groups.redrive_parked(group) == 1
    (again,) = await http_client.groups.pull(group)
    await http_client.groups.nack(group, [again.delivery_id], park=True)
    with pytest.raises(ParkedEventNotFound):
        await http_client.groups.skip_parked(group, [1], reason="void")
    assert await http_client.groups.skip_parked(group, [parked.position], reason="void") == 1
    (skipped,) = (await http_client.groups.list_skipped(group)).skipped
    assert skipped.reason == "void"
    changed = await http_client.groups.change(group, max_in_flight=7)
    assert (changed.max_in_flight, changed.max_attempts) == (7, 1)
    assert (await http_client.groups.reset(group, start="end")).lag == 0
    assert group in [one.group for one in await http_client.groups.list()]
    await http_client.groups.delete(group)
    with pytest.raises(GroupNotFound):
        await http_client.groups.get(group)


CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("create", {"start": "middle"}, "/start"),
    ("create", {"start": "end", "after": "0"}, "/start"),
    ("create", {"since": "2026-01-31T12:00:00Z"}, "/since"),
    ("create", {"since": datetime(2026, 1, 31)}, "/since"),  # noqa: DTZ001 - that is what is wrong
    ("create", {"query": EventQuery(since=datetime.now().astimezone())}, "/since"),
    ("create", {"ack_timeout_s": float("nan")}, "/ack_timeout_s"),
    ("change", {}, ""),
    ("change", {"max_attempts": "3"}, "/max_attempts"),
    ("reset", {}, "/start"),
    ("reset", {"after": 7}, "/after"),
    ("pull", {"limit": 0}, "/limit"),
    ("pull", {"wait_s": 31}, "/wait_s"),
    ("ack", {"delivery_ids": "1-1"}, "/delivery_ids"),
    ("ack", {"delivery_ids": []}, "/delivery_ids"),
    ("nack", {"delivery_ids": ["1-1"], "park": 1}, "/park"),
    ("nack", {"delivery_ids": ["1-1"], "delay_s": -1}, "/delay_s"),
    ("extend", {"delivery_ids": ["1-1", "1"]}, "/delivery_ids/1"),
    ("redrive_parked", {"positions": [0]}, "/positions/0"),
    ("skip_parked", {"positions": [1], "reason": ""}, "/reason"),
    ("list_parked", {"limit": 0}, "/limit"),
    ("list_skipped", {"after": "é"}, "/after"),
]


@pytest.mark.parametrize(("name", "arguments", "pointer"), CALLS, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("kind", ["http", "memory"])
async def test_what_is_wrong_is_named_wherever_the_store_is(
    shared_server: Server, kind: str, name: str, arguments: dict[str, Any], pointer: str
):
    async with AsyncClient(shared_server.url if kind == "http" else "memory:") as client:
        group = unique()
        if name != "create":
            await client.groups.create(group)
        with pytest.raises(InvalidRequest) as caught:
            await getattr(client.groups, name)(group, **arguments)
        assert caught.value.pointer == pointer


# --- Pulls that wait -------------------------------------------------------------------------------------------------


async def test_a_wait_is_not_a_time_out(shared_server: Server):
    async with AsyncClient(shared_server.url, timeout_s=5, retry_total_s=0) as client:
        group = (await client.groups.create(unique(), EventQuery.of(tags=[unique()]))).group
        started = time.monotonic()
        assert await client.groups.pull(group, wait_s=6) == ()
        assert 5.9 <= time.monotonic() - started < 25


async def test_a_wait_that_breaks_off_is_not_counted_against_the_retries():
    """The server goes away after longer than retries may take; the pull goes on with what is left of its wait."""
    asked = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.append(await reader.readuntil(b"}"))
        if len(asked) == 1:
            await asyncio.sleep(0.8)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(EMPTY), EMPTY))
        writer.close()

    async with odd_server(answer) as url, AsyncClient(url, retry_total_s=0.3) as client:
        assert await client.groups.pull("g", wait_s=30) == ()
    waits = [float(body.rpartition(b":")[2].rstrip(b"}")) for body in asked]
    assert 20 < waits[0] <= 30
    assert 1 < waits[1] < waits[0] - 0.7


async def test_a_server_that_is_away_is_not_waited_for_longer_than_was_asked():
    async with AsyncClient("http://127.0.0.1:1", retry_total_s=0.2) as client:
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await client.groups.pull("g", wait_s=0.5)
        assert time.monotonic() - started < 20


async def test_many_pulls_that_wait_leave_room_for_calls(http_client: AsyncClient):
    """More than an HTTP client opens connections by itself."""
    tag = unique()
    group = (await http_client.groups.create(unique(), EventQuery.of(tags=[tag]), start="end")).group
    pulls = [asyncio.create_task(http_client.groups.pull(group, limit=1, wait_s=30)) for _ in range(200)]
    await asyncio.sleep(0.5)
    async with asyncio.timeout(60):
        for n in range(200):
            await http_client.append("Order", f"{tag}{n}", [NewEvent("X", tags=[tag])])
        found = await asyncio.gather(*pulls)
    assert sum(map(len, found)) == 200
    assert len({one.delivery_id for pulled in found for one in pulled}) == 200


@pytest.mark.parametrize("url", ["http", "memory:"])
async def test_closing_does_not_wait_for_pulls(shared_server: Server, url: str):
    client = AsyncClient(shared_server.url if url == "http" else url)
    group = (await client.groups.create(unique(), EventQuery.of(tags=[unique()]))).group
    pulling = asyncio.create_task(client.groups.pull(group, wait_s=30))
    await asyncio.sleep(0.2)
    started = time.monotonic()
    await client.aclose()
    try:
        assert await pulling == ()
    except ShuttingDown:
        assert url == "http"
    assert time.monotonic() - started < 20


async def test_who_is_cancelled_while_waiting_gets_nothing(http_client: AsyncClient):
    tag = unique()
    group = (await http_client.groups.create(unique(), EventQuery.of(tags=[tag]))).group
    pulling = asyncio.create_task(http_client.groups.pull(group, wait_s=30))
    await asyncio.sleep(0.2)
    pulling.cancel()
    await asyncio.gather(pulling, return_exceptions=True)
    await asyncio.sleep(0.2)
    await http_client.append("Order", tag, [NewEvent("X", tags=[tag])])
    (delivery,) = await http_client.groups.pull(group, wait_s=20)
    assert delivery.attempt == 1


# --- What is repeated ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("delete", ()), ("redrive_parked", ([1],)), ("redrive_parked", ()), ("skip_parked", ([1],))],
)
async def test_what_must_not_be_done_twice_is_sent_once(name: str, arguments: tuple[Any, ...]):
    requests = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        await cut_off(reader, writer)

    more = {"reason": "void"} if name == "skip_parked" else {}
    async with odd_server(answer) as url, AsyncClient(url, retry_total_s=5) as client:
        with pytest.raises(OutcomeUnknown):
            await getattr(client.groups, name)("g", *arguments, **more)
    assert requests == 1


async def test_what_was_surely_not_done_is_repeated():
    answers = [
        answering(503, b'{"code": "shutting_down", "detail": "no", "status": 503}'),
        answering(200, b'{"redriven": 3}'),
    ]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answers.pop(0)(reader, writer)

    async with odd_server(answer) as url, AsyncClient(url) as client:
        assert await client.groups.redrive_parked("g") == 3


@pytest.mark.parametrize("name", ["ack", "nack", "extend"])
async def test_settling_is_repeated(name: str):
    answers = [cut_off, answering(200, b'{"settled": 1, "lost": []}')]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answers.pop(0)(reader, writer)

    async with odd_server(answer) as url, AsyncClient(url) as client:
        assert (await getattr(client.groups, name)("g", ["1-1"])).settled == 1


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"deliveries": [{}]}'])
async def test_an_answer_that_makes_no_sense(answer: bytes):
    async with odd_server(answering(200, answer)) as url, AsyncClient(url) as client:
        with pytest.raises(Exception, match="not what was asked for"):
            await client.groups.pull("g")


def test_threads_use_groups_too(shared_server: Server):
    with Client(shared_server.url) as client:
        tag = unique()
        group = client.groups.create(unique(), EventQuery.of(tags=[tag])).group
        client.append("Order", tag, [NewEvent("X", tags=[tag])])
        (delivery,) = client.groups.pull(group, wait_s=10)
        assert client.groups.ack(group, [delivery.delivery_id]).settled == 1
        assert client.groups.get(group).in_flight == 0
