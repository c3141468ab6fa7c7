"""The tables, one file each: ``cql/tables/{name}.cql``.

Nothing but ``indelible init`` makes them. Two nodes that are asked for the same table at the same moment may make two
of it, and a cluster does not get over that by itself; servers start together, whoever runs ``init`` does it once.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final

from indelible.engines.cassandra.session import CassandraSession, text_of
from indelible.errors import InvalidRequest

_TABLES: Final = "tables"


def table_names() -> list[str]:
    files = resources.files(__package__).joinpath("cql", _TABLES).iterdir()
    return sorted(file.name.removesuffix(".cql") for file in files)


async def missing_tables(session: CassandraSession) -> list[str]:
    """Those that the keyspace lacks. Raises ``Unavailable``."""
    rows = await session.read("table_names", keyspace_name=session.address.keyspace)
    return sorted(set(table_names()) - {name for (name,) in rows})


async def make_tables(session: CassandraSession, names: Sequence[str]) -> None:
    """Make these, one after the other. Raises the store's errors."""
    for name in names:
        await session.define(text_of(f"{_TABLES}/{name}", session.address.keyspace))


async def check_tables(session: CassandraSession) -> None:
    """Raises ``InvalidRequest`` where a table is missing."""
    missing = await missing_tables(session)
    if missing:
        raise InvalidRequest(
            f'the keyspace {session.address.keyspace} lacks {", ".join(missing)}: "indelible init" makes its tables',
            pointer="/store",
        )


# --- The keyspace ----------------------------------------------------------------------------------------------------


async def replication_of(session: CassandraSession) -> dict[str, str] | None:
    """Copies by datacenter, as the keyspace's options have them, its class included; None when there is no keyspace.
    Raises ``Unavailable``."""
    for (replication,) in await session.read("replication_of", keyspace_name=session.address.keyspace):
        return dict(replication)
    return None


async def make_keyspace(session: CassandraSession, copies: Mapping[str, int]) -> None:
    """``copies`` by datacenter."""
    options = ", ".join(f"'{name}': {number}" for name, number in copies.items())
    await session.define(text_of("make_keyspace", session.address.keyspace).replace("{copies}", options))


async def grant_runtime_role(session: CassandraSession, role: str, password: str | None) -> bool:
    """Make ``role`` if there is none, and give it what a server needs: to read and to write the keyspace's tables, and
    to make none. Whether it is new. Raises the store's errors."""
    is_new = not await session.read("role_named", role=role)
    name, secret = (text.replace("'", "''") for text in (role, password or ""))
    with_secret = f" AND PASSWORD = '{secret}'" if password else ""
    await session.define(f"{'CREATE' if is_new else 'ALTER'} ROLE '{name}' WITH LOGIN = true{with_secret}")
    for right in ("SELECT", "MODIFY"):
        await session.define(f"GRANT {right} ON KEYSPACE {session.address.keyspace} TO '{name}'")
    return is_new
