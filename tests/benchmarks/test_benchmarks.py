"""Every benchmark runs, on small stores, and prints its figures. What the figures are is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--events", "12000", "--events-small", "4000", "--events-feed", "3000", "--duration", "1")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)


def test_all_print_figures_as_json(tmp_path: Path) -> None:
    result = run("all", *SMALL, "--store", str(tmp_path), "--json")
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert printed["machine"]["durability"] == "journal_mode=wal, synchronous=FULL"
    figures = {figure["what"]: figure for figure in printed["figures"]}
    assert all(figure["value"] > 0 and figure["errors"] == 0 for figure in figures.values())
    assert len([figure for figure in figures.values() if "goal" in figure]) == 13
    assert "read one aggregate of 30 events" in figures
    assert "feed as NDJSON, 3,000 events" in figures
    assert figures["single-event appends"]["latencies_ms"]["p99"] > 0


def test_a_table_for_people() -> None:
    result = run("startup", *SMALL)
    assert result.returncode == 0, result.stderr
    assert "fsync of 4 KiB" in result.stdout
    assert "start with 12,000 events" in result.stdout
    assert "≤ 2 s" in result.stdout


def test_a_kept_store_is_used_again(tmp_path: Path) -> None:
    """A store that is there is filled up, not made again."""
    for events in ("2000", "2500"):
        result = run("feed", "--events-feed", events, "--store", str(tmp_path), "--json")
        assert result.returncode == 0, result.stderr
        (figure,) = json.loads(result.stdout)["figures"]
        assert figure["what"] == f"feed as NDJSON, {int(events):,} events"
    first = (tmp_path / "even-2000.db").stat()
    assert run("feed", "--events-feed", "2000", "--store", str(tmp_path)).returncode == 0
    assert (tmp_path / "even-2000.db").stat().st_ino == first.st_ino


@pytest.mark.parametrize("argument", ["nothing", "--events"])
def test_a_wrong_argument_is_refused(argument: str) -> None:
    assert run(argument).returncode == 2
