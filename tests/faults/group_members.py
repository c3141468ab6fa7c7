"""A consumer group whose members and servers are killed while others append. Run by hand for many events::

PYTHONPATH=tests .venv/bin/python -m faults.group_members --events 100000 --aggregates 1000 --store postgresql --grpc

Four members in processes of their own: one is killed with -9 and replaced, one hangs for longer than it may, one
refuses events at random. Some events are poisoned: handling them fails until they are cured, and redriven. A server is
killed with -9: the only one, on SQLite, which is started again; one of three, on PostgreSQL. What the members wrote
down is checked: nothing is lost, and nothing comes out of order.
"""

import argparse
import asyncio
import contextlib
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

import programs
from faults import group_member
from faults.group_check import (
    Deliveries,
    check_held_up,
    check_one_at_a_time,
    check_order,
    latest_redelivery_s,
)
from faults.group_member import Got, Job, Said, read_records
from faults.server_process import ServerProcess
from indelible import AsyncClient, NewEvent, OutcomeUnknown, RecordedEvent, Unavailable
from indelible.groups import GroupInfo
from postgres.server import free_port, postgres_server

GROUP = "billing"
WRITERS = 32
MAX_ATTEMPTS = 8
POISONED = 5
TRICKLE_S = 1.0
"""Between two appends of a writer that is ahead: all is to be broken while events still come."""
POLL_S = 0.02
DONE_TIMEOUT_S = 900.0
RETRY_TOTAL_S = 60.0


class Settings(msgspec.Struct, frozen=True):
    events: int
    aggregates: int
    servers: int = 1
    over_grpc: bool = False
    ack_timeout_s: float = 5.0
    late_max_s: float = 2.0
    """Beyond a deadline, before the event is with another member. More where other tests run beside."""
    standstill_max_s: float = 10.0
    """When a server is killed. More where other tests run beside. While there is no server nothing can go on."""
    events_per_s: float = 0.0
    """How fast is appended; 0: as fast as may be."""
    handle_s: float = 0.0
    seed: int = 0


class Figures(msgspec.Struct):
    events: int = 0
    deliveries: int = 0
    redeliveries: int = 0
    late_acks: int = 0
    """After the deadline: those of the member that hung, above all."""
    lost_acks: int = 0
    """While another had the event. Once that has acknowledged it, a late one changes nothing."""
    unheard_acks: int = 0
    """Lost though they came in time; one server among several must not be kept from saving by the others."""
    refusals: int = 0
    parked: int = 0
    redriven: int = 0
    latest_redelivery_s: float = 0.0
    stood_still_s: float = 0.0
    """At most, about when a server was killed."""
    down_s: float = 0.0
    """From the kill of the only server until it was there again."""
    server_kill_at_position: int = 0
    total_s: float = 0.0
    events_per_s: float = 0.0


class Run:
    def __init__(self, settings: Settings, store: str, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self.servers, self._urls = list[ServerProcess](), list[str]()
        for number in range(settings.servers):
            address = f"127.0.0.1:{free_port()}"
            flags = ["--grpc", address] if settings.over_grpc else []
            server = ServerProcess(store, log=folder / f"server-{number}.log", flags=flags)
            self.servers.append(server)
            self._urls.append(f"grpc://{address}" if settings.over_grpc else server.url)
        self._members: dict[str, asyncio.subprocess.Process] = {}
        self._chance = random.Random(settings.seed)
        self._cured = folder / "cured"
        self._broken = asyncio.Event()
        """Set once a server was killed."""
        self.figures = Figures()

    async def run(self) -> Figures:
        began = time.perf_counter()
        async with AsyncExitStack() as stack:
            await self._start(stack)
            # The last server is not the one that is killed, unless there is no other.
            self._client = await stack.enter_async_context(AsyncClient(self._urls[-1], retry_total_s=RETRY_TOTAL_S))
            await self._client.groups.create(
                GROUP, ack_timeout_s=self._settings.ack_timeout_s, max_attempts=MAX_ATTEMPTS
            )
            for number in range(4):
                await self._start_member(f"member-{number}", refused=0.05 if number == 3 else 0.0)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._append())
                killing = tasks.create_task(self._break())
            await self._until(lambda info: not (info.lag or info.in_flight or info.waiting))
            self.figures.total_s = time.perf_counter() - began
            await self._cure()
            await self._stop_members()
            await self._check(killing.result())
        return self.figures

    # --- Who takes part ----------------------------------------------------------------------------------------------

    async def _start(self, stack: AsyncExitStack) -> None:
        stack.push_async_callback(self._kill_members)
        for server in self.servers:
            stack.push_async_callback(server.kill)
        async with asyncio.TaskGroup() as starting:
            for server in self.servers:
                starting.create_task(server.start())

    async def _start_member(self, name: str, *, refused: float = 0.0) -> None:
        home = len(self._members) % len(self._urls)
        job = Job(
            urls=(*self._urls[home:], *self._urls[:home]), group=GROUP, name=name,
            history=str(self._folder / f"{name}.history"), cured=str(self._cured), refused=refused,
            handle_s=self._settings.handle_s,
        )  # fmt: skip
        self._members[name] = await group_member.spawn(job)

    async def _kill_members(self) -> None:
        for process in self._members.values():
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _stop_members(self) -> None:
        for process in self._members.values():
            process.terminate()
        for process in self._members.values():
            assert await process.wait() == 0

    # --- Appending ---------------------------------------------------------------------------------------------------

    async def _append(self) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for writer in range(WRITERS):
                tasks.create_task(self._write(range(writer, self._settings.aggregates, WRITERS), began))

    async def _write(self, aggregates: Sequence[int], began: float) -> None:
        """As many events to each aggregate, in random order."""
        each = self._settings.events // self._settings.aggregates
        turns = [aggregate for aggregate in aggregates for _ in range(each)]
        self._chance.shuffle(turns)
        count = dict.fromkeys(aggregates, 0)
        for number, aggregate in enumerate(turns):
            if number == len(turns) - 1:
                await self._broken.wait()
            elif number >= 0.8 * len(turns):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._broken.wait(), TRICKLE_S)
            count[aggregate] += 1
            is_poisoned = aggregate < POISONED and count[aggregate] == each // 2
            await self._store(str(aggregate), NewEvent("Counted", {"n": number, "is_poisoned": is_poisoned}))
            if self._settings.events_per_s:
                due = began + (number + 1) * self._settings.aggregates * each / len(turns) / self._settings.events_per_s
                await asyncio.sleep(due - time.monotonic())

    async def _store(self, aggregate_id: str, event: NewEvent) -> None:
        while True:
            with contextlib.suppress(Unavailable, OutcomeUnknown):
                await self._client.append("order", aggregate_id, [event])
                return

    # --- Breaking ----------------------------------------------------------------------------------------------------

    async def _break(self) -> float:
        """One after another, while the group is at work. When a server was killed, in seconds since 1970."""
        await self._until_share(0.15)
        await self._until_it_holds("member-0")
        killed = self._members.pop("member-0")
        killed.kill()
        await killed.wait()
        await self._start_member("member-4")
        await self._until_share(0.3)
        await self._hang(self._members["member-1"], "member-1")
        await self._until_share(0.6)
        self.figures.server_kill_at_position = (await self._client.groups.get(GROUP)).position
        killed_at, began = time.time(), time.monotonic()
        await self.servers[0].kill()
        self._broken.set()
        if len(self.servers) == 1:
            await self.servers[0].start()
            self.figures.down_s = time.monotonic() - began
        return killed_at

    async def _until_share(self, share: float) -> None:
        await self._until(lambda info: info.position >= share * self._settings.events)

    async def _hang(self, member: asyncio.subprocess.Process, name: str) -> None:
        """Stop it with deliveries, for longer than it may have them."""
        async with asyncio.timeout(DONE_TIMEOUT_S):
            while True:
                member.send_signal(signal.SIGSTOP)
                held = await self._held_by(name)
                # What it has said may be on its way yet.
                if held and held - self._said_by(name):
                    break
                member.send_signal(signal.SIGCONT)
                await asyncio.sleep(POLL_S)
        await asyncio.sleep(self._settings.ack_timeout_s + 1.0)
        member.send_signal(signal.SIGCONT)

    async def _held_by(self, member: str) -> set[int]:
        return {one.position for one in await self._client.groups.list_in_flight(GROUP) if one.member == member}

    def _said_by(self, member: str) -> set[int]:
        """Events that it is done with, also if they came to it again."""
        records = list(read_records(self._folder / f"{member}.history"))
        positions = {one.delivery_id: one.position for one in records if isinstance(one, Got)}
        return {positions[one.delivery_id] for one in records if isinstance(one, Said)}

    async def _until_it_holds(self, member: str) -> None:
        async with asyncio.timeout(DONE_TIMEOUT_S):
            while not await self._held_by(member):
                pass

    async def _until(self, is_so: Callable[[GroupInfo], bool]) -> None:
        async with asyncio.timeout(DONE_TIMEOUT_S):
            while not is_so(await self._client.groups.get(GROUP)):
                assert all(one.returncode is None for one in self._members.values()), "a member has stopped by itself"
                await asyncio.sleep(POLL_S)

    # --- Checking ----------------------------------------------------------------------------------------------------

    async def _cure(self) -> None:
        """What is parked are the poisoned events, and nothing behind them has come; then all of it comes."""
        log = [event async for event in self._client.iter_feed()]
        poisoned = [event for event in log if event.event_data["is_poisoned"]]
        parked = (await self._client.groups.list_parked(GROUP)).parked
        assert [one.position for one in parked] == [event.position for event in poisoned]
        assert {one.attempts for one in parked} == {MAX_ATTEMPTS}
        check_held_up(self._deliveries(), poisoned, log)
        self.figures.parked = (await self._client.groups.get(GROUP)).parked
        self._cured.touch()
        self.figures.redriven = await self._client.groups.redrive_parked(GROUP)
        assert self.figures.redriven == len(poisoned)
        await self._until(lambda info: not (info.parked or info.lag or info.in_flight or info.waiting))
        assert await self._client.groups.list_in_flight(GROUP) == ()

    def _deliveries(self) -> Deliveries:
        return Deliveries(record for path in self._folder.glob("*.history") for record in read_records(path))

    async def _check(self, killed_at: float) -> None:
        log: list[RecordedEvent] = [event async for event in self._client.iter_feed()]
        each = self._settings.events // self._settings.aggregates
        assert len(log) == each * self._settings.aggregates
        deliveries = self._deliveries()
        check_order(deliveries, log)
        check_one_at_a_time(deliveries)
        figures = self.figures
        figures.events, figures.deliveries = len(log), len(deliveries.by_id)
        figures.redeliveries = figures.deliveries - figures.events
        figures.late_acks = sum(one.is_late for one in deliveries.by_id.values())
        figures.lost_acks = sum(one.is_lost for one in deliveries.by_id.values())
        timeout_s = self._settings.ack_timeout_s
        figures.unheard_acks = sum(one.is_unheard(timeout_s) for one in deliveries.by_id.values())
        figures.refusals = sum(one.said is not None and not one.said.is_ack for one in deliveries.by_id.values())
        figures.latest_redelivery_s = latest_redelivery_s(deliveries, timeout_s)
        figures.stood_still_s = deliveries.stood_still_s(killed_at, self._settings.standstill_max_s)
        figures.events_per_s = figures.events / figures.total_s
        assert figures.stood_still_s <= figures.down_s + self._settings.standstill_max_s, figures
        assert figures.latest_redelivery_s <= figures.down_s + self._settings.late_max_s, figures


async def group_members(settings: Settings, store: str, folder: Path) -> Figures:
    """Raises ``AssertionError`` when the group broke a promise."""
    run = Run(settings, store, folder)
    try:
        return await run.run()
    except BaseException:
        for server in run.servers:
            print(server.tail() if server.log.exists() else "")
        raise


@contextlib.contextmanager
def _store(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:{folder}/store.db"
        return
    with postgres_server() as database:
        yield database.new_database()


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="A consumer group whose members and servers are killed.")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--aggregates", type=int, default=1_000)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--grpc", action="store_true", help="members and writers use gRPC instead of HTTP")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    servers = 1 if given.store == "sqlite" else 3
    settings = Settings(given.events, given.aggregates, servers, given.grpc, seed=given.seed)
    with tempfile.TemporaryDirectory(prefix="group-members-") as folder, _store(given.store, Path(folder)) as store:
        figures = asyncio.run(group_members(settings, store, Path(folder)))
    for name, value in msgspec.structs.asdict(figures).items():
        print(f"{name:<24}{value:>12,.2f}" if isinstance(value, float) else f"{name:<24}{value:>12,}")


if __name__ == "__main__":
    main()
