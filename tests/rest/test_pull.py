"""Pulls that wait: for events, until their time is over, their caller goes away, or the server stops."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any, cast

import pytest

from indelible.access import EVERYBODY
from indelible.core.store import LocalEventStore
from indelible.engines.group_storage import GroupChange
from indelible.engines.memory import MemoryEngine
from indelible.events import NewEvent
from indelible.groups import ConsumerGroups, Delivery
from indelible.server.call import Call
from indelible.server.compose import make_services
from indelible.server.http.exchange import Exchange
from indelible.server.http.message_syntax import HeadReader
from indelible.server.http.messages import Request
from indelible.server.http.routes import pull
from rest.calls import Api, connected
from rest.group_calls import Group
from rest.test_lifecycle import slow_server
from serving import serving_in_a_thread


class Pulling:
    """A pull on a connection of its own, in a thread."""

    def __init__(self, url: str, group: Group, **asked: Any) -> None:
        self.answers: list[Any] = []
        self._thread = Thread(target=self._pull, args=(url, group.path, asked))
        self._thread.start()

    def _pull(self, url: str, path: str, asked: dict[str, Any]) -> None:
        with connected(url) as api:
            self.answers.append(api.post(f"{path}/pull", asked))

    def deliveries(self) -> list[dict[str, Any]]:
        self._thread.join(60)
        (answer,) = self.answers
        assert answer.status == 200
        deliveries: list[dict[str, Any]] = answer.json["deliveries"]
        return deliveries


def send_pull(url: str, group: Group, **asked: Any) -> socket.socket:
    """A pull that nobody reads the answer of."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    body = json.dumps(asked).encode()
    head = f"POST {group.path}/pull HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def test_an_event_ends_the_wait(url: str, api: Api):
    group = Group(api)
    started = time.monotonic()
    pulling = Pulling(url, group, wait_s=20)
    time.sleep(0.3)
    group.append(1)
    (delivery,) = pulling.deliveries()
    assert delivery["attempt"] == 1
    assert 0.3 <= time.monotonic() - started < 15


def test_what_is_there_is_not_waited_for(api: Api):
    group = Group(api)
    group.append(1)
    started = time.monotonic()
    assert len(group.pull(wait_s=20, limit=10)) == 1
    assert time.monotonic() - started < 15


def test_the_wait_ends_when_it_is_over(api: Api):
    group = Group(api)
    started = time.monotonic()
    assert group.pull(wait_s=0.5) == []
    assert 0.45 <= time.monotonic() - started < 15


def test_an_acknowledgement_frees_the_next_event_for_those_who_wait(url: str, api: Api):
    group = Group(api)
    group.append(2)
    first = group.pull()
    pulling = Pulling(url, group, wait_s=20)
    time.sleep(0.2)
    group.settle("ack", first)
    (second,) = pulling.deliveries()
    assert second["event"]["version"] == first[0]["event"]["version"] + 1


def test_who_goes_away_while_waiting_gets_nothing(url: str, api: Api):
    group = Group(api)
    send_pull(url, group, wait_s=20).close()
    time.sleep(0.2)
    group.append(1)
    # Should the server hear of the event first, it gives it back.
    (delivery,) = group.pull(wait_s=20)
    assert delivery["attempt"] == 1


def test_a_group_that_is_deleted_ends_the_wait(url: str, api: Api):
    group = Group(api)
    pulling = Pulling(url, group, wait_s=20)
    time.sleep(0.2)
    api.call("DELETE", group.path)
    pulling._thread.join(60)
    pulling.answers[0].problem(404, "group_not_found")


class HeldUp(MemoryEngine):
    """Saves no group while it is told not to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_held = False
        self.is_saving = Event()

    async def save_group(self, change: GroupChange) -> bool:
        while self.is_held:
            self.is_saving.set()
            await asyncio.sleep(0.01)
        return await super().save_group(change)


@pytest.fixture
def engine() -> HeldUp:
    return HeldUp()


@pytest.fixture
def slow_url(engine: HeldUp) -> Iterator[str]:
    with serving_in_a_thread(LocalEventStore(engine)) as url:
        yield url


def test_who_goes_away_while_events_are_delivered_has_none_of_them(engine: HeldUp, slow_url: str):
    with connected(slow_url) as api:
        group = Group(api)
        group.append(1)
        engine.is_held = True
        connection = send_pull(slow_url, group, member="gone")
        assert engine.is_saving.wait(60)
        connection.close()
        time.sleep(0.3)
        engine.is_held = False
        (delivery,) = group.pull(wait_s=20)
        assert delivery["attempt"] == 1
        assert group.get("/in-flight")["in_flight"][0]["member"] == ""


def test_a_stop_ends_the_wait_with_an_answer():
    with slow_server() as (process, url), connected(url) as api:
        group = Group(api)
        pulling = Pulling(url, group, wait_s=20)
        time.sleep(1.0)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert pulling.deliveries() == []
        assert process.wait(timeout=120) == 0
        assert time.monotonic() - started < 15


# --- When the answer and the caller's leave come together ------------------------------------------------------------


def _leaving(groups: ConsumerGroups) -> asyncio.Event:
    """Is set when the member "leaving" is delivered something: its caller goes away in that very moment."""
    has_left = asyncio.Event()
    pull = groups.pull

    async def pull_and_leave(group: str, **asked: Any) -> tuple[Delivery, ...]:
        deliveries = await pull(group, **asked)
        if asked["member"] == "leaving":
            has_left.set()
        return deliveries

    groups.pull = pull_and_leave
    return has_left


class _LeavingCaller:
    """Of a pull; goes once it is told to."""

    is_body_whole = True

    def __init__(self, has_left: asyncio.Event) -> None:
        body = b'{"member":"leaving"}'
        reader = HeadReader()
        reader.feed(b"POST /v1/groups/g/pull HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        self.head = reader.head()
        self._body, self._has_left = body, has_left

    def take(self) -> bytes:
        return self._body

    async def until_left(self) -> None:
        await self._has_left.wait()


async def test_events_that_can_not_be_sent_are_given_back():
    async with LocalEventStore(MemoryEngine()) as store:
        await store.groups.create("g")
        await store.append("Order", "1", [NewEvent("Placed")])
        services = make_services(store)
        request = Request(cast("Exchange", _LeavingCaller(_leaving(store.groups))), services.bodies)
        request.parameters = {"group": b"g"}
        answer = await pull(Call(services, principal=EVERYBODY), request)
        assert (answer.status, answer.body) == (200, b'{"deliveries":[]}')
        assert await store.groups.list_in_flight("g") == ()
        assert len(await store.groups.pull("g", member="staying")) == 1
