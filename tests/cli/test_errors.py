"""Every failure is one line, a stable exit code, and with --json a problem document."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import indelible.cli as indelible_cli
from cli.conftest import Run
from cli.running import COMMAND, TIMEOUT_S, Ran, environment, indelible, wait_until
from indelible import errors
from indelible.cli.command import exit_code_of
from indelible.core.open import open_local_store


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.InvalidRequest, 2), (errors.PayloadTooLarge, 2),
        (errors.VersionConflict, 3), (errors.EventIdConflict, 3), (errors.ConditionFailed, 3),
        (errors.AggregateNotFound, 4), (errors.EventNotFound, 4), (errors.SnapshotNotFound, 4),
        (errors.GroupExists, 3), (errors.GroupNotFound, 4), (errors.ParkedEventNotFound, 4),
        (errors.StorageFailure, 74), (errors.StoreCorrupted, 74),
        (errors.Overloaded, 75), (errors.ShuttingDown, 75), (errors.StorageFull, 75), (errors.OutcomeUnknown, 75),
        (errors.StoreLocked, 75), (errors.InternalError, 1), (errors.IndelibleError, 1),
    ],
)  # fmt: skip
def test_exit_codes(kind: type[errors.IndelibleError], code: int) -> None:
    assert exit_code_of(kind("x")) == code


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("nonsense",), "No such command 'nonsense'"),
        (("append",), "Missing argument"),
        (("read", "a"), "Missing argument"),
        (("read", "a", "b", "c"), "unexpected extra argument"),
        (("feed", "--limit", "0"), "--limit"),
        (("feed", "--limit", "x"), "--limit"),
        (("serve", "--speed", "1"), "No such option: --speed"),
        (("snapshot",), "Missing command"),
        (("group",), "Missing command"),
        (("bench", "--concurrency", "0"), "--concurrency"),
    ],
)
def test_usage_errors_are_one_line_that_leads_to_help(run: Run, args: tuple[str, ...], says: str) -> None:
    ran = run(*args)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("indelible: ")
    assert says in ran.err
    assert ran.err.endswith(" --help\n")
    assert ran.err.count("\n") == 1
    problem = json.loads(run(*args, "--json").err)
    assert (problem["code"], problem["status"]) == ("invalid_request", 400)


def test_json_that_no_api_takes(run: Run, tmp_path: Path) -> None:
    half = run("append", "order", "1", "OrderPlaced", r'{"a": "\ud800 b"}', "--store", "memory:", "--json")
    assert (half.code, json.loads(half.err)["pointer"]) == (2, "/event_data")
    assert "holds half of a surrogate pair" in half.err
    line = '{"event_id":"00000000-0000-0000-0000-000000000001","aggregate_type":"a","aggregate_id":"1",'
    (tmp_path / "twice.ndjson").write_text(line + '"event_type":"E","event_data":1,"event_data":2}\n')
    twice = run("import", str(tmp_path / "twice.ndjson"), "--store", "memory:")
    assert twice.code != 0
    assert 'the key "event_data" stands twice in one object' in twice.err


def test_a_server_out_of_reach_is_temporary(run: Run) -> None:
    ran = run("read", "order", "1", "--url", "http://127.0.0.1:9", "--json")
    assert (ran.code, ran.out) == (75, "")
    assert json.loads(ran.err)["detail"].startswith("cannot connect to 127.0.0.1:9: connection refused (given up")
    assert run("tail", "--url", "http://127.0.0.1:9/v1").err == (
        "indelible: url (from --url) must be the address of a server alone, without /v1, not 'http://127.0.0.1:9/v1'\n"
    )


async def test_a_locked_store_says_who_has_it(tmp_path: Path) -> None:
    async with open_local_store(f"sqlite:{tmp_path}/x.db"):
        refused = indelible("append", "order", "1", "X", "--store", "sqlite:x.db", "--json", cwd=tmp_path)
        assert refused.code == 75
        problem = json.loads(refused.err)
        assert problem["code"] == "store_locked"
        assert str(os.getpid()) in problem["detail"]
        assert indelible("info", "--store", "sqlite:x.db", cwd=tmp_path).code == 0


def test_a_store_that_does_not_exist_is_not_made_by_reading(run: Run, tmp_path: Path) -> None:
    for command in (("info",), ("feed",), ("read", "a", "1"), ("verify",), ("export", "-")):
        ran = run(*command, "--store", "sqlite:no/x.db")
        assert (ran.code, ran.err) == (2, "indelible: store: there is no store at no/x.db\n")
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_a_file(run: Run) -> None:
    for command in (("info",), ("append", "order", "1", "X")):
        ran = run(*command, "--store", "sqlite:/")
        says = "indelible: store: / is a directory; name a file in it: sqlite:/indelible.db\n"
        assert ran == Ran(2, "", says)
    ran = run("info", "--store", "redis:x")
    assert (ran.code, "sqlite:" in ran.err) == (2, True)


def test_a_file_that_is_not_there_is_a_mistake_and_a_full_disk_is_not(run: Run, tmp_path: Path) -> None:
    missing = "cannot open no.ndjson: No such file or directory\n"
    assert run("import", "no.ndjson", "--store", "memory:") == Ran(2, "", f"indelible: file: {missing}")
    assert run("append", "a", "1", "--file", "no.ndjson", "--store", "sqlite:no.db").err.endswith(missing)
    assert run("import", tmp_path, "--store", "memory:").err.endswith("Is a directory\n")
    assert run("checkpoint", "create", "--key", "no.ndjson", "--store", "memory:").err == f"indelible: key: {missing}"
    assert run("checkpoint", "keygen", "no/x.key").code == 2
    assert list(tmp_path.iterdir()) == []
    run("append", "order", "1", "X", "--store", "sqlite:x.db")
    for file in ("no/x.ndjson", "no/x.ndjson.zst"):
        assert run("export", file, "--store", "sqlite:x.db").code == 2
    assert run("backup", "x.db", "--store", "sqlite:x.db").code == 2
    assert run("export", "/dev/full", "--store", "sqlite:x.db").code == 74


@pytest.mark.parametrize("command", [("feed", "--store", "sqlite:x.db"), ("config", "show"), ("feed", "--help")])
def test_a_full_disk_under_stdout_is_reported(tmp_path: Path, command: tuple[str, ...]) -> None:
    indelible("append", "order", "1", "X", "--store", "sqlite:x.db", cwd=tmp_path)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [COMMAND, *command],
            stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, env=environment(), text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (74, "indelible: input or output: No space left on device\n")


@pytest.mark.parametrize("command", [("feed",), ("feed", "--json"), ("export", "-"), ("aggregates",)])
def test_a_reader_that_goes_away_ends_the_command_quietly(tmp_path: Path, command: tuple[str, ...]) -> None:
    lines = [
        {"event_id": f"00000000-0000-4000-8000-{n:012}", "event_type": "X", "event_data": "x" * 1_000}
        | {"aggregate_type": "a", "aggregate_id": f"{n:0200}"}
        for n in range(600)
    ]
    source = "\n".join(map(json.dumps, lines)).encode()
    assert indelible("import", "-", "--store", "sqlite:x.db", stdin=source, cwd=tmp_path).code == 0
    process = subprocess.Popen(
        [COMMAND, *command, "--store", "sqlite:x.db"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=TIMEOUT_S) == 141
    process.stderr.close()


def test_interrupted_while_it_waits(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [COMMAND, "bench", "--duration-s", "60", "--store", "sqlite:x.db"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        log = tmp_path / "x.db-wal"
        wait_until(lambda: log.exists() and log.stat().st_size > 2**20, "nothing is appended")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (130, "", "")


def test_an_unknown_outcome_tells_how_to_find_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from indelible.core.store import LocalEventStore

    async def unknown(*_: object, **__: object) -> None:
        raise errors.OutcomeUnknown("the commit failed")

    monkeypatch.setattr(LocalEventStore, "append", unknown)
    ran = run("append", "order", "1", "X", "--store", "memory:", "--json")
    problem = json.loads(ran.err)
    assert (ran.code, problem["code"]) == (75, "outcome_unknown")
    assert f"--event-id {problem['event_id']}" in problem["detail"]


def test_ctrl_c_while_the_command_is_loaded_is_quiet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting:
        """Ctrl-C, in the middle of an import."""

        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "indelible.cli.commands":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "indelible.cli.commands")
    monkeypatch.delattr(indelible_cli, "commands")
    monkeypatch.setattr(sys, "meta_path", [Interrupting, *sys.meta_path])
    assert run("feed") == Ran(130, "", "")
