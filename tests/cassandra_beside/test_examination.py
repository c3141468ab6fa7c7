"""What "doctor" says of nodes that are not as they should be, and what "init" is told of copies."""

import pytest

from indelible.engines.cassandra.examination import _Asked, _clocks, _copies, _nodes, _settings, _versions
from indelible.engines.cassandra.managing import _check_enough, parse_replication
from indelible.errors import InvalidRequest

GOOD = {
    "commitlog_sync": "group", "paxos_variant": "v2", "paxos_state_purging": "repaired", "disk_failure_policy": "die",
    "commit_failure_policy": "die",
}  # fmt: skip
NETWORK = "org.apache.cassandra.locator.NetworkTopologyStrategy"


def asked(number: int = 1, version: str = "5.0.6", ahead_s: float = 0.0, **settings: str) -> _Asked:
    return _Asked(f"10.0.0.{number}", version, ahead_s, {**GOOD, **settings})


def test_good_nodes_have_no_problem() -> None:
    nodes = [asked(n) for n in (1, 2, 3)]
    found = [*_nodes(3, []), *_versions(nodes), *_settings(nodes), *_clocks(nodes)]
    assert {one.level for one in found} == {"ok"}
    assert len(found) == 1 + len(GOOD)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("commitlog_sync", "periodic"), ("paxos_variant", "v1"), ("paxos_state_purging", "legacy"),
     ("disk_failure_policy", "ignore"), ("commit_failure_policy", "stop_commit")],
)  # fmt: skip
def test_a_node_that_is_set_otherwise_is_named(setting: str, value: str) -> None:
    (found,) = [one for one in _settings([asked(1), asked(2, **{setting: value})]) if one.level != "ok"]
    assert (found.level, found.message) == ("problem", f"{setting} is {value} on 10.0.0.2")
    assert found.advice is not None


def test_settings_that_may_not_be_read() -> None:
    (found,) = _settings([_Asked("10.0.0.1", "5.0.6", 0.0, None)])
    assert (found.level, found.message) == ("notice", "this role may not read the nodes' settings")


def test_old_and_mixed_versions() -> None:
    assert [one.level for one in _versions([asked(version="4.1.6"), asked(2, version="5.0.6")])] == ["notice"]
    assert [one.level for one in _versions([asked(version="4.1.5")])] == ["problem"]
    assert [one.level for one in _versions([asked(version="5.1-SNAPSHOT")])] == []


def test_clocks_that_differ() -> None:
    ((ahead,), (behind,)) = ([*_clocks([asked(ahead_s=away)])] for away in (2.5, -90.0))
    assert ahead.message == "the clock of 10.0.0.1 is 2.5 s ahead of this machine's"
    assert behind.message == "the clock of 10.0.0.1 is 90.0 s behind this machine's"


def test_nodes_that_do_not_answer() -> None:
    (found,) = _nodes(2, ["10.0.0.3 (timed out)"])
    assert (found.level, found.message) == ("problem", "1 of 3 nodes do not answer: 10.0.0.3 (timed out)")


def test_copies() -> None:
    def levels(nodes: int, **copies: str) -> list[str]:
        return [one.level for one in _copies({"class": NETWORK, **copies}, {"east": nodes})]

    assert levels(3, east="3") == levels(5, east="5") == ["ok"]
    assert levels(3, east="1") == levels(3, east="2") == levels(2, east="3") == ["problem"]
    assert levels(3, east="3", west="3") == ["ok", "problem"]
    assert [one.level for one in _copies(None, {})] == ["notice"]
    simple = {"class": NETWORK.replace("NetworkTopology", "Simple"), "replication_factor": "3"}
    assert [one.level for one in _copies(simple, {"east": 3})] == ["notice"]


def test_copies_that_are_asked_for() -> None:
    nodes = {"east": 3, "west": 2}
    assert parse_replication("3", nodes) == {"east": 3, "west": 3}
    assert parse_replication("east=3,west=2", nodes) == {"east": 3, "west": 2}
    for bad in ("", "0", "16", "east", "east=", "east=3;west=3", "east=three", "north=3", "'=1"):
        with pytest.raises(InvalidRequest) as refused:
            parse_replication(bad, nodes)
        assert refused.value.fields["pointer"] == "/replication"


def test_fewer_nodes_than_copies_are_refused() -> None:
    _check_enough({"east": 3}, {"east": 3})
    with pytest.raises(InvalidRequest, match=r"west has 1 node for 3 copies .*--replication west=1"):
        _check_enough({"east": 3, "west": 3}, {"east": 3, "west": 1})
