"""The stores that benchmarks work on, and the options that say how large they are."""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.dataset import Chunk, even_chunk, mixed_chunk
from benchmarks.fill import fill
from benchmarks.report import print_note

EVEN_AGGREGATE_EVENTS = 30


class Options(NamedTuple):
    folder: Path
    """Where the stores are."""
    duration_s: int
    """Of each load."""
    warm_up_s: int
    """Load before it that does not count."""
    events: int
    """In the large store."""
    events_small: int
    """In the store that the large one's append rate is compared with."""
    events_feed: int
    """In the store whose feed and aggregates are read, and in the one that a consumer group works on."""
    events_relay: int = 50_000
    """In the store that a relay publishes, and in a burst of appends beside it."""
    broker: str = "nats"
    """That it publishes to."""
    rounds: int = 3
    """Of what is compared in turn."""
    index: str = "sqlite"
    """That is searched: "sqlite" or "opensearch", which are made, or the URL of one."""
    events_moved: int = 1_000_000
    """That are imported through the wire of KurrentDB's clients."""


def add_arguments(parser: argparse.ArgumentParser, *, duration_s: int, warm_up_s: int) -> None:
    """What programs of benchmarks take alike, with their defaults."""
    parser.add_argument(
        "--duration", type=int, default=duration_s, metavar="SECONDS", help="of each load (default: %(default)s)"
    )
    parser.add_argument(
        "--warm-up", type=int, default=warm_up_s, metavar="SECONDS", help="before each load (default: %(default)s)"
    )
    parser.add_argument("--store", type=Path, metavar="DIR", help="keep the stores here; else they are deleted after")
    parser.add_argument("--json", action="store_true", help="print JSON")


@contextlib.contextmanager
def folder_at(path: Path | None) -> Iterator[Path]:
    """Where the stores are kept; without a path, one that is deleted after."""
    if path is None:
        with tempfile.TemporaryDirectory(prefix="indelible-bench-") as folder:
            yield Path(folder)
    else:
        path.mkdir(parents=True, exist_ok=True)
        yield path


def empty(options: Options, name: str) -> Path:
    """A database file that is not there yet."""
    path = options.folder / f"{name}.db"
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    return path


def large(options: Options) -> Path:
    return filled(options, f"mixed-{options.events}", options.events, mixed_chunk)


def small(options: Options) -> Path:
    return filled(options, f"mixed-{options.events_small}", options.events_small, mixed_chunk)


def feed(options: Options) -> Path:
    """Aggregates of 30 events each."""
    chunk = even_chunk(feed_aggregates(options))
    return filled(options, f"even-{options.events_feed}", options.events_feed, chunk)


def feed_aggregates(options: Options) -> int:
    return max(options.events_feed // EVEN_AGGREGATE_EVENTS, 1)


def grouped(options: Options, aggregates: int) -> Path:
    """What a consumer group works on: few aggregates, with many events each."""
    return filled(options, f"grouped-{options.events_feed}", options.events_feed, even_chunk(aggregates))


def relayed(options: Options) -> Path:
    """What a relay publishes. Appends of a burst stay in it, so it is made anew each time."""
    path = empty(options, f"relayed-{options.events_relay}")
    return filled(options, path.stem, options.events_relay, even_chunk(1_000))


def moved(options: Options) -> Path:
    """What is imported: aggregates of 30 events each, all of them in turn."""
    chunk = even_chunk(max(options.events_moved // EVEN_AGGREGATE_EVENTS, 1))
    return filled(options, f"even-{options.events_moved}", options.events_moved, chunk)


def filled(options: Options, name: str, events: int, chunk: Chunk) -> Path:
    path = options.folder / f"{name}.db"
    print_note(f"preparing {path} with {events:,} events")
    fill(path, events, chunk)
    return path
