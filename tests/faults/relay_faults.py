"""Faults of relays, of their broker and of the connection between, under load. Run by hand for as many as you like::

PYTHONPATH=tests .venv/bin/python -m faults.relay_faults --broker nats --events 50000 --faults 20
PYTHONPATH=tests .venv/bin/python -m faults.relay_faults --broker nats --pause 30

Ten writers append to a server on SQLite; two processes run one relay to a real broker. In each round, at a random
moment, the active one is killed or stopped for a while, or the broker is killed, or all connections to it are cut. At
the end all that a consumer got is compared with the log. With ``--pause`` the active one is stopped once, for so many
seconds. Exits with 1 when a promise is broken.
"""

import argparse
import asyncio
import contextlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec

import programs
from cli.running import server
from faults.relay_check import Checked, check
from indelible import AsyncClient, NewEvent
from indelible.errors import RelayNotFound
from indelible.limits import PAGE_EVENTS_MAX, SUBSCRIPTION_PAGE_EVENTS_MAX
from indelible.relay_state import RelayInfo
from indelible.testing.conformance.helpers import read_feed_to_end
from relays.brokers import KINDS, Running
from relays.relay_process import RelayProcess, relay_processes

RELAY = "orders"
WRITERS = 10
AGGREGATES = 1_000
EVENTS_AN_APPEND_MAX = 20
KINDS_OF_FAULTS = ("kill the relay", "kill the broker", "cut connections", "stop the relay")
STOPPED_MAX_S = 9.0
"""Longer than a lease and the interval of claims, so that some that were stopped are owners still, and some not."""
TAKEN_OVER_MAX_S = 10.0
NEARLY_CAUGHT_UP = 1_000
"""Events that are left."""
PATIENCE_S = 120.0
_POLL_S = 0.02


class Fault(msgspec.Struct):
    kind: str
    head: int
    """Of the log when it came."""
    repeats: int = 0
    """Events that came again after it, at most together."""


class Seen(msgspec.Struct):
    """What was seen of one run."""

    appended: int
    faults: list[Fault]
    checked: Checked
    published_a_save: int
    """Events that were published between two saves of the checkpoint, at most."""
    claimed_s: float = 0.0
    """With a pause: until another was the owner."""
    taken_over_s: float = 0.0
    """Until the checkpoint moved again."""
    violations: list[str] = []
    """Beside those of the check."""
    load_s: float = 0.0
    total_s: float = 0.0

    @property
    def is_late(self) -> bool:
        """Whether the other took longer to publish than it may, which is a violation."""
        return self.taken_over_s > TAKEN_OVER_MAX_S

    @property
    def all_violations(self) -> list[str]:
        return [*self.checked.violations, *self.violations]


class Scene:
    def __init__(self, client: AsyncClient, broker: Running, relays: Sequence[RelayProcess], seed: int) -> None:
        self.client = client
        self.broker = broker
        self.relays = relays
        self.chance = random.Random(seed)
        self.appended = 0
        self.published_a_save = 0
        self.faults: list[Fault] = []
        self._kinds: list[str] = []

    # --- The load ----------------------------------------------------------------------------------------------------

    async def write(self, count: int) -> None:
        """So many events, by all writers together, as fast as it goes."""
        end = self.appended + count
        await asyncio.gather(*(self._write(end) for _ in range(WRITERS)))

    async def _write(self, end: int) -> None:
        while self.appended < end:
            await self._append(min(self.chance.randint(1, EVENTS_AN_APPEND_MAX), end - self.appended))

    async def write_on(self, events_per_s: float) -> None:
        """By all writers together, until this is cancelled. What is on its way then is waited for."""
        await asyncio.gather(*(self._write_on(events_per_s / WRITERS) for _ in range(WRITERS)))

    async def _write_on(self, events_per_s: float) -> None:
        while True:
            size = self.chance.randint(1, EVENTS_AN_APPEND_MAX)
            append = asyncio.create_task(self._append(size))
            try:
                await asyncio.sleep(size / events_per_s)
            finally:
                await append

    async def _append(self, size: int) -> None:
        self.appended += size
        aggregate = str(self.chance.randrange(AGGREGATES))
        await self.client.append("order", aggregate, [NewEvent("Placed", {"text": "x" * 100}) for _ in range(size)])

    # --- What relays say ---------------------------------------------------------------------------------------------

    async def info(self) -> RelayInfo | None:
        try:
            return await self.client.relays.get(RELAY)
        except RelayNotFound:
            return None

    async def active(self, info: RelayInfo | None = None) -> RelayProcess:
        """The one that owns the relay, now or when this was said; any of them when the owner has just died."""
        info = info or await self.info()
        owner = "" if info is None or info.owner is None else info.owner
        return next((one for one in self.relays if one.owns(owner)), self.chance.choice(self.relays))

    async def watch(self) -> None:
        """Note how much is published between two saves, for ever."""
        published = 0
        while True:
            info = await self.info()
            if info is not None:
                self.published_a_save = max(self.published_a_save, info.published - published)
                published = max(info.published, published)
            await asyncio.sleep(_POLL_S)

    async def until_published(self) -> None:
        await self.until(lambda info: not info.lag)

    async def until(self, is_so: Callable[[RelayInfo], bool]) -> RelayInfo:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                info = await self.info()
                if info is not None and is_so(info):
                    return info
                await asyncio.sleep(_POLL_S)

    # --- Faults ------------------------------------------------------------------------------------------------------

    async def round(self, count: int, load_s: float) -> float:
        """Write, while a fault comes; gives how long it took to write."""
        await self._recovered()
        began = time.monotonic()
        fault = asyncio.create_task(self._fault(self.chance.uniform(0, load_s)))
        await self.write(count)
        load_s = time.monotonic() - began
        await fault
        return load_s

    async def _recovered(self) -> None:
        """From the last fault: the relay has caught up nearly, or publishes again, or nothing at all."""
        how = self.chance.choices(("caught up", "publishes", "not"), (4, 4, 2))[0]
        if how == "caught up":
            await self.until(lambda info: info.lag < NEARLY_CAUGHT_UP)
        elif how == "publishes":
            before = await self.until(lambda _: True)
            await self.until(lambda info: info.published > before.published or not info.lag)

    async def _fault(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        if not self._kinds:
            # All of them in turn, in an order of each turn's own.
            self._kinds = self.chance.sample(KINDS_OF_FAULTS, len(KINDS_OF_FAULTS))
        kind = self._kinds.pop()
        self.faults.append(Fault(kind, (await self.client.head()).position))
        match kind:
            case "kill the relay":
                relay = await self.active()
                await asyncio.to_thread(relay.kill)
                await asyncio.sleep(self.chance.uniform(0, 1))
                relay.start()
            case "kill the broker":
                await asyncio.to_thread(self.broker.server.kill)
                await asyncio.sleep(self.chance.uniform(0, 1))
                await asyncio.to_thread(self.broker.server.start)
            case "cut connections":
                for _ in range(self.chance.randint(1, 3)):
                    self.broker.cut()
                    await asyncio.sleep(self.chance.uniform(0, 0.2))
            case "stop the relay":
                relay = await self.active()
                relay.signal(signal.SIGSTOP)
                await asyncio.sleep(self.chance.uniform(0.2, STOPPED_MAX_S))
                relay.signal(signal.SIGCONT)

    # --- The end -----------------------------------------------------------------------------------------------------

    async def seen(self, broker: str) -> Seen:
        await self.until_published()
        for relay in self.relays:
            relay.signal(signal.SIGTERM)
            await asyncio.to_thread(relay.process.wait, PATIENCE_S)
        log = await read_feed_to_end(self.client, limit=PAGE_EVENTS_MAX)
        in_flight_max = SUBSCRIPTION_PAGE_EVENTS_MAX + 2 * self.published_a_save
        checked = check(await self.broker.server.received(), log, KINDS[broker], repeats_at_once_max=in_flight_max)
        for some in checked.repeats:
            after = next((fault for fault in self.faults if fault.head >= some.first), self.faults[-1])
            after.repeats = max(after.repeats, some.count)
        violations = [] if len(log) == self.appended else [f"{self.appended} were appended, {len(log)} are there"]
        return Seen(self.appended, self.faults, checked, self.published_a_save, violations=violations)


@contextlib.asynccontextmanager
async def _scene(folder: Path, broker: str, seed: int) -> AsyncIterator[Scene]:
    """A server, a broker, and two relays of one name."""
    with KINDS[broker].serve(_made(folder / "broker")) as running, server(_made(folder / "server")) as (url, _):
        running.server.begin_anew()
        with relay_processes(folder, url, running.to(), "one", "two", relay=RELAY) as relays:
            async with AsyncClient(url) as client:
                scene = Scene(client, running, relays, seed)
                watching = asyncio.create_task(scene.watch())
                try:
                    yield scene
                except TimeoutError:
                    _print_what_is_known(relays, await scene.info())
                    raise
                finally:
                    watching.cancel()


def _print_what_is_known(relays: Sequence[RelayProcess], info: RelayInfo | None) -> None:
    print(f"waited in vain; the store says {info}")
    for relay in relays:
        print(f"{relay.log.name}, {relay.process.poll()}:\n{relay.log.read_text()}")


async def run(folder: Path, broker: str, events: int, faults: int, seed: int) -> Seen:
    """So many events, with so many faults."""
    began = time.monotonic()
    async with _scene(folder, broker, seed) as scene:
        load_s, took_s = 0.5, 0.0
        # Before that the relay may just have made its queue, which a killed RabbitMQ 3.10 would not know again.
        await scene.write(1)
        await scene.until_published()
        for n in range(faults):
            load_s = await scene.round(_share(events - 1, faults, n), load_s)
            took_s += load_s
            await _print_progress(scene, faults)
        seen = await scene.seen(broker)
    seen.load_s, seen.total_s = took_s, time.monotonic() - began
    return seen


def _share(events: int, rounds: int, n: int) -> int:
    return events * (n + 1) // rounds - events * n // rounds


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def _print_progress(scene: Scene, faults: int) -> None:
    info = await scene.info()
    told = "no relay yet" if info is None else f"epoch {info.epoch}, {info.state}, {info.lag:,} behind"
    last = scene.faults[-1].kind
    print(f"fault {len(scene.faults)} of {faults}: {last:<16}{scene.appended:>10,} appended; {told}", flush=True)


# --- One long pause --------------------------------------------------------------------------------------------------


async def pause(folder: Path, broker: str, pause_s: float, events_per_s: float, seed: int) -> Seen:
    """The active relay is stopped once, for longer than its lease; events are appended all the time."""
    began = time.monotonic()
    async with _scene(folder, broker, seed) as scene:
        writing = asyncio.create_task(scene.write_on(events_per_s))
        claimed_s, taken_over_s, stale = await _pause(scene, pause_s)
        writing.cancel()
        await asyncio.wait([writing])
        seen = await scene.seen(broker)
    seen.claimed_s, seen.taken_over_s, seen.total_s = claimed_s, taken_over_s, time.monotonic() - began
    if seen.is_late:
        seen.violations.append(f"it took {taken_over_s:.1f} s until another relay published")
    if not says_refused(stale):
        seen.violations.append("the one that was stopped does not say that the relay has another owner")
    # A busy machine may be late to renew a lease once more.
    if len(seen.checked.epochs) < 2:
        seen.violations.append(f"there were two owners, and yet epochs {seen.checked.epochs}")
    return seen


async def _pause(scene: Scene, pause_s: float) -> tuple[float, float, RelayProcess]:
    """Until another owned the relay, and published; and which one was stopped."""
    await scene.until(lambda info: info.published > 0)
    await asyncio.sleep(1)
    scene.faults.append(Fault("stop the relay", (await scene.client.head()).position))
    owned = await scene.until(lambda _: True)
    stopped = await scene.active(owned)
    stopped.signal(signal.SIGSTOP)
    began = time.monotonic()
    print("the active relay is stopped", flush=True)
    # Its last save may be on its way.
    await asyncio.sleep(0.5)
    before = await scene.until(lambda _: True)
    await scene.until(lambda info: info.epoch > owned.epoch)
    claimed_s = time.monotonic() - began
    print(f"another owns it after {claimed_s:.1f} s", flush=True)
    await scene.until(lambda info: info.published > before.published)
    taken_over_s = time.monotonic() - began
    print(f"and has published after {taken_over_s:.1f} s", flush=True)
    await asyncio.sleep(max(pause_s - taken_over_s, 0))
    stopped.signal(signal.SIGCONT)
    print("the first goes on", flush=True)
    give_up_at = time.monotonic() + PATIENCE_S
    while not says_refused(stopped) and time.monotonic() < give_up_at:  # noqa: ASYNC110 - it is another process's log
        await asyncio.sleep(_POLL_S)
    return claimed_s, taken_over_s, stopped


def says_refused(relay: RelayProcess) -> bool:
    return "another owner" in relay.log.read_text()


# --- The command -----------------------------------------------------------------------------------------------------


def print_seen(seen: Seen) -> None:
    rows = [("fault", "times", "repeats at once")]
    for kind in KINDS_OF_FAULTS:
        some = [fault for fault in seen.faults if fault.kind == kind]
        if some:
            rows.append((kind, f"{len(some):,}", f"{max(fault.repeats for fault in some):,}"))
    for row in rows if seen.faults else []:
        print(f"{row[0]:<22}{row[1]:>12}{row[2]:>18}")
    figures: dict[str, str] = {
        "events": f"{seen.appended:,}",
        "received": f"{seen.checked.received:,}",
        "repeated": f"{sum(some.count for some in seen.checked.repeats):,}",
        "epochs": f"{len(seen.checked.epochs):,}",
        "published a save": f"{seen.published_a_save:,}",
        "owned after": f"{seen.claimed_s:.1f} s" if seen.claimed_s else "",
        "taken over after": f"{seen.taken_over_s:.1f} s" if seen.taken_over_s else "",
        "load": f"{seen.load_s:.1f} s" if seen.load_s else "",
        "total": f"{seen.total_s:.1f} s",
        "violations": f"{len(seen.all_violations):,}",
    }
    for name, value in figures.items():
        if value:
            print(f"{name:<22}{value:>12}")
    for one in seen.all_violations:
        print(f"  {one}")


def main() -> int:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Faults of relays and their broker, checked by a consumer.")
    parser.add_argument("--broker", choices=KINDS, default="nats")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="stop the active relay once")
    parser.add_argument("--events-per-s", type=float, default=200.0, help="with --pause")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="relay-faults-") as folder:
        if given.pause:
            seen = asyncio.run(pause(Path(folder), given.broker, given.pause, given.events_per_s, given.seed))
        else:
            seen = asyncio.run(run(Path(folder), given.broker, given.events, given.faults, given.seed))
    print_seen(seen)
    return 1 if seen.all_violations else 0


if __name__ == "__main__":
    sys.exit(main())
