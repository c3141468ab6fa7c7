"""import --from and export --to between stores, over the wire of KurrentDB's clients; and killed at any moment."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, RecordedEvent, StreamState

from cli.conftest import Run
from cli.running import COMMAND, TIMEOUT_S, Ran, environment, wait_until
from indelible.client.iterators import iterate_feed
from indelible.core.open import open_local_store
from indelible.events import AggregateKey
from indelible.events import NewEvent as OurEvent
from indelible.eventstore import AggregateAppend
from serving import serving_in_a_thread

STORE = ("--store", "sqlite:x.db")
STREAMS = ("order-1", "orders", "-x", "~-y", "order-ż ó", "a-b-c")
CONTENT_TYPES: tuple[Any, ...] = ("application/json", "application/octet-stream")
MANY = 6_000


@pytest.fixture(scope="module")
def source() -> Iterator[str]:
    """A server with events of every kind that a client can write."""
    with serving_in_a_thread(open_local_store("memory:"), "esdb") as url:
        with KurrentDBClient(url) as client:
            fill(client)
        yield url


def fill(client: KurrentDBClient) -> None:
    datas = (b'{"a":1.0}', b'{ "a" : 1 }', b"", b"\x00\xff", b"not json", b'{"n": 12345678901234567890}')
    metadatas = (b"", b"{}", b'{"by":"me"}', b"\xff\x00", b"[1]", b'{"$esdb":{"position":7}}')
    for i in range(40):
        events = [
            NewEvent(
                f"Type{i % 3}",
                datas[(i + j) % 6],
                metadatas[j],
                "application/json" if i % 2 else "application/octet-stream",
            )
            for j in range(i % 5 + 1)
        ]
        client.append_to_stream(STREAMS[i % 6], events=events, current_version=StreamState.ANY)
    client.set_stream_metadata("order-1", metadata={"$maxCount": 3, "mine": 1})
    client.append_to_stream("gone-1", events=[NewEvent("A", b"{}")], current_version=StreamState.NO_STREAM)
    client.delete_stream("gone-1", current_version=StreamState.ANY)


def everything(url: str) -> list[tuple[Any, ...]]:
    with KurrentDBClient(url) as client:
        return [seen(event) for event in client.read_all(filter_exclude=())]


def seen(event: RecordedEvent) -> tuple[Any, ...]:
    return (
        event.stream_name, event.stream_position, event.id, event.type, event.data, event.metadata, event.content_type
    )  # fmt: skip


def report(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_an_import_is_the_same_for_the_clients(source: str, run: Run, tmp_path: Path) -> None:
    there = everything(source)
    assert len(there) > 100
    first = run("import", "--from", source, *STORE)
    assert first.out.startswith(f"result         ok\nimported       {len(there)}\nalready there  0\n")
    assert first.err == ""
    again = report(run("import", "--from", source, "--json", *STORE))
    assert (again["imported"], again["verified"]["events"]) == (0, len(there))
    with serving_in_a_thread(open_local_store(f"sqlite:{tmp_path}/x.db"), "esdb") as url:
        assert everything(url) == there
        with KurrentDBClient(url) as client:
            assert len(client.get_stream("order-1")) == 3
    assert run("verify", *STORE).code == 0


def test_an_import_goes_through_a_server(source: str, run: Run) -> None:
    with serving_in_a_thread(open_local_store("memory:")) as url:
        first = report(run("import", "--from", source, "--json", "--url", url, "--exclude", "order-*"))
        assert first["verified"]["differences"] == []
        # What was left out is not brought later, and is missed.
        rest = run("import", "--from", source, "--url", url)
        assert rest.code == 1
        assert rest.out.startswith("result         different\nimported       0\n")
        assert "indelible: $$order-1: 1 events at the source, 0 at the destination\n" in rest.err


def test_an_export_is_the_same_for_the_clients(source: str, run: Run) -> None:
    run("import", "--from", source, *STORE)
    run("append", "tagged", "1", "X", "--tag", "a", *STORE)
    with serving_in_a_thread(open_local_store("memory:"), "esdb") as url:
        first = report(run("export", "--to", url, "--json", *STORE))
        there = everything(url)
        assert there[:-1] == everything(source)
        assert (first["sent"], first["tags_left"], first["verified"]["events"]) == (len(there), 1, len(there))
        again = run("export", "--to", url, *STORE)
        assert again.out.startswith("result   ok\nsent     0\n")
        run("append", "tagged", "1", "Y", *STORE)
        assert report(run("export", "--to", url, "--json", *STORE))["sent"] == 1
        with KurrentDBClient(url) as client:
            client.append_to_stream("tagged-1", events=[NewEvent("Z", b"{}")], current_version=1)
        run("append", "tagged", "1", "W", *STORE)
        refused = run("export", "--to", url, *STORE)
        assert (refused.code, "the stream tagged-1 has other events there" in refused.err) == (3, True)


def test_streams_that_are_a_system_s_own_there_stay_behind(run: Run) -> None:
    for stream in ("$settings", "orders", "$$orders", "$$$settings", "$ce-order"):
        assert run("append", "~", stream, "X", *STORE).code == 0
    with serving_in_a_thread(open_local_store("memory:"), "esdb") as url:
        first = report(run("export", "--to", url, "--json", *STORE))
        assert (first["sent"], first["system_left"], first["verified"]["differences"]) == (2, 3, [])
        assert [event[0] for event in everything(url)] == ["orders", "$$orders"]
        run("append", "~", "$settings", "Y", *STORE)
        again = run("export", "--to", url, *STORE)
        assert (again.code, again.out.partition("\n")[0]) == (0, "result   ok")
        assert "events are in streams whose names begin with $, which stay behind" in again.err


def test_what_was_appended_since_goes_back(run: Run) -> None:
    with serving_in_a_thread(open_local_store("memory:"), "esdb") as old:
        with KurrentDBClient(old) as client:
            client.append_to_stream("order-1", events=[NewEvent("A", b"{}")], current_version=StreamState.ANY)
        run("import", "--from", old, *STORE)
        run("append", "order", "1", "B", *STORE)
        back = report(run("export", "--to", old, "--json", *STORE))
        assert (back["sent"], back["verified"]["differences"]) == (1, [])
        with KurrentDBClient(old) as client:
            client.append_to_stream("order-1", events=[NewEvent("C", b"{}")], current_version=1)
        forth = report(run("import", "--from", old, "--json", *STORE))
        assert (forth["imported"], forth["verified"]["differences"]) == (1, [])
        lines = run("read", "order", "1", "--json", *STORE).out.splitlines()
        assert [json.loads(line)["event_type"] for line in lines] == ["A", "B", "C"]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with thousands of events, those of the streams mixed."""
    store = f"sqlite:{tmp_path_factory.mktemp('many')}/x.db"
    asyncio.run(append_many(store))
    with serving_in_a_thread(open_local_store(store), "esdb") as url:
        yield url


async def append_many(url: str) -> None:
    chance = random.Random(7)
    async with open_local_store(url) as store:
        for _ in range(MANY // 1_000):
            keys = [AggregateKey("order", str(chance.randrange(200))) for _ in range(1_000)]
            await store.append_atomic([AggregateAppend(key, (OurEvent("Counted", {"x": "y" * 200}),)) for key in keys])


def test_an_import_that_is_killed_goes_on(many: str, run: Run, tmp_path: Path) -> None:
    kill_an_import(many, tmp_path, random.Random().uniform(0, 0.1))
    stored = asyncio.run(ids_in(tmp_path))
    assert 0 < len(stored) < MANY
    last = report(run("import", "--from", many, "--json", *STORE))
    assert (last["imported"], last["already_there"]) == (MANY - len(stored), 0)
    assert (last["verified"]["events"], last["verified"]["different_streams"]) == (MANY, 0)
    assert asyncio.run(ids_in(tmp_path)) == [event[2] for event in everything(many)]


def kill_an_import(url: str, cwd: Path, after_s: float) -> None:
    """Some time after it has begun to store."""
    log = cwd / "x.db-wal"
    process = subprocess.Popen([COMMAND, "import", "--from", url, *STORE], cwd=cwd, env=environment())
    wait_until(lambda: process.poll() is not None or log_size(log) > 100_000, "nothing is stored")
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=TIMEOUT_S) == -signal.SIGKILL


def log_size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


async def ids_in(directory: Path) -> list[Any]:
    async with open_local_store(f"sqlite:{directory}/x.db") as store:
        return [event.event_id async for event in iterate_feed(store)]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("import", "x.ndjson", "--from", "esdb://127.0.0.1:1?tls=false"), 2, "file: must not stand next to --from"),
        (("import",), 2, "file: give a file, or --from"),
        (("import", "x.ndjson", "--follow"), 2, "from: is needed by"),
        (("import", "--from", "http://127.0.0.1:1"), 2, "from: must be like esdb://HOST:2113"),
        (("import", "--from", "esdb://127.0.0.1:1"), 2, "from: Username and password are required: esdb://127.0.0.1:1"),
        (("import", "--from", "esdb://me:secret@127.0.0.1:1?other=1"), 2, "from: Unknown field"),
        (("import", "--from", "esdb://me:secret@127.0.0.1:1?tlsCaFile=none"), 2, "from: cannot open none"),
        (("import", "--from", "esdb://127.0.0.1:1?tls=false"), 75, "esdb://127.0.0.1:1: ServiceUnavailable"),
        (("export", "x.ndjson", "--to", "esdb://127.0.0.1:1?tls=false"), 2, "file: must not stand next to --to"),
        (("export",), 2, "file: give a file, or --to"),
        (("export", "x.ndjson", "--no-verify"), 2, "to: is needed by --no-verify"),
        (("export", "--to", "https://127.0.0.1:1"), 2, "to: must be like esdb://HOST:2113"),
    ],
)
def test_what_cannot_be_is_said(run: Run, args: tuple[str, ...], code: int, said: str) -> None:
    run("init", *STORE)
    ran = run(*args, *STORE)
    assert (ran.code, said in ran.err) == (code, True), ran
    assert "secret" not in ran.err


def test_without_the_client_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kurrentdbclient", None)
    ran = run("import", "--from", "esdb://127.0.0.1:1?tls=false", *STORE)
    assert (ran.code, 'from: needs more packages: pip install "indelible[kurrentdb]"' in ran.err) == (2, True)


def test_an_import_that_follows_takes_what_comes(run: Run, tmp_path: Path) -> None:
    with serving_in_a_thread(open_local_store("memory:"), "esdb") as old, KurrentDBClient(old) as client:
        client.append_to_stream("order-1", events=[NewEvent("A", b"{}")], current_version=StreamState.ANY)
        with serving_in_a_thread(open_local_store("memory:")) as new:
            process = subprocess.Popen([COMMAND, "import", "--from", old, "--follow", "--url", new], env=environment())
            wait_until(lambda: run("read", "order", "1", "--url", new).out.count("\n") == 1, "nothing comes")
            client.append_to_stream("order-1", events=[NewEvent("B", b"{}")], current_version=0)
            wait_until(lambda: run("read", "order", "1", "--url", new).out.count("\n") == 2, "what comes is missed")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=TIMEOUT_S) == 130
            last = report(run("import", "--from", old, "--json", "--url", new))
            assert (last["imported"], last["verified"]["events"]) == (0, 2)


async def append_here(directory: Path, *events: OurEvent) -> None:
    async with open_local_store(f"sqlite:{directory}/x.db") as store:
        for event in events:
            await store.append("order", event.metadata.get("id", "1"), event)


def test_an_export_that_is_killed_goes_on(run: Run, tmp_path: Path) -> None:
    count = 300
    events = [OurEvent("Counted", n, metadata={"id": str(n % 20)}) for n in range(count)]
    asyncio.run(append_here(tmp_path, *events))
    with serving_in_a_thread(open_local_store("memory:"), "esdb") as url, KurrentDBClient(url) as client:
        process = subprocess.Popen([COMMAND, "export", "--to", url, *STORE], cwd=tmp_path, env=environment())
        wait_until(lambda: client.get_commit_position() > 20, "nothing is sent")
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=TIMEOUT_S) == -signal.SIGKILL
        sent = client.get_commit_position()
        assert sent < count
        last = report(run("export", "--to", url, "--json", *STORE))
        assert (last["sent"], last["position"], last["verified"]["events"]) == (count - sent, count, count)
        assert [event[2] for event in everything(url)] == [event.event_id for event in events]


def test_a_stream_that_has_other_revisions_there_goes_on(run: Run, tmp_path: Path) -> None:
    mine = [OurEvent("B"), OurEvent("C")]
    asyncio.run(append_here(tmp_path, *mine))
    with serving_in_a_thread(open_local_store("memory:"), "esdb") as url, KurrentDBClient(url) as client:
        theirs = [NewEvent("A", b"{}"), NewEvent("B", b"null", id=mine[0].event_id)]
        client.append_to_stream("order-1", events=theirs, current_version=StreamState.NO_STREAM)
        ran = run("export", "--to", url, *STORE)
        assert [event.type for event in client.get_stream("order-1")] == ["A", "B", "C"]
        assert ran.code == 1
        assert ran.err == "indelible: order-1: 2 events at the source, 3 at the destination\n"
        asyncio.run(append_here(tmp_path, OurEvent("D")))
        run("export", "--to", url, *STORE)
        assert [event.type for event in client.get_stream("order-1")] == ["A", "B", "C", "D"]
