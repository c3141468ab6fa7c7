"""indelible init and doctor of a store in Cassandra, on real nodes."""

import json
from collections.abc import Iterator

import pytest

from cassandra_servers import CassandraServers, cassandra_servers
from cassandra_sharing import SharedCassandra
from cli.conftest import Run
from conformance.storages import WITH_SLOW

APPEND = ("append", "order", "1", "OrderPlaced")


@pytest.fixture
def keyspace(cassandra: SharedCassandra) -> Iterator[str]:
    """One that is not there yet."""
    with cassandra.servers.session() as session:
        session.execute("DROP KEYSPACE IF EXISTS made_by_init")
        yield "made_by_init"
        session.execute("DROP KEYSPACE IF EXISTS made_by_init")


def test_init_makes_all_that_servers_need(run: Run, cassandra: SharedCassandra, keyspace: str) -> None:
    store = ("--store", cassandra.servers.url(keyspace))
    before = run(*APPEND, *store)
    assert before.code != 0
    assert "indelible init" in before.err
    refused = run("init", *store, "--replication", "north=3")
    assert (refused.code, "no datacenter 'north'; it has datacenter1" in refused.err) == (2, True)
    made = json.loads(run("init", *store, "--replication", "2", "--json").out)
    assert made["steps"][0] == f"keyspace {keyspace} with 2 copies in datacenter1"
    assert "table log" in made["steps"]
    assert json.loads(run("init", *store, "--json").out)["steps"] == []
    other = run("init", *store, "--replication", "3")
    assert "with datacenter1=2; ALTER KEYSPACE and a repair change that" in other.err
    assert "no post-deploy steps" in run("init", *store, "--post-deploy").err
    assert run(*APPEND, *store).code == 0
    found = json.loads(run("doctor", *store, "--json").out)["findings"]
    assert [(one["level"], one["message"]) for one in found if one["check"] == "keyspace"] == [
        ("problem", "2 copies in datacenter1, which has 3 nodes")
    ]


def test_doctor_finds_good_nodes_good(run: Run, cassandra: SharedCassandra) -> None:
    ran = run("doctor", "--store", cassandra.new_url(), "--json")
    found = [
        one for one in json.loads(ran.out)["findings"] if one["check"] in {"nodes", "settings of nodes", "keyspace"}
    ]
    assert ran.code == 0
    assert {one["level"] for one in found} == {"ok"}
    assert "all 3 nodes answer" in [one["message"] for one in found]


@pytest.fixture(scope="module")
def guarded() -> Iterator[CassandraServers]:
    """One node that asks who it is."""
    with cassandra_servers(1, login=True) as servers:
        yield servers


@pytest.mark.skipif(not WITH_SLOW, reason="a node that asks who connects takes a minute: make conformance")
def test_servers_need_a_role_that_makes_nothing(run: Run, guarded: CassandraServers) -> None:
    def store(login: str) -> tuple[str, str]:
        return "--store", guarded.url("events").replace("://", f"://{login}@")

    owner, server = store("cassandra:cassandra"), store("indelible_server:right%3A'")
    refused = run("init", *owner)
    assert (refused.code, "has 1 node for 3 copies of everything" in refused.err) == (2, True)
    made = run(
        "init", *owner, "--replication", "1", "--runtime-role", "indelible_server", INDELIBLE_RUNTIME_PASSWORD="right:'"
    )
    assert made.code == 0, made.err
    assert "role   indelible_server (made)" in made.out
    assert "was there" in run("init", *owner, "--runtime-role", "indelible_server").out
    assert run(*APPEND, *server).code == 0
    assert run("verify", *server).code == 0
    # It may make nothing, and nobody gets in with another password.
    assert (
        "refuses" in run("init", *store("indelible_server:right%3A'"), "--replication", "1", "--runtime-role", "x").err
    )
    assert run(*APPEND, *store("indelible_server:wrong")).code != 0
