"""indelible relay …: relays are looked after, on a local store and on a server."""

import json
import re
from uuid import uuid4

import pytest

from cli.conftest import Run
from indelible import Client, Cursor, NewEvent
from indelible.relay_state import RefusedEvent

Place = tuple[str, str]


@pytest.fixture
def relay(run: Run, place: Place) -> str:
    """A relay that was run before: it has published one of two events."""
    name = f"r{uuid4().hex}"
    with Client(place[1].replace("sqlite:", "sqlite:./")) as client:
        first = client.append(name, "1", [NewEvent("Placed"), NewEvent("Paid")]).events[0]
        lease = client.relays.claim(name, "host 1", lease_s=60)
        client.relays.advance(name, lease.epoch, Cursor(first.position), published=1)
        client.relays.release(name, lease.epoch)
    return name


def test_a_relay_is_shown_and_listed(run: Run, place: Place, relay: str) -> None:
    text = run("relay", "status", relay, *place).out
    for line in (r"state +unowned", r"problem +none", r"owner +host 1, for 0.0 s more", r"lag +1 pos", r"published +1"):
        assert re.search(f"^{line}", text, re.MULTILINE), text
    shown = json.loads(run("relay", "status", relay, "--json", *place).out)
    listed = [json.loads(line) for line in run("relay", "list", "--json", *place).out.splitlines()]
    (again,) = [one for one in listed if one["relay"] == relay]
    assert {**again, "lag_s": 0} == {**shown, "lag_s": 0}
    assert relay in run("relay", "list", *place).out


def test_a_relay_is_paused_resumed_and_reset(run: Run, place: Place, relay: str) -> None:
    position = json.loads(run("relay", "status", relay, "--json", *place).out)["position"]
    assert (
        run("relay", "pause", relay, *place).out
        == f"relay {relay} is paused at position {position}, 1 before the head\n"
    )
    assert run("relay", "resume", relay, *place).out.startswith(f"relay {relay} is unowned at")
    assert f"at position {position - 1}, 2 before" in run("relay", "reset", relay, "--after", position - 1, *place).out
    ran = run("relay", "reset", relay, *place)
    assert (ran.code, "give one of start, after and since" in ran.err) == (2, True)


def test_a_range_is_published_again(run: Run, place: Place, relay: str) -> None:
    position = json.loads(run("relay", "status", relay, "--json", *place).out)["position"]
    ran = run("relay", "replay", relay, "--from", position - 1, "--to", position + 1, *place)
    assert (ran.code, f"until: is past the relay's checkpoint, {position}: " in ran.err) == (2, True)
    begun = f"replay of relay {relay}: replay-1 at position {position - 1} of {position}, 0 published\n"
    assert run("relay", "replay", relay, "--after", position - 1, *place).out == begun
    assert run("relay", "replay", relay, "--from", position - 1, "--to", position, *place).out == begun
    assert f"replay     {begun.partition(': ')[2]}" in run("relay", "status", relay, *place).out
    if position > 1:
        ran = run("relay", "replay", relay, "--start", "beginning", *place)
        assert (ran.code, "replay-1" in ran.err) == (3, True)
    shown = json.loads(run("relay", "replay", relay, "--cancel", "--json", *place).out)
    assert (shown["relay"], shown["replay"]) == (relay, None)
    for wrong in ((), ("--cancel", "--from", "0"), ("--start", "end", "--from", "0")):
        assert run("relay", "replay", relay, *wrong, *place).code == 2


def test_events_that_were_set_aside_are_looked_after(run: Run, place: Place, relay: str) -> None:
    position = json.loads(run("relay", "status", relay, "--json", *place).out)["position"] + 1
    with Client(place[1].replace("sqlite:", "sqlite:./")) as client:
        lease = client.relays.claim(relay, "host 1", lease_s=60)
        refused = RefusedEvent(position, "it is too large")
        client.relays.advance(relay, lease.epoch, Cursor(position), published=1, refused=refused)
    listed = run("relay", "set-aside", "list", relay, *place).out
    assert re.search(rf"^ *{position}  {relay} +1 +.*it is too large$", listed, re.MULTILINE), listed
    assert "1, 0 to be published again" in run("relay", "status", relay, *place).out
    ran = run("relay", "set-aside", "retry", relay, position, 777_777, *place)
    assert (ran.code, "no event at position 777777; list those there are" in ran.err) == (4, True)
    assert run("relay", "set-aside", "retry", relay, position, *place).out == "to be published again: 1\n"
    (one,) = [json.loads(line) for line in run("relay", "set-aside", "list", relay, "--json", *place).out.splitlines()]
    assert (one["position"], one["reason"], one["retry"]) == (position, "it is too large", "replay-1")
    assert run("relay", "set-aside", "dismiss", relay, *place).code == 2
    assert run("relay", "set-aside", "dismiss", relay, "--all", *place).out == "dismissed: 1\n"
    assert json.loads(run("relay", "set-aside", "retry", relay, "--all", "--json", *place).out) == {"retried": 0}


def test_a_relay_that_is_not_there(run: Run, place: Place) -> None:
    run("append", "order", "1", "Placed", *place)
    ran = run("relay", "pause", "nosuch", *place)
    assert (ran.code, "relay list" in ran.err) == (4, True)
