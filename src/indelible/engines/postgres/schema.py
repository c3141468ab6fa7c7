"""The schema: what steps lead to it, whether this program and a stored schema fit together, the role that servers run
under, and the partitions of the log.

A version has a pre-deploy step, which only adds, and may have a post-deploy step, which takes away what only older
programs need. So a program runs on every schema that has its own version's pre-deploy step and lacks any newer
version's post-deploy step: servers of two neighbouring versions share a database while one replaces the other.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from importlib import resources
from typing import Final, Literal, NamedTuple

import psycopg
from psycopg import sql

from indelible.engines.postgres.connections import Statements, in_schema, text_of
from indelible.engines.postgres.failures import translated
from indelible.errors import InvalidRequest
from indelible.limits import DATABASE_TIMEOUT_S
from indelible.postgres_connections import Connection, deadline, why_unfit

Step = Literal["pre", "post"]


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
    problem = why_unfit(connection)
    if problem is not None:
        raise InvalidRequest(problem, pointer="/store")


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
    connection: Connection, schema: str, steps: Sequence[Migration], kinds: Sequence[Step] = ("pre",)
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
        missing = [one for one in steps if one.step in kinds and one.version > getattr(reached, one.step)]
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


# --- The role that servers run under ---------------------------------------------------------------------------------


async def grant_runtime_role(connection: Connection, schema: str, role: str, password: str | None) -> bool:
    """Make ``role`` if there is none, and give it the least that a server needs: to read everything, to add events and
    what leads to them, to move the head and counts, to save snapshots, and to keep groups and relays. It owns nothing.
    Returns whether it is new.

    Raises :class:`psycopg.Error`.
    """
    name = sql.Identifier(role)
    async with connection.transaction():
        is_new = not await (await connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,))).fetchall()
        if is_new:
            await connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        if password is not None:
            await connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(password)))
        await connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(connection.info.dbname), name)
        )
        grants = sql.SQL(in_schema(text_of("sql", "grant_runtime_role"), schema)).format(role=name)
        await connection.execute(grants, prepare=False)
    return is_new


async def excessive_rights(connection: Connection, schema: str) -> list[str]:
    """What the role of this connection could do to stored events, in words; nothing for a runtime role."""
    statement = in_schema(text_of("sql", "excessive_rights"), schema)
    row = await (await connection.execute(statement)).fetchone()
    assert row is not None
    return [str(right) for right in row[0]]


# --- Partitions ------------------------------------------------------------------------------------------------------


class Partitions:
    """Keep the partitioned log ahead of its head: the next table is there well before a position needs it.

    ``connect`` gives a connection of its own: making a table must not wait for an append, nor the other way."""

    def __init__(
        self, statements: Statements, connect: Callable[[], Awaitable[Connection]], *, positions_each: int
    ) -> None:
        self._statement: Final = statements
        self._connect: Final = connect
        self._positions_each: Final = positions_each
        self._end = 0
        """The first position that has no table, as far as is known."""

    def is_short(self, head: int) -> bool:
        """Whether less than half a table is left beyond the head."""
        return self._end - head < self._positions_each // 2

    async def make(self, head: int) -> None:
        """Make tables until one whole table is left beyond the head. Raises what the database's errors mean."""
        try:
            connection = await self._connect()
            async with connection, deadline(connection, DATABASE_TIMEOUT_S):
                up_to = head + self._positions_each
                await connection.execute(self._statement("make_event_partitions"), (up_to, self._positions_each))
                row = await (await connection.execute(self._statement("partitions_end"))).fetchone()
        except psycopg.Error as error:
            raise translated(error) from error
        assert row is not None
        self._end = row[0]
