"""``python -m benchmarks``: measure a real server, on this machine, with its real durability.

Each benchmark starts ``indelible serve``, on a SQLite store or (``postgres``) on a PostgreSQL server of its own, and
puts load on it from the same cores. HTTP load needs wrk. Filling the large store takes minutes; ``--store DIR`` keeps
it for the next time. Appends of the growth benchmark stay in it.

    python -m benchmarks append client
    python -m benchmarks all --store /var/tmp/indelible-bench --json
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests import programs

from benchmarks import (
    access,
    appends,
    cassandra_store,
    esdb,
    groups,
    grpc_load,
    partitions,
    postgres,
    reads,
    relay,
    search,
    subscriptions,
    upcasting,
)
from benchmarks.machine import describe
from benchmarks.relay_clients import CLIENTS
from benchmarks.report import Figure, print_json, print_machine, print_note, print_table
from benchmarks.stores import Options, add_arguments, folder_at

BENCHMARKS: dict[str, Callable[[Options], Iterator[Figure]]] = {
    "access": access.access,
    "append": appends.single_appends,
    "batch": appends.batch_appends,
    "cassandra": cassandra_store.cassandra,
    "client": appends.client_appends,
    "esdb": esdb.esdb,
    "grpc": grpc_load.grpc_load,
    "groups": groups.groups,
    "read": reads.aggregate_reads,
    "feed": reads.feed_read,
    "filter": reads.filtered_pages,
    "growth": appends.growth,
    "memory": reads.memory,
    "startup": reads.startup,
    "partitions": partitions.partitions,
    "postgres": postgres.postgres,
    "relay": relay.relay,
    "search": search.search,
    "subscriptions": subscriptions.subscriptions,
    "upcasting": upcasting.upcasting,
}


BY_NAME_ALONE = {"cassandra"}
"""Not among all: its nodes take a minute to start and 3 GB, and ``make .cassandra/.fetched`` brings them."""


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default="all", choices=["all", *BENCHMARKS], help="which (default: all)")
    add_arguments(parser, duration_s=10, warm_up_s=2)
    parser.add_argument("--events", type=int, default=5_000_000, metavar="N", help="in the large store")
    parser.add_argument("--events-small", type=int, default=100_000, metavar="N", help="in the store to compare with")
    parser.add_argument("--events-feed", type=int, default=300_000, metavar="N", help="in the feed")
    parser.add_argument("--events-relay", type=int, default=50_000, metavar="N", help="that a relay publishes")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of what is compared in turn")
    parser.add_argument("--broker", choices=CLIENTS, default="nats", help="that it publishes to (default: %(default)s)")
    parser.add_argument(
        "--index", default="sqlite", metavar="INDEX",
        help="that is searched: sqlite, opensearch (a node is started), or the URL of one (default: %(default)s)",
    )  # fmt: skip
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse_arguments(arguments)
    programs.take_charge()
    with folder_at(given.store) as folder:
        return run(given, folder)


def run(given: argparse.Namespace, folder: Path) -> int:
    options = Options(
        folder, given.duration, given.warm_up, given.events, given.events_small, given.events_feed,
        given.events_relay, given.broker, given.rounds, given.index,
    )  # fmt: skip
    names = [name for name in BENCHMARKS if name not in BY_NAME_ALONE] if "all" in given.names else given.names
    machine = describe(folder)
    if not given.json:
        print_machine(machine)
    figures: list[Figure] = []
    for name in names:
        print_note(f"running {name}")
        figures += BENCHMARKS[name](options)
    if given.json:
        print_json(machine, figures)
    else:
        print_table(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
