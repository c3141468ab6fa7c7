"""Subscribers and members that take nothing: what they cost together, that others go on, and that nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from faults.server_process import ServerProcess, server_process
from faults.stalled import StalledCall, StalledStream
from indelible import AsyncClient, EventQuery, NewEvent
from postgres.server import free_port

STALLED = 200
LARGE_BYTES, LARGE_EVENTS = 1_000_000, 24
GROWTH_BYTES_MAX = 250e6
"""Of the server. Each held a page and its rendering before: more than 1 GB with these events."""
TAG = "odd"


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


class Served:
    def __init__(self, server: ServerProcess, client: AsyncClient, grpc: str) -> None:
        self.pid, self.url, self.client, self.grpc = server.pid, server.url, client, grpc

    async def append(self, count: int, size_bytes: int) -> None:
        for number in range(count):
            tags = [TAG] if number % 2 else []
            await self.client.append("order", str(number % 3), [NewEvent("Filled", "x" * size_bytes, tags=tags)])

    async def growth_bytes(self, before: int) -> int:
        """The most that is seen until it has not grown for a while."""
        most, quiet = 0, 0
        while quiet < 6:
            await asyncio.sleep(0.5)
            now = resident_bytes(self.pid)
            quiet = quiet + 1 if now <= most + 1e6 else 0
            most = max(now, most)
        return most - before


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    grpc = f"127.0.0.1:{free_port()}"
    async with (
        server_process(tmp_path / "store.db", flags=("--grpc", grpc)) as server,
        AsyncClient(server.url) as client,
    ):
        yield Served(server, client, grpc)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@asynccontextmanager
async def _reader(url: str) -> AsyncIterator[Callable[[int], Awaitable[list[int]]]]:
    """A subscriber that reads; gives what takes its next events' positions, up to one."""
    async with AsyncClient(url) as client, aclosing(client.follow()) as pages:

        async def take(last: int) -> list[int]:
            positions: list[int] = []
            while last not in positions:
                async with asyncio.timeout(60):
                    positions += [event.position for event in (await anext(pages)).events]
            return positions

        yield take


async def test_stalled_streams_cost_little_however_large_the_events(served: Served, stack: ExitStack) -> None:
    await served.append(LARGE_EVENTS, LARGE_BYTES)
    before = resident_bytes(served.pid)
    stalled = [
        StalledStream(served.url, stack, after=number % 12, tag=TAG if number % 2 else None)
        for number in range(STALLED)
    ]
    growth = await served.growth_bytes(before)
    print(f"memory of {STALLED} stalled streams: {growth / 1e6:.0f} MB")
    assert growth < GROWTH_BYTES_MAX
    async with _reader(served.url) as take:
        assert await take(LARGE_EVENTS) == [*range(1, LARGE_EVENTS + 1)]
        await served.append(2, 10)
        assert await take(LARGE_EVENTS + 2) == [LARGE_EVENTS + 1, LARGE_EVENTS + 2]
    # Those that read after all get everything, in order, though their pages have gone long since.
    everything = await asyncio.to_thread(stalled[0].read_positions, LARGE_EVENTS + 2)
    assert everything == [*range(1, LARGE_EVENTS + 3)]
    filtered = await asyncio.to_thread(stalled[1].read_positions, LARGE_EVENTS + 2)
    assert filtered == [*range(2, LARGE_EVENTS + 3, 2)]


async def test_stalled_calls_cost_little_however_large_the_events(served: Served, stack: ExitStack) -> None:
    await served.append(LARGE_EVENTS, LARGE_BYTES)
    async with _reader(f"grpc://{served.grpc}") as take:
        assert await take(LARGE_EVENTS) == [*range(1, LARGE_EVENTS + 1)]
        before = resident_bytes(served.pid)
        for number in range(STALLED):
            query = EventQuery.of(tags=[TAG] if number % 2 else [])
            StalledCall(served.grpc, stack, query, after=number % 12, window_bytes=65_535)
        growth = await served.growth_bytes(before)
        print(f"memory of {STALLED} stalled calls: {growth / 1e6:.0f} MB")
        assert growth < GROWTH_BYTES_MAX
        await served.append(2, LARGE_BYTES)
        assert await take(LARGE_EVENTS + 2) == [LARGE_EVENTS + 1, LARGE_EVENTS + 2]


async def test_a_stalled_call_that_reads_again_gets_everything(served: Served, stack: ExitStack) -> None:
    events = 600
    await served.client.append("order", "1", [NewEvent("Filled", "x" * 1_000) for _ in range(events)])
    stalled = [StalledCall(served.grpc, stack, EventQuery.of(), after=number) for number in range(STALLED)]
    await asyncio.sleep(1)
    await served.client.append("order", "1", [NewEvent("Filled")])
    for after in (0, 7):
        positions = await asyncio.to_thread(stalled[after].read_positions, events + 1)
        assert positions == [*range(after + 1, events + 2)]


async def test_256_groups_whose_members_left_cost_little(served: Served) -> None:
    """Of each group a member has pulled once, all that it can get."""
    groups, aggregates = 256, 600
    for start in range(0, aggregates, 100):
        await asyncio.gather(
            *(served.client.append("order", f"{start + n}", [NewEvent("Filled", "x" * 1_000)]) for n in range(100))
        )
    # Nothing is to come back meanwhile, however long that takes.
    create = partial(served.client.groups.create, start="beginning", ack_timeout_s=3_600)
    await create("first")
    await served.client.groups.pull("first", limit=600)
    before = resident_bytes(served.pid)
    for number in range(groups - 1):
        await create(f"group-{number}")
        pulled = await served.client.groups.pull(f"group-{number}", limit=600)
        assert len(pulled) == 600
    growth = await served.growth_bytes(before)
    print(f"memory of {groups} groups: {growth / 1e6:.0f} MB")
    assert growth < 60e6
    # They are there as before.
    assert (await served.client.groups.get("group-0")).in_flight == 600
    settled = await served.client.groups.ack("group-254", [one.delivery_id for one in pulled])
    assert settled.lost == ()
