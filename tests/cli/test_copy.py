"""indelible copy: a store arrives in another file, or from a server, line for line; and may be killed and repeated."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path

import apsw
import pytest

from cli.conftest import Run
from cli.running import COMMAND, TIMEOUT_S, Ran, environment, indelible, server, wait_until
from cli.test_output import ESCAPES, on_terminal
from cli.test_verify import damage, fill
from indelible.core.open import open_local_store
from indelible.engines.sqlite.index_file import index_path
from indelible.events import NewEvent

STORE = ("--store", "sqlite:x.db")
COPY = ("--store", "sqlite:copy.db")
ENDS = ("--from", "sqlite:x.db", "--to", "sqlite:copy.db")


def export(run: Run, store: tuple[str, str]) -> str:
    return run("export", "-", *store).out


def test_a_copy_holds_the_same_lines(run: Run, tmp_path: Path) -> None:
    fill(run, tmp_path)
    assert run("append", "note", "ż", "Written", "żółw", "--content-type", "text/plain", *STORE).code == 0
    assert run("append", "order", "1", "Placed", '{"n": 1.10}', "--tag", "b", "--tag", "a", *STORE).code == 0
    ran = run("copy", *ENDS)
    verified = json.loads(run("verify", "--json", *COPY).out)
    assert (verified["head"], verified["damage"]) == (verified["verified"], None)
    assert verified["hash"] == json.loads(run("verify", "--json", *STORE).out)["hash"]
    assert ran == Ran(
        0,
        f"result         ok\ncopied         {verified['head']}\nalready there  0\nhead           {verified['head']}\n"
        f"hash           {verified['hash']}\n",
        "",
    )
    assert export(run, COPY) == export(run, STORE)
    assert run("aggregates", *COPY) == run("aggregates", *STORE)


def test_a_copy_is_brought_up_to_date(run: Run, tmp_path: Path) -> None:
    fill(run, tmp_path)
    assert run("copy", *ENDS).code == 0
    run("append", "order", "1", "Placed", *STORE)
    report = json.loads(run("copy", "--json", *ENDS).out)
    assert (report["copied"], report["already_there"], report["head"], report["behind"]) == (1, 1_500, 1_501, 0)
    assert export(run, COPY) == export(run, STORE)
    # From here on the copy is the store, and goes on by itself.
    assert run("append", "order", "1", "Paid", "--expected-version", "1", *COPY).code == 0
    assert run("verify", *COPY).code == 0


def test_a_copy_from_a_server_and_beside_one(tmp_path: Path) -> None:
    lines = [
        {"event_id": f"00000000-0000-4000-8000-{n:012}", "event_type": "Counted", "event_data": {"n": n}}
        | {"aggregate_type": "counter", "aggregate_id": str(n % 3)}
        for n in range(2_500)
    ]
    (tmp_path / "in.ndjson").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with server(tmp_path) as (url, _):
        assert indelible("import", "in.ndjson", "--url", url, cwd=tmp_path).code == 0
        through = indelible("copy", "--from", url, "--to", "sqlite:through.db", cwd=tmp_path)
        beside = indelible("copy", "--from", "sqlite:x.db", "--to", "sqlite:beside.db", cwd=tmp_path)
        assert through == beside
        assert (through.code, "copied         2500\n" in through.out) == (0, True)
        locked = indelible("copy", "--from", "sqlite:beside.db", "--to", "sqlite:x.db", cwd=tmp_path)
        assert locked.code == 75
        refused = indelible("copy", "--from", "sqlite:beside.db", "--to", url, cwd=tmp_path)
        assert (refused.code, "to: must be a store, not a server" in refused.err) == (2, True)
    exported = indelible("export", "-", "--store", "sqlite:through.db", cwd=tmp_path)
    assert exported == indelible("export", "-", *STORE, cwd=tmp_path)


def test_a_copy_over_grpc(run: Run, tmp_path: Path) -> None:
    fill(run, tmp_path)
    with server(tmp_path, "--grpc", "127.0.0.1:0") as (_, process):
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        assert url.startswith("grpc://")
        through = indelible("copy", "--from", url, "--to", "sqlite:copy.db", cwd=tmp_path)
        assert (through.code, "copied         1500\n" in through.out) == (0, True)
        refused = indelible("copy", "--from", "sqlite:copy.db", "--to", url, cwd=tmp_path)
        assert (refused.code, "to: must be a store, not a server" in refused.err) == (2, True)
    assert export(run, COPY) == export(run, STORE)


def test_another_store_is_refused(run: Run, tmp_path: Path) -> None:
    fill(run, tmp_path)
    run("append", "order", "1", "Placed", *COPY)
    ran = run("copy", *ENDS)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("indelible: to: is not a copy of the source: at position 1 it holds Placed of order-1")
    problem = json.loads(run("copy", "--json", *ENDS).err)
    assert (problem["code"], problem["pointer"], problem["position"]) == ("invalid_request", "/to", 1)
    assert run("verify", *COPY).out.startswith("result    ok\nhead      1\n")


def test_damage_of_the_source_is_named_and_not_copied(run: Run, tmp_path: Path) -> None:
    fill(run, tmp_path)
    damage(tmp_path, "UPDATE events SET event_data = '{\"n\":1}' WHERE position = 1234")
    ran = run("copy", *ENDS)
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("indelible: the source is damaged: the event at position 1234 has the hash")
    assert json.loads(run("copy", "--json", *ENDS).err)["position"] == 1_234
    assert run("verify", *COPY).code == 0


def test_damage_of_what_was_copied_before_is_found(run: Run, tmp_path: Path) -> None:
    fill(run, tmp_path)
    run("copy", *ENDS)
    (tmp_path / "x.db").rename(tmp_path / "source.db")
    (tmp_path / "copy.db").rename(tmp_path / "x.db")
    damage(tmp_path, "UPDATE events SET event_data = '{\"n\":1}' WHERE position = 1234")
    ran = run("copy", "--from", "sqlite:source.db", "--to", "sqlite:x.db")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("indelible: the copy is damaged: the event at position 1234 has the hash")


def lose_index_entry(path: Path, position: int) -> None:
    """What a damaged index looks like: an event that it does not lead to."""
    connection = apsw.Connection(str(index_path(path)))
    connection.execute("DELETE FROM event_ids WHERE position = ?", (position,))
    assert connection.changes() == 1
    connection.close()


def test_a_damaged_index_is_sound_in_the_copy(run: Run, tmp_path: Path) -> None:
    fill(run, tmp_path)
    lose_index_entry(tmp_path / "x.db", 1_234)
    found = run("verify", *STORE)
    assert (found.code, "1234 is not found by its event_id" in found.err) == (5, True)
    assert run("copy", *ENDS).code == 0
    assert run("verify", *COPY).code == 0
    assert export(run, COPY) == export(run, STORE)


@pytest.mark.parametrize(
    ("source", "destination", "message"),
    [
        ("memory:", "sqlite:copy.db", "from: memory: is empty"),
        ("sqlite:x.db", "memory:", "to: memory: is empty"),
        ("sqlite:x.db", "sqlite:x.db", "to: is the same store"),
        ("sqlite:none.db", "sqlite:copy.db", "from: there is no store at none.db"),
        ("x.db", "sqlite:copy.db", "from: is a database, not an export; a store is named by its URL"),
        ("none", "sqlite:copy.db", "from: there is no file none; a store is named by its URL"),
        ("sqlite:x.db", "copy.db", "to: must start with one of"),
        ("http://", "sqlite:copy.db", "from: 'http://' must be like http://HOST:PORT"),
    ],
)
def test_ends_that_make_no_sense(run: Run, tmp_path: Path, source: str, destination: str, message: str) -> None:
    run("append", "order", "1", "Placed", *STORE)
    ran = run("copy", "--from", source, "--to", destination)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"indelible: {message}")
    assert not (tmp_path / "copy.db").exists()


def test_both_ends_must_be_named(run: Run) -> None:
    assert run("copy", "--from", "sqlite:x.db").code == 2


def test_a_source_that_does_not_answer_as_a_store_leaves_no_destination(run: Run, tmp_path: Path, url: str) -> None:
    ran = run("copy", "--from", f"{url}/elsewhere", "--to", "sqlite:copy.db")
    assert (ran.code, ran.out) == (4, "")
    assert not (tmp_path / "copy.db").exists()


def test_a_terminal_shows_how_far_it_is(run: Run, tmp_path: Path) -> None:
    fill(run, tmp_path)
    shown = ESCAPES.sub("", on_terminal("copy", *ENDS, cwd=tmp_path, columns=120))
    assert "copying" in shown
    assert "1500/1500" in shown
    assert "verifying" in shown
    assert "result         ok" in shown


async def fill_with(directory: Path, *, aggregates: int, events: int) -> None:
    async with open_local_store(f"sqlite:{directory}/x.db") as store:
        for n in range(aggregates):
            await store.append("counter", str(n), [NewEvent("Counted", "x" * 500) for _ in range(events)])


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_copy_that_is_killed_is_repeated(run: Run, tmp_path: Path, sent: signal.Signals, code: int) -> None:
    asyncio.run(fill_with(tmp_path, aggregates=40, events=500))
    log = tmp_path / "copy.db-wal"
    process = subprocess.Popen(
        [COMMAND, "copy", *ENDS], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    # A commit takes 2 to 3 MB of it, and there are five.
    wait_until(lambda: log.exists() and log.stat().st_size > 4_000_000, "nothing is copied")
    process.send_signal(sent)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, err) == (code, b"", b"")
    report = json.loads(run("copy", "--json", *ENDS).out)
    assert report["copied"] + report["already_there"] == report["head"] == 20_000
    assert report["copied"] > 0
    assert report["already_there"] > 0
    assert export(run, COPY) == export(run, STORE)
