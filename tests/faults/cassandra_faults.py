"""Three nodes of Cassandra that are killed, stopped and cut off, and servers that are killed, under contention::

PYTHONPATH=tests .venv/bin/python -m faults.cassandra_faults --minutes 20 --faults 60

At any time one thing is broken at most, so that a quorum is left. All that callers heard is checked. Nodes are cut off
in a network of the run's own, which needs the right to make one: as root, or where the kernel lets everybody. Exits
with 1 when the history breaks a rule, or when there were fewer faults than asked for.
"""

import argparse
import asyncio
import itertools
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

import msgspec

import programs
from cassandra_servers import CassandraNode, CassandraServers, cassandra_servers
from faults.history.model import Acknowledged, Append
from faults.history.recording import read_operations
from faults.history.report import shown
from faults.many_servers import Settings, run
from faults.server_process import ServerProcess
from indelible.core.open import init_store

Kind = Literal["kill a node", "stop a node", "cut a node off", "kill a server"]

KINDS: Final[Sequence[Kind]] = get_args(Kind)
WEIGHTS: Final[Sequence[int]] = (2, 5, 4, 4)
"""How often each comes: a node that was killed takes long to come back."""
BROKEN_S: Final = 10.0
"""How long a node is stopped or cut off: longer than the nodes take to find it out."""
CALM_S: Final = (1.0, 4.0)
"""From when all is whole to the next fault."""
GAP_S: Final = 20.0
"""Within so many seconds of a fault the longest silence is due to it."""
_NETWORK: Final = "127.7.0"
"""Of the nodes: what is cut off is not to be what servers listen on."""
_OWN_NETWORK: Final = "--in-own-network"


class Fault(NamedTuple):
    kind: Kind
    at_ns: int
    """On the monotonic clock, as histories have it."""


class Troubles:
    """Breaks one thing after another: each of ``kinds`` in turn, or, where there are none, at random until the load's
    time is over."""

    def __init__(
        self, nodes: CassandraServers, *, can_cut: bool, kinds: Sequence[Kind] = (), broken_s: float = BROKEN_S
    ):
        self._nodes: Final = nodes
        self._can_cut: Final = can_cut
        self._kinds: Final = kinds
        self._broken_s: Final = broken_s
        self.done: Final[list[Fault]] = []

    async def __call__(self, settings: Settings, servers: Sequence[ServerProcess]) -> list[float]:
        """How long servers took to start again."""
        chance, starts_s = random.Random(settings.seed), list[float]()
        until = time.monotonic() + settings.seconds
        for kind in self._chosen(chance):
            await asyncio.sleep(chance.uniform(*CALM_S))
            if not self._kinds and time.monotonic() + self._broken_s > until:
                break
            self.done.append(Fault(kind, time.monotonic_ns()))
            if kind == "kill a server":
                starts_s.append(await self._restart(chance.choice(servers), chance))
            else:
                await self._break(kind, chance.choice(self._nodes.nodes))
        return starts_s

    def _chosen(self, chance: random.Random) -> Iterator[Kind]:
        yield from self._kinds
        weights = [
            0 if kind == "cut a node off" and not self._can_cut else weight
            for kind, weight in zip(KINDS, WEIGHTS, strict=True)
        ]
        while not self._kinds:
            yield chance.choices(KINDS, weights)[0]

    async def _restart(self, server: ServerProcess, chance: random.Random) -> float:
        await server.kill()
        await asyncio.sleep(chance.random())
        return await server.start()

    async def _break(self, kind: Kind, node: CassandraNode) -> None:
        match kind:
            case "stop a node":
                node.freeze()
                await asyncio.sleep(self._broken_s)
                node.thaw()
            case "cut a node off":
                _route("add", node.address)
                await asyncio.sleep(self._broken_s)
                _route("del", node.address)
            case _:
                node.kill()
                await asyncio.sleep(1.0)
                node.launch()
        await asyncio.to_thread(self._nodes.wait_until_whole)


def _route(change: Literal["add", "del"], address: str) -> None:
    """Into nothing. What the node sends still arrives, until it has waited too long for answers."""
    _ip("route", change, "blackhole", f"{address}/32", "table", "local")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)


# --- What callers felt -----------------------------------------------------------------------------------------------


def silences_s(folder: Path, faults: Sequence[Fault]) -> dict[Kind, list[float]]:
    """By kind: the longest time without an acknowledged append after each fault."""
    acknowledged = sorted(
        operation.completed_ns
        for history in folder.glob("load-*.history")
        for operation in read_operations(history)
        if isinstance(operation.request, Append) and isinstance(operation.outcome, Acknowledged)
    )
    found: dict[Kind, list[float]] = defaultdict(list)
    for fault in faults:
        end = fault.at_ns + int(GAP_S * 1e9)
        within = [fault.at_ns, *(at for at in acknowledged if fault.at_ns < at < end)]
        silent_ns = max((after - before for before, after in itertools.pairwise(within)), default=end - fault.at_ns)
        found[fault.kind].append(silent_ns / 1e9)
    return found


# --- The run ---------------------------------------------------------------------------------------------------------


def in_own_network(arguments: Sequence[str]) -> int | None:
    """Run this program again in a network of its own; its exit code. None where that may not be."""
    program = [sys.executable, "-m", "faults.cassandra_faults", *arguments, _OWN_NETWORK]
    for unshare in (["unshare", "--net"], ["unshare", "--net", "--map-root-user"]):
        try:
            if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0:
                return subprocess.run([*unshare, *program], check=False).returncode
        except FileNotFoundError:
            return None
    return None


async def run_all(servers: CassandraServers, settings: Settings, folder: Path, troubles: Troubles) -> bool:
    """Whether all is well. Prints what was seen."""
    figures, violations = await run(settings, folder, troubles)
    for name, value in msgspec.structs.asdict(figures).items():
        print(f"{name:<20}{value:>12,.3f}" if isinstance(value, float) else f"{name:<20}{value:>12,}")
    counted = Counter(fault.kind for fault in troubles.done)
    for kind, silent_s in silences_s(folder, troubles.done).items():
        middle = sorted(silent_s)[len(silent_s) // 2]
        print(f"{kind:<20}{counted[kind]:>12,}   longest silence {middle:.1f} s, at most {max(silent_s):.1f} s")
    for line in shown(violations):
        print(line)
    if violations:
        for node in servers.nodes:
            print(node.log())
    # A run in which nothing got through proves nothing.
    return bool(figures.acknowledged) and not violations


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Faults of Cassandra's nodes and of servers, and a check of what was answered."
    )
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--faults", type=int, default=60, help="fewer are a failure")
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--writers", type=int, default=16, help="a server")
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--keep", type=Path, help="folder to keep the histories and logs in")
    parser.add_argument(_OWN_NETWORK, action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.in_own_network and (code := in_own_network(sys.argv[1:])) is not None:
        sys.exit(code)
    programs.take_charge()
    if arguments.in_own_network:
        _ip("link", "set", "lo", "up")
    else:
        print("nodes are not cut off: a network of its own needs root, and util-linux and iproute2")
    print(f"seed {arguments.seed}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="cassandra-faults-") as temporary,
        cassandra_servers(large=True, network=_NETWORK) as nodes,
    ):
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        store = nodes.url("faults", f"?partitions={arguments.partitions}")
        asyncio.run(init_store(store))
        troubles = Troubles(nodes, can_cut=arguments.in_own_network)
        settings = Settings(
            store, arguments.servers, arguments.writers, arguments.minutes * 60, arguments.seed,
            partitions=arguments.partitions,
        )  # fmt: skip
        is_well = asyncio.run(run_all(nodes, settings, folder, troubles))
    sys.exit(0 if is_well and len(troubles.done) >= arguments.faults else 1)


if __name__ == "__main__":
    main()
