"""Commits on real nodes of Cassandra whose answers get lost, thousands of them: none is stored twice, none is lost::

PYTHONPATH=tests .venv/bin/python -m faults.cassandra_lost_answers --outcomes 10000

Half of all commits are lost on the way, are done and nobody hears of it, or are done late, when the next has been. Two
servers write to each log, one event or a few at a time, while the log goes from bucket to bucket. Exits with 1 when
what is stored is not what callers were told, or when no caller was told anything.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final, NamedTuple

import pytest

import programs
from cassandra_engine.stores import FaultyEngine, Ledger, OpenFaulty, in_turns, opener, violations
from cassandra_servers import CassandraServers, cassandra_servers
from indelible.core.open import init_store

FAULTS: Final = ("lost", "unheard", "late")
SHARE: Final = 0.5
"""Of the commits."""
LOGS: Final = 8
SERVERS: Final = 2
"""Of each log."""
AGGREGATES: Final = 32
EVENTS_MAX: Final = 3
"""At once."""
SHOWN: Final = 20
"""Violations."""
BUCKET_EVENTS: Final = (997, 1_009)
"""Of each server: what one may fill, another finds full."""


class Result(NamedTuple):
    faults: int
    told: Counter[str]
    """What callers were told: how often each kind of outcome."""
    violations: Sequence[str]


async def lose_answers(open_faulty: OpenFaulty, url: str, faults: int, seed: int) -> Result:
    """Append until so many answers of one log were lost, and look at what is stored."""
    async with AsyncExitStack() as stack:
        engines: list[FaultyEngine] = []
        for number in range(SERVERS):
            engine = await stack.enter_async_context(open_faulty(url, BUCKET_EVENTS[number % len(BUCKET_EVENTS)]))
            engine.session.fault = in_turns(seed * SERVERS + number, FAULTS, SHARE)
            engines.append(engine)
        ledger = Ledger()

        def lost() -> int:
            return sum(engine.session.faults for engine in engines)

        async def append(number: int, engine: FaultyEngine) -> None:
            count = 0
            while lost() < faults:
                await ledger.append(engine, f"{(count + number) % AGGREGATES}", 1 + count % EVENTS_MAX)
                count += 1

        await asyncio.gather(*(append(number, engine) for number, engine in enumerate(engines)))
        told = Counter(type(outcome).__name__ for _, outcome in ledger.outcomes)
        return Result(lost(), told, await violations(engines[0], ledger))


async def run(nodes: CassandraServers, outcomes: int, seed: int) -> bool:
    """Whether all is well. Prints what was seen."""
    each = -(-outcomes // LOGS)
    urls = [nodes.url("lost_answers", f"?store=log{number}") for number in range(LOGS)]
    for url in urls:
        await init_store(url)
    done, told = 0, Counter[str]()
    found: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        open_faulty = opener(patch)
        runs = [lose_answers(open_faulty, url, each, seed + number) for number, url in enumerate(urls)]
        for running in asyncio.as_completed(runs):
            result = await running
            done, told, found = done + result.faults, told + result.told, [*found, *result.violations]
            print(f"{done:,} answers lost; events by what was told: {dict(told)}; {len(found)} violations", flush=True)
    for violation in found[:SHOWN]:
        print(violation)
    return done >= outcomes and bool(told["AtomicAppendResult"]) and not found


def main() -> None:
    parser = argparse.ArgumentParser(description="Answers of Cassandra that get lost, and a check of what is stored.")
    parser.add_argument("--outcomes", type=int, default=10_000, help="answers that get lost (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    programs.take_charge()
    with cassandra_servers(large=True) as nodes:
        is_well = asyncio.run(run(nodes, arguments.outcomes, arguments.seed))
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
