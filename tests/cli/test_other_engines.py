"""An engine of another package, found by its entry point alone, works wherever one of ours does."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.running import TIMEOUT_S, environment, server
from indelible import AsyncClient, InvalidRequest, NewEvent
from indelible.store_urls import engine_schemes

MODULE = """
from pathlib import Path

from indelible.engines.sqlite.engine import SqliteEngine


def make(url, *, read_only):
    return SqliteEngine(Path(url.partition(":")[2]), read_only=read_only)
"""
ENTRY_POINTS = """
[indelible.engines]
box+file = other_engine:make
broken = other_engine_that_is_not_there:make
wrong = other_engine:no_such_maker
"""
STORE = ("--store", "box+file:x.db")
COPY = ("--store", "box+file:copy.db")


def install(site: Path, name: str, entry_points: str) -> None:
    """As pip leaves a package behind."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)


@pytest.fixture(autouse=True)
def site(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path_factory.mktemp("site")
    (site / "other_engine.py").write_text(MODULE)
    install(site, "other-engine", ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    return site


def test_commands(run: Run, tmp_path: Path) -> None:
    assert run("init", *STORE).code == 0
    assert run("append", "order", "1", "Placed", '{"n": 1.10}', *STORE).code == 0
    lines = run("export", "-", *STORE).out
    (tmp_path / "backup.ndjson").write_text(lines)
    assert run("copy", "--from", "box+file:x.db", "--to", "sqlite:there.db").code == 0
    assert run("copy", "--from", "sqlite:there.db", "--to", "box+file:copy.db").code == 0
    assert run("restore", "backup.ndjson", "--store", "box+file:restored.db").code == 0
    assert run("verify", *COPY).code == 0
    read = [run("feed", "--json", "--store", f"box+file:{name}.db") for name in ("x", "copy", "restored")]
    assert {(one.code, one.out) for one in read} == {(0, lines)}
    assert json.loads(run("info", "--json", *STORE).out)["head"] == 1


def test_a_server_on_it(run: Run, tmp_path: Path) -> None:
    with server(tmp_path, *STORE) as (url, _):
        assert run("append", "order", "1", "Placed", "{}", "--url", url).code == 0
    assert (tmp_path / "x.db").exists()
    assert run("read", "order", "1", *STORE).code == 0
    # It is asked what it can do.
    ran = run("serve", "--workers", "2", *STORE)
    assert (ran.code, "must be 1 for the store box+file:x.db" in ran.err) == (2, True)


async def test_a_client(tmp_path: Path) -> None:
    async with AsyncClient(f"box+file:{tmp_path}/y.db") as client:
        assert (await client.append("order", "1", [NewEvent("Placed", {})])).version == 1
    # A scheme means the same in capitals.
    async with AsyncClient(f"BOX+FILE:{tmp_path}/y.db") as client:
        assert (await client.head()).position == 1


def test_a_scheme_means_the_same_in_capitals(run: Run) -> None:
    assert run("append", "order", "1", "Placed", "{}", "--store", "SQLITE:x.db").code == 0
    assert run("info", "--store", "MEMORY:").code == 0
    assert "is empty when the command begins" in run("copy", "--from", "SQLITE:x.db", "--to", "MEMORY:").err


def test_an_unknown_scheme_lists_what_there_is(run: Run) -> None:
    known = "box+file:, broken:, cassandra:, memory:, postgres:, postgresql:, sqlite:, wrong:"
    assert engine_schemes() == known.replace(":", "").split(", ")
    assert known in run("info", "--store", "unheard-of:x").err
    assert run("init", *STORE).code == 0
    assert known in run("copy", "--from", "box+file:x.db", "--to", "unheard-of:x").err
    assert known in run("copy", "--from", "box+file:x.db", "--to", "y.db").err
    with pytest.raises(InvalidRequest, match="known schemes are http:, https:, grpc:, grpcs:, box"):
        AsyncClient("unheard-of:x")


@pytest.mark.parametrize("scheme", ["broken", "wrong"])
def test_one_that_cannot_be_loaded_says_whose_it_is(run: Run, scheme: str) -> None:
    ran = run("info", "--store", f"{scheme}:x")
    assert ran.code == 2
    assert f"the engine for {scheme}: cannot be loaded; install what other-engine needs (" in ran.err
    with pytest.raises(InvalidRequest, match="install what other-engine needs"):
        asyncio.run(AsyncClient(f"{scheme}:x").head())


def test_two_of_one_name_are_not_chosen_from(run: Run, site: Path) -> None:
    install(site, "second-engine", "[indelible.engines]\nbox+file = other_engine:make\n")
    ran = run("info", *STORE)
    assert (ran.code, "other-engine and second-engine each bring an engine for box+file:" in ran.err) == (2, True)


def test_an_extra_that_is_missing_says_what_to_install(tmp_path: Path) -> None:
    program = "import sys; sys.modules['psycopg'] = None; from indelible.cli.main import main; sys.exit(main())"
    for command in (
        ["info", "--store", "postgresql://x/y"],
        ["copy", "--from", "postgresql://x/y", "--to", "sqlite:z"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *command],
            cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        assert (done.returncode, 'pip install "indelible[postgres]"' in done.stderr) == (2, True)
