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
import logging

import psycopg
from psycopg_pool import AsyncConnectionPool

from indelible import AsyncClient, EventQuery, RecordedEvent
from indelible.projections.psycopg import AsyncPsycopgDatabase

ORDERS = EventQuery.of(aggregate_types=["order"], event_types=["OrderPlaced", "OrderPaid", "OrderCancelled"])

TABLE = """
CREATE TABLE IF NOT EXISTS orders (
    order_id text PRIMARY KEY, version bigint NOT NULL, state text NOT NULL, total numeric NOT NULL
)
"""
PLACE = "INSERT INTO orders VALUES (%s, %s, 'placed', %s)"
CHANGE = "UPDATE orders SET version = %s, state = %s WHERE order_id = %s"
STATES = {"OrderPaid": "paid", "OrderCancelled": "cancelled"}


async def prepare(database: psycopg.AsyncConnection) -> None:
    await database.execute(TABLE)


async def apply(database: psycopg.AsyncConnection, event: RecordedEvent) -> None:
    if event.event_type == "OrderPlaced":
        await database.execute(PLACE, (event.aggregate_id, event.version, event.event_data["total"]))
    else:
        await database.execute(CHANGE, (event.version, STATES[event.event_type], event.aggregate_id))


async def run(url: str, database_url: str, *, is_once: bool) -> None:
    async with AsyncClient(url) as events, AsyncConnectionPool(database_url, min_size=0, max_size=4, timeout=5) as pool:
        database = AsyncPsycopgDatabase(pool)
        projection = events.projection("orders", database, apply, prepare=prepare, query=ORDERS)
        await projection.run(until=(await events.head()).cursor if is_once else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the event store, such as http://127.0.0.1:8080")
    parser.add_argument("--database", required=True, help="PostgreSQL, such as postgresql://me@127.0.0.1/shop")
    parser.add_argument("--once", action="store_true", help="end at the head")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    asyncio.run(run(arguments.url, arguments.database, is_once=arguments.once))


if __name__ == "__main__":
    main()
