"""Holds up the commits of a PostgreSQL store, so that what is wrong between statement and commit has time to happen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from indelible.engines.postgres.connections import parse_address

_INSTALL = Path(__file__).with_suffix(".sql")
_REMOVE = "DROP FUNCTION {schema}.sleep_before_commit() CASCADE"


@asynccontextmanager
async def slow_commits(store: str, delay_max_s: float) -> AsyncIterator[None]:
    """Each transaction that advances the head sleeps before it commits: a random time up to ``delay_max_s``, holding
    its locks. ``store`` must be the URL of a superuser, or of the tables' owner."""
    address = parse_address(store)
    names = {"schema": Identifier(address.schema), "delay_max_s": Literal(str(delay_max_s))}
    async with await psycopg.AsyncConnection.connect(**address.conninfo, autocommit=True) as connection:
        await connection.execute(SQL(_INSTALL.read_text("utf-8")).format(**names))
        try:
            yield
        finally:
            await connection.execute(SQL(_REMOVE).format(**names))
