"""indelible restore: a store comes back from its export, event for event, however often it is interrupted."""

import gzip
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.running import COMMAND, TIMEOUT_S, Ran, environment, indelible, server, wait_until
from cli.test_output import ESCAPES, on_terminal
from postgres.server import PostgresServer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

EVENTS = 20_008
OLD = ("--store", "sqlite:old.db")
NEW = ("--store", "sqlite:new.db")
TO = ("--store", "sqlite:new.db")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the store old.db, of events of many aggregates in no order, and its export."""
    directory, chance = tmp_path_factory.mktemp("old"), random.Random(1)
    lines = [
        {"event_id": f"00000000-0000-4000-8000-{n:012}", "event_type": "Counted", "event_data": {"n": n, "x": 1.10}}
        | {"aggregate_type": "counter", "aggregate_id": str(chance.randrange(700)), "tags": [f"t:{n % 5}"]}
        for n in range(EVENTS)
    ]
    (directory / "in.ndjson").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert indelible("import", "in.ndjson", *OLD, cwd=directory).code == 0
    assert indelible("export", "backup.ndjson", *OLD, cwd=directory).code == 0
    return directory


@pytest.fixture
def backup(old: Path) -> Path:
    return old / "backup.ndjson"


def exported(run: Run, *store: str) -> bytes:
    ran = run("export", "-", *store)
    assert ran.code == 0
    return ran.out.encode()


def told(report: str) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in report.replace("already there", "already").splitlines())


PACKERS = {"plain": bytes, "gzip": gzip.compress, "zstd": zstd.compress}


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("piped", [False, True])
def test_a_restored_store_is_the_old_one(run: Run, old: Path, backup: Path, packing: str, piped: bool) -> None:
    packed = PACKERS[packing](backup.read_bytes())
    Path("file").write_bytes(packed)
    ran = indelible("restore", "-", *TO, stdin=packed, cwd=Path.cwd()) if piped else run("restore", "file", *TO)
    assert (ran.code, ran.err) == (0, "")
    verified = json.loads(run("verify", "--json", "--store", f"sqlite:{old}/old.db").out)
    assert told(ran.out) == {
        "result": "ok", "copied": str(EVENTS), "already": "0", "head": str(EVENTS), "hash": verified["hash"]
    }  # fmt: skip
    assert exported(run, *NEW) == backup.read_bytes()


def test_a_cursor_points_where_it_did(run: Run, old: Path, backup: Path) -> None:
    run("restore", backup, *TO)
    feed = ("feed", "--after", "12345", "--limit", "3", "--json")
    assert run(*feed, *NEW) == run(*feed, "--store", f"sqlite:{old}/old.db")
    # What was appended before is known, and the store goes on as if nothing had been.
    again = json.loads(backup.read_bytes().splitlines()[-1])
    Path("again").write_text(json.dumps(again) + "\n")
    assert json.loads(run("import", "again", "--json", *NEW).out)["already_there"] == 1
    assert "position 20009" in run("append", "counter", "1", "Counted", *NEW).out


def test_a_postgresql_store_is_restored(run: Run, backup: Path, postgres: PostgresServer) -> None:
    url = postgres.new_database()
    Path("file").write_bytes(gzip.compress(backup.read_bytes()))
    half = b"".join(backup.read_bytes().splitlines(keepends=True)[:9_000])
    Path("half").write_bytes(half)
    assert run("restore", "half", "--store", url).code == 0
    report = json.loads(run("restore", "file", "--store", url, "--json").out)
    assert (report["copied"], report["already_there"], report["head"]) == (EVENTS - 9_000, 9_000, EVENTS)
    assert exported(run, "--store", url) == backup.read_bytes()


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_restore_that_is_killed_is_repeated(run: Run, tmp_path: Path, backup: Path, sent: signal.Signals) -> None:
    (tmp_path / "file").write_bytes(gzip.compress(backup.read_bytes()))
    log = tmp_path / "new.db-wal"
    process = subprocess.Popen(
        [COMMAND, "restore", "file", *TO], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(),
    )  # fmt: skip
    # A commit takes 1 to 3 MB of it, and there are five.
    wait_until(lambda: log.exists() and log.stat().st_size > 3_000_000, "nothing is restored")
    process.send_signal(sent)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, err) == (130 if sent == signal.SIGINT else -sent, b"", b"")
    report = json.loads(run("restore", "file", "--json", *TO).out)
    assert report["copied"] + report["already_there"] == report["head"] == EVENTS
    assert report["already_there"] > 0
    assert exported(run, *NEW) == backup.read_bytes()


def test_a_restore_that_waits_for_its_pipe_ends_at_ctrl_c(tmp_path: Path, backup: Path) -> None:
    process = subprocess.Popen(
        [COMMAND, "restore", "-", *TO], cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(backup.read_bytes()[:2_000])
    process.stdin.flush()
    wait_until((tmp_path / "new.db").exists, "the first line is not read")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=TIMEOUT_S) == 130
    assert process.stderr.read() == b""
    process.stdin.close()
    process.stderr.close()


def test_a_store_that_is_no_beginning_of_the_file_is_refused(run: Run, backup: Path) -> None:
    Path("part").write_bytes(b"".join(backup.read_bytes().splitlines(keepends=True)[:3_456]))
    run("restore", "part", *TO)
    run("append", "counter", "x", "Else", *NEW)
    before = exported(run, *NEW)
    ran = run("restore", backup, *TO)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(
        "indelible: store: is not a copy of the file: at position 3457 it holds Else of counter-x"
    )
    problem = json.loads(run("restore", backup, *TO, "--json").err)
    assert (problem["code"], problem["pointer"], problem["position"]) == ("invalid_request", "/store", 3_457)
    assert exported(run, *NEW) == before


@pytest.mark.parametrize("packing", PACKERS)
def test_a_torn_file_is_named_by_its_line_and_is_restored_up_to_there(run: Run, backup: Path, packing: str) -> None:
    packed = PACKERS[packing](backup.read_bytes())
    Path("torn").write_bytes(packed[: len(packed) // 2])
    ran = run("restore", "torn", "--json", *TO)
    assert (ran.code, ran.out) == (5, "")
    problem = json.loads(ran.err)
    assert problem["code"] == "store_corrupted"
    there = exported(run, *NEW)
    assert there.count(b"\n") == problem["line"] - 1 > 1_000
    assert backup.read_bytes().startswith(there)
    assert run("verify", *NEW).code == 0
    assert run("restore", backup, *TO).code == 0


def test_a_changed_line_is_named(run: Run, backup: Path) -> None:
    Path("changed").write_bytes(backup.read_bytes().replace(b'"n":7777,', b'"n":7778,'))
    ran = run("restore", "changed", *TO)
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("indelible: the file is damaged at line 7778: the event at position 7778 has the hash ")
    assert ran.err.endswith("; what comes before it is stored\n")
    assert exported(run, *NEW).count(b"\n") == 7_777


def test_copy_takes_a_file_too(run: Run, backup: Path) -> None:
    Path("file").write_bytes(zstd.compress(backup.read_bytes()))
    assert run("copy", "--from", "file", "--to", "sqlite:new.db") == run(
        "restore", backup, "--store", "sqlite:other.db"
    )
    assert exported(run, *NEW) == backup.read_bytes()


def test_a_store_that_a_server_has_open_is_left_alone(tmp_path: Path, backup: Path) -> None:
    with server(tmp_path) as (url, _):
        assert indelible("restore", backup, "--store", "sqlite:x.db", cwd=tmp_path).code == 75
        refused = indelible("restore", backup, "--store", url, cwd=tmp_path)
        assert (refused.code, "store: must be a store, not a server" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("none", "source: there is no file none"),
        ("in.ndjson", "source: is not an export: line 1 is not a recorded"),
    ],
)
def test_what_is_no_export_makes_no_store(run: Run, tmp_path: Path, file: str, message: str) -> None:
    line = {"event_id": "00000000-0000-4000-8000-000000000000", "event_type": "X", "event_data": 1}
    (tmp_path / "in.ndjson").write_text(json.dumps(line | {"aggregate_type": "a", "aggregate_id": "b"}) + "\n")
    ran = run("restore", file, *TO)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"indelible: {message}")
    assert not (tmp_path / "new.db").exists()


def test_an_empty_file_is_restored_and_said_to_be_empty(run: Run) -> None:
    Path("empty").touch()
    ran = run("restore", "empty", *TO)
    assert ran == Ran(
        0, f"result         ok\ncopied         0\nalready there  0\nhead           0\nhash           {'0' * 64}\n",
        "the file holds no events\n",
    )  # fmt: skip


def test_a_terminal_shows_how_far_it_is(tmp_path: Path, backup: Path) -> None:
    shown = ESCAPES.sub("", on_terminal("restore", str(backup), *TO, cwd=tmp_path, columns=120))
    assert "restoring" in shown
    assert " MB" in shown
    assert "verifying" in shown
    assert "result         ok" in shown
