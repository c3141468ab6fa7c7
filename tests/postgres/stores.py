"""Stores on the tests' PostgreSQL server, and looking at them from outside."""

import itertools
import os
from typing import Any, Final

import psycopg

from indelible.core.store import LocalEventStore
from indelible.engines.postgres.engine import PostgresEngine
from indelible.events import NewEvent
from postgres.server import PostgresServer

PASSWORD: Final = "of-a-role"
SMALL: Final = 1_000
"""Positions in the smallest partition that there may be."""
_NUMBERS: Final = itertools.count(1)


def new_role_name() -> str:
    """Roles are the whole server's, not of one database."""
    return f"runtime_{os.getpid()}_{next(_NUMBERS)}"


async def runtime_url(server: PostgresServer, url: str) -> str:
    """The store's URL under a role that servers are to run under, whose partitions are small."""
    role = new_role_name()
    engine = PostgresEngine(url, partition_positions=SMALL)
    await engine.init(runtime_role=role, password=PASSWORD, post_deploy=False)
    return server.url_of(database_of(url), user=role, password=PASSWORD)


def database_of(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


def role_of(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["user"])


def small_store(url: str, positions: int = SMALL) -> LocalEventStore:
    """One that gets a new partition every so many positions."""
    return LocalEventStore(PostgresEngine(url, partition_positions=positions))


async def append_many(store: LocalEventStore, count: int, *, tags: tuple[str, ...] = ()) -> list[NewEvent]:
    """Events of one type in one append to an aggregate of its own type."""
    events = [NewEvent("Counted", {"n": n}, tags=tags) for n in range(count)]
    await store.append("counter", "c", events)
    return events


def tables(server: PostgresServer, url: str) -> list[str]:
    """The partitions that are attached, in order of position."""
    sql = """
        SELECT relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE inhparent = 'indelible.events'::regclass ORDER BY length(relname), relname
    """
    return [name for (name,) in server.query(sql, url=url)]


def contents(server: PostgresServer, url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that a store holds, by table."""
    names = ("events", "event_keys", "event_tags", "aggregates", "aggregate_types", "event_types", "heads")
    return {name: sorted(server.query(f"SELECT t::text FROM indelible.{name} t", url=url)) for name in names}
