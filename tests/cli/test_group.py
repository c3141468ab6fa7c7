"""indelible group …: groups are made and looked after, on a local store and on a server."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cli.conftest import Run
from cli.running import COMMAND, TIMEOUT_S, Ran, environment

Place = tuple[str, str]
STORE = ("--store", "sqlite:x.db")


@pytest.fixture
def name() -> str:
    """A group and an aggregate type of the test's own: the server is shared."""
    return f"g{uuid4().hex}"


def lines(ran: Ran) -> list[Any]:
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


def made(run: Run, place: Place, name: str, *args: object, aggregates: str = "112") -> list[int]:
    """A group, and an event of every aggregate, each a digit; gives their positions."""
    assert run("group", "create", name, "--aggregate-type", name, *args, *place).code == 0
    return appended(run, place, name, aggregates)


def appended(run: Run, place: Place, name: str, aggregates: str) -> list[int]:
    results = [lines(run("append", name, one, "Placed", "--json", *place))[0] for one in aggregates]
    return [result["position"] for result in results]


def pulled(run: Run, place: Place, name: str, *args: object) -> list[Any]:
    return lines(run("group", "pull", name, "--limit", 10, "--json", *args, *place))


def shown(run: Run, place: Place, name: str) -> dict[str, Any]:
    (info,) = lines(run("group", "show", name, "--json", *place))
    assert isinstance(info, dict)
    return info


# --- Groups ----------------------------------------------------------------------------------------------------------


def test_a_group_is_made_with_a_filter_and_settings(run: Run, place: Place, name: str) -> None:
    args = ("--event-type", "A", "--event-type", "B", "--aggregate-type", name, "--tag", "x", "--tag", "y")
    settings = ("--ack-timeout", 1.5, "--max-attempts", 3, "--max-in-flight", 7)
    (info,) = lines(run("group", "create", name, *args, *settings, "--json", *place))
    assert info["items"] == [{"event_types": ["A", "B"], "aggregate_types": [name], "tags": ["x", "y"]}]
    assert (info["ack_timeout_s"], info["max_attempts"], info["max_in_flight"]) == (1.5, 3, 7)
    again = run("group", "create", name, *args, *settings, *place)
    assert (again.code, again.out) == (0, f"group {name} is at position 0, {info['lag']} before the head\n")
    text = run("group", "show", name, *place).out
    assert f"events        event_types A B, aggregate_types {name}, tags x y\n" in text
    for line in (r"in flight +0 of at most 7", r"ack timeout +1.5 s", r"max attempts +3", r"parked +0 events in 0 agg"):
        assert re.search(f"^{line}", text, re.MULTILINE), text


def test_a_group_of_other_settings_is_a_conflict(run: Run, place: Place, name: str) -> None:
    assert run("group", "create", name, *place).code == 0
    refused = run("group", "create", name, "--max-attempts", 9, *place)
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.startswith(f"indelible: there is a consumer group {name} with another query")
    assert "indelible group show" in refused.err
    assert json.loads(run("group", "create", name, "--tag", "x", "--json", *place).err)["code"] == "group_exists"


def test_where_a_group_begins(run: Run, place: Place, name: str) -> None:
    first, second = appended(run, place, name, "12")
    head = lines(run("info", "--json", *place))[0]["head"]

    def position(*args: object) -> int:
        one = lines(run("group", "create", f"g{uuid4().hex}", *args, "--json", *place))[0]["position"]
        assert isinstance(one, int)
        return one

    assert position() == position("--start", "beginning") == position("--since", "2020-01-01T00:00:00Z") == 0
    assert position("--start", "end") == position("--since", "2100-01-01T00:00:00Z") == head == second
    assert position("--after", first) == first


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--start", "middle"), "'middle'"),
        (("--start", "end", "--after", "0"), "not several"),
        (("--since", "soon"), "since: must be 2h"),
        (("--after", "x"), "after: is not a cursor"),
        (("--ack-timeout", "0"), "ack_timeout_s: must be from 0.1"),
        (("--max-attempts", "0"), "max_attempts: must be an integer from 1"),
        (("--max-in-flight", "1.5"), "--max-in-flight"),
        (("--aggregate-type", ""), "aggregate_types/0: must"),
    ],
)
def test_what_no_group_can_be_made_with(run: Run, args: tuple[str, ...], says: str) -> None:
    refused = run("group", "create", "billing", *args, *STORE)
    assert (refused.code, refused.out) == (2, "")
    assert says in refused.err
    assert refused.err.count("\n") == 1


def test_groups_are_listed(run: Run, place: Place, name: str) -> None:
    positions = made(run, place, name)
    pulled(run, place, name)
    heading, *rows = run("group", "list", *place).out.splitlines()
    assert heading.split() == ["group", "position", "lag", "in_flight", "waiting", "parked", "parked_aggregates"]
    (row,) = [row.split() for row in rows if row.startswith(f"{name} ")]
    assert row == [name, str(positions[0] - 1), "3", "2", "0", "0", "0"]
    assert shown(run, place, name) in lines(run("group", "list", "--json", *place))


def test_settings_are_changed(run: Run, place: Place, name: str) -> None:
    made(run, place, name)
    (info,) = lines(run("group", "change", name, "--ack-timeout", 60, "--max-attempts", 2, "--json", *place))
    assert (info["ack_timeout_s"], info["max_attempts"], info["max_in_flight"]) == (60, 2, 1000)
    assert "in flight     0 of at most 5\n" in run("group", "change", name, "--max-in-flight", 5, *place).out
    nothing = run("group", "change", name, *place)
    assert (nothing.code, "--max-in-flight" in nothing.err) == (2, True)


def test_a_reset_delivers_again(run: Run, place: Place, name: str) -> None:
    positions = made(run, place, name)
    taken = [one["delivery_id"] for one in pulled(run, place, name)]
    reset = run("group", "reset", name, "--after", positions[0], *place)
    assert (reset.code, reset.out) == (0, f"group {name} is at position {positions[0]}, 2 before the head\n")
    lost = run("group", "ack", name, *taken, *place)
    assert (lost.code, lost.out, lost.err) == (1, "acknowledged: 0\n", "".join(f"lost: {one}\n" for one in taken))
    assert [one["event"]["position"] for one in pulled(run, place, name)] == positions[1:]
    assert lines(run("group", "reset", name, "--start", "end", "--json", *place))[0]["lag"] == 0
    assert pulled(run, place, name) == []
    unsaid = run("group", "reset", name, *place)
    assert (unsaid.code, unsaid.out) == (2, "")
    assert "--since" in unsaid.err


def test_a_group_is_deleted_when_that_is_said_twice(run: Run, place: Place, name: str, tmp_path: Path) -> None:
    made(run, place, name)
    with Path(os.devnull).open() as nobody:
        process = subprocess.run(
            [COMMAND, "group", "delete", name, *place],
            stdin=nobody, capture_output=True, text=True, env=environment(), timeout=TIMEOUT_S, check=False,
            cwd=tmp_path,
        )  # fmt: skip
    assert (process.returncode, process.stdout) == (2, "")
    assert "give --yes" in process.stderr
    assert shown(run, place, name)
    assert run("group", "delete", name, "--yes", *place) == Ran(0, f"group {name} is deleted\n", "")
    assert run("group", "delete", name, "--yes", *place).code == 4


@pytest.mark.parametrize(("answer", "code", "is_deleted"), [("y\n", 0, True), ("n\n", 1, False), ("\n", 1, False)])
def test_a_terminal_is_asked(run: Run, tmp_path: Path, answer: str, code: int, is_deleted: bool) -> None:
    made(run, STORE, "billing", aggregates="1")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "group", "delete", "billing", *STORE],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    os.write(ours, answer.encode())
    out, err = process.communicate(timeout=TIMEOUT_S)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == code
    assert out == ("group billing is deleted\n" if is_deleted else "")
    assert "Delete group billing" in err
    assert run("group", "show", "billing", *STORE).code == (4 if is_deleted else 0)


@pytest.mark.parametrize(
    "args",
    [
        ("show",), ("change", "--max-attempts", "2"), ("delete", "--yes"), ("reset", "--start", "end"), ("in-flight",),
        ("parked",), ("skipped",), ("redrive", "--all"), ("skip", "1", "--reason", "x"), ("pull",), ("ack", "1-1"),
        ("nack", "1-1"), ("extend", "1-1"), ("consume", "true"),
    ],
)  # fmt: skip
def test_a_group_that_is_not_there(run: Run, place: Place, name: str, args: tuple[str, ...]) -> None:
    run("append", "order", "1", "Placed", *place)
    ran = run("group", args[0], name, *args[1:], *place)
    hint = "list those there are: indelible group list"
    assert ran == Ran(4, "", f"indelible: no consumer group {name}; {hint}\n")


# --- Deliveries ------------------------------------------------------------------------------------------------------


def test_deliveries_are_pulled_and_acknowledged(run: Run, place: Place, name: str) -> None:
    positions = made(run, place, name)
    first, other = pulled(run, place, name, "--member", "me")
    assert [first["event"]["position"], other["event"]["position"]] == [positions[0], positions[2]]
    assert (first["attempt"], first["event"]["aggregate_type"], set(first)) == (
        1, name, {"delivery_id", "attempt", "deadline", "event"}
    )  # fmt: skip
    flying = lines(run("group", "in-flight", name, "--json", *place))
    assert [(one["position"], one["member"], one["attempt"]) for one in flying] == [
        (positions[0], "me", 1),
        (positions[2], "me", 1),
    ]
    assert run("group", "in-flight", name, *place).out.splitlines()[1].split()[:6] == [
        str(positions[0]), name, "1", "1", "1", "me"
    ]  # fmt: skip
    done = run("group", "ack", name, first["delivery_id"], *place)
    assert done == Ran(0, "acknowledged: 1\n", "")
    assert lines(run("group", "ack", name, first["delivery_id"], other["delivery_id"], "--json", *place)) == [
        {"settled": 2, "lost": []}
    ]
    (last,) = pulled(run, place, name)
    assert (last["event"]["position"], last["event"]["version"]) == (positions[1], 2)


def test_pull_prints_for_people(run: Run, place: Place, name: str) -> None:
    (position,) = made(run, place, name, aggregates="1")
    shown_line = run("group", "pull", name, *place).out
    assert re.fullmatch(rf"{position}-\d+  attempt 1  {position}  \S+Z  {name}-1 1  Placed  null\n", shown_line), (
        shown_line
    )
    assert run("group", "pull", name, *place) == Ran(0, "", "")


def test_a_refused_event_comes_again_and_more_time_is_given(run: Run, place: Place, name: str) -> None:
    made(run, place, name, aggregates="1")
    (first,) = pulled(run, place, name)
    extended = run("group", "extend", name, first["delivery_id"], "--ack-timeout", 300, *place)
    assert extended == Ran(0, "extended: 1\n", "")
    (flying,) = lines(run("group", "in-flight", name, "--json", *place))
    assert flying["deadline"] > first["deadline"]
    assert run("group", "nack", name, first["delivery_id"], "--delay", 0.2, *place).out == "refused: 1\n"
    (again,) = pulled(run, place, name, "--wait", 20)
    assert again["attempt"] == 2
    lost = run("group", "extend", name, first["delivery_id"], "--json", *place)
    assert (lost.code, json.loads(lost.out)) == (1, {"settled": 0, "lost": [first["delivery_id"]]})


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("pull", "g", "--limit", "1001"), "limit: "),
        (("pull", "g", "--wait", "-1"), "wait_s: "),
        (("ack", "g", "nonsense"), "delivery_ids/0: is not a delivery id"),
        (("ack", "g"), "Missing argument"),
        (("nack", "g", "1-1", "--delay", "-1"), "delay_s: "),
        (("extend", "g", "1-1", "--ack-timeout", "0"), "ack_timeout_s: "),
        (("redrive", "g"), "--all"),
        (("redrive", "g", "1", "--all"), "--all"),
        (("redrive", "g", "x"), "'positions'"),
        (("skip", "g", "1"), "--reason"),
        (("skip", "g", "1", "--reason", ""), "reason: must be text"),
        (("parked", "g", "--after", "x"), "after: "),
        (("consume", "g", "no-such-command"), "there is no command no-such-command"),
        (("consume", "g", "--delay", "-1", "true"), "delay_s: "),
        (("consume", "g"), "Missing argument"),
    ],
)
def test_what_is_refused(run: Run, args: tuple[str, ...], says: str) -> None:
    assert run("group", "create", "g", *STORE).code == 0
    ran = run("group", *args, *STORE)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1


# --- Parked events ---------------------------------------------------------------------------------------------------


def test_parked_events_are_looked_at_redriven_and_skipped(run: Run, place: Place, name: str) -> None:
    positions = made(run, place, name, aggregates="112")
    ids = [one["delivery_id"] for one in pulled(run, place, name)]
    assert run("group", "nack", name, *ids, "--park", "--reason", "no such customer", *place).code == 0
    parked = lines(run("group", "parked", name, "--json", *place))
    assert [(one["position"], one["following"], one["reason"]) for one in parked] == [
        (positions[0], 1, "no such customer"),
        (positions[2], 0, "no such customer"),
    ]
    heading, row = run("group", "parked", name, "--limit", 1, *place).out.splitlines()
    assert heading.split()[-2:] == ["parked_at", "reason"]
    assert row.endswith("Z  no such customer")
    assert lines(run("group", "parked", name, "--after", positions[0], "--json", *place)) == parked[1:]
    assert re.search(r"parked +3 events in 2 aggregates", run("group", "show", name, *place).out)

    assert run("group", "redrive", name, positions[0], *place) == Ran(0, "redriven: 1\n", "")
    (again,) = pulled(run, place, name)
    assert (again["attempt"], again["event"]["position"]) == (1, positions[0])
    skipped = run("group", "skip", name, positions[2], "--reason", "a test", "--json", *place)
    assert lines(skipped) == [{"skipped": 1}]
    (one,) = lines(run("group", "skipped", name, "--json", *place))
    assert (one["position"], one["reason"], one["parked_reason"]) == (positions[2], "a test", "no such customer")
    assert run("group", "skipped", name, *place).out.splitlines()[1].endswith("Z  a test  no such customer")
    assert run("group", "parked", name, "--json", *place) == Ran(0, "", "")
    assert run("group", "redrive", name, "--all", *place).out == "redriven: 0\n"


def test_what_is_not_parked_is_not_found(run: Run, place: Place, name: str) -> None:
    (position,) = made(run, place, name, aggregates="1")
    for args in (("redrive", name, position), ("skip", name, position, "--reason", "x")):
        ran = run("group", *args, *place)
        assert (ran.code, ran.out) == (4, "")
        assert f"no parked event at position {position} that holds up its aggregate; list them" in ran.err
        assert json.loads(run("group", *args, "--json", *place).err)["code"] == "parked_event_not_found"


# --- Help ------------------------------------------------------------------------------------------------------------


def test_help_of_every_command_has_an_example(run: Run) -> None:
    names = re.findall(r"^  ([a-z-]+) ", run("group", "--help").out.partition("Commands:")[2], re.MULTILINE)
    assert len(names) == 16
    for command in names:
        ran = run("group", command, "--help")
        assert ran.code == 0
        assert re.search(rf"^  indelible group {command}\b", ran.out, re.MULTILINE), command
