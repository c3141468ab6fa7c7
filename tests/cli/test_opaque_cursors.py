"""Programs that read a whole log go by its cursors, whatever these are: through servers of stores whose cursors are no
numbers."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.conftest import Run
from indelible import Client
from indelible.engines.engine import Lines
from indelible.engines.memory import MemoryEngine
from indelible.events import NewEvent, decode_events
from opaque_stores import VeiledStore, merged_store
from serving import serving_in_a_thread

EVENTS = 2_345
MARKED = EVENTS + 2
"""Each of two partitions says what it is, in an event."""


@pytest.fixture(params=["http", "grpc"])
def transport(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def veiled(transport: str) -> Iterator[str]:
    with serving_in_a_thread(VeiledStore(), transport) as url:
        fill(url)
        yield url


@pytest.fixture
def merged(transport: str) -> Iterator[str]:
    with serving_in_a_thread(merged_store(), transport) as url:
        fill(url)
        yield url


def fill(url: str, events: int = EVENTS) -> None:
    with Client(url) as client:
        for first in range(0, events, 100):
            some = [NewEvent("Counted", {"n": n}) for n in range(first, min(first + 100, events))]
            client.append("counter", str(first), some)


def exported(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_verify(run: Run, veiled: str) -> None:
    report = json.loads(run("verify", "--json", "--url", veiled).out)
    assert (report["head"], report["verified"], report["damage"]) == (EVENTS, EVENTS, None)
    with Client(veiled) as client:
        (last,) = client.read_feed(direction="backward", limit=1).events
    assert report["hash"] == last.hash


def test_verify_follows_the_chain_of_each_partition(run: Run, merged: str) -> None:
    ran = run("verify", "--json", "--url", merged)
    report = json.loads(ran.out)
    assert (ran.code, report["head"], report["verified"], report["damage"]) == (0, MARKED, MARKED, None)
    hashes = report["hash"].split(",")
    assert len(set(hashes)) == 2
    assert hashes == sorted(hashes)
    fill(merged, 100)
    assert set(json.loads(run("verify", "--json", "--url", merged).out)["hash"].split(",")) & set(hashes)


class Damaged(MemoryEngine):
    """Gives another line at one position."""

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self.change = change

    async def read_feed(self, *args: object, **options: object) -> Lines:
        page = await super().read_feed(*args, **options)  # type: ignore[arg-type]  # as they came
        lines = [
            self.change(line) if b'"position":700,' in line else line for line in page.lines.split(b"\n") if page.lines
        ]
        return Lines(b"\n".join(lines), page.count, page.reached, page.at_end)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda line: line.replace(b'{"n":', b'{"m":'), "has the hash"),
        (lambda line: line.replace(b'"position":700,', b'"position":701,'), "follows in no partition"),
    ],
)
def test_damage_in_one_partition_is_found(run: Run, change: Callable[[bytes], bytes], reason: str) -> None:
    with serving_in_a_thread(merged_store(MemoryEngine(), Damaged(change), may_make=False)) as url:
        fill(url, 5_000)
        ran = run("verify", "--json", "--url", url)
        damage = json.loads(ran.out)["damage"]
        assert (ran.code, damage["position"] in {700, 701}, reason in damage["reason"]) == (5, True, True)


def test_copy_goes_on_after_what_is_there(run: Run, veiled: str, tmp_path: Path) -> None:
    for copied, there in ((EVENTS, 0), (100, EVENTS), (0, EVENTS + 100)):
        report = json.loads(run("copy", "--json", "--from", veiled, "--to", "sqlite:copy.db").out)
        assert (report["copied"], report["already_there"]) == (copied, there)
        if there == 0:
            fill(veiled, 100)
    assert run("export", "there.ndjson", "--url", veiled).code == 0
    assert run("export", "copy.ndjson", "--store", "sqlite:copy.db").code == 0
    assert exported(tmp_path / "copy.ndjson") == exported(tmp_path / "there.ndjson")


def test_copy_names_where_another_log_begins(run: Run, veiled: str) -> None:
    assert run("copy", "--from", veiled, "--to", "sqlite:copy.db").code == 0
    assert run("append", "counter", "0", "Counted", "--store", "sqlite:copy.db").code == 0
    fill(veiled, 100)
    problem = json.loads(run("copy", "--json", "--from", veiled, "--to", "sqlite:copy.db").err)
    assert (problem["pointer"], problem["position"]) == ("/to", EVENTS + 1)


def test_copy_of_several_partitions_is_refused(run: Run, merged: str, tmp_path: Path) -> None:
    ran = run("copy", "--from", merged, "--to", "sqlite:copy.db")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("indelible: from: has 2 partitions")
    assert not (tmp_path / "copy.db").exists()


def test_a_second_export_goes_on(run: Run, veiled: str, tmp_path: Path) -> None:
    assert json.loads(run("export", "log.ndjson", "--json", "--url", veiled).out)["events"] == EVENTS
    fill(veiled, 100)
    again = json.loads(run("export", "log.ndjson", "--json", "--url", veiled).out)
    assert again == {"file": "log.ndjson", "events": 100, "position": EVENTS + 100}
    positions = [event.position for event in decode_events((tmp_path / "log.ndjson").read_bytes().strip())]
    assert positions == list(range(1, EVENTS + 101))


def test_a_second_export_of_several_partitions_is_whole(run: Run, merged: str, tmp_path: Path) -> None:
    assert json.loads(run("export", "log.ndjson", "--json", "--url", merged).out)["events"] == MARKED
    before = exported(tmp_path / "log.ndjson")
    fill(merged, 100)
    again = json.loads(run("export", "log.ndjson", "--json", "--url", merged).out)
    assert again == {"file": "log.ndjson", "events": MARKED + 100, "position": MARKED + 100}
    after = exported(tmp_path / "log.ndjson")
    assert len(set(after)) == len(after) == MARKED + 100
    assert set(before) < set(after)
    assert not (tmp_path / "log.ndjson.part").exists()
    (tmp_path / "notes").write_text("notes\n")
    assert run("export", "notes", "--url", merged).code == 2
    assert (tmp_path / "notes").read_text() == "notes\n"


def test_what_was_exported_from_several_partitions_is_no_log(run: Run, merged: str) -> None:
    assert run("export", "log.ndjson", "--url", merged).code == 0
    ran = run("restore", "log.ndjson", "--store", "sqlite:copy.db")
    assert "the first event of a log stands in its place" in ran.err
