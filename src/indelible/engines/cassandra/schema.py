"""The tables, one file each: ``cql/tables/{name}.cql``.

Nothing but ``indelible init`` makes them. Two nodes that are asked for the same table at the same moment may make two
of it, and a cluster does not get over that by itself; servers start together, whoever runs ``init`` does it once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import resources
from typing import Final

from indelible.engines.cassandra.session import CassandraSession, text_of
from indelible.errors import InvalidRequest, Unavailable
from indelible.limits import CASSANDRA_DEFINE_SETTLE_S, DATABASE_RETRY_WAIT_S

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

        async def is_there(name: str = name) -> bool:
            return name not in await missing_tables(session)

        await _define(session, text_of(f"{_TABLES}/{name}", session.address.keyspace), is_there)


async def _define(session: CassandraSession, text: str, is_there: Callable[[], Awaitable[bool]]) -> None:
    """Where the answer is lost, what was asked for may be there, or come late. It is not asked for again before: two of
    one table are what a cluster does not get over."""
    for _ in range(_ATTEMPTS - 1):
        try:
            await session.define(text)
        except Unavailable:
            if not await _comes(session, is_there):
                continue
        return
    await session.define(text)


async def _comes(session: CassandraSession, is_there: Callable[[], Awaitable[bool]]) -> bool:
    end = time.monotonic() + CASSANDRA_DEFINE_SETTLE_S
    while True:
        await session.agree()
        if await is_there():
            return True
        if time.monotonic() > end:
            return False
        await asyncio.sleep(DATABASE_RETRY_WAIT_S)


_ATTEMPTS: Final = 3


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
    text = text_of("make_keyspace", session.address.keyspace).replace("{copies}", options)

    async def is_there() -> bool:
        return await replication_of(session) is not None

    await _define(session, text, is_there)


async def grant_runtime_role(session: CassandraSession, role: str, password: str | None) -> bool:
    """Make ``role`` if there is none, and give it what a server needs: to read and to write the keyspace's tables, and
    to make none. Whether it is new. Raises the store's errors."""

    async def is_there() -> bool:
        return bool(await session.read("role_named", role=role))

    is_new = not await is_there()
    name, secret = (text.replace("'", "''") for text in (role, password or ""))
    with_secret = f" AND PASSWORD = '{secret}'" if password else ""
    made = f"{'CREATE' if is_new else 'ALTER'} ROLE '{name}' WITH LOGIN = true{with_secret}"
    await (_define(session, made, is_there) if is_new else session.define(made))
    for right in ("SELECT", "MODIFY"):
        await session.define(f"GRANT {right} ON KEYSPACE {session.address.keyspace} TO '{name}'")
    return is_new
