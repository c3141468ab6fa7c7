"""A consumer of a relay's stream on NATS, with the client of NATS alone: each event counts once, whatever dies.

    python examples/nats_consumer.py --nats nats://127.0.0.1:4222 --stream EVENTS --database billing.db

NATS delivers a message again when its acknowledgement is lost. So the id of each event is kept in the same transaction
as what is made of it, here the total of each order: a message whose event is known changes nothing. The versions of an
order tell whether its events come in their order. After a copy was killed, what it had comes again only after
``--ack-wait`` seconds; what stands behind that for the same order is put back meanwhile. So several copies may run with
the same ``--durable`` name and database, too.
"""

import argparse
import asyncio
import json
import sqlite3
import sys
from typing import Any
from urllib.parse import unquote

import nats
from nats.js.api import ConsumerConfig

TABLES = """
CREATE TABLE IF NOT EXISTS seen (event_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS orders (order_id TEXT PRIMARY KEY, version INTEGER NOT NULL, total REAL NOT NULL);
"""
FETCHED = 100
WAIT_S = 3.0
AGAIN_S = 0.1


class OutOfOrder(Exception):
    pass


def count(database: sqlite3.Connection, headers: dict[str, str], data: Any) -> None:
    """Raises :class:`OutOfOrder`, and has changed nothing then."""
    event_id, order_id, version = headers["ce-eventid"], unquote(headers["ce-aggregateid"]), int(headers["ce-version"])
    with database:  # one transaction
        if database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (event_id,)).rowcount == 0:
            return
        row = database.execute("SELECT version, total FROM orders WHERE order_id = ?", (order_id,)).fetchone()
        before, total = row or (0, 0.0)
        if version != before + 1:
            raise OutOfOrder(f"order {order_id}: version {version} behind {before}")
        total += data["amount"] if headers["ce-type"] == "ItemAdded" else 0
        database.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", (order_id, version, total))


async def consume(arguments: argparse.Namespace, database: sqlite3.Connection) -> None:
    client = await nats.connect(arguments.nats, max_reconnect_attempts=-1)
    # No more are on their way than that, so that what comes early stays little.
    config = ConsumerConfig(ack_wait=arguments.ack_wait, max_ack_pending=FETCHED)
    consumer = await client.jetstream().pull_subscribe(
        "", durable=arguments.durable, stream=arguments.stream, config=config
    )
    while True:
        try:
            messages = await consumer.fetch(FETCHED, timeout=WAIT_S)
        except TimeoutError:
            if arguments.once:
                break
            continue
        for message in messages:
            headers = message.headers or {}
            # A replay by `indelible relay replay` comes beside the order of the log; here it says nothing new.
            if headers.get("ce-aggregatetype") == "order" and "indelible-replay" not in headers:
                try:
                    count(database, headers, json.loads(message.data))
                except OutOfOrder as error:
                    print(error, file=sys.stderr)
                    await message.nak(delay=AGAIN_S)
                    continue
            await message.ack()  # after the commit: what is acknowledged never comes again
    await client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nats", required=True, help="the broker, such as nats://127.0.0.1:4222")
    parser.add_argument("--stream", required=True, help="the relay's stream")
    parser.add_argument("--durable", default="billing", help="the name that NATS remembers this consumer by")
    parser.add_argument(
        "--ack-wait", type=float, default=30.0, help="seconds; for how long NATS waits for this program"
    )
    parser.add_argument("--database", required=True, help="a file of SQLite's")
    parser.add_argument("--once", action="store_true", help="end when nothing comes any more")
    arguments = parser.parse_args()
    database = sqlite3.connect(arguments.database)
    database.executescript(TABLES)
    asyncio.run(consume(arguments, database))


if __name__ == "__main__":
    main()
