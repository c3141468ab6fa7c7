"""Consumes what a relay publishes to Kafka into an SQLite database, each event once, with Kafka's own client alone:

    python examples/kafka_consumer.py 127.0.0.1:9092 events orders.db

Events and what follows from them are written in one transaction, and only then is Kafka told how far the consumer has
come. After a crash some come again, and are known by their ids. So are those that a relay publishes after a reset.
Those of an aggregate come in the order of their versions; if they ever do not, the program stops, and nothing is lost.
"""

import argparse
import signal
import sqlite3
import threading
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException, Message

BATCH = 500
TABLES = """
CREATE TABLE IF NOT EXISTS events (
    event_id TEXT PRIMARY KEY, source TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL, data BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aggregates (source TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
"""


class OutOfOrder(Exception):
    pass


def store(database: sqlite3.Connection, message: Message) -> bool:
    """Whether it is new. What else is to follow from an event belongs here, into the same transaction."""
    headers = {name: value.decode() for name, value in message.headers() or [] if isinstance(value, bytes)}
    event_id, source, version = headers["ce_id"], headers["ce_source"], int(headers["ce_version"])
    inserted = database.execute(
        "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?)",
        (event_id, source, version, headers["ce_type"], message.value()),
    )
    if not inserted.rowcount:
        return False
    row = database.execute("SELECT version FROM aggregates WHERE source = ?", (source,)).fetchone()
    # Versions in between may be missing: a relay can leave out types of events.
    if row is not None and version <= row[0]:
        raise OutOfOrder(f"{source} is at version {row[0]}, and {version} comes")
    database.execute("INSERT OR REPLACE INTO aggregates VALUES (?, ?)", (source, version))
    return True


def consume(consumer: Consumer, database: sqlite3.Connection, stopping: threading.Event) -> None:
    while not stopping.is_set():
        messages = consumer.consume(BATCH, timeout=0.5)
        if messages:
            new = store_all(database, messages)
            consumer.commit(asynchronous=False)
            print(f"{new} new of {len(messages)}", flush=True)


def store_all(database: sqlite3.Connection, messages: Sequence[Message]) -> int:
    new = 0
    with database:
        for message in messages:
            error = message.error()
            if error is not None:
                raise KafkaException(error)
            new += store(database, message)
    return new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", help="such as 127.0.0.1:9092")
    parser.add_argument("topic")
    parser.add_argument("database", help="the file; it is made when it is not there")
    parser.add_argument("--group", default="kafka-consumer-example", help="several of one group share the partitions")
    parser.add_argument("--name", default="", help="of this one in the group: started again, it goes on at once")
    given = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    database = sqlite3.connect(given.database)
    database.executescript(TABLES)
    consumer = Consumer({
        "bootstrap.servers": given.servers,
        "group.id": given.group,
        "group.instance.id": given.name,
        "isolation.level": "read_committed",  # else what a relay took back is seen as well
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    })  # fmt: skip
    consumer.subscribe([given.topic])
    try:
        consume(consumer, database, stopping)
    finally:
        consumer.close()
        database.close()


if __name__ == "__main__":
    main()
