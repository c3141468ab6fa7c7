"""The schema: what steps lead to it, and whether this program and a stored schema fit together.

A version has a pre-deploy step, which only adds, and may have a post-deploy step, which takes away what only older
programs need. So a program runs on every schema that has its own version's pre-deploy step and lacks any newer
version's post-deploy step: servers of two neighbouring versions share a database while one replaces the other.
"""

from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Final, Literal, NamedTuple

import psycopg

from indelible.engines.postgres.connections import Connection
from indelible.engines.postgres.statements import in_schema, text_of
from indelible.errors import InvalidRequest

Step = Literal["pre", "post"]
SERVER_VERSION_LEAST: Final = 14_00_00


class Migration(NamedTuple):
    """One step of one version."""

    version: int
    step: Step
    sql: str
    """With ``{schema}`` where the schema's name goes."""


class Done(NamedTuple):
    """How far a stored schema is, by step; 0 where nothing is done."""

    pre: int
    post: int


def migrations() -> list[Migration]:
    """Every step, in order."""
    folder = resources.files(__package__).joinpath("migrations")
    return [
        Migration(version, step, text_of("migrations", name.removesuffix(".sql")))
        for version, step, name in in_order(entry.name for entry in folder.iterdir())
    ]


def in_order(names: Iterable[str]) -> list[tuple[int, Step, str]]:
    """Version, step and name of the files that are steps, such as ``0002_groups.pre.sql``."""
    found: list[tuple[int, Step, str]] = [
        (int(name[:4]), "post" if name.endswith(".post.sql") else "pre", name) for name in names if name[:4].isdigit()
    ]
    return sorted(found, key=lambda one: (one[0], one[1] == "post"))


def newest(steps: Sequence[Migration]) -> int:
    return max(migration.version for migration in steps)


async def check_server(connection: Connection) -> None:
    """Raises :class:`InvalidRequest` for a database that cannot hold a store."""
    if connection.info.server_version < SERVER_VERSION_LEAST:
        major = SERVER_VERSION_LEAST // 10_000
        raise InvalidRequest(
            f"PostgreSQL {major} or newer is needed, not {connection.info.server_version // 10_000}", pointer="/store"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in ("UTF8", None):
        raise InvalidRequest(f"the database's encoding is {encoding}; events need one in UTF8", pointer="/store")


async def read_done(connection: Connection, schema: str) -> Done | None:
    """None when there is no store in the schema."""
    # Not by to_regclass: it goes by what the connection remembers of the catalogue, which may be older than the lock.
    sql = """
        SELECT EXISTS (
            SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND c.relname = 'schema_steps'
        )
    """
    if not await _value(connection, sql, schema):
        return None
    sql = in_schema("SELECT step, max(version) FROM {schema}.schema_steps GROUP BY step", schema)
    return Done(**{"pre": 0, "post": 0, **dict(await (await connection.execute(sql)).fetchall())})


def check_fits(done: Done | None, steps: Sequence[Migration], schema: str) -> None:
    """Raises :class:`InvalidRequest` when this program must not use the schema."""
    own = newest(steps)
    if done is None or done.pre < own:
        has = "holds no store" if done is None else f"has schema version {done.pre}, not {own}"
        raise InvalidRequest(
            f'the schema "{schema}" {has}, and this role may not change that; use one that may for "indelible init"',
            pointer="/store",
        )
    if done.post > own:
        raise InvalidRequest(
            f"the store has left schema version {own} behind (post-deploy step {done.post}); use a newer Indelible",
            pointer="/store",
        )


async def migrate(
    connection: Connection, schema: str, steps: Sequence[Migration], wanted: Sequence[Step] = ("pre",)
) -> list[Migration]:
    """Do what is not done yet, all or nothing; returns what was done. Others that do the same wait for it.

    Raises :class:`psycopg.Error`, and :class:`InvalidRequest` for a schema that is not ours to change.
    """
    async with connection.transaction():
        # Held until the transaction ends; works behind a pooler too.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"indelible {schema}",))
        done = await read_done(connection, schema)
        if done is None:
            await _check_empty(connection, schema)
            await connection.execute(in_schema(text_of("migrations", "versions"), schema), prepare=False)
        reached = done or Done(0, 0)
        missing = [one for one in steps if one.step in wanted and one.version > getattr(reached, one.step)]
        for one in missing:
            await connection.execute(in_schema(one.sql, schema), prepare=False)
            done_sql = in_schema(text_of("migrations", "done"), schema)
            await connection.execute(done_sql, {"version": one.version, "step": one.step})
    return missing


async def _check_empty(connection: Connection, schema: str) -> None:
    sql = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s"
    if await _value(connection, sql, schema):
        raise InvalidRequest(
            f'the schema "{schema}" is in use by something that is not an Indelible store', pointer="/store"
        )


async def may_migrate(connection: Connection, schema: str) -> bool:
    """Whether this role may make or change the schema."""
    sql = """
        SELECT coalesce(
            (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = %s),
            has_database_privilege(current_database(), 'CREATE')
        )
    """
    return bool(await _value(connection, sql, schema))


async def _value(connection: Connection, sql: psycopg.abc.QueryNoTemplate, *values: object) -> object:
    row = await (await connection.execute(sql, values or None)).fetchone()
    assert row is not None
    return row[0]
