"""A PostgreSQL database as this engine uses it: what its URL says, how connections are made and how long they may keep
silent, and the statements, one file each, made for one schema."""

from functools import cache
from importlib import resources
from typing import Any, Final, LiteralString

import msgspec
import psycopg

from indelible.errors import InvalidRequest
from indelible.limits import DATABASE_CONNECT_TIMEOUT_S
from indelible.postgres_connections import Connection, Conninfo, check_schema, deadline, find_pooler, take_apart
from indelible.queries import Direction
from indelible.store_urls import STORE_SCHEMA_DEFAULT

# --- Where a store is ------------------------------------------------------------------------------------------------

_SCHEMA_LENGTH_MAX: Final = 40


class Address(msgspec.Struct, frozen=True):
    """A database, a schema in it, and what is asked for by name."""

    conninfo: Conninfo
    schema: str
    """Holds one store. A lower-case name that needs no quotes."""
    may_lose_commits: bool
    """Whether ``synchronous_commit=off`` was asked for: a crash of the database may then take acknowledged events."""


def parse_address(url: str) -> Address:
    """Take a URL ``postgresql://user@host:port/database?schema=NAME&synchronous_commit=off&…`` apart.

    ``schema`` and ``synchronous_commit`` are ours; all else is libpq's. Raises :class:`InvalidRequest`.
    """
    conninfo, own = take_apart(url, {"schema": STORE_SCHEMA_DEFAULT, "synchronous_commit": "on"}, "/store")
    schema = check_schema(own["schema"], _SCHEMA_LENGTH_MAX, "/store")
    if own["synchronous_commit"] not in ("on", "off"):
        raise InvalidRequest('the parameter synchronous_commit must be "on" or "off"', pointer="/store")
    return Address(conninfo, schema, own["synchronous_commit"] == "off")


def partition_urls(url: str, partitions: int) -> list[str]:
    """Of a store of so many partitions: the first is the schema that ``url`` names, the others are named after it."""
    schema, joint = parse_address(url).schema, "&" if "?" in url else "?"
    return [url, *(f"{url}{joint}schema={schema}_{n}" for n in range(1, partitions))]


# --- Statements ------------------------------------------------------------------------------------------------------

_DIRECTIONS: Final[dict[Direction, dict[str, str]]] = {
    "forward": {"order": "ASC", "first": "min", "last": "max", "from": ">=", "up_to": "<="},
    "backward": {"order": "DESC", "first": "max", "last": "min", "from": "<=", "up_to": ">="},
}


_PARTS: Final = ("line", "size", "set_timeouts")
"""What stands in several statements."""


class Statements:
    """Statements for one schema. Its name needs no quotes: an :class:`Address` has seen to that."""

    def __init__(self, schema: str) -> None:
        self._schema: Final = schema
        self._made: Final[dict[tuple[str, Direction], LiteralString]] = {}

    def __call__(self, name: str, direction: Direction = "forward") -> LiteralString:
        """The text of ``sql/{name}.sql``. ``direction`` counts where the statement has one."""
        made = self._made.get((name, direction))
        if made is None:
            made = self._made[name, direction] = self._make(name, direction)
        return made

    def _make(self, name: str, direction: Direction) -> LiteralString:
        parts = {**{part: text_of("sql", part) for part in _PARTS}, **_DIRECTIONS[direction]}
        return in_schema(_fill(text_of("sql", name), parts), self._schema)


def in_schema(text: str, schema: str) -> LiteralString:
    """A statement's text for a schema. psycopg takes literal text only, to keep values out: none is in a file."""
    return _fill(text, {"schema": schema})


def _fill(text: str, parts: dict[str, str]) -> str:
    # Not str.format: JSON's braces stand in the statements too.
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text


@cache
def text_of(folder: str, name: str) -> str:
    """The text of a file of this package, without the comments at its beginning."""
    lines = resources.files(__package__).joinpath(folder, f"{name}.sql").read_text(encoding="utf-8").splitlines()
    while lines[0].startswith("--"):
        del lines[0]
    return "\n".join(lines)


# --- Connections -----------------------------------------------------------------------------------------------------

_SESSION: Final = (
    # Compiling a small read takes longer than the read; and no statement here is ever better off with a scan.
    "SET jit = off",
    "SET enable_seqscan = off",
    "SET plan_cache_mode = force_generic_plan",
)


async def prepare(connection: Connection) -> None:
    """Set up how a new connection works. Behind a pooler nothing may be set or kept on it. Raises
    :class:`psycopg.Error`."""
    # What the database has for a default may be stricter; each statement must see what was committed before it.
    await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
    async with deadline(connection, DATABASE_CONNECT_TIMEOUT_S):
        if await find_pooler(connection):
            connection.prepare_threshold = None
        else:
            connection.prepare_threshold = 0
            for setting in _SESSION:
                await connection.execute(setting)


def is_pooled(connection: Connection) -> bool:
    """Whether a pooler stands between, so that nothing outlives a transaction: no LISTEN, no prepared statements."""
    return connection.prepare_threshold is None


Rows = list[tuple[Any, ...]]


class Session(msgspec.Struct, frozen=True):
    """A connection, and the statements that are run on it; what for is the subclass's."""

    connection: Connection
    statement: Statements

    async def _fetch(self, name: str, direction: Direction = "forward", /, **values: Any) -> Rows:
        cursor = self.connection.cursor(binary=True)
        await cursor.execute(self.statement(name, direction), values)
        return await cursor.fetchall()
