"""The role that servers run under: what it is given, and whether one that is used could do more."""

from psycopg import sql

from indelible.engines.postgres.connections import Connection
from indelible.engines.postgres.statements import in_schema, text_of


async def grant_runtime_role(connection: Connection, schema: str, role: str, password: str | None) -> bool:
    """Make ``role`` if there is none, and give it the least that a server needs: to read everything, to add events and
    what leads to them, to move the head and counts, to save snapshots, and to keep consumer groups. It owns nothing.
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
