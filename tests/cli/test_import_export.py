"""import and export: what goes out comes in again, and both may be interrupted and repeated."""

import contextlib
import fcntl
import gzip
import json
import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from cli.conftest import Run
from cli.running import COMMAND, TIMEOUT_S, Ran, environment, indelible, server, wait_until
from cli.test_verify import damage
from indelible.events import decode_events

STORE = ("--store", "sqlite:x.db")
COPY = ("--store", "sqlite:copy.db")


def line(n: int, **other: Any) -> dict[str, Any]:
    return {
        "event_id": str(UUID(int=n + 1)),
        "event_type": "Counted",
        "aggregate_type": "counter",
        "aggregate_id": str(n % 7),
        "event_data": {"n": n},
        **other,
    }


def write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines))
    return path


def counts(ran: Ran) -> tuple[int, int, int]:
    found = json.loads(ran.out)
    return found["imported"], found["already_there"], found["failed"]


def contents(path: Path) -> list[dict[str, Any]]:
    """Exported events by aggregate, without what a store adds."""
    events = sorted(map(json.loads, path.read_text().splitlines()), key=lambda event: event["aggregate_id"])
    return [{name: event[name] for name in event if name not in {"position", "timestamp", "hash"}} for event in events]


def test_a_round_trip_keeps_everything(run: Run, tmp_path: Path) -> None:
    many = [line(n, tags=["b", "a"], metadata={"n": n}) for n in range(2_500)]
    photo = line(2_500, event_type="Photo", event_data_base64="AP8=", content_type="image/png")
    del photo["event_data"]
    source = write(tmp_path / "in.ndjson", [*many, photo])
    assert counts(run("import", source, "--json", *STORE)) == (2_501, 0, 0)
    exported = run("export", "out.ndjson", *STORE)
    assert exported == Ran(0, "", "2501 events exported to out.ndjson\n")
    assert counts(run("import", "out.ndjson", "--json", *COPY)) == (2_501, 0, 0)
    run("export", "copy.ndjson", *COPY)
    assert contents(tmp_path / "copy.ndjson") == contents(tmp_path / "out.ndjson")
    events = decode_events((tmp_path / "out.ndjson").read_bytes().strip())
    assert [event.position for event in events] == list(range(1, 2_502))
    for name in range(7):
        numbers = [
            one.event_data["n"] for one in events if one.aggregate_id == str(name) and one.event_type == "Counted"
        ]
        assert numbers == list(range(name, 2_500, 7))
    assert run("verify", *COPY).code == 0


def test_a_repeated_import_finds_everything_there(run: Run, tmp_path: Path) -> None:
    half = write(tmp_path / "half.ndjson", [line(n) for n in range(1_000)])
    every = write(tmp_path / "all.ndjson", [line(n) for n in range(1_700)])
    assert counts(run("import", half, "--json", *STORE)) == (1_000, 0, 0)
    assert counts(run("import", every, "--json", *STORE)) == (700, 1_000, 0)
    assert run("import", every, *STORE) == Ran(0, "imported       0\nalready there  1700\nfailed         0\n", "")


def test_a_line_that_stands_twice_is_stored_once(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "in.ndjson", [line(1), line(8), line(1), line(15)])
    assert counts(run("import", source, "--json", *STORE)) == (3, 1, 0)


def test_failures_are_named_and_hold_back_only_their_aggregate(run: Run, tmp_path: Path) -> None:
    taken = line(3, event_id=line(0)["event_id"])
    bad = line(1, event_type="")
    source = write(tmp_path / "in.ndjson", [line(0), bad, line(2), "", taken, line(8), line(10), line(9)])
    ran = run("import", source, *STORE)
    assert (ran.code, ran.out) == (1, "imported       3\nalready there  0\nfailed         4\n")
    reported = ran.err.splitlines()
    assert reported[0] == "indelible: line 2: event_type: must be 1 to 255 characters long, not 0"
    assert sorted(reported[1:]) == [
        f"indelible: line 5: event id {taken['event_id']} is stored in another aggregate",
        "indelible: line 6: waits for line 2 of the same aggregate",
        "indelible: line 7: waits for line 5 of the same aggregate",
    ]
    as_json = [json.loads(one) for one in run("import", source, "--json", *STORE).err.splitlines()]
    assert (as_json[0]["line"], as_json[0]["code"], as_json[0]["pointer"]) == (2, "invalid_request", "/event_type")


@pytest.mark.parametrize("bad", ['{"event_id": "', "[]", '{"event_id": 7}', "ż"])
def test_a_line_without_an_aggregate_stops_the_import(run: Run, tmp_path: Path, bad: str) -> None:
    source = write(tmp_path / "in.ndjson", [line(0), line(1), bad, line(2)])
    ran = run("import", source, "--json", *STORE)
    assert ran.code == 1
    assert counts(ran) == (2, 0, 1)
    assert "no aggregate is named" in ran.err


@pytest.mark.parametrize("piped", [False, True])
def test_a_line_that_is_too_long_is_refused(tmp_path: Path, piped: bool) -> None:
    text = json.dumps(line(0)) + "\n" + json.dumps(line(1, event_data="x" * 3_000_000)) + "\n"
    (tmp_path / "in.ndjson").write_text(text)
    source, stdin = ("-", text.encode()) if piped else ("in.ndjson", b"")
    ran = indelible("import", source, "--json", *STORE, stdin=stdin, cwd=tmp_path)
    assert (ran.code, counts(ran)) == (1, (1, 0, 1))
    assert "line 2" in indelible("import", source, *STORE, stdin=stdin, cwd=tmp_path).err
    assert "longer than" in ran.err


@pytest.mark.parametrize("cut", [1, 50, 300, 100_000])
def test_an_export_goes_on_after_its_last_complete_line(run: Run, tmp_path: Path, cut: int) -> None:
    run("import", write(tmp_path / "in.ndjson", [line(n) for n in range(1_200)]), *STORE)
    run("export", "whole.ndjson", *STORE)
    whole = (tmp_path / "whole.ndjson").read_bytes()
    part = tmp_path / "part.ndjson"
    part.write_bytes(whole[:-cut])
    there = whole[:-cut].count(b"\n")
    ran = run("export", part, "--json", *STORE)
    assert json.loads(ran.out) == {"file": str(part), "events": 1_200 - there, "position": 1_200}
    assert part.read_bytes() == whole


def test_an_export_is_brought_up_to_date(run: Run, tmp_path: Path) -> None:
    run("append", "order", "1", "X", *STORE)
    run("export", "out.ndjson", *STORE)
    run("append", "order", "1", "X", *STORE)
    again = run("export", "out.ndjson", *STORE)
    assert again.err == "1 events exported to out.ndjson, after the 1 that were there\n"
    assert run("export", "-", *STORE).out == (tmp_path / "out.ndjson").read_text()


@pytest.mark.parametrize("text", ["notes", "notes\n", '{"a":1}\n'])
def test_export_does_not_touch_a_file_that_is_something_else(run: Run, tmp_path: Path, text: str) -> None:
    run("append", "order", "1", "X", *STORE)
    (tmp_path / "notes").write_text(text)
    refused = run("export", "notes", *STORE)
    assert (refused.code, (tmp_path / "notes").read_text()) == (2, text)
    assert "is not an export" in refused.err


def test_export_does_not_continue_the_export_of_another_store(run: Run, tmp_path: Path) -> None:
    for store in (STORE, COPY):
        run("append", "order", "1", "X", *store)
    run("export", "out.ndjson", *STORE)
    before = (tmp_path / "out.ndjson").read_text()
    assert run("export", "out.ndjson", *COPY).code == 2
    assert "another store" in run("export", "out.ndjson", "--store", "memory:").err
    assert (tmp_path / "out.ndjson").read_text() == before


def test_import_and_export_work_through_a_server_and_beside_it(tmp_path: Path) -> None:
    source = write(tmp_path / "in.ndjson", [line(n) for n in range(3_000)])
    with server(tmp_path) as (url, _):
        assert counts(indelible("import", source, "--json", "--url", url)) == (3_000, 0, 0)
        assert counts(indelible("import", source, "--json", INDELIBLE_URL=url)) == (0, 3_000, 0)
        through = indelible("export", "-", "--url", url)
        beside = indelible("export", "-", *STORE, cwd=tmp_path)
        assert through == beside
        assert through.out.count("\n") == 3_000
        assert indelible("read", "counter", "1", *STORE, cwd=tmp_path) == indelible(
            "read", "counter", "1", "--url", url
        )
        locked = indelible("import", source, *STORE, cwd=tmp_path)
        assert locked.code == 75
        assert "--url" in locked.err


def test_a_slow_pipe_does_not_hold_up_what_came_through_it(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    with server(tmp_path) as (url, _):
        process = subprocess.Popen([COMMAND, "import", "-", "--url", url], stdin=read_end, env=environment())
        os.close(read_end)
        os.write(write_end, f"{json.dumps(line(0))}\n".encode())
        wait_until(lambda: "head   1\n" in indelible("info", "--url", url).out, "the first line is not stored")
        assert process.poll() is None
        os.close(write_end)
        assert process.wait(timeout=TIMEOUT_S) == 0


def test_an_interrupted_import_is_repeated(tmp_path: Path) -> None:
    lines = [line(n, event_id=str(uuid4()), aggregate_id=str(n % 500), event_data="x" * 500) for n in range(30_000)]
    source = write(tmp_path / "in.ndjson", lines)
    log = tmp_path / "x.db-wal"
    process = subprocess.Popen(
        [COMMAND, "import", source, *STORE], cwd=tmp_path, stderr=subprocess.PIPE, env=environment(), text=True
    )
    wait_until(lambda: log.exists() and log.stat().st_size > 1_000_000, "nothing is stored")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, errors) == (130, "")
    imported, there, failed = counts(indelible("import", source, "--json", *STORE, cwd=tmp_path))
    assert (imported + there, failed) == (30_000, 0)
    assert imported > 0
    assert there > 0
    assert indelible("verify", *STORE, cwd=tmp_path).code == 0


@pytest.mark.parametrize(("name", "magic"), [("out.ndjson.gz", b"\x1f\x8b"), ("out.zst", b"\x28\xb5\x2f\xfd")])
def test_an_export_is_packed_as_its_name_says(run: Run, tmp_path: Path, name: str, magic: bytes) -> None:
    run("import", write(tmp_path / "in.ndjson", [line(n) for n in range(1_200)]), *STORE)
    assert run("export", name, *STORE) == Ran(0, "", f"1200 events exported to {name}\n")
    run("append", "order", "1", "X", *STORE)
    assert json.loads(run("export", name, "--json", *STORE).out) == {"file": name, "events": 1_201, "position": 1_201}
    assert (tmp_path / name).read_bytes().startswith(magic)
    assert run("restore", name, "--store", "sqlite:copy.db").code == 0
    assert run("export", "-", *COPY) == run("export", "-", *STORE)
    assert not (tmp_path / f"{name}.part").exists()


def test_an_older_packed_export_stays_until_a_new_one_is_whole(run: Run, tmp_path: Path) -> None:
    run("append", "order", "1", "X", *STORE)
    run("export", "out.gz", *STORE)
    before = (tmp_path / "out.gz").read_bytes()
    assert run("export", "out.gz", "--store", "sqlite:none.db").code == 2
    assert (tmp_path / "out.gz").read_bytes() == before


@pytest.mark.parametrize("name", ["out.gz", "out.zst"])
def test_a_packed_export_takes_the_place_of_no_other_stores(run: Run, tmp_path: Path, name: str) -> None:
    for store in (STORE, COPY):
        run("append", "order", "1", "X", *store)
    run("export", name, *STORE)
    before = (tmp_path / name).read_bytes()
    refused = run("export", name, *COPY)
    assert (refused.code, (tmp_path / name).read_bytes()) == (2, before)
    assert f"{name} is an export of another store: this one has another event at position 1" in refused.err
    # One that has lost its end has another log too.
    run("append", "order", "1", "X", *STORE)
    run("export", name, *STORE)
    run("export", "first.ndjson", *STORE)
    (tmp_path / "first.ndjson").write_text((tmp_path / "first.ndjson").read_text().splitlines(keepends=True)[0])
    run("restore", "first.ndjson", "--store", "sqlite:short.db")
    assert "at position 2, or none" in run("export", name, "--store", "sqlite:short.db").err
    assert not (tmp_path / f"{name}.part").exists()
    assert run("export", name, *STORE).code == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"notes\n", "its last line is not an event"),
        (b"notes", "it starts with b'notes'"),
        (gzip.compress(b"notes\n", mtime=0), "its last line is not an event"),
        (gzip.compress(b"notes\n", mtime=0)[:12], "it ends in the middle of its packed data"),
        (b"\x28\xb5\x2f\xfdnotes", "packed data cannot be read"),
    ],
)
def test_a_packed_export_does_not_replace_what_is_something_else(
    run: Run, tmp_path: Path, data: bytes, reason: str
) -> None:
    run("append", "order", "1", "X", *STORE)
    (tmp_path / "out.gz").write_bytes(data)
    refused = run("export", "out.gz", *STORE)
    assert (refused.code, (tmp_path / "out.gz").read_bytes()) == (2, data)
    assert reason in refused.err


def test_a_packed_export_replaces_one_that_is_torn_or_empty(run: Run, tmp_path: Path) -> None:
    run("import", write(tmp_path / "in.ndjson", [line(n) for n in range(3_000)]), *STORE)
    run("export", "out.gz", *STORE)
    whole = (tmp_path / "out.gz").read_bytes()
    for left in (b"", whole[:-1], whole[: len(whole) // 2], gzip.compress(b""), gzip.compress(b'{"event')):
        (tmp_path / "out.gz").write_bytes(left)
        assert run("export", "out.gz", *STORE).code == 0
        assert (tmp_path / "out.gz").read_bytes() == whole


def test_a_packed_export_without_every_event_replaces_none(run: Run, tmp_path: Path) -> None:
    """A plain one shows what there is."""
    run("import", write(tmp_path / "in.ndjson", [line(n) for n in range(1_500)]), *STORE)
    run("export", "out.zst", *STORE)
    before = (tmp_path / "out.zst").read_bytes()
    damage(tmp_path, "DELETE FROM events WHERE position = 1234")
    ran = run("export", "out.zst", "--json", *STORE)
    assert (ran.code, json.loads(ran.err)["position"]) == (5, 1_234)
    assert (tmp_path / "out.zst").read_bytes() == before
    assert not (tmp_path / "out.zst.part").exists()
    assert run("export", "new.zst", *STORE).code == 5
    assert not (tmp_path / "new.zst").exists()


def test_two_packed_exports_to_one_file_do_not_meet(run: Run, tmp_path: Path) -> None:
    run("append", "order", "1", "X", *STORE)
    part = tmp_path / "out.zst.part"
    part.write_bytes(b"of the other")
    with part.open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        refused = run("export", "out.zst", *STORE)
        assert (refused.code, part.read_bytes()) == (2, b"of the other")
        assert "another export is writing to out.zst" in refused.err
    # What an interrupted one has left is in nobody's way.
    assert run("export", "out.zst", *STORE).code == 0
    assert run("restore", "out.zst", *COPY).code == 0


def test_an_export_of_several_partitions_is_checked_on_the_way(run: Run, tmp_path: Path) -> None:
    both = ("--store", "sqlite:a.db sqlite:b.db")
    run("import", write(tmp_path / "in.ndjson", [line(n) for n in range(1_500)]), *both)
    head = json.loads(run("info", "--json", *both).out)["head"]
    for name in ("out.ndjson", "out.zst", "out.zst"):
        ran = run("export", name, *both)
        assert (ran.code, ran.err) == (0, f"{head} events exported to {name}\n")


@pytest.mark.parametrize("through", ["store", "http", "grpc"])
def test_an_import_keeps_the_order_of_the_file(tmp_path: Path, through: str) -> None:
    chance = random.Random(1)
    lines = [line(n, aggregate_id=str(chance.randrange(200))) for n in range(5_000)]
    source = write(tmp_path / "in.ndjson", lines)
    half = write(tmp_path / "half.ndjson", lines[:1_234])
    with contextlib.ExitStack() as exits:
        place = STORE
        if through != "store":
            url, process = exits.enter_context(server(tmp_path, "--grpc", "127.0.0.1:0"))
            assert process.stdout is not None
            place = ("--url", url if through == "http" else process.stdout.readline().split()[1])
        assert counts(indelible("import", half, "--json", *place, cwd=tmp_path)) == (1_234, 0, 0)
        assert counts(indelible("import", source, "--json", *place, cwd=tmp_path)) == (3_766, 1_234, 0)
        stored = indelible("export", "-", *place, cwd=tmp_path).out
    assert [json.loads(one)["event_id"] for one in stored.splitlines()] == [one["event_id"] for one in lines]


def test_an_import_keeps_the_order_around_lines_that_cannot_be_stored(run: Run, tmp_path: Path) -> None:
    """Whether one fails before it is sent or at the store, what waits for it waits and everything else goes on."""
    lines = [line(n, aggregate_id=str(n % 50)) for n in range(2_000)]
    run("import", write(tmp_path / "taken.ndjson", [line(777, aggregate_id="elsewhere")]), *STORE)
    lines[1_205]["event_type"] = ""
    ran = run("import", write(tmp_path / "in.ndjson", lines), "--json", *STORE)
    waiting = {n for n in range(2_000) if (n >= 777 and n % 50 == 27) or (n >= 1_205 and n % 50 == 5)}
    assert counts(ran) == (2_000 - len(waiting), 0, len(waiting))
    stored = [json.loads(one)["event_data"]["n"] for one in run("export", "-", *STORE).out.splitlines()]
    assert stored == [777, *(n for n in range(2_000) if n not in waiting)]
