"""What callers are told whose URL leads to no node, and how tables are made on nodes that are slow to answer."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from cassandra_sharing import SharedCassandra
from indelible.engines.cassandra import managing, schema
from indelible.engines.cassandra.address import parse_address
from indelible.engines.cassandra.session import CassandraSession, acquire
from indelible.errors import InvalidRequest, Unavailable


async def test_hosts_that_nobody_knows_are_named():
    with pytest.raises(Unavailable, match=r"no address is known for nowhere\.invalid, never\.invalid"):
        await acquire(parse_address("cassandra://nowhere.invalid,never.invalid/ks"))


async def test_a_datacenter_that_there_is_not_is_named(cassandra: SharedCassandra):
    with pytest.raises(InvalidRequest, match="datacenter is 'north', which the cluster lacks; it has datacenter1"):
        await acquire(parse_address(cassandra.new_url("&datacenter=north")))


# --- Making tables ---------------------------------------------------------------------------------------------------


class _Slow:
    """A session whose nodes make what is asked for, and say so late or never."""

    def __init__(self, lost: Sequence[str], *, comes_after: int = 0) -> None:
        self.address = parse_address("cassandra://h/ks")
        self.nodes = ()
        self.tables: set[str] = set()
        self.defined: list[str] = []
        self._lost = list(lost)
        self._comes_after = comes_after
        self._coming: dict[str, int] = {}

    async def define(self, text: str) -> None:
        (name,) = [one for one in schema.table_names() if f"ks.{one} (" in text]
        self.defined.append(name)
        if name in self._lost:
            self._lost.remove(name)
            self._coming[name] = self._comes_after
            raise Unavailable("Cassandra cannot be reached (connection was closed)", retry_after_s=1)
        self.tables.add(name)

    async def agree(self) -> None:
        for name, looks in list(self._coming.items()):
            self._coming[name] = looks - 1
            if not looks:
                self.tables.add(name)
        await asyncio.sleep(0)

    async def read(self, name: str, **_: Any) -> list[tuple[Any, ...]]:
        if name == "replication_of":
            return [({"class": "NetworkTopologyStrategy", "datacenter1": "3"},)]
        assert name == "table_names"
        return [(one,) for one in self.tables]


async def _init(session: _Slow) -> list[str]:
    report = await managing.init(cast("CassandraSession", session), replication=None, runtime_role=None, password=None)
    return [step.removeprefix("table ") for step in report.steps]


@pytest.mark.parametrize("comes_after", [0, 2])
async def test_a_table_whose_answer_was_lost_is_not_asked_for_again(comes_after: int):
    session = _Slow(["heads", "versions"], comes_after=comes_after)
    assert await _init(session) == session.defined == schema.table_names()
    assert sorted(session.tables) == schema.table_names()


async def test_a_table_that_does_not_come_is_asked_for_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(schema, "CASSANDRA_DEFINE_SETTLE_S", 0.1)
    session = _Slow(["heads", "heads"], comes_after=10_000)
    assert await _init(session) == schema.table_names()
    assert session.defined.count("heads") == 3
    session = _Slow(["heads"] * 3, comes_after=10_000)
    with pytest.raises(Unavailable):
        await _init(session)
