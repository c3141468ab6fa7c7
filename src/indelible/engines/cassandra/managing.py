"""What ``indelible init`` does: the keyspace, its tables, and a role for servers; only what is missing."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from indelible.engines.cassandra import schema
from indelible.engines.cassandra.session import CassandraSession
from indelible.engines.engine import InitReport
from indelible.errors import InvalidRequest
from indelible.limits import CASSANDRA_COPIES_DEFAULT, CASSANDRA_COPIES_MAX

_COPIES: Final = re.compile(r"((?P<datacenter>[^=,'\"\s]+)=)?(?P<number>[0-9]{1,2})")


async def init(
    session: CassandraSession, *, replication: str | None, runtime_role: str | None, password: str | None
) -> InitReport:
    """Raises the store's errors; ``InvalidRequest`` where there are fewer nodes than copies that nobody asked for."""
    steps = []
    if (made := await _make_keyspace(session, replication)) is not None:
        steps.append(f"keyspace {session.address.keyspace} with {_shown(made)}")
    for table in await schema.missing_tables(session):
        await schema.make_tables(session, [table])
        steps.append(f"table {table}")
    is_new = runtime_role is not None and await schema.grant_runtime_role(session, runtime_role, password)
    return InitReport(tuple(steps), runtime_role, is_new)


async def _make_keyspace(session: CassandraSession, replication: str | None) -> Mapping[str, int] | None:
    """What it was made with; None when it is there."""
    nodes = Counter(str(node.datacenter) for node in session.nodes)
    asked = None if replication is None else parse_replication(replication, nodes)
    there = await schema.replication_of(session)
    if there is not None:
        _check_same(session.address.keyspace, asked, there)
        return None
    copies = asked or dict.fromkeys(sorted(nodes), CASSANDRA_COPIES_DEFAULT)
    if asked is None:
        _check_enough(copies, nodes)
    await schema.make_keyspace(session, copies)
    return copies


def parse_replication(text: str, nodes: Mapping[str, int]) -> dict[str, int]:
    """Copies by datacenter, from ``3`` for all, or ``east=3,west=3``. ``nodes``: how many each datacenter has. Raises
    :class:`InvalidRequest`."""
    found: dict[str, int] = {}
    for part in text.split(","):
        match = _COPIES.fullmatch(part)
        if match is None or not 1 <= int(match["number"]) <= CASSANDRA_COPIES_MAX:
            raise _refused(f'{text!r} is not a number of copies, such as "3" or "east=3,west=3"')
        named = [match["datacenter"]] if match["datacenter"] else sorted(nodes)
        found.update(dict.fromkeys(named, int(match["number"])))
    if unknown := sorted(found.keys() - nodes.keys()):
        raise _refused(f"the cluster has no datacenter {unknown[0]!r}; it has {', '.join(sorted(nodes))}")
    return found


def _check_enough(copies: Mapping[str, int], nodes: Mapping[str, int]) -> None:
    for name, number in copies.items():
        if nodes[name] < number:
            has = f"{nodes[name]} node{'' if nodes[name] == 1 else 's'}"
            raise _refused(
                f"the datacenter {name} has {has} for {number} copies of everything: start more, or ask for fewer"
                f' copies, such as "--replication {name}=1"'
            )


def _check_same(keyspace: str, asked: Mapping[str, int] | None, there: Mapping[str, str]) -> None:
    kept = {name: number for name, number in there.items() if name != "class"}
    if asked is not None and {name: str(number) for name, number in asked.items()} != kept:
        shown = ", ".join(f"{name}={number}" for name, number in kept.items())
        raise _refused(f"the keyspace {keyspace} is there, with {shown}; ALTER KEYSPACE and a repair change that")


def _shown(copies: Mapping[str, int]) -> str:
    return ", ".join(f"{number} copies in {name}" for name, number in copies.items())


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest(message, pointer="/replication")
