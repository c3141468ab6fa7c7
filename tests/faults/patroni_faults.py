"""Rounds in which the leader of a PostgreSQL that Patroni keeps highly available is lost under load::

PYTHONPATH=tests .venv/bin/python -m faults.patroni_faults --rounds 20
PYTHONPATH=tests .venv/bin/python -m faults.patroni_faults --rounds 6 --losses freeze orphan

Three nodes, of which one confirms every commit of the leader; two servers of Indelible over them; writers, readers and
a subscriber that know of nothing but what every client does by itself. A loss is one of these: ``kill`` ends Patroni
and PostgreSQL of the leader with -9, ``crash`` PostgreSQL alone, ``orphan`` Patroni alone, which leaves a PostgreSQL
that takes itself for the leader; ``freeze`` stops both until another leads, and then lets them go on. ``kill-standby``
and ``freeze-standby`` do so with the standby that confirms commits.

Exits with an error when a caller met one, when anything acknowledged is lost or stored twice, when a read that began
after an acknowledgement did not see it, when the chain of hashes does not hold, or when the subscriber did not get
every event once, in order.
"""

import argparse
import asyncio
import contextlib
import itertools
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final, Literal, get_args
from uuid import UUID

import msgspec

import programs
from faults.kill_rounds import print_figures
from faults.ledger import Entry, Ledger, attempt
from faults.load import Load
from faults.server_process import ServerProcess
from indelible.client import AsyncClient
from indelible.cursors import START
from indelible.errors import OutcomeUnknown, Unavailable
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, EventStore
from indelible.queries import EVERYTHING
from postgres.patroni_cluster import PatroniCluster, PatroniNode, Role, patroni_cluster

SERVERS: Final = 2
WRITERS_A_SERVER: Final = 3
CALM_S: Final = 0.5
"""How long the load goes on before a loss, at most, and after writes go on."""
PROBE_PAUSE_S: Final = 0.1
READ_PAUSE_S: Final = 0.02
WAIT_MAX_S: Final = 240.0

Loss = Literal["kill", "crash", "freeze", "orphan", "kill-standby", "freeze-standby"]
LOSSES: Final[tuple[Loss, ...]] = get_args(Loss)


class Figures(msgspec.Struct):
    rounds: int
    appends_acknowledged: int = 0
    events: int = 0
    received: int = 0
    """By the subscriber."""
    reads: int = 0
    """That were held against what was acknowledged before they began."""
    append_max_s: float = 0.0
    """The longest that a caller waited for an acknowledgement, retries included."""
    outage_p50_s: float = 0.0
    """The longest between two acknowledgements by one of the servers, in each round."""
    outage_max_s: float = 0.0
    total_s: float = 0.0


class RetriedLedger(Ledger):
    """For clients that repeat by themselves and do not say so: what they are told first may be a repeat. It knows how
    long the longest append took, in seconds."""

    longest_s = 0.0

    def open(self, appends: Sequence[AggregateAppend], *, atomic: bool) -> Entry:
        entry = super().open(appends, atomic=atomic)
        entry.may_be_stored = True
        return entry

    async def send(self, store: EventStore, entry: Entry) -> None:
        began = time.monotonic()
        await super().send(store, entry)
        self.longest_s = max(self.longest_s, time.monotonic() - began)


class Prober:
    """Appends one event after another to an aggregate of its own, by a client that repeats nothing, and so knows how
    long its server has acknowledged nothing."""

    def __init__(self, ledger: Ledger, server: ServerProcess, aggregate_id: str) -> None:
        self.aggregate_id = aggregate_id
        self.version = 0
        """As acknowledged."""
        self.gap_s = 0.0
        """The longest between two acknowledgements, so far."""
        self._ledger, self._server = ledger, server
        self._over = asyncio.Event()

    async def run(self) -> None:
        last_at = time.monotonic()
        async with AsyncClient(self._server.url, retry_total_s=0) as client:
            while not self._over.is_set():
                events = [NewEvent("Probed", self.version)]
                entry = self._ledger.open([AggregateAppend.of("probe", self.aggregate_id, events)], atomic=False)
                while (error := await attempt(self._ledger, client, entry)) is not None:
                    assert isinstance(error, (Unavailable, OutcomeUnknown)), error
                    await asyncio.sleep(READ_PAUSE_S)
                self.version += 1
                self.gap_s, last_at = max(self.gap_s, time.monotonic() - last_at), time.monotonic()
                await asyncio.sleep(PROBE_PAUSE_S)

    async def until_acknowledged(self) -> None:
        """An append that begins after this was called, or late enough that it might have."""
        version = self.version
        async with asyncio.timeout(WAIT_MAX_S):
            while self.version < version + 2:  # noqa: ASYNC110 - what is waited for sets no event
                await asyncio.sleep(READ_PAUSE_S)

    def stop(self) -> None:
        self._over.set()


class Run:
    def __init__(self, cluster: PatroniCluster, folder: Path, seed: int, losses: Sequence[Loss]) -> None:
        self._cluster = cluster
        self._chance = random.Random(seed)
        self._losses = itertools.cycle(losses)
        self._ledger = RetriedLedger()
        self._received: list[tuple[int, UUID]] = []
        self._reads = 0
        self.store = cluster.new_database("log")
        self._servers = [ServerProcess(self.store, log=folder / f"server-{n}.log") for n in range(SERVERS)]
        self._loads = [
            Load(self._ledger, range(first, first + WRITERS_A_SERVER), seed)
            for first in range(0, SERVERS * WRITERS_A_SERVER, WRITERS_A_SERVER)
        ]
        self._probers = [Prober(self._ledger, server, str(n)) for n, server in enumerate(self._servers)]
        self._probing: list[asyncio.Task[None]] = []
        self.outages_s: list[float] = []

    async def run(self, rounds: int) -> Figures:
        """Raises ``AssertionError``."""
        began = time.perf_counter()
        async with self._clients() as clients, self._probed_and_read(clients):
            for number in range(1, rounds + 1):
                loss = next(self._losses)
                await self._round(loss, clients)
                print(f"round {number}: {loss}, {self.outages_s[-1]:.1f} s without an acknowledgement", flush=True)
            events = await self._checked(clients)
        return Figures(
            rounds=rounds,
            appends_acknowledged=len(self._ledger.acknowledged),
            events=events,
            received=len(self._received),
            reads=self._reads,
            append_max_s=self._ledger.longest_s,
            outage_p50_s=median(self.outages_s),
            outage_max_s=max(self.outages_s),
            total_s=time.perf_counter() - began,
        )

    # --- What goes on all the time -----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[list[AsyncClient]]:
        """As callers of such a database make them."""
        async with AsyncExitStack() as stack:
            for server in self._servers:
                stack.push_async_callback(server.kill)
                await server.start()
            yield [
                await stack.enter_async_context(AsyncClient(server.url, retry_total_s=60)) for server in self._servers
            ]

    @asynccontextmanager
    async def _probed_and_read(self, clients: Sequence[AsyncClient]) -> AsyncIterator[None]:
        """An error of any of these ends all."""
        async with asyncio.TaskGroup() as group:
            self._probing = [group.create_task(prober.run()) for prober in self._probers]
            await asyncio.gather(*(prober.until_acknowledged() for prober in self._probers))
            others = [group.create_task(self._read(client)) for client in clients]
            others.append(group.create_task(self._subscribe()))
            yield
            for task in others:
                task.cancel()

    async def _subscribe(self) -> None:
        """Never comes back by itself: its client goes on by its own means, or it fails."""
        async with AsyncClient(self._servers[-1].url) as client, client.subscribe(EVERYTHING, after=START) as events:
            async for event in events:
                self._received.append((event.position, event.event_id))

    async def _read(self, client: AsyncClient) -> None:
        """Whatever was acknowledged before a read began, by whichever server, is seen by it."""
        while True:
            for prober in self._probers:
                acknowledged = prober.version
                found = (await client.get_aggregate("probe", prober.aggregate_id)).version
                assert found >= acknowledged, f"a read saw version {found} after {acknowledged} was acknowledged"
                self._reads += 1
            await asyncio.sleep(READ_PAUSE_S)

    # --- One round ---------------------------------------------------------------------------------------------------

    async def _round(self, loss: Loss, clients: Sequence[AsyncClient]) -> None:
        await asyncio.to_thread(self._cluster.wait_until_whole)
        loading = [asyncio.create_task(load.run(client)) for load, client in zip(self._loads, clients, strict=True)]
        await asyncio.sleep(self._chance.uniform(0.1, CALM_S))
        for prober in self._probers:
            prober.gap_s = 0.0
        role: Role = "sync_standby" if loss.endswith("standby") else "leader"
        node = await asyncio.to_thread(self._cluster.holder, role)
        await asyncio.to_thread(_lose, node, loss)
        if loss != "crash":  # Patroni may start it again, and let it lead on
            await asyncio.to_thread(self._cluster.wait_for_other, role, node)
        await asyncio.gather(*(prober.until_acknowledged() for prober in self._probers))
        self.outages_s.append(max(prober.gap_s for prober in self._probers))
        await asyncio.sleep(CALM_S)
        await asyncio.to_thread(_bring_back, node, loss)
        await asyncio.sleep(CALM_S)
        for load in self._loads:
            load.stop()
        errors = [error for load in loading for error in await load]
        assert errors == [], "callers of a client met errors"

    async def _checked(self, clients: Sequence[AsyncClient]) -> int:
        """Compare the store with the ledger, by both servers, and the subscriber with the store."""
        for prober in self._probers:
            prober.stop()
        await asyncio.gather(*self._probing)
        for client in clients:
            events = await self._ledger.check(client)
        log = [(event.position, event.event_id) async for event in clients[0].iter_feed()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_MAX_S):
                while len(self._received) < len(log):  # noqa: ASYNC110 - what is waited for sets no event
                    await asyncio.sleep(READ_PAUSE_S)
        assert self._received == log, "the subscriber did not get every event once, in order"
        return events


def _lose(node: PatroniNode, loss: Loss) -> None:
    match loss:
        case "kill" | "kill-standby":
            node.kill()
        case "crash":
            node.kill_database()
        case "orphan":
            node.kill_patroni()
        case "freeze" | "freeze-standby":
            node.signal_all(signal.SIGSTOP)


def _bring_back(node: PatroniNode, loss: Loss) -> None:
    match loss:
        case "kill" | "kill-standby" | "orphan":
            node.start()
        case "crash":
            pass  # Patroni does that
        case "freeze" | "freeze-standby":
            node.signal_all(signal.SIGCONT)


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="The leader of a highly available PostgreSQL is lost, under load.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=["kill"], help="in turn")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--keep", type=Path, help="folder to keep the logs of the servers in")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patroni-faults-")))
        folder.mkdir(parents=True, exist_ok=True)
        cluster = stack.enter_context(patroni_cluster())
        figures = asyncio.run(Run(cluster, folder, given.seed, given.losses).run(given.rounds))
    print_figures(figures)


if __name__ == "__main__":
    main()
