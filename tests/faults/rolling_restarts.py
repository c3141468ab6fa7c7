"""Three servers on one PostgreSQL behind a real HAProxy, restarted one after the other, and one killed, under load::

PYTHONPATH=tests .venv/bin/python -m faults.rolling_restarts --appends-per-s 2000 --rounds 2

Writers, subscribers and members of a consumer group; half of them speak HTTP, half gRPC. Exits with 1 when a caller of
a client met an error, when a subscriber missed an event or got one twice, when the group missed one, or when the log
does not hold exactly what was acknowledged.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

import programs
from faults.haproxy import HAProxy
from faults.paced_load import Callers, Heard, Load, p99
from faults.server_process import ServerProcess
from indelible.client import AsyncClient
from indelible.core.verify import verify
from postgres.server import free_port, postgres_server

SERVERS = 3
CLIENTS_A_TRANSPORT = 2


class Figures(msgspec.Struct):
    acknowledged: int
    events: int
    """In the log."""
    failures: int
    replayed: int
    """Appends that a client had to send again although they were stored."""
    restarts: int
    kills: int
    load_s: float
    appends_per_s: float
    append_p99_ms: float
    append_max_ms: float
    read_p99_ms: float
    problems: list[str]


class Run:
    """``calm_s`` is how long the load goes on without trouble: before, after, and between what is done to servers.
    Without ``drain_delay_s`` the proxy learns of a stop by what fails, which is harder on callers."""

    def __init__(
        self,
        store: str,
        load: Load,
        folder: Path,
        *,
        rounds: int = 1,
        calm_s: float = 1.0,
        drain_delay_s: float = 0.0,
    ) -> None:
        self._load, self._rounds, self._calm_s = load, rounds, calm_s
        self._grpc = [f"127.0.0.1:{free_port()}" for _ in range(SERVERS)]
        variables = {"INDELIBLE_DRAIN_DELAY_S": str(drain_delay_s)}
        self._servers = [
            ServerProcess(store, log=folder / f"server-{n}.log", flags=["--grpc", address], variables=variables)
            for n, address in enumerate(self._grpc)
        ]
        self._proxy = HAProxy(folder / "haproxy.log")

    async def run(self) -> Figures:
        async with self._running() as clients:
            callers = Callers(clients, self._load, keeps_ids=True)
            loading = asyncio.create_task(callers.run())
            await asyncio.sleep(self._calm_s)
            for _ in range(self._rounds):
                await self._trouble()
            callers.finish()
            await loading
            return await self._figures(clients[0], callers)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[Sequence[AsyncClient]]:
        async with AsyncExitStack() as stack:
            for server in self._servers:
                stack.push_async_callback(server.kill)
            async with asyncio.TaskGroup() as starting:
                for server in self._servers:
                    starting.create_task(server.start())
            addresses = [server.url.removeprefix("http://") for server in self._servers]
            await stack.enter_async_context(self._proxy.running(list(zip(addresses, self._grpc, strict=True))))
            for number in range(SERVERS):
                await self._proxy.wait_until_up(number)
            urls = [self._proxy.url, self._proxy.grpc_url] * CLIENTS_A_TRANSPORT
            yield [await stack.enter_async_context(AsyncClient(url, retry_total_s=60)) for url in urls]

    async def _trouble(self) -> None:
        """A rolling restart, and then the sudden end of one server."""
        for number, server in enumerate(self._servers):
            server.terminate()
            assert await server.exit_code() == 0, server.tail()
            await self._start_again(number)
        await self._servers[0].kill()
        await self._start_again(0)

    async def _start_again(self, number: int) -> None:
        await self._servers[number].start()
        await self._proxy.wait_until_up(number)
        await asyncio.sleep(self._calm_s)

    async def _figures(self, client: AsyncClient, callers: Callers) -> Figures:
        heard = callers.heard
        events, problems = await _compared(client, heard)
        return Figures(
            acknowledged=heard.acknowledged,
            events=events,
            failures=heard.failures,
            replayed=heard.replayed,
            restarts=SERVERS * self._rounds,
            kills=self._rounds,
            load_s=callers.load_s,
            appends_per_s=heard.acknowledged / callers.load_s,
            append_p99_ms=p99(heard.appends_s) * 1_000,
            append_max_ms=max(heard.appends_s, default=0.0) * 1_000,
            read_p99_ms=p99(heard.reads_s) * 1_000,
            problems=[*heard.first_failures, *callers.missed(), *problems],
        )


async def _compared(client: AsyncClient, heard: Heard) -> tuple[int, list[str]]:
    """How many events the log holds, and where that is not what was acknowledged."""
    acknowledged = heard.positions
    assert acknowledged is not None
    found = {event.event_id: event.position async for event in client.iter_feed()}
    lost = [event for event, position in acknowledged.items() if found.get(event) != position]
    extra = found.keys() - acknowledged.keys()
    problems = [f"{len(lost)} acknowledged events are not where they were said to be: {lost[:3]}"] if lost else []
    # An append that was not acknowledged may be stored; but a caller has seen that as a failure.
    problems += [f"{len(extra)} events that nobody was told of"] if len(extra) > heard.failures else []
    damage = (await verify(client)).damage
    return len(found), problems + ([f"position {damage.position}: {damage.reason}"] if damage else [])


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Rolling restarts and a kill behind HAProxy, under load.")
    parser.add_argument("--appends-per-s", type=float, default=2_000.0)
    parser.add_argument("--writers", type=int, default=256)
    parser.add_argument("--subscribers", type=int, default=4)
    parser.add_argument("--members", type=int, default=4, help="of a consumer group")
    parser.add_argument("--rounds", type=int, default=1, help="each restarts all three, and kills one")
    parser.add_argument("--drain-delay-s", type=float, default=0.0, help="that of the servers")
    parser.add_argument("--calm-s", type=float, default=1.0, help="between what is done to servers")
    parser.add_argument("--keep", type=Path, help="folder to keep the logs in")
    given = parser.parse_args()
    load = Load(given.appends_per_s, given.writers, given.subscribers, given.members)
    with tempfile.TemporaryDirectory(prefix="rolling-restarts-") as temporary, postgres_server() as database:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run = Run(
            database.new_database(), load, folder,
            rounds=given.rounds, calm_s=given.calm_s, drain_delay_s=given.drain_delay_s,
        )  # fmt: skip
        figures = asyncio.run(run.run())
    for name, value in msgspec.structs.asdict(figures).items():
        if name != "problems":
            print(f"{name:<20}{value:>12,.1f}" if isinstance(value, float) else f"{name:<20}{value:>12,}")
    for line in figures.problems:
        print(line)
    sys.exit(1 if figures.problems or not figures.acknowledged else 0)


if __name__ == "__main__":
    main()
