"""append, read, feed, aggregates, snapshot and info do the same on a local store and on a server."""

import json
from typing import Any
from uuid import uuid4

import pytest

from cli.conftest import Run
from cli.running import Ran, indelible
from indelible.events import decode_events

Place = tuple[str, str]


@pytest.fixture
def kind() -> str:
    """An aggregate type of the test's own: the server is shared."""
    return f"order_{uuid4().hex}"


def lines(ran: Ran) -> list[Any]:
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


def test_what_was_appended_is_read_number_for_number(run: Run, place: Place, kind: str) -> None:
    data = '{"total":12.50,"big":9007199254740993,"float":1.0,"b":1,"a":2}'
    appended = run("append", kind, "a/ż", "Placed", data, "--tag", "b", "--tag", "a", "--metadata", '{"n":1.0}', *place)
    assert appended.code == 0
    assert appended.out.startswith(f"{kind}-a/ż version 1 is stored: position ")
    read = run("read", kind, "a/ż", "--json", *place)
    assert f'"event_data":{data},"metadata":{{"n":1.0}},"tags":["a","b"]' in read.out
    (event,) = decode_events(read.out.encode().strip())
    assert str(event.event_id) in appended.out
    shown = run("read", kind, "a/ż", *place).out
    assert shown.startswith(f"{event.position}  ")
    assert shown.endswith(f"Z  {kind}-a/ż 1  Placed  {data}  [a, b]\n")


def test_append_says_the_same_as_json(run: Run, place: Place, kind: str) -> None:
    event_id = str(uuid4())
    first = lines(run("append", kind, "1", "Placed", "--event-id", event_id, "--json", *place))[0]
    again = lines(run("append", kind, "1", "Placed", "--event-id", event_id, "--json", *place))[0]
    assert first["events"] == [{"event_id": event_id, "version": 1, "position": first["position"]}]
    assert again == first | {"replayed": True}
    assert "was stored before" in run("append", kind, "1", "Placed", "--event-id", event_id, *place).out


def test_a_refused_append_is_a_conflict(run: Run, place: Place, kind: str) -> None:
    assert run("append", kind, "1", "Placed", "--expected-version", "none", *place).code == 0
    refused = run("append", kind, "1", "Placed", "--expected-version", "0", *place)
    assert refused == Ran(3, "", f"indelible: {kind}-1 is at version 1, expected 0\n")
    as_json = run("append", kind, "1", "Placed", "--expected-version", "5", "--json", *place)
    assert (as_json.code, as_json.out) == (3, "")
    problem = json.loads(as_json.err)
    assert problem["code"] == "version_conflict"
    assert (problem["expected_version"], problem["actual_version"], problem["aggregate_id"]) == (5, 1, "1")


@pytest.mark.parametrize(
    ("args", "pointer"),
    [
        (("a-b", "1", "X"), "/aggregate_type"),
        (("a", "", "X"), "/aggregate_id"),
        (("a", "1", "X\n"), "/event_type"),
        (("a", "1", "X", "{"), "/event_data"),
        (("a", "1", "X", "NaN"), "/event_data"),
        (("a", "1", "X", "[" * 101 + "]" * 101), "/event_data"),
        (("a", "1", "X", "--event-id", "7"), "/event_id"),
        (("a", "1", "X", "--metadata", "[]"), "/metadata"),
        (("a", "1", "X", "--expected-version", "-1"), "/expected_version"),
        (("a", "1", "X", "--expected-version", "1.5"), "/expected_version"),
        (("a", "1", "X", "--content-type", "x"), "/content_type"),
    ],
)
def test_bad_input_is_refused_with_its_field(run: Run, args: tuple[str, ...], pointer: str) -> None:
    refused = run("append", *args, "--json", "--store", "sqlite:x.db")
    assert (refused.code, refused.out) == (2, "")
    problem = json.loads(refused.err)
    assert (problem["code"], problem["pointer"], problem["status"]) == ("invalid_request", pointer, 400)
    plain = run("append", *args, "--store", "sqlite:x.db").err
    assert plain.startswith(f"indelible: {pointer[1:]}: ")
    assert plain.count("\n") == 1


def test_event_data_may_come_from_stdin(tmp_path, kind: str) -> None:
    store = ("--store", f"sqlite:{tmp_path}/x.db")
    assert indelible("append", kind, "1", "Placed", "-", *store, stdin=b'{ "a": 1.0 }\n').code == 0
    assert (
        indelible("append", kind, "1", "Photo", "-", "--content-type", "image/png", *store, stdin=b"\0\xff").code == 0
    )
    first, second = indelible("read", kind, "1", "--json", *store).out.splitlines()
    assert '"event_data":{"a":1.0}' in first
    assert '"event_data_base64":"AP8="' in second
    assert "Photo  (2 bytes of image/png)" in indelible("read", kind, "1", *store).out
    empty = indelible("append", kind, "1", "Placed", "-", *store)
    assert (empty.code, empty.err) == (2, "indelible: event_data: stdin is empty\n")
    for size_bytes in (1_100_000, 20_000_000):
        large = indelible("append", kind, "1", "Placed", "-", "--json", *store, stdin=b'"' + b"x" * size_bytes + b'"')
        assert (large.code, json.loads(large.err)["code"]) == (2, "payload_too_large")
    saved = indelible("snapshot", "save", kind, "1", 1, "-", "--json", *store, stdin=b"[1.0]")
    assert '"state":[1.0]' in saved.out


def test_read_takes_versions_direction_and_limit(run: Run, place: Place, kind: str) -> None:
    for n in range(5):
        assert run("append", kind, "1", "Counted", n, *place).code == 0

    def versions(*args: object) -> list[int]:
        return [event["version"] for event in lines(run("read", kind, "1", "--json", *args, *place))]

    assert versions() == [1, 2, 3, 4, 5]
    assert versions("--from-version", 2, "--to-version", 3) == [2, 3]
    assert versions("--backward", "--limit", 2) == [5, 4]
    assert versions("--from-version", 9) == []


def test_what_is_not_there_is_not_found(run: Run, place: Place, kind: str) -> None:
    run("append", kind, "1", "Counted", *place)
    assert run("read", kind, "2", *place) == Ran(4, "", f"indelible: no aggregate {kind}-2\n")
    assert run("snapshot", "show", kind, "1", *place).code == 4
    assert json.loads(run("read", kind, "2", "--json", *place).err)["code"] == "aggregate_not_found"


def test_feed_filters(run: Run, place: Place, kind: str) -> None:
    for n, event_type in enumerate(["A", "B", "A", "C"]):
        tags = ["--tag", f"n{n % 2}", "--tag", "all"]
        run("append", kind, n, event_type, *tags, *place)

    def found(*args: str) -> list[str]:
        return [
            event["aggregate_id"] for event in lines(run("feed", "--aggregate-type", kind, "--json", *args, *place))
        ]

    assert found() == ["0", "1", "2", "3"]
    assert found("--event-type", "A", "--event-type", "C") == ["0", "2", "3"]
    assert found("--tag", "n0", "--tag", "all") == ["0", "2"]
    assert found("--backward", "--limit", "1") == ["3"]
    assert found("--since", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z") == []
    second = lines(run("feed", "--aggregate-type", kind, "--json", *place))[1]["position"]
    assert found("--after", str(second)) == ["2", "3"]


@pytest.mark.parametrize(
    ("args", "name"),
    [(("--since", "some day"), "since"), (("--after", "x"), "after"), (("--after", "99999"), "after")],
)
def test_feed_refuses_what_it_cannot_read(run: Run, place: Place, args: tuple[str, str], name: str) -> None:
    run("append", "order", "1", "X", *place)
    refused = run("feed", *args, *place)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"indelible: {name}: ")


def test_aggregates_are_listed(run: Run, place: Place, kind: str) -> None:
    for name in ("b", "a", "a"):
        run("append", kind, name, "X", *place)
    listed = lines(run("aggregates", "--aggregate-type", kind, "--json", *place))
    assert [(one["aggregate_id"], one["version"]) for one in listed] == [("a", 2), ("b", 1)]
    heading, first = run("aggregates", "--aggregate-type", kind, "--limit", 1, *place).out.splitlines()
    assert heading.split() == ["aggregate_type", "aggregate_id", "version", "last_timestamp"]
    assert first.split()[:3] == [kind, "a", "2"]
    (only,) = lines(run("aggregates", "--aggregate-type", kind, "--prefix", "b", "--json", *place))
    assert only["aggregate_id"] == "b"


def test_types_are_listed(run: Run, place: Place, kind: str) -> None:
    for name in ("Placed", "Paid"):
        run("append", f"{kind}_a", "1", f"{kind}{name}", *place)
    run("append", f"{kind}_b", "1", f"{kind}Paid", *place)
    (only,) = lines(run("event-types", "--prefix", f"{kind}Pl", "--json", *place))
    assert only == {"event_type": f"{kind}Placed", "aggregate_type": f"{kind}_a", "events": 1}
    heading, *rows = run("event-types", "--prefix", f"{kind}Pa", *place).out.splitlines()
    assert heading.split() == ["event_type", "aggregate_type", "events"]
    assert [row.split() for row in rows] == [[f"{kind}Paid", f"{kind}_a", "1"], [f"{kind}Paid", f"{kind}_b", "1"]]
    heading, *rows = run("aggregate-types", "--prefix", f"{kind}_", *place).out.splitlines()
    assert heading.split() == ["aggregate_type", "aggregates", "events"]
    assert [row.split() for row in rows] == [[f"{kind}_a", "1", "2"], [f"{kind}_b", "1", "1"]]
    assert len(lines(run("aggregate-types", "--json", *place))) >= len(rows)
    refused = run("event-types", "--prefix", "a\nb", *place)
    assert (refused.code, refused.err.split(":")[1]) == (2, " prefix")


def test_snapshots_are_saved_and_shown(run: Run, place: Place, kind: str) -> None:
    for _ in range(3):
        run("append", kind, "1", "X", *place)
    saved = run("snapshot", "save", kind, "1", 2, '{"total": 1.50}', "--metadata", '{"by":"me"}', *place)
    assert saved == Ran(0, f"snapshot of {kind}-1 at version 2 is saved\n", "")
    assert run("snapshot", "save", kind, "1", 3, "3", *place).code == 0
    (shown,) = lines(run("snapshot", "show", kind, "1", "--at-version", 2, "--json", *place))
    assert (shown["version"], shown["state"], shown["metadata"]) == (2, {"total": 1.5}, {"by": "me"})
    assert 'state      {"total":1.50}' in run("snapshot", "show", kind, "1", "--at-version", 2, *place).out
    above = run("snapshot", "save", kind, "1", 4, "0", *place)
    assert (above.code, above.err.split(":")[1]) == (2, " version")
    assert run("snapshot", "save", kind, "1", 1, "{", *place).code == 2


def test_info_counts(run: Run, place: Place, kind: str) -> None:
    for name in ("a", "b"):
        run("append", kind, name, "X", *place)
    (info,) = lines(run("info", "--json", *place))
    assert info["store"] == place[1]
    assert {"aggregate_type": kind, "aggregates": 2, "events": 2} in info["aggregate_types"]
    assert {"event_type": "X", "aggregate_type": kind, "events": 2} in info["event_types"]
    assert info["head"] >= 2
    shown = run("info", *place).out
    assert f"head   {info['head']}\n" in shown
    assert [kind, "X", "2"] in [line.split() for line in shown.splitlines()]
