"""Appends to a store in PostgreSQL, against Message DB in the same database server. The processor time is our server's,
the database's work aside."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from tests.postgres.server import postgres_server

from benchmarks import appends, message_db
from benchmarks.peers.appends import OneLoad, http_sample, singles
from benchmarks.peers.comparison import Row, Sample, Sides
from benchmarks.server import Server
from benchmarks.stores import Options

MESSAGE_DB_CONNECTIONS: Final = 64


def rows() -> Iterator[tuple[str, Row]]:
    yield (
        "postgres",
        Row("PostgreSQL, single-event appends / Message DB", "events/s", 5, partial(_sides, load=singles, events=1)),
    )
    yield "postgres-batch", Row(
        "PostgreSQL, 100-event appends / Message DB, 100 calls a statement", "events/s", 4,
        partial(_sides, load=appends.batch_load, events=appends.BATCH_EVENTS),
    )  # fmt: skip


@contextmanager
def _sides(options: Options, load: OneLoad, events: int) -> Iterator[Sides]:
    with postgres_server() as database:
        other, url = message_db.install(database), database.new_database()
        if other is None:
            raise FileNotFoundError("npm is not installed; it brings Message DB")
        for setting in ("fsync", "synchronous_commit"):
            if (found := database.query(f"SHOW {setting}")) != [("on",)]:
                raise RuntimeError(f"PostgreSQL runs with {setting}={found}")

        def ours() -> Sample:
            with Server(url) as server:
                return http_sample(server, options, load, events)

        def theirs() -> Sample:
            return Sample(
                message_db.load(database, other, options, connections=MESSAGE_DB_CONNECTIONS, messages=events)
            )

        yield Sides(ours, theirs)
