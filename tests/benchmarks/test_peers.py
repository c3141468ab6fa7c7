"""What the rounds of a comparison with other stores become. The loads themselves run by hand: they need the peers."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.peers.comparison import Comparison, Row, Sample, Sides, compare, table
from benchmarks.peers.h2load import grpc_frame, parse
from benchmarks.peers.umadb import append_request, event, query
from benchmarks.stores import Options

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = Options(ROOT, 1, 0, 0, 0, 0)
PRINTED = """
finished in 2.50s, 3236.00 req/s, 394.88KB/s
requests: 6472 total, 6600 started, 6472 done, 6470 succeeded, 2 failed, 2 errored, 1 timeout
status codes: 6470 2xx, 0 3xx, 2 4xx, 0 5xx
traffic: 789.76KB (808710) total, 19.25KB (19716) headers (space savings 96.24%), 460.89KB (471948) data
"""


def row(ours: list[float], theirs: list[float], asked: list[str], **given: float) -> Row:
    @contextmanager
    def sides(options: Options) -> Iterator[Sides]:
        def side(name: str, values: Iterator[float]) -> Sample:
            asked.append(name)
            return Sample(next(values), 50.0, 20.0, errors=int(given.get("errors", 0)))

        our_values, their_values = iter(ours), iter(theirs)
        yield Sides(lambda: side("ours", our_values), lambda: side("theirs", their_values))

    return Row("appends / a peer", "events/s", given.get("goal"), sides, given.get("p99_ms_goal"))


def compared(ours: list[float], theirs: list[float], **given: float) -> Comparison:
    return compare(row(ours, theirs, [], **given), OPTIONS, len(ours))


def test_the_sides_take_turns_and_so_does_who_goes_first() -> None:
    asked: list[str] = []
    compare(row([1, 1, 1], [1, 1, 1], asked), OPTIONS, 3)
    assert asked == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]


def test_ratios_are_of_the_rounds_and_not_of_the_medians() -> None:
    """The machine was twice as fast in the second round, for both."""
    ratio = compared([100, 240, 90], [200, 400, 300]).ratio
    assert (ratio.least, ratio.median, ratio.most) == pytest.approx((0.3, 0.5, 0.6))


@pytest.mark.parametrize(
    ("given", "is_met"),
    [
        ({}, None),
        ({"goal": 0.5}, True),
        ({"goal": 0.51}, False),
        ({"goal": 0.5, "errors": 1}, False),
        ({"goal": 0.5, "p99_ms_goal": 20}, True),
        ({"goal": 0.5, "p99_ms_goal": 19}, False),
    ],
)
def test_a_goal_is_met_by_the_median_without_errors(given: dict[str, float], is_met: bool | None) -> None:
    assert compared([100, 240, 90], [200, 400, 300], **given).is_met is is_met


def test_a_table_for_people_and_json_for_programs() -> None:
    comparison = compared([100, 240, 90], [200, 400, 300], goal=0.4, p99_ms_goal=25)
    heading, line = table([comparison])
    assert heading.split()[:3] == ["ours", "/", "theirs"]
    assert line.split("  ")[:2] == ["appends / a peer", " 0.50"]
    assert "0.30–0.60  ≥ 0.4, p99 ≤ 25 ms  met" in line
    printed = comparison.as_json()
    assert printed["ours"]["value"] == {"median": 100, "least": 90, "most": 240}
    assert printed["theirs"]["cpu_us"]["median"] == 50


def test_what_h2load_prints() -> None:
    done = parse(PRINTED, [1_000] * 99 + [9_000], 1.5)
    assert (done.succeeded, done.errors, done.duration_s, done.data_bytes) == (6470, 3, 2.5, 471948)
    assert done.per_s == 6470 / 2.5
    assert 1 <= done.p99_ms <= 9
    with pytest.raises(RuntimeError, match="no answer"):
        parse(PRINTED.replace("6470 succeeded", "0 succeeded"), [], 0)


def test_messages_are_written_as_protobuf_has_them() -> None:
    assert event("A", b"xy", ["t"]) == b"\x0a\x01A\x12\x01t\x1a\x02xy"
    long = event("A", bytes(300))
    assert long[3:6] == b"\x1a\xac\x02"
    guarded = append_request([b""], fail_if=query(["A"], ["t"]), after=300)
    assert guarded == b"\x0a\x00" + b"\x12\x0d" + b"\x0a\x08" + b"\x0a\x06\x0a\x01A\x12\x01t" + b"\x10\xac\x02"
    assert grpc_frame(bytes(258))[:5] == b"\0\0\0\1\2"


def test_a_wrong_row_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks.peers", "nothing"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 2
