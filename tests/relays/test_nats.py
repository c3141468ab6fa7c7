"""A relay to a real NATS server: each event is stored once, in order, whatever dies."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import aiohttp
import nats
import pytest
from nats.js.api import RetentionPolicy, StreamConfig, StreamSource
from structlog.testing import capture_logs

from indelible import Cursor, NewEvent
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import InvalidRequest
from indelible.eventstore import EventStore
from indelible.limits import RELAY_BROKER_TIMEOUT_S
from indelible.relays.nats import sync as nats_sync
from indelible.relays.nats.connection import Connection
from indelible.relays.nats.sink import Target
from indelible.relays.relay import Relay
from indelible.relays.sink import SinkUnavailable, make_sink
from indelible.tasks import end_if_cancelled
from postgres.server import free_port
from relays.nats_server import TIMEOUT_S, NatsServer, data_of, messages_of, nats_server
from relays.test_relay import LEASE_S, append, first_page, is_published, running, state, until

STREAM = "EVENTS"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path, max_payload_bytes=64 * 1024) as server:
        yield server


@pytest.fixture
async def store() -> AsyncIterator[EventStore]:
    async with LocalEventStore(MemoryEngine()) as store:
        yield store


def relay_to(server: NatsServer, store: EventStore, more: str = "", name: str = "orders", **settings: Any) -> Relay:
    sink = make_sink(f"{server.url}?stream={STREAM}&create=true{more}")
    return Relay(store, name, sink, lease_s=LEASE_S, **settings)


def check_whole(messages: list[Any], count: int) -> None:
    """Every event once, in order, as CloudEvents' binary mode has them."""
    own = [one for one in messages if "indelible-relay" in (one.headers or {})]
    assert [int(one.headers["ce-position"]) for one in own] == list(range(1, count + 1))
    epochs = [int(one.headers["indelible-epoch"]) for one in own]
    assert epochs == sorted(epochs)


async def test_events_are_cloud_events_with_what_a_consumer_needs(server: NatsServer, store: EventStore) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    event = NewEvent("OrderPlaced", {"total": 42.5}, metadata={"traceparent": trace}, tags=["eu"])
    await store.append("order", "ó 1", [event])
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 1))
    (message,) = await messages_of(server, STREAM)
    headers = message.headers
    assert message.subject == "indelible.events"
    assert (data_of(message), headers["content-type"]) == ({"total": 42.5}, "application/json")
    assert (headers["ce-id"], headers["Nats-Msg-Id"]) == (str(event.event_id), f"{event.event_id}.1")
    assert (headers["ce-type"], headers["ce-version"], headers["ce-position"]) == ("OrderPlaced", "1", "1")
    assert unquote(headers["ce-source"]) == "/v1/aggregates/order/%C3%B3%201"
    assert headers["traceparent"] == trace
    assert (headers["indelible-relay"], headers["indelible-epoch"], headers["indelible-cursor"]) == ("orders", "1", "1")


async def test_a_message_may_hold_the_whole_cloud_event(server: NatsServer, store: EventStore) -> None:
    await store.append("order", "1", [NewEvent("OrderPlaced", {"total": 42.5})])
    async with running(relay_to(server, store, "&mode=structured")):
        await until(lambda: is_published(store, 1))
    (message,) = await messages_of(server, STREAM)
    event = data_of(message)
    assert message.headers["content-type"] == "application/cloudevents+json"
    assert (event["type"], event["position"], event["data"]) == ("OrderPlaced", "1", {"total": 42.5})
    assert message.headers["indelible-cursor"] == "1"
    assert not [name for name in message.headers if name.startswith("ce-")]


@pytest.mark.parametrize(
    ("sync", "problem"), [("always", None), ("2m", "sync_interval: always"), (None, "is not known")]
)
async def test_it_warns_of_a_server_that_syncs_later(
    tmp_path: Path, store: EventStore, monkeypatch: pytest.MonkeyPatch, sync: str | None, problem: str | None
) -> None:
    # It would warn as well of one that is too slow to answer.
    monkeypatch.setattr(nats_sync, "_TIMEOUT", aiohttp.ClientTimeout(total=RELAY_BROKER_TIMEOUT_S))
    with nats_server(tmp_path, sync_interval=sync or "always") as server, capture_logs() as logs:
        monitor = server.monitor_url if sync else "http://127.0.0.1:9"
        await append(store, 3)
        async with running(relay_to(server, store, f"&monitor={monitor}")):
            await until(lambda: is_published(store, 3))
            server.kill()
            server.start()
            await append(store, 3)
            await until(lambda: is_published(store, 6))
    found = [one["event"] for one in logs if "NATS" in one["event"]]
    assert [problem in one for one in found] == ([] if problem is None else [True])


@pytest.mark.parametrize("more", ["", "&subject=shop.{aggregate_type}.events"])
async def test_each_event_is_stored_once_though_the_broker_is_killed(
    server: NatsServer, store: EventStore, more: str
) -> None:
    async with running(relay_to(server, store, more)):
        for n in range(6):
            for kind in ("order", "Kunde *>. ü"):
                await store.append(kind, str(n), [NewEvent("Placed", {"n": i}) for i in range(200)])
            await asyncio.sleep(0.05 * n)
            if n % 2:
                server.kill()
                await asyncio.sleep(0.1)
                server.start()
        await until(lambda: is_published(store, 2_400))
    messages = await messages_of(server, STREAM)
    check_whole(messages, 2_400)
    if more:
        assert {one.subject for one in messages} == {"shop.order.events", "shop.Kunde%20%2A%3E%2E%20%C3%BC.events"}


@pytest.mark.parametrize("more", ["", "&subject=shop.{aggregate_type}"])
async def test_the_broker_alone_knows_how_far_a_relay_came(server: NatsServer, store: EventStore, more: str) -> None:
    """The checkpoint is late by all that was published, as after kill -9 of relay and store's last save."""
    await append(store, 300)
    async with running(relay_to(server, store, more)):
        await until(lambda: is_published(store, 300))
    behind = LocalEventStore(MemoryEngine())
    async with behind:
        await behind.append_recorded((await store.read_feed(limit=1_000)).events)
        await behind.append("order", "1", [NewEvent("Placed")])
        await behind.relays.claim("orders", "a")
        await behind.relays.claim("orders", "a", lease_s=0.2)
        async with running(relay_to(server, behind, more)):
            await until(lambda: is_published(behind, 301))
        assert (await state(behind)).published == 301
    check_whole(await messages_of(server, STREAM), 301)


@pytest.mark.parametrize("subject", ["indelible.events", "indelible.others", "other.subject"])
async def test_others_publish_to_the_stream(server: NatsServer, store: EventStore, subject: str) -> None:
    client = await nats.connect(server.url)
    jetstream = client.jetstream()
    await jetstream.add_stream(name=STREAM, subjects=["indelible.>", "other.>"])
    published = 0

    async def publish() -> None:
        nonlocal published
        while True:
            end_if_cancelled()
            began = time.monotonic()
            # On a busy machine one may not be answered in time.
            with suppress(nats.errors.TimeoutError):
                await jetstream.publish(subject, b"foreign")
                published += 1
            took_s = time.monotonic() - began
            # Between two on its own subject the relay must get a page through, however slow the machine is.
            await asyncio.sleep(max(0.02, 4 * took_s) if subject == "indelible.events" else 0.002)

    task, count = asyncio.create_task(publish()), 0
    try:
        # However fast the machine is, the relay meets some of them.
        while count < 1_200 or published <= 20:
            assert not task.done(), task
            count += 400
            await append(store, 400)
            async with running(relay_to(server, store)):
                await until(lambda: is_published(store, count))  # noqa: B023 - waited for at once
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()
    messages = await messages_of(server, STREAM)
    check_whole(messages, count)


async def test_an_earlier_owner_s_events_are_refused(server: NatsServer, store: EventStore) -> None:
    """Its sink goes on as if it had heard nothing of the store's."""
    await append(store, 5)
    page = await first_page(store)
    sinks = [make_sink(f"{server.url}?stream={STREAM}&create=true") for _ in range(2)]
    leases = [await store.relays.claim("orders", "one") for _ in range(2)]
    for sink, lease in zip(sinks, leases, strict=True):
        assert await sink.open(lease) is None
    await sinks[1].publish(page)
    with pytest.raises(Exception, match="epoch 2"):
        await sinks[0].publish(page)
    with pytest.raises(Exception, match="epoch 2"):
        await sinks[0].open(leases[0])
    assert await sinks[1].open(leases[1]) == page.cursor
    for sink in sinks:
        await sink.close()
    check_whole(await messages_of(server, STREAM), 5)


async def test_a_reset_publishes_again(server: NatsServer, store: EventStore) -> None:
    await append(store, 3)
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 3))
        await store.relays.reset("orders", start="beginning")
        await until(lambda: is_published(store, 3))
    positions = [int(one.headers["ce-position"]) for one in await messages_of(server, STREAM)]
    assert positions == [1, 2, 3] * 2


@pytest.mark.parametrize("size_bytes", [100_000, 64 * 1024 - 600])
async def test_an_event_that_is_too_large_stops_the_relay(
    server: NatsServer, store: EventStore, size_bytes: int
) -> None:
    """With its headers, which the server counts as well."""
    await append(store, 2)
    await store.append("order", "1", [NewEvent("Placed", "x" * size_bytes)])
    async with running(relay_to(server, store)):
        await until(lambda: _is(store, "stopped"))
    problem = (await state(store)).problem
    assert problem == "the event at position 3: it is larger than 65536 bytes, the most that NATS takes"
    check_whole(await messages_of(server, STREAM), 2)


async def test_an_event_that_is_too_large_is_set_aside_and_published_once_it_is_taken(
    server: NatsServer, store: EventStore
) -> None:
    await append(store, 2)
    await store.append("order", "1", [NewEvent("Placed", "x" * 100_000)])
    await append(store, 2)
    async with running(relay_to(server, store, on_refusal="set_aside")):
        await until(lambda: is_published(store, 5))
        (refused,) = await store.relays.list_set_aside("orders")
        assert (refused.position, refused.reason) == (3, "it is larger than 65536 bytes, the most that NATS takes")
        await store.relays.retry_set_aside("orders")
        await until(lambda: _is_to_retry(store, 0))
        assert (await state(store)).set_aside == 1
        server.stop()
        server.take_messages_up_to(1024 * 1024)
        server.start()
        await store.relays.retry_set_aside("orders", [3])
        await until(lambda: _is_set_aside(store, 0))
        await append(store, 1)
        await until(lambda: is_published(store, 6))
    messages = await messages_of(server, STREAM)
    assert [int(one.headers["ce-position"]) for one in messages] == [1, 2, 4, 5, 3, 6]
    assert [one.headers.get("indelible-replay") for one in messages] == [None] * 4 + ["replay-2", None]
    assert [one.headers["indelible-cursor"] for one in messages] == ["1", "2", "4", "5", "5", "6"]


@pytest.mark.parametrize("more", ["", "&mode=structured"])
async def test_headers_may_have_64_kib(tmp_path: Path, store: EventStore, more: str) -> None:
    """Whatever else the server takes. Where the data holds all, it has no such limit."""
    with nats_server(tmp_path) as server:
        for size in (30_000, 70_000):
            await store.append("order", "1", [NewEvent("Placed", metadata={"note": "é" * (size // 6)})])
        await append(store, 1)
        async with running(relay_to(server, store, more, on_refusal="set_aside")):
            await until(lambda: is_published(store, 3))
            refused = await store.relays.list_set_aside("orders")
        found = [int(one.headers["indelible-cursor"]) for one in await messages_of(server, STREAM)]
    assert found == ([1, 2, 3] if more else [1, 3])
    problem = "its headers are larger than 65535 bytes, the most that NATS stores"
    assert [(one.position, one.reason) for one in refused] == ([] if more else [(2, problem)])


async def test_the_largest_headers_are_as_large_as_the_server_says(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server:
        connection = await Connection.made(server.url, None, None, "test")
        await connection.jetstream.add_stream(name=STREAM, subjects=["a"])
        codes = []
        for size_bytes in (65_535, 65_536):
            headers = {"name": "x" * (size_bytes - len("NATS/1.0\r\nname: \r\n\r\n"))}
            assert (connection.problem_with(b"", headers) is None) == (size_bytes < 65_536)
            await connection.send("a", b"", headers)
            codes += [one.code for one in await connection.answers()]
        await connection.close()
    assert codes == [0, 10097]


async def _is_set_aside(store: EventStore, count: int) -> bool:
    return (await state(store)).set_aside == count


async def _is_to_retry(store: EventStore, count: int) -> bool:
    return (await state(store)).to_retry == count


async def test_a_range_is_published_again_while_events_come(server: NatsServer, store: EventStore) -> None:
    """The broker is killed in the middle. It knows the messages of the range by their ids, so none comes twice."""
    await append(store, 2_000)
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 2_000))
        await store.relays.replay("orders", after=Cursor("500"), until=Cursor("1800"))
        for n in range(10):
            await append(store, 20)
            await asyncio.sleep(0.05)
            if n == 4:
                server.kill()
                server.start()
        await until(lambda: is_published(store, 2_200))
        await until(lambda: _has_no_replay(store))
    messages = await messages_of(server, STREAM)
    check_whole([one for one in messages if "indelible-replay" not in one.headers], 2_200)
    again = [one for one in messages if "indelible-replay" in one.headers]
    assert [int(one.headers["ce-position"]) for one in again] == list(range(501, 1_801))
    assert {one.headers["indelible-replay"] for one in again} == {"replay-1"}


async def _has_no_replay(store: EventStore) -> bool:
    return (await state(store)).replay is None


async def test_an_event_that_just_fits_is_taken(server: NatsServer, store: EventStore) -> None:
    await store.append("order", "1", [NewEvent("Placed", "x" * (64 * 1024 - 2_000)), NewEvent("Placed")])
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 2))
    check_whole(await messages_of(server, STREAM), 2)


async def _is(store: EventStore, name: str) -> bool:
    return any(one.state == name for one in await store.relays.list())


async def test_a_stream_that_is_not_there_is_named_and_waited_for(server: NatsServer, store: EventStore) -> None:
    await append(store, 1)
    sink = make_sink(f"{server.url}?stream=NONE&subject=some.events")
    async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
        await until(lambda: _is(store, "retrying"))
        assert "no stream NONE; make it for the subject some.events" in str((await state(store)).problem)
        client = await nats.connect(server.url)
        await client.jetstream().add_stream(name="NONE", subjects=["some.*"])
        await client.close()
        await until(lambda: is_published(store, 1))


@pytest.mark.parametrize("retention", [RetentionPolicy.INTEREST, RetentionPolicy.WORK_QUEUE])
async def test_a_stream_that_forgets_what_is_acknowledged_is_named(
    server: NatsServer, store: EventStore, retention: RetentionPolicy
) -> None:
    """What tells how far the relay came would be removed."""
    await append(store, 3)
    client = await nats.connect(server.url)
    jetstream = client.jetstream()
    await jetstream.add_stream(StreamConfig(name=STREAM, subjects=["indelible.events"], retention=retention))
    async with running(relay_to(server, store)):
        await until(lambda: _is(store, "retrying"))
        assert f"the stream {STREAM} has the retention {retention.value}: " in str((await state(store)).problem)
        assert (await jetstream.stream_info(STREAM)).state.last_seq == 0
        await jetstream.delete_stream(STREAM)
        await until(lambda: is_published(store, 3))
    await client.close()


async def test_a_work_queue_may_have_the_relay_s_stream_as_its_source(server: NatsServer, store: EventStore) -> None:
    await append(store, 3)
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 3))
    client = await nats.connect(server.url)
    jetstream = client.jetstream()
    source = StreamSource(name=STREAM)
    await jetstream.add_stream(StreamConfig(name="WORK", sources=[source], retention=RetentionPolicy.WORK_QUEUE))
    consumer = await jetstream.pull_subscribe("", durable="worker", stream="WORK")
    positions: list[int] = []
    while len(positions) < 3:
        for message in await consumer.fetch(3, timeout=TIMEOUT_S):
            positions.append(int(message.headers["ce-position"]))
            await message.ack()
    await client.close()
    assert positions == [1, 2, 3]


@pytest.mark.parametrize("more", ["", "&subject=shop.{aggregate_type}"])
async def test_a_stream_is_purged_while_it_is_published_to(server: NatsServer, store: EventStore, more: str) -> None:
    """And while nobody owns the relay: it then goes on from the store's checkpoint."""
    client = await nats.connect(server.url)
    found = []
    for count in (100, 200):
        async with running(relay_to(server, store, more)):
            for end in (count - 50, count):
                await append(store, 50)
                await until(lambda: is_published(store, end))  # noqa: B023 - waited for at once
                found += [int(one.headers["ce-position"]) for one in await messages_of(server, STREAM)]
                await client.jetstream().purge_stream(STREAM)
    await client.close()
    assert found == list(range(1, 201))


async def test_a_server_that_is_not_there_or_lets_nobody_in_is_told_at_once(
    server: NatsServer, store: EventStore
) -> None:
    lease = await store.relays.claim("orders", "one")
    server.stop()
    server.require('user: me, password: "right"')
    server.start()
    for address, problem in (
        (f"127.0.0.1:{free_port()}", "cannot be reached: .*refused|cannot be reached: .*Connect call failed"),
        (f"me:wrong@127.0.0.1:{server.port}", "Authorization Violation"),
    ):
        sink = make_sink(f"nats://{address}?stream={STREAM}")
        async with asyncio.timeout(RELAY_BROKER_TIMEOUT_S):
            with pytest.raises(SinkUnavailable, match=problem):
                await sink.open(lease)
        await sink.close()


@pytest.mark.parametrize("more", ['user: "m:@/", password: "p@/:%#? ü"', 'token: "t@/:%#? ü"'], ids=["user", "token"])
async def test_what_is_special_in_a_password_is_percent_encoded(
    server: NatsServer, store: EventStore, more: str
) -> None:
    server.stop()
    server.require(more)
    server.start()
    userinfo = ":".join(quote(one, safe="") for one in re.findall('"([^"]+)"', more))
    await append(store, 3)
    sink = make_sink(f"nats://{userinfo}@127.0.0.1:{server.port}?stream={STREAM}&create=true")
    async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
        await until(lambda: is_published(store, 3))


async def test_a_subject_that_the_stream_does_not_take_stops_the_relay(server: NatsServer, store: EventStore) -> None:
    await append(store, 1)
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name=STREAM, subjects=["another"])
    await client.close()
    async with running(relay_to(server, store)):
        await until(lambda: _is(store, "stopped"))
        assert "does not take the subject indelible.events" in str((await state(store)).problem)


async def test_two_relays_of_one_stream_lose_nothing_in_silence(server: NatsServer, store: EventStore) -> None:
    """The server takes an id that it knows for stored, whatever the subject."""
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name=STREAM, subjects=["a", "b"])
    await client.close()
    await append(store, 3)
    async with running(relay_to(server, store, "&subject=a")):
        await until(lambda: is_published(store, 3))
    async with running(relay_to(server, store, "&subject=b", name="second")):
        await until(lambda: _is(store, "stopped"))
    assert "of somebody else" in str((await store.relays.get("second")).problem)


@pytest.mark.parametrize("mode", ["binary", "structured"])
async def test_a_message_says_whose_log_it_is_of(server: NatsServer, store: EventStore, mode: str) -> None:
    await append(store, 2)
    async with LocalEventStore(MemoryEngine()) as other:
        await append(other, 5)
        async with running(relay_to(server, store, f"&mode={mode}")):
            await until(lambda: is_published(store, 2))
        async with running(relay_to(server, other, f"&mode={mode}")):
            await until(lambda: _is(other, "stopped"))
            assert "it was of another store" in str((await state(other)).problem)
        await append(store, 2)
        async with running(relay_to(server, store, f"&mode={mode}")):
            await until(lambda: is_published(store, 4))
    assert len(await messages_of(server, STREAM)) == 4


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ("", "must name a stream"),
        ("?stream=a.b", "must name a stream"),
        ("?stream=A&subject=a..b", "bad subject"),
        ("?stream=A&subject={event_id}", "bad subject"),
        ("?stream=A&create=maybe", "true or false"),
        ("?stream=A&mode=odd", "binary or structured"),
        *(
            (f"?stream=A&monitor={bad}", "monitoring port")
            for bad in ("127.0.0.1:8222", "http://", "http://[::1", "http://a:b", "http://a:99999", "ftp://a")
        ),
        ("?stream=A&stream=B", "has stream twice"),
        ("?stream=A&subject=a&subject=a", "has subject twice"),
        ("?stream=A&colour=red", "unknown parameter, colour"),
        ("/path?stream=A", "must be like"),
    ],
)
def test_urls_that_name_nothing_are_refused(rest: str, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem) as caught:
        make_sink(f"nats://127.0.0.1:4222{rest}")
    assert caught.value.pointer == "/to"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("host:abc", "is not a URL: its port must be a number from 1 to 65535"),
        ("host:99999", "is not a URL: its port"),
        ("host:0", "is not a URL: its port"),
        ("[::1", "is not a URL; percent-encode"),
        ("me:sec/ret@host:4222", "is not a URL: its port"),
        ("me:sec#ret@host:4222", "is not a URL: its port"),
        ("me:sec[ret@host:4222", "is not a URL; percent-encode"),
        ("me:sec\u2100ret@host:4222", "is not a URL; percent-encode"),
        ("a:4222,b:4222", "is not a URL: its port"),
        ("a,b:4222", "must be like nats://HOST:PORT"),
        ("", "must be like nats://HOST:PORT"),
    ],
)
def test_addresses_that_are_none_are_refused(address: str, problem: str) -> None:
    """At once, and without what may be a password."""
    with pytest.raises(InvalidRequest, match=problem) as caught:
        make_sink(f"nats://{address}?stream=A")
    assert caught.value.pointer == "/to"
    assert "sec" not in str(caught.value)


def test_a_url_names_all_there_is() -> None:
    found = Target.of(
        "nats://m%40:se%2F%25cret@host:4222?stream=S&subject=a.{aggregate_type}.b&create=true&mode=structured"
        "&monitor=http://[::1]:8222/"
    )
    own = ("S", "a.{aggregate_type}.b", True, "structured", "http://[::1]:8222")
    assert found == ("nats://host:4222", "m@", "se/%cret", *own)
    assert found.pattern == "a.*.b"


def test_what_a_url_leaves_out_is_as_everywhere() -> None:
    assert Target.of("nats://[::1]/?stream=S")[:3] == ("nats://[::1]", None, None)
    assert Target.of("nats://t%3Aken@host?stream=S")[:3] == ("nats://host", "t:ken", None)


def test_a_sink_that_is_not_there() -> None:
    with pytest.raises(InvalidRequest, match=r"must start with one of .*nats:"):
        make_sink("pigeon:post")
