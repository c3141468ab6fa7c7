"""Client: the same methods, for threads."""

import asyncio
import gc
import inspect
import multiprocessing
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest

from indelible import (
    AggregateNotFound,
    AsyncClient,
    Client,
    Consumer,
    Cursor,
    EventQuery,
    InvalidRequest,
    NewEvent,
    Repository,
    ShuttingDown,
    SyncConsumer,
    SyncRepository,
    VersionConflict,
)
from indelible.client.async_client import AsyncGroups, AsyncIndex, AsyncKeys, AsyncRelays, AsyncSchemas
from indelible.client.sync_client import SyncGroups, SyncIndex, SyncKeys, SyncLiveStates, SyncRelays, SyncSchemas
from indelible.errors import StoreLocked
from indelible.eventstore import EventStore
from indelible.groups import ConsumerGroups
from indelible.index_state import SearchIndex
from indelible.keys import Keys
from indelible.relay_state import Relays
from indelible.schemas import Schemas

NOT_SHARED = {"aclose", "follow", "open", "url", "wait_closed"}
PARTS = (
    (ConsumerGroups, AsyncGroups, SyncGroups),
    (Relays, AsyncRelays, SyncRelays),
    (SearchIndex, AsyncIndex, SyncIndex),
    (Keys, AsyncKeys, SyncKeys),
    (Schemas, AsyncSchemas, SyncSchemas),
)


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "indelible-client"]


def _public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_it_has_every_method_of_the_asynchronous_one():
    assert _public(AsyncClient) - NOT_SHARED == _public(Client) - {"close", "url"}
    assert _public(EventStore) <= _public(AsyncClient)
    for part, asynchronous, blocking in PARTS:
        assert _public(part) == _public(asynchronous) == _public(blocking)
    assert _public(Repository) == _public(SyncRepository)
    assert {"run", "states"} == _public(SyncLiveStates)
    assert _public(Consumer) - NOT_SHARED == _public(SyncConsumer) - {"close"}


@pytest.mark.parametrize(
    "name",
    sorted(
        _public(AsyncClient)
        & _public(Client)
        - {"groups", "relays", "index", "keys", "schemas", "typed", "url", "outage", "repository", "consume"}
    ),
)
def test_methods_have_the_same_signature_and_documentation(name: str):
    asynchronous, blocking = getattr(AsyncClient, name), getattr(Client, name)
    assert inspect.signature(asynchronous) == inspect.signature(blocking)
    assert asynchronous.__doc__ == blocking.__doc__


@pytest.mark.parametrize(("kinds", "name"), [(kinds, name) for kinds in PARTS for name in sorted(_public(kinds[0]))])
def test_methods_of_parts_have_the_same_signature_and_documentation(kinds: tuple[type, ...], name: str):
    methods = [getattr(kind, name) for kind in kinds]
    assert len({str(inspect.signature(method)) for method in methods}) == 1
    assert len({method.__doc__ for method in methods}) == 1


def test_the_calls_of_a_day(event_store_client: Client):
    client = event_store_client
    placed = NewEvent("OrderPlaced", {"total": 990}, tags=["customer:7"])
    result = client.append("Order", "42", [placed], expected_version=0)
    assert (result.version, result.replayed) == (1, False)
    assert client.append("Order", "42", [placed], expected_version=0).replayed
    assert client.get_event(placed.event_id).event_data == {"total": 990}
    assert client.read_aggregate("Order", "42").version == 1
    assert client.head().position == 1
    assert [kind.event_type for kind in client.event_types()] == ["OrderPlaced"]
    query = EventQuery.of(tags=["customer:7"])
    assert [event.event_id for event in client.iter_feed(query)] == [placed.event_id]
    client.save_snapshot("Order", "42", version=1, state={"total": 990})
    assert client.get_snapshot("Order", "42").state == {"total": 990}


def test_a_subscription_says_how_far_it_has_come(event_store_client: Client):
    client = event_store_client
    client.append("Order", "42", [NewEvent("OrderPlaced", n) for n in range(5)])
    subscription = client.subscribe()
    assert [next(subscription).event_data for _ in range(2)] == [0, 1]
    kept = Cursor.parse(str(subscription.cursor))
    subscription.close()
    again = client.subscribe(after=kept)
    assert again.cursor == kept
    assert [next(again).event_data for _ in range(3)] == [2, 3, 4]


def test_another_thread_closes_a_subscription_that_waits(event_store_client: Client):
    event_store_client.append("Order", "42", [NewEvent("OrderPlaced")])
    subscription = event_store_client.subscribe()
    seen: Future[int] = Future()
    ended: Future[None] = Future()

    def wait() -> None:
        for event in subscription:
            seen.set_result(event.position)
        ended.set_result(None)

    Thread(target=wait, daemon=True).start()
    assert seen.result(60) == 1
    subscription.close()
    subscription.close()
    ended.result(60)
    assert list(subscription) == []


def test_what_is_forgotten_on_the_clients_own_thread_ends_there(event_store_client: Client):
    """The interpreter ends it on whatever thread it pleases."""
    event_store_client.append("Order", "42", [NewEvent("OrderPlaced", n) for n in range(3)])
    forgotten = [event_store_client.subscribe(), event_store_client.iter_aggregate("Order", "42", page_size=1)]
    assert [next(each).event_data for each in forgotten] == [0, 0]
    unraised: list[object] = []
    before, sys.unraisablehook = sys.unraisablehook, unraised.append
    try:
        event_store_client.rebuild("Order", "42", lambda state, event: forgotten.clear(), None)
    finally:
        sys.unraisablehook = before
    assert unraised == []


def test_errors_are_the_same(event_store_client: Client):
    with pytest.raises(VersionConflict) as caught:
        event_store_client.append("Order", "42", [NewEvent("X")], expected_version=3)
    assert (caught.value.expected_version, caught.value.actual_version) == (3, 0)
    with pytest.raises(AggregateNotFound):
        list(event_store_client.iter_aggregate("Order", "42"))


def test_iterators_go_over_many_pages(event_store_client: Client):
    event_store_client.append("Order", "42", [NewEvent("X", n) for n in range(50)])
    assert [event.version for event in event_store_client.iter_aggregate("Order", "42", page_size=9)] == [*range(1, 51)]
    some = event_store_client.iter_feed(page_size=9)
    assert [next(some).position for _ in range(12)] == [*range(1, 13)]


def test_rebuild_and_repository(event_store_client: Client):
    accounts = event_store_client.repository("Account", lambda balance, event: balance + event.event_data, int)
    assert accounts.load("1") == (0, 0)
    accounts.save("1", [NewEvent("Deposited", 5)], expected_version=0)
    accounts.update("1", lambda balance: [NewEvent("Deposited", balance)])
    assert accounts.load("1") == (10, 2)
    assert event_store_client.rebuild("Account", "1", lambda count, event: count + 1, 0).state == 2


def test_many_threads_share_a_client(event_store_client: Client):
    def work(n: int) -> None:
        for _ in range(20):
            event_store_client.append("Order", str(n), [NewEvent("X")])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert event_store_client.head().position == 320
    assert len(_threads()) == 1


def test_close_ends_the_thread_and_may_be_repeated():
    client = Client("memory:")
    client.append("Order", "1", [NewEvent("X")])
    client.close()
    client.close()
    assert _threads() == []
    with pytest.raises(ShuttingDown):
        client.head()
    with pytest.raises(ShuttingDown):
        next(client.iter_feed())


def test_leaving_with_an_error_closes():
    def fail() -> None:
        with Client("memory:") as client:
            client.head()
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert _threads() == []


def test_entering_opens_and_cleans_up_when_it_cannot(tmp_path: Path):
    url = f"sqlite:{tmp_path}/store.db"
    with Client(url) as first:
        with pytest.raises(StoreLocked):
            Client(url).__enter__()
        assert len(_threads()) == 1
        first.append("Order", "1", [NewEvent("X")])
    with Client(url) as again:
        assert again.head().position == 1


def test_a_forgotten_client_ends_its_thread():
    client = Client("memory:")
    client.head()
    del client
    gc.collect()
    assert _threads() == []


def test_a_bad_url_starts_no_thread():
    with pytest.raises(InvalidRequest):
        Client("nothing://here")
    assert _threads() == []


def test_a_call_from_within_is_refused_instead_of_hanging(event_store_client: Client):
    event_store_client.append("Order", "1", [NewEvent("X")])
    with pytest.raises(RuntimeError, match="cannot call it"):
        event_store_client.rebuild("Order", "1", lambda state, event: event_store_client.head(), None)


async def test_it_may_be_used_where_a_loop_runs(event_store_client: Client):
    assert event_store_client.head().position == 0
    assert await asyncio.to_thread(event_store_client.head) == event_store_client.head()


def test_a_child_after_a_fork_is_told():
    with Client("memory:") as client:
        client.head()
        context = multiprocessing.get_context("fork")
        receiving, sending = context.Pipe(duplex=False)

        def child() -> None:
            try:
                client.head()
            except RuntimeError as error:
                sending.send(str(error))

        process = context.Process(target=child)
        process.start()
        assert receiving.poll(60)
        assert "fork" in receiving.recv()
        process.join(60)
        assert process.exitcode == 0
        assert client.head().position == 0


@pytest.mark.parametrize("ending", ["", "raise SystemExit(0)", "del client"])
def test_a_program_that_does_not_close_ends_quietly(ending: str):
    code = f"""
from indelible import Client, NewEvent
client = Client("memory:")
client.append("Order", "1", [NewEvent("X")])
{ending}
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
