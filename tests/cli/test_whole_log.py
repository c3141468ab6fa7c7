"""Commands that need the whole log, on a server that leaves out what its caller may not read."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.conftest import Run
from cli.running import Ran, server
from indelible.core.open import open_local_store
from indelible.events import NewEvent

FEWER_GRANTS = {"none": ["append:*"], "one": ["read:order"], "all": ["read:*"], "own": ["admin:*"]}
WHOLE = ["read:*", "admin:*"]


class Guarded(NamedTuple):
    url: str
    grpc: str
    keys: dict[str, str]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """With an event of another aggregate type before, between and after its own."""
    directory = tmp_path_factory.mktemp("guarded")

    async def fill() -> dict[str, str]:
        keys = {}
        async with open_local_store(f"sqlite:{directory}/x.db") as store:
            for name, grants in {**FEWER_GRANTS, "whole": WHOLE}.items():
                await store.append("order", name, [NewEvent("Placed", {"n": 1})])
                keys[name] = (await store.keys.create(name, grants)).key
                await store.append("bill", name, [NewEvent("Sent", {"n": 1})])
        return keys

    keys = asyncio.run(fill())
    config = directory / "indelible.toml"
    config.write_text("[access]\nkeys = true\n")
    with server(directory, "--grpc", "127.0.0.1:0", "--config", str(config)) as (url, process):
        assert process.stdout is not None
        grpc = process.stdout.readline().split()[1]
        yield Guarded(url, grpc, keys)


def is_refused(ran: Ran) -> bool:
    problem = json.loads(ran.err)
    return (ran.code, problem["code"], problem["detail"]) == (1, "forbidden", "you need read:* and admin:*")


@pytest.mark.parametrize("who", FEWER_GRANTS)
def test_whoever_may_not_read_all_is_told_so(run: Run, guarded: Guarded, tmp_path: Path, who: str) -> None:
    assert run("checkpoint", "keygen", "key").code == 0
    for url in (guarded.url, guarded.grpc) if who == "all" else (guarded.url,):
        token = {"INDELIBLE_TOKEN": guarded.keys[who]}
        assert is_refused(run("verify", "--json", "--url", url, **token))
        assert is_refused(run("backup", "backup", "--json", "--url", url, **token))
        assert not (tmp_path / "backup" / "backup.json").exists()
        ran = run("checkpoint", "create", "--key", "key", "--url", url, **token)
        assert ran == Ran(1, "", "indelible: you need read:* and admin:*\n")
        assert is_refused(run("copy", "--from", url, "--to", "sqlite:copy.db", "--json", **token))
        assert not (tmp_path / "copy.db").exists()
        assert is_refused(run("export", "new.zst", "--json", "--url", url, **token))
        assert not list(tmp_path.glob("new.zst*"))


@pytest.mark.parametrize(("who", "problem"), [("all", "you need a grant of admin"), (None, "say who you are")])
def test_a_relay_that_may_not_be_run_ends(run: Run, guarded: Guarded, who: str | None, problem: str) -> None:
    known = {} if who is None else {"INDELIBLE_TOKEN": guarded.keys[who]}
    ran = run("relay", "run", "orders", "--to", "nats://127.0.0.1:9?stream=A", "--url", guarded.url, **known)
    assert (ran.code, problem in ran.err) == (1, True), ran.err


@pytest.mark.parametrize("transport", ["url", "grpc"])
def test_whoever_may_read_all_goes_on(run: Run, guarded: Guarded, transport: str) -> None:
    url, token = getattr(guarded, transport), {"INDELIBLE_TOKEN": guarded.keys["whole"]}
    assert run("checkpoint", "keygen", "key").code == 0
    Path("signed").write_text(run("checkpoint", "create", "--key", "key", "--url", url, **token).out)
    held_to = ("--checkpoint", "signed", "--public-key", "key.pub")
    assert run("verify", *held_to, "--url", url, **token).code == 0
    assert run("backup", "backup", "--url", url, **token).code == 0
    assert run("verify", *held_to, "--backup", "backup").code == 0
    assert run("copy", "--from", url, "--to", "sqlite:copy.db", **token).code == 0
    assert run("export", "out.zst", "--url", url, **token).code == 0
    assert run("restore", "out.zst", "--store", "sqlite:restored.db").code == 0
    before = Path("out.zst").read_bytes()
    assert is_refused(run("export", "out.zst", "--json", "--url", url, INDELIBLE_TOKEN=guarded.keys["all"]))
    assert Path("out.zst").read_bytes() == before


def test_what_a_caller_may_read_is_exported_as_it_was(run: Run, guarded: Guarded, tmp_path: Path) -> None:
    for who, types in (("one", {"order"}), ("all", {"order", "bill"})):
        token = {"INDELIBLE_TOKEN": guarded.keys[who]}
        lines = run("export", "-", "--url", guarded.url, **token).out
        assert {json.loads(line)["aggregate_type"] for line in lines.splitlines()} == types
        for _ in range(2):
            assert run("export", f"{who}.ndjson", "--url", guarded.url, **token).code == 0
            assert (tmp_path / f"{who}.ndjson").read_text() == lines
