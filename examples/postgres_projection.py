"""A read model in PostgreSQL that is exactly as far as it says, whatever dies.

    python examples/postgres_projection.py --url http://127.0.0.1:8080 --database postgresql://me@127.0.0.1/shop

Each order is a row of the table ``orders``, made of the events ``OrderPlaced`` (data: ``total``), ``OrderPaid`` and
``OrderCancelled`` of aggregates of the type ``order``. How far the table has come, a cursor, is saved in the same
transaction as the rows. So an event is never counted twice and never left out: not after kill -9, not while the
database or the event store is away, and not when two copies of this program run at once, of which one then does all the
work. Delete the tables, and it makes them anew from the first event.

``--once`` ends at the head instead of waiting for more.
"""

import argparse
import asyncio
import sys
from contextlib import aclosing

import psycopg

from indelible import AsyncClient, Cursor, EventQuery, OutcomeUnknown, RecordedEvent, Unavailable

NAME = "orders"
ORDERS = EventQuery.of(aggregate_types=["order"], event_types=["OrderPlaced", "OrderPaid", "OrderCancelled"])
WAIT_S = 1.0

TABLES = """
SELECT pg_advisory_xact_lock(806923); -- two copies that start at once would make the tables twice
CREATE TABLE IF NOT EXISTS checkpoints (name text PRIMARY KEY, cursor text);
CREATE TABLE IF NOT EXISTS orders (
    order_id text PRIMARY KEY, version bigint NOT NULL, state text NOT NULL, total numeric NOT NULL
);
INSERT INTO checkpoints VALUES ('orders', NULL) ON CONFLICT DO NOTHING;
"""
READ = "SELECT cursor FROM checkpoints WHERE name = %s"
MOVE = "UPDATE checkpoints SET cursor = %s WHERE name = %s AND cursor IS NOT DISTINCT FROM %s"
PLACE = "INSERT INTO orders VALUES (%s, %s, 'placed', %s)"
CHANGE = "UPDATE orders SET version = %s, state = %s WHERE order_id = %s"
STATES = {"OrderPaid": "paid", "OrderCancelled": "cancelled"}


class MovedByAnother(Exception):
    """Another copy of this program has been faster; nothing of the transaction was saved."""


async def apply(database: psycopg.AsyncConnection, event: RecordedEvent) -> None:
    if event.event_type == "OrderPlaced":
        await database.execute(PLACE, (event.aggregate_id, event.version, event.event_data["total"]))
    else:
        await database.execute(CHANGE, (event.version, STATES[event.event_type], event.aggregate_id))


async def checkpoint(database: psycopg.AsyncConnection) -> Cursor | None:
    async with database.transaction():
        row = await (await database.execute(READ, (NAME,))).fetchone()
    return None if row is None or row[0] is None else Cursor(row[0])


async def project(events: AsyncClient, database: psycopg.AsyncConnection, *, is_once: bool) -> None:
    """Raises :class:`MovedByAnother`."""
    before = await checkpoint(database)
    async with aclosing(events.follow(ORDERS, after=before)) as pages:
        async for page in pages:
            # One transaction a page: what it commits costs less, and the checkpoint moves even where nothing matched.
            async with database.transaction():
                # First, for its lock: another copy waits here, and then finds the checkpoint moved.
                if (await database.execute(MOVE, (page.cursor, NAME, before))).rowcount == 0:
                    raise MovedByAnother
                for event in page.events:
                    await apply(database, event)
            before = page.cursor
            if is_once and page.at_end:
                return


async def run(url: str, database_url: str, *, is_once: bool) -> None:
    async with AsyncClient(url) as events:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as database:
                    await database.execute(TABLES)
                    await project(events, database, is_once=is_once)
                    return
            except MovedByAnother:
                print("another copy runs; this one stands by", file=sys.stderr)
            except (Unavailable, OutcomeUnknown, psycopg.OperationalError) as error:
                print(f"waiting: {error}", file=sys.stderr)
            await asyncio.sleep(WAIT_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the event store, such as http://127.0.0.1:8080")
    parser.add_argument("--database", required=True, help="PostgreSQL, such as postgresql://me@127.0.0.1/shop")
    parser.add_argument("--once", action="store_true", help="end at the head")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.url, arguments.database, is_once=arguments.once))


if __name__ == "__main__":
    main()
