"""indelible backup and restore: a backup grows with the log, is it, and stays good whatever becomes of the next."""

import errno
import fcntl
import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.running import COMMAND, environment, wait_until
from indelible.core.backup.manifest import Manifest, decode_manifest
from postgres.server import PostgresServer

OLD = ("--store", "sqlite:old.db")
NEW = ("--store", "sqlite:new.db")


def grow(run: Run, first: int, last: int, *place: str) -> None:
    lines = [
        {"event_id": f"00000000-0000-4000-8000-{n:012}", "event_type": "Counted", "event_data": {"n": n, "x": 1.10}}
        | {"aggregate_type": "counter", "aggregate_id": str(n % 70)}
        for n in range(first, last)
    ]
    Path("in.ndjson").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert run("import", "in.ndjson", *(place or OLD)).code == 0


def exported(run: Run, *store: str) -> str:
    ran = run("export", "-", *store)
    assert ran.code == 0, ran.err
    return ran.out


def manifest(folder: str = "backup") -> Manifest:
    return decode_manifest((Path(folder) / "backup.json").read_bytes())


def test_a_backup_grows_with_the_log_and_restores_to_the_same_lines(run: Run) -> None:
    sizes = []
    for last in (300, 310, 320, 330, 400):
        grow(run, sum(sizes), last)
        report = json.loads(run("backup", "backup", *OLD, "--json").out)
        assert (report["backed_up"], report["already_there"]) == (last - sum(sizes), sum(sizes))
        sizes.append(last - sum(sizes))
    # Small ones were made anew in one piece, as carries of a counter.
    assert [segment.events for segment in manifest().segments] == [300, 100]
    files = sorted(f"segments/{file.name}" for file in Path("backup/segments").iterdir())
    assert files == sorted(segment.name for segment in manifest().segments)
    restored = json.loads(run("restore", "backup", *NEW, "--json").out)
    verified = json.loads(run("verify", *OLD, "--json").out)
    assert (restored["head"], restored["hash"]) == (400, verified["hash"]) == (400, report["hash"])
    assert exported(run, *NEW) == exported(run, *OLD)
    # A backup with nothing new leaves the segments as they are.
    before = manifest().segments
    assert json.loads(run("backup", "backup", *OLD, "--json").out)["backed_up"] == 0
    assert manifest().segments == before


def test_a_store_is_restored_to_a_position_and_then_further(run: Run) -> None:
    grow(run, 0, 200)
    run("backup", "backup", *OLD)
    grow(run, 200, 250)
    run("backup", "backup", *OLD)
    lines = exported(run, *OLD).splitlines(keepends=True)
    for position in (1, 199, 201, 250):
        assert run("restore", "backup", *NEW, "--to", position).code == 0
        assert exported(run, *NEW) == "".join(lines[:position])
    ran = run("restore", "backup", "--store", "sqlite:none.db", "--to", "251")
    assert (ran.code, ran.err) == (2, "indelible: to: is past the backup's end, which is at position 250\n")
    assert not Path("none.db").exists()
    ran = run("restore", "backup", *NEW, "--to", "sqlite:new.db")
    assert ran.code == 2
    assert "--store names the store" in ran.err
    # Of an export as well.
    run("export", "file.zst", *OLD)
    assert run("restore", "file.zst", "--store", "sqlite:part.db", "--to", "7").code == 0
    assert exported(run, "--store", "sqlite:part.db") == "".join(lines[:7])


def test_a_server_is_backed_up_and_a_postgresql_store_restored(run: Run, url: str, postgres: PostgresServer) -> None:
    grow(run, 0, 500, "--url", url)
    assert run("backup", "backup", "--url", url).code == 0
    database = postgres.new_database()
    assert run("restore", "backup", "--store", database).code == 0
    assert exported(run, "--store", database) == exported(run, "--url", url)
    # And that one is backed up where the server's is: it is the same log.
    grow(run, 500, 600, "--store", database)
    assert json.loads(run("backup", "backup", "--store", database, "--json").out)["backed_up"] == 100


def test_groups_and_relays_go_on_after_their_checkpoints(run: Run) -> None:
    grow(run, 0, 100)
    run("group", "create", "billing", *OLD, "--after", "40", "--max-attempts", "7")
    run("group", "create", "mail", *OLD, "--after", "90", "--event-type", "Counted")
    run("backup", "backup", *OLD)
    report = json.loads(run("restore", "backup", *NEW, "--json").out)
    assert (report["groups"], report["relays"], report["left"]) == (["billing", "mail"], [], [])
    old, new = (json.loads(run("group", "show", "billing", *store, "--json").out) for store in (OLD, NEW))
    assert {**old, "created": 0} == {**new, "created": 0}
    assert (new["position"], new["max_attempts"]) == (40, 7)
    # A checkpoint is not past the end of what is restored.
    short = ("--store", "sqlite:short.db")
    run("restore", "backup", *short, "--to", "60")
    assert [
        json.loads(run("group", "show", name, *short, "--json").out)["position"] for name in ("billing", "mail")
    ] == [
        40,
        60,
    ]
    ran = run("restore", "backup", *NEW)
    assert "left as they are: billing, mail" in ran.err


def test_a_backup_of_another_log_is_refused(run: Run) -> None:
    grow(run, 0, 20)
    run("backup", "backup", *OLD)
    before = manifest()
    grow(run, 100, 130, *NEW)
    ran = run("backup", "backup", *NEW)
    assert ran.code == 2
    assert ran.err.startswith("indelible: destination: is a backup of another log: it has an event with the hash ")
    problem = json.loads(run("backup", "backup", *NEW, "--json").err)
    assert (problem["code"], problem["pointer"], problem["position"]) == ("invalid_request", "/destination", 20)
    run("restore", "backup", "--store", "sqlite:short.db", "--to", "10")
    ran = run("backup", "backup", "--store", "sqlite:short.db")
    assert "holds 20 events, more than the store, which has 10" in ran.err
    assert manifest() == before
    # What is no backup is not written into.
    Path("home").mkdir()
    Path("home/letter").touch()
    assert "has other things in it" in run("backup", "home", *OLD).err


def test_damage_is_found(run: Run) -> None:
    grow(run, 0, 300)
    run("backup", "backup", *OLD)
    segment = Path("backup") / manifest().segments[0].name
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    ran = run("verify", "--backup", "backup")
    assert ran.code == 5
    assert "its SHA-256 is not the one that the manifest has" in ran.err
    assert run("restore", "backup", *NEW).code == 5
    segment.unlink()
    assert "is not there" in run("restore", "backup", *NEW).err
    Path("backup/backup.json").write_text('{"format": 1, "segments": [{}]}')
    assert run("verify", "--backup", "backup").code == 5
    assert "backup.json is damaged" in run("backup", "backup", *OLD).err
    Path("backup/backup.json").write_text('{"format": 99}')
    assert "reads format 1" in run("restore", "backup", *NEW).err


def test_a_sound_backup_is_verified(run: Run) -> None:
    grow(run, 0, 300)
    run("backup", "backup", *OLD)
    report = json.loads(run("verify", "--backup", "backup", "--json").out)
    assert (report["head"], report["verified"]) == (300, 300)
    assert report["hash"] == json.loads(run("verify", *OLD, "--json").out)["hash"]
    assert run("verify", "--backup", "nowhere").code == 2


def test_a_full_disk_leaves_the_last_backup_good(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(run, 0, 300)
    run("backup", "backup", *OLD)
    grow(run, 300, 900)
    with monkeypatch.context() as patch:
        # The real disk that is full is in the fault run.
        patch.setattr(os, "fsync", _no_space)
        ran = run("backup", "backup", *OLD)
    assert (ran.code, "No space left" in ran.err) == (74, True)
    assert json.loads(run("verify", "--backup", "backup", "--json").out)["verified"] == 300
    assert json.loads(run("backup", "backup", *OLD, "--json").out)["backed_up"] == 600
    assert not list(Path("backup").rglob("*.part"))


def _no_space(descriptor: int) -> None:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_backups_go_on_at_an_interval_and_two_do_not_meet(run: Run, tmp_path: Path) -> None:
    grow(run, 0, 10)
    command = [COMMAND, "backup", "backup", *OLD, "--every", "1s", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["position"] == 10
        grow(run, 10, 20)
        wait_until(lambda: json.loads(process.stdout.readline())["position"] == 20, "no further backup is made")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    for text in ("10", "0s", "8d", "200h"):
        assert "must be a time such as 10s" in run("backup", "backup", *OLD, "--every", text).err


def test_a_backup_that_runs_keeps_others_out(run: Run) -> None:
    grow(run, 0, 10)
    run("backup", "backup", *OLD)
    with Path("backup/backup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = run("backup", "backup", *OLD)
        assert ran.code == 2
        assert "another backup is being made there" in ran.err
    assert run("backup", "backup", *OLD).code == 0


def test_a_bucket_needs_its_packages_and_a_url_that_is_known(run: Run) -> None:
    ran = run("backup", "ftp://host/x", *OLD)
    assert (ran.code, "such as s3://BUCKET/FOLDER" in ran.err) == (2, True)
