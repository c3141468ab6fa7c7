"""``python -m benchmarks``: measure a real server, on this machine, with its real durability.

Each benchmark starts ``indelible serve``, on a SQLite store or (``postgres``) on a PostgreSQL server of its own, and
puts load on it from the same cores. HTTP load needs wrk. Filling the large store takes minutes; ``--store DIR`` keeps
it for the next time. Appends of the growth benchmark stay in it.

    python -m benchmarks append client
    python -m benchmarks all --store /var/tmp/indelible-bench --json
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests import programs

from benchmarks import appends, groups, grpc_load, postgres, reads, subscriptions
from benchmarks.machine import describe
from benchmarks.report import Figure, print_json, print_machine, print_note, print_table
from benchmarks.stores import Options

BENCHMARKS: dict[str, Callable[[Options], Iterator[Figure]]] = {
    "append": appends.single_appends,
    "batch": appends.batch_appends,
    "client": appends.client_appends,
    "grpc": grpc_load.grpc_load,
    "groups": groups.groups,
    "read": reads.aggregate_reads,
    "feed": reads.feed_read,
    "filter": reads.filtered_pages,
    "growth": appends.growth,
    "memory": reads.memory,
    "startup": reads.startup,
    "postgres": postgres.postgres,
    "subscriptions": subscriptions.subscriptions,
}


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default="all", choices=["all", *BENCHMARKS], help="which (default: all)")
    parser.add_argument("--duration", type=int, default=10, metavar="SECONDS", help="of each load (default: 10)")
    parser.add_argument("--warm-up", type=int, default=2, metavar="SECONDS", help="before each load (default: 2)")
    parser.add_argument("--events", type=int, default=5_000_000, metavar="N", help="in the large store")
    parser.add_argument("--events-small", type=int, default=100_000, metavar="N", help="in the store to compare with")
    parser.add_argument("--events-feed", type=int, default=300_000, metavar="N", help="in the feed")
    parser.add_argument("--store", type=Path, metavar="DIR", help="keep the stores here; else they are deleted after")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse_arguments(arguments)
    programs.take_charge()
    if given.store is not None:
        given.store.mkdir(parents=True, exist_ok=True)
        return run(given, given.store)
    with tempfile.TemporaryDirectory(prefix="indelible-bench-") as folder:
        return run(given, Path(folder))


def run(given: argparse.Namespace, folder: Path) -> int:
    options = Options(folder, given.duration, given.warm_up, given.events, given.events_small, given.events_feed)
    names = list(BENCHMARKS) if "all" in given.names else given.names
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
