"""A consumer of what a relay publishes to RabbitMQ: each event takes effect once, in order, whatever dies.

    python examples/rabbitmq_consumer.py amqp://guest:guest@127.0.0.1/ --exchange events --queue billing --db billing.db

It needs aio-pika (``pip install aio-pika``) and nothing of Indelible. What it does with an event is to count it, for
its aggregate, in a database; put your own work in place of :func:`apply`, within the same transaction.

- A message may come again, after a crash of the relay, of the broker or of this program. Its event's id, which is
  stored in the transaction of the event's effect, tells that it has taken effect.
- The version of an aggregate's event is higher than that of all before it. An event that is new and yet behind a later
  one means that the order was lost on the way, or that the relay published again what came before this program's queue
  was made: then it stops, for people to see.
- The queue has a single active consumer: start as many of these programs as you like, and one works, while the others
  wait until it is gone.
"""

import argparse
import asyncio
import contextlib
import signal
import sqlite3
import sys
from typing import NamedTuple

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

PREFETCH = 100
"""Messages that the broker sends ahead of their acknowledgements."""

TABLES = """
    CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS aggregates (source TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS counts (
        source TEXT, event_type TEXT, count INTEGER NOT NULL, PRIMARY KEY (source, event_type)
    ) WITHOUT ROWID;
"""


class OutOfOrder(Exception):
    """An event has come for the first time behind a later one of its aggregate."""


class Event(NamedTuple):
    event_id: str
    event_type: str
    source: str
    """The aggregate."""
    version: int
    data: bytes

    @classmethod
    def of(cls, message: AbstractIncomingMessage) -> "Event":
        said = {name: str(value) for name, value in message.headers.items()}
        return cls(
            said["cloudEvents_id"], said["cloudEvents_type"], said["cloudEvents_source"],
            int(said["cloudEvents_version"]), message.body,
        )  # fmt: skip


def apply(database: sqlite3.Connection, event: Event) -> None:
    """The event's effect."""
    database.execute(
        "INSERT INTO counts VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
        (event.source, event.event_type),
    )


def take(database: sqlite3.Connection, event: Event) -> bool:
    """Whether it was new. Raises :class:`OutOfOrder`."""
    with database:  # one transaction: either all of it is kept, or nothing
        new = database.execute("INSERT INTO events VALUES (?) ON CONFLICT DO NOTHING", (event.event_id,)).rowcount
        if not new:
            return False
        row = database.execute("SELECT version FROM aggregates WHERE source = ?", (event.source,)).fetchone()
        if row is not None and row[0] >= event.version:
            raise OutOfOrder(f"version {event.version} of {event.source} has come behind version {row[0]}")
        database.execute("INSERT OR REPLACE INTO aggregates VALUES (?, ?)", (event.source, event.version))
        apply(database, event)
    return True


async def consume(database: sqlite3.Connection, queue: AbstractQueue) -> None:
    async with queue.iterator() as messages:
        async for message in messages:
            event = Event.of(message)
            if take(database, event):
                print(event.event_type, event.version, event.data.decode("utf-8", "replace"), flush=True)
            # Only now: what is not acknowledged comes again.
            await message.ack()


async def run(options: argparse.Namespace) -> None:
    with contextlib.closing(sqlite3.connect(options.db)) as database:
        database.executescript(TABLES)
        # One that is lost ends the program; let whatever started it start it again.
        async with await aio_pika.connect(options.url) as connection, connection.channel() as channel:
            await channel.set_qos(prefetch_count=PREFETCH)
            exchange = await channel.declare_exchange(options.exchange, aio_pika.ExchangeType.TOPIC, durable=True)
            arguments = {"x-queue-type": "quorum", "x-single-active-consumer": True}
            queue = await channel.declare_queue(options.queue, durable=True, arguments=arguments)
            await queue.bind(exchange, options.routing_key)
            await consume(database, queue)
    sys.exit("the connection to RabbitMQ broke")


async def until_signal(options: argparse.Namespace) -> None:
    task = asyncio.ensure_future(run(options))

    def stop() -> None:
        # Once: a second signal must not cut off how it ends.
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> None:
    parser = argparse.ArgumentParser(description="Count events that a relay publishes to RabbitMQ.")
    parser.add_argument("url", help="amqp://USER:PASSWORD@HOST:PORT/VHOST")
    parser.add_argument("--exchange", default="events")
    parser.add_argument("--queue", required=True)
    parser.add_argument("--routing-key", default="#", help="what of the exchange, such as shop.order (default: all)")
    parser.add_argument("--db", required=True, help="a SQLite database of this consumer's own")
    asyncio.run(until_signal(parser.parse_args()))


if __name__ == "__main__":
    main()
