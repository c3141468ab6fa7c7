"""indelible doctor: what is wrong is found, with what to do; what is fine is said to be."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.conftest import Run
from indelible.core.store import LocalEventStore
from indelible.engines.postgres.examination import _clock, _connections, _durability, _standbys, _synchronous_commit
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.engines.sqlite.examination import file_system_of
from indelible.events import NewEvent
from postgres.server import PostgresServer

STORE = ("--store", "sqlite:x.db")


def findings(run: Run, *args: object, code: int = 0, **env: str) -> dict[str, list[tuple[str, str]]]:
    """By check: level and message."""
    ran = run("doctor", "--json", *args, **env)
    assert ran.code == code, ran
    found: dict[str, list[tuple[str, str]]] = {}
    for one in json.loads(ran.out)["findings"]:
        assert (one["advice"] is None) or one["level"] != "ok"
        found.setdefault(one["check"], []).append((one["level"], one["message"]))
    return found


def levels(found: dict[str, list[tuple[str, str]]], check: str) -> list[str]:
    return [level for level, _ in found[check]]


def test_a_store_in_order_has_no_problem(run: Run, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    run("append", "order", "1", "OrderPlaced", *STORE)
    found = findings(run, *STORE)
    assert {"problem"} & {level for some in found.values() for level, _ in some} == set()
    assert found["store"] == [("ok", "the log ends at position 1")]
    assert set(found) == {"settings", "open files", "sqlite", "rights", "file system", "disk", "clock", "store"}
    assert run("doctor", *STORE).out.splitlines()[0] == "ok      settings: all settings are good"
    # Before a server has made it, too.
    assert findings(run, "--store", "sqlite:none.db")["store"][0][0] == "notice"


def test_rights_that_are_too_wide_are_found(run: Run, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    run("append", "order", "1", "OrderPlaced", *STORE)
    (tmp_path / "x.db").chmod(0o644)
    assert levels(findings(run, *STORE), "rights") == ["notice"]
    (tmp_path / "x.db").chmod(0o666)
    found = findings(run, *STORE, code=1)
    assert found["rights"] == [("problem", f"anybody may write to {tmp_path}/x.db")]
    for file in tmp_path.glob("x.db*"):
        file.chmod(0o640)
    assert levels(findings(run, *STORE), "rights") == ["ok"]


def test_secrets_that_anybody_may_read_are_found(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "indelible.toml"
    config.write_text('store = "sqlite:x.db"\n[relays.mail]\nto = "amqp://me:pa55word@127.0.0.1:1/?exchange=x"\n')
    config.chmod(0o644)
    found = findings(run, code=1)
    assert found["rights"][0] == ("problem", "indelible.toml has a password in it, and anybody may read it")
    assert "pa55word" not in str(found)
    config.chmod(0o600)
    assert findings(run, code=1)["rights"][0][0] == "ok"
    for name in ("key.pem", "secret"):
        (tmp_path / name).touch(mode=0o644)
    config.write_text(
        'store = "sqlite:x.db"\n[tls]\ncertificate = "c.pem"\nkey = "key.pem"\n'
        '[access.jwt]\nissuer = "https://a"\naudience = "b"\nsecret_file = "secret"\n'
    )
    assert findings(run, code=1)["rights"] == [
        ("problem", f"{name} has a private key in it, and anybody may read it") for name in ("key.pem", "secret")
    ]


def test_bad_settings_are_all_there_is_to_say(run: Run, tmp_path: Path) -> None:
    (tmp_path / "indelible.toml").write_text('workers = "many"\nhtp = 1\n')
    found = findings(run, code=1)
    assert list(found) == ["settings"]
    assert levels(found, "settings") == ["problem", "problem"]


async def test_a_newest_event_of_tomorrow_is_found(tmp_path: Path) -> None:
    from indelible.cli.examining import examine_all

    tomorrow = datetime.now(UTC) + timedelta(days=1)
    engine = SqliteEngine(tmp_path / "x.db", clock_us=lambda: int(tomorrow.timestamp() * 1_000_000))
    async with LocalEventStore(engine) as store:
        await store.append("order", "1", [NewEvent("OrderPlaced")])
    found = {one.check: one for one in await examine_all(f"sqlite:{tmp_path}/x.db", None)}
    assert found["clock"].level == "problem"
    assert "86,3" in found["clock"].message


def test_a_store_that_lost_its_end_or_its_mind_is_found(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database" * 1000)
    found = findings(run, *STORE, code=1)
    assert found["store"][0][0] == "problem"
    assert found["store"][0][1].startswith("sqlite:x.db cannot be opened: ")


@pytest.fixture
def broker() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_brokers_are_reached_or_not(run: Run, tmp_path: Path, broker: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    (tmp_path / "indelible.toml").write_text(
        f'store = "memory:"\n[relays.a]\nto = "nats://127.0.0.1:{broker}?stream=x"\n'
        f'[relays.b]\nto = "kafka://127.0.0.1:{broker},127.0.0.1:{closed}?topic=x"\n[relays.c]\nto = "kafka://h"\n'
        f'[index]\nstore = "opensearch://127.0.0.1:{closed}/x"\n'
    )
    found = findings(run, code=1)
    assert found["relay a"] == [("ok", f"127.0.0.1:{broker} is reached")]
    assert levels(found, "relay b") == ["ok", "problem"]
    assert levels(found, "relay c") == ["problem"]
    assert levels(found, "index") == ["problem"]


def test_a_databases_settings_are_looked_at(run: Run, postgres: PostgresServer) -> None:
    url = postgres.new_database()
    assert findings(run, "--store", url)["store"][0] == ("notice", "there is no store yet")
    run("init", "--store", url)
    found = findings(run, "--store", url)
    assert ("ok", "fsync is on") in found["database"]
    assert ("ok", "synchronous_commit is on") in found["database"]
    # The user of the tests may do all.
    assert any("can do more than append" in message for _, message in found["database"])
    assert ("ok", "the log is empty") in found["clock"]
    lossy = url.replace("?", "?synchronous_commit=off&") if "?" in url else f"{url}?synchronous_commit=off"
    assert ("notice", "a crash of the database may lose acknowledged events") in findings(run, "--store", lossy)[
        "database"
    ]
    found = findings(run, "--store", "postgresql://127.0.0.1:1/none", code=1)
    assert levels(found, "store") == ["problem"]


def test_a_database_that_may_lose_events_is_found() -> None:
    found = [_durability("fsync", "off"), _synchronous_commit("off", asked_for=False), _connections(90, 100)]
    assert [one.level for one in [*found, *_clock(-3.0)]] == ["problem", "problem", "problem", "notice"]
    assert list(_clock(0.2)) == []


@pytest.mark.parametrize(
    ("waited_for", "count", "synchronous_commit", "levels"),
    [
        ("", 0, "on", []),
        ("", 2, "on", ["notice"]),
        ("node2", 2, "on", ["ok"]),
        ("*", 0, "remote_apply", ["ok"]),
        ("node2", 2, "remote_write", ["notice"]),
        ("node2", 2, "local", ["problem"]),
    ],
)
def test_standbys_that_no_commit_waits_for(
    waited_for: str, count: int, synchronous_commit: str, levels: list[str]
) -> None:
    assert [one.level for one in _standbys(waited_for, count, synchronous_commit)] == levels


def test_file_systems_that_do_not_keep_their_word_are_told_apart(tmp_path: Path) -> None:
    assert file_system_of(Path("/proc/self")) == "proc"
    assert file_system_of(Path("/dev/shm")) == "tmpfs"
    assert file_system_of(tmp_path, tmp_path / "nothing") is None
