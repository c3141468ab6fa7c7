"""indelible verify on a damaged database."""

import json
from pathlib import Path

import apsw
import pytest

from cli.conftest import Run
from cli.running import Ran, server
from indelible.engines.sqlite.index_file import index_path

STORE = ("--store", "sqlite:x.db")


def fill(run: Run, tmp_path: Path) -> None:
    lines = [
        {"event_id": f"00000000-0000-4000-8000-{n:012}", "event_type": "Counted", "event_data": {"n": n}}
        | {"aggregate_type": "counter", "aggregate_id": str(n % 3)}
        for n in range(1_500)
    ]
    (tmp_path / "in.ndjson").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert run("import", "in.ndjson", *STORE).code == 0


def damage(tmp_path: Path, change: str) -> None:
    connection = apsw.Connection(str(tmp_path / "x.db"))
    for (trigger,) in list(connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")):
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(change)
    assert connection.changes() == 1
    connection.close()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE events SET event_data = '{\"n\":1}' WHERE position = 1234", "has the hash"),
        ("UPDATE events SET event_data = char(10) || '1' WHERE position = 1234", "line end"),
        ("UPDATE events SET timestamp = replace(timestamp, '20', '30') WHERE position = 1234", "has the hash"),
        ("UPDATE events SET hash = printf('%064d', 0) WHERE position = 1234", "has the hash"),
        ("DELETE FROM events WHERE position = 1234", ""),
    ],
)
def test_the_first_damaged_position_is_named(run: Run, tmp_path: Path, change: str, reason: str) -> None:
    fill(run, tmp_path)
    sound = run("verify", *STORE)
    assert sound.code == 0
    assert sound.out.startswith("result    ok\nhead      1500\nverified  1500\nhash      ")
    damage(tmp_path, change)
    ran = run("verify", *STORE)
    assert ran.code == 5
    assert ran.out.startswith("result    damaged at position 1234\nhead      1500\nverified  1233\n")
    assert ran.err.startswith("indelible: DAMAGED: the event at position 1234 ")
    assert reason in ran.err
    report = json.loads(run("verify", "--json", *STORE).out)
    assert (report["damage"]["position"], report["verified"], report["head"]) == (1234, 1233, 1500)


def test_damage_is_named_through_a_server_too(run: Run, tmp_path: Path) -> None:
    fill(run, tmp_path)
    damage(tmp_path, "UPDATE events SET event_data = char(10) || '1' WHERE position = 1234")
    with server(tmp_path) as (url, _):
        ran = run("verify", "--json", "--url", url)
        assert (ran.code, json.loads(ran.out)["damage"]["position"]) == (5, 1234)
        assert json.loads(run("verify", "--json", *STORE).out)["damage"]["position"] == 1234


def test_a_file_that_is_no_store(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is not a database" * 500)
    ran = run("verify", *STORE)
    assert ran.code in {5, 74}
    assert ran.out == ""
    assert ran.err.count("\n") == 1


def test_an_empty_store_is_sound(run: Run) -> None:
    assert run("verify", "--store", "memory:") == Ran(
        0, f"result    ok\nhead      0\nverified  0\nhash      {'0' * 64}\n", ""
    )


def test_an_index_that_lacks_something_is_made_anew(run: Run, tmp_path: Path) -> None:
    fill(run, tmp_path)
    connection = apsw.Connection(str(index_path(tmp_path / "x.db")))
    connection.execute("DELETE FROM event_ids WHERE position = 1234")
    connection.close()
    assert run("verify", *STORE).code == 5
    ran = run("reindex", *STORE)
    assert (ran.code, ran.out, ran.err) == (0, "store    sqlite:x.db\nindexed  1500\n", "")
    assert run("verify", *STORE).code == 0
    assert json.loads(run("reindex", "--json", *STORE).out) == {"store": "sqlite:x.db", "indexed": 1500}


@pytest.mark.parametrize(
    ("url", "code", "reason"), [("sqlite:none.db", 74, "No such file"), ("memory:", 2, "no index of its own")]
)
def test_what_cannot_be_made_anew(run: Run, tmp_path: Path, url: str, code: int, reason: str) -> None:
    ran = run("reindex", "--store", url)
    assert (ran.code, ran.out) == (code, "")
    assert reason in ran.err
    assert not (tmp_path / "none.db").exists()
