"""``python -m benchmarks.peers``: Indelible beside its peers, in turn, in one run on this machine.

Both sides sync what they acknowledge before they do. The events stored are counted after each load, on both sides.
h2load, wrk and the servers share the cores. ``make bench-peers`` installs what it needs.

    python -m benchmarks.peers single batch --rounds 3 --duration 5
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.programs import take_charge

from benchmarks.machine import describe
from benchmarks.peers import appends, environment, postgres, programs, reads
from benchmarks.peers.comparison import Row, compare, table
from benchmarks.report import print_machine, print_note
from benchmarks.stores import Options, add_arguments, folder_at

ROWS: dict[str, Row] = {name: row for part in (appends, programs, reads, postgres) for name, row in part.rows()}

DURABILITY = (
    "UmaDB syncs each commit, and has no setting; eventsourcing journal_mode=wal, synchronous=FULL; "
    "PostgreSQL fsync=on, synchronous_commit=on"
)
"""The settings are looked at in each run."""


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", default="all", choices=["all", *ROWS], help="which (default: all)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="the sides take turns so often (default: 3)")
    add_arguments(parser, duration_s=5, warm_up_s=1)
    parser.add_argument("--events", type=int, default=300_000, metavar="N", help="in the stores that are read")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse_arguments(arguments)
    take_charge()
    with folder_at(given.store) as folder:
        return run(given, folder)


def run(given: argparse.Namespace, folder: Path) -> int:
    options = Options(folder, given.duration, given.warm_up, 0, 0, given.events)
    peers = {
        "peers": ", ".join(" ".join(one) for one in environment.versions().items()),
        "their durability": DURABILITY,
    }
    machine = {**describe(folder), **peers}
    if not given.json:
        print_machine(machine)
    comparisons = []
    for name in ROWS if "all" in given.rows else given.rows:
        print_note(f"running {name}")
        comparisons.append(compare(ROWS[name], options, given.rounds))
    if given.json:
        print(json.dumps({"machine": machine, "rows": [one.as_json() for one in comparisons]}, indent=2))
    else:
        print("\n".join(table(comparisons)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
