"""Every benchmark runs, on small stores, and prints its figures. What the figures are is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.relay import rate_of

from indelible import Client

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 1_500
"""All of them take two minutes on an idle machine, and ten times that on a busy one."""
SMALL = (
    "--events", "12000", "--events-small", "4000", "--events-feed", "3000", "--duration", "1", "--warm-up", "0",
    "--events-relay", "1500", "--rounds", "1",
)  # fmt: skip


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)


def test_all_print_figures_as_json(tmp_path: Path) -> None:
    result = run("all", *SMALL, "--store", str(tmp_path), "--json")
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert printed["machine"]["durability"] == "journal_mode=wal, synchronous=FULL"
    figures = {figure["what"]: figure for figure in printed["figures"]}
    assert [figure for figure in figures.values() if not figure["value"] > 0 or figure["errors"]] == []
    assert len([figure for figure in figures.values() if "goal" in figure]) == 45
    assert "read one aggregate of 30 events" in figures
    assert "feed as NDJSON, 3,000 events" in figures
    assert "commit to receipt with nats's client, 1,000 events/s" in figures
    assert figures["single-event appends"]["latencies_ms"]["p99"] > 0


def test_a_table_for_people_and_a_store_that_is_kept(tmp_path: Path) -> None:
    """The second run finds the store as the first one left it."""
    for _ in range(2):
        result = run("feed", "--events-feed", "2500", "--store", str(tmp_path))
        assert result.returncode == 0, result.stderr
        assert "fsync of 4 KiB" in result.stdout
        assert "feed as NDJSON, 2,500 events" in result.stdout
        assert "≥ 150,000 events/s" in result.stdout
    with Client(f"sqlite:{tmp_path / 'even-2500.db'}") as client:
        assert client.head().position == 2_500


@pytest.mark.parametrize(
    ("seen", "per_s"),
    [
        ([(10.0, 100), (11.0, 600), (12.0, 1_100), (12.9, 1_200)], 500.0),
        ([(10.0, 100), (12.0, 600)], 250.0),
        ([(10.0, 100)], 100.0),
    ],
)
def test_the_rate_of_a_relay_is_that_between_saves(seen: list[tuple[float, int]], per_s: float) -> None:
    assert rate_of(seen) == per_s


@pytest.mark.parametrize("argument", ["nothing", "--events"])
def test_a_wrong_argument_is_refused(argument: str) -> None:
    assert run(argument).returncode == 2
