"""One real fault a scene, and the alerts that it has to bring about."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import apsw

from faults.alert_watch import AlertWatch
from faults.damaged import SQLITE, SQLITE_LOST
from faults.server_process import ServerProcess
from faults.small_disk import small_disk
from indelible.client import AsyncClient
from indelible.engines.sqlite.index_file import index_path
from indelible.errors import IndelibleError
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend
from indexes.opensearch_server import opensearch_server
from indexes.rewriting_proxy import rewriting_proxy
from indexes.watched_indexes import refusing_above
from network.authority import Authority
from postgres.server import postgres_server
from relays.nats_server import nats_server

DELAY_US = 400_000
"""Of each fsync of a disk that is slow."""


class Scene(NamedTuple):
    alerts: tuple[str, ...]
    play: Callable[[AlertWatch, Path], Awaitable[None]]


@contextlib.asynccontextmanager
async def watched(
    watch: AlertWatch, folder: Path, *flags: str, settings: str = "", store: Path | str | None = None
) -> AsyncIterator[tuple[ServerProcess, AsyncClient]]:
    """A server that Prometheus asks, and a client of it that repeats nothing."""
    if settings:
        (folder / "indelible.toml").write_text(settings)
        flags = (*flags, "--config", str(folder / "indelible.toml"))
    server = ServerProcess(store or folder / "store.db", log=folder / "server.log", flags=flags)
    try:
        await server.start()
        watch.watch(server.url)
        async with AsyncClient(server.url, retry_total_s=0) as client:
            yield server, client
    finally:
        await server.kill()


def instance_of(server: ServerProcess) -> str:
    return server.url.removeprefix("http://")


@contextlib.asynccontextmanager
async def loading(client: AsyncClient, count: int = 1, events: int = 1, size_bytes: int = 10) -> AsyncIterator[None]:
    """So many tasks append all the while, whatever they are answered."""

    async def append(number: int) -> None:
        while True:
            made = [NewEvent("Added", "x" * size_bytes) for _ in range(events)]
            with contextlib.suppress(IndelibleError):
                await client.append("load", str(number), made)
            await asyncio.sleep(0.005)

    tasks = [asyncio.create_task(append(number)) for number in range(count)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def locked(*databases: Path) -> Iterator[None]:
    """As by a program that writes to the files and does not end."""
    connections = [apsw.Connection(str(one), flags=apsw.SQLITE_OPEN_READWRITE) for one in databases]
    for connection in connections:
        connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        for connection in connections:
            connection.close()


def generations_in(folder: Path) -> list[Path]:
    """The files of a query index that hold what is searched."""
    return [path for path in folder.glob("search.db-*") if path.name.removeprefix("search.db-").isdigit()]


async def _until(ask: Callable[[], Awaitable[Any]], is_so: Callable[[Any], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(IndelibleError):
                if is_so(await ask()):
                    return
            await asyncio.sleep(0.1)


async def all_fire(watch: AlertWatch, *names: str, **labels: str) -> None:
    await asyncio.gather(*(watch.until_fired(name, **labels) for name in names))


# --- The server ------------------------------------------------------------------------------------------------------


async def healthy(watch: AlertWatch, folder: Path) -> None:
    """Nothing fires while nothing is wrong. What other scenes brought about may still come."""
    before = len(watch.fired())
    async with watched(watch, folder, "--verify-every-h", "1") as (server, client), loading(client, 4):
        await asyncio.sleep(8)
        here = instance_of(server)
        assert [one for one in watch.fired()[before:] if one.get("instance", here) == here] == []


async def killed(watch: AlertWatch, folder: Path) -> None:
    async with watched(watch, folder) as (server, _):
        await asyncio.sleep(1.5)
        await server.kill()
        await all_fire(watch, "InstanceIsDown", instance=instance_of(server))


async def certificate_expires(watch: AlertWatch, folder: Path) -> None:
    certificate, key = Authority(folder).certify("server", "127.0.0.1", days=13)
    (folder / "indelible.toml").write_text(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n')
    flags = ("--config", str(folder / "indelible.toml"))
    server = ServerProcess(folder / "store.db", log=folder / "server.log", flags=flags)
    await server.spawn()
    try:
        watch.watch(server.url.replace("http:", "https:"))
        await all_fire(watch, "CertificateExpires", instance=instance_of(server))
    finally:
        await server.kill()


async def full_disk(watch: AlertWatch, folder: Path) -> None:
    with small_disk(folder / "disk", 44) as disk:
        async with (
            watched(watch, folder, store=disk.path / "store.db") as (server, client),
            posting(server.url),
        ):
            here = instance_of(server)
            # Not sooner than it can be seen that it fills up.
            await all_fire(watch, "DiskFillsUp", instance=here)
            async with loading(client, 2, size_bytes=200_000):
                expected = ("DiskIsNearlyFull", "AppendsFail", "RequestsFail", "InstanceIsNotReady")
                await all_fire(watch, *expected, instance=here)


@contextlib.asynccontextmanager
async def posting(url: str) -> AsyncIterator[None]:
    """A caller without our client, who appends one event at a time."""
    body = {"events": [{"event_type": "Added", "event_data": "x" * 100_000}]}

    async def post() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.post(f"{url}/v1/aggregates/post/1/events", json=body):
                    await asyncio.sleep(0.05)

    task = asyncio.create_task(post())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def slow_disk(watch: AlertWatch, folder: Path) -> None:
    async with watched(watch, folder) as (server, _):
        strace = await asyncio.create_subprocess_exec(
            "strace", "-f", f"--attach={server.pid}", "-o", str(folder / "strace"),
            "-e", "trace=fdatasync,fsync", "-e", f"inject=fdatasync,fsync:delay_enter={DELAY_US}",
            stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            async with contextlib.AsyncExitStack() as stack:
                others = [await stack.enter_async_context(AsyncClient(server.url)) for _ in range(4)]
                batches = [asyncio.create_task(_append_batches(one, number)) for number, one in enumerate(others)]
                await all_fire(watch, "AppendsAreSlow", "AppendsQueueUp", instance=instance_of(server))
                for batch in batches:
                    batch.cancel()
                await asyncio.gather(*batches, return_exceptions=True)
        finally:
            with contextlib.suppress(ProcessLookupError):
                strace.terminate()
            await strace.wait()


async def _append_batches(client: AsyncClient, number: int) -> None:
    """Many small appends each: they wait for their turns in the queue."""
    while True:
        appends = [AggregateAppend.of("batch", f"{number}-{n}", [NewEvent("Added", n)]) for n in range(5_000)]
        with contextlib.suppress(IndelibleError):
            await client.append_each(appends)


async def database_gone(watch: AlertWatch, folder: Path) -> None:
    """What verifies the log fails as often as it is started again."""
    with postgres_server() as postgres:
        async with watched(watch, folder, "--verify-every-h", "0.0001", store=postgres.new_database()) as (server, _):
            postgres.kill()
            here = instance_of(server)
            await all_fire(watch, "PartFailsAgainAndAgain", "InstanceIsNotReady", instance=here)


# --- The store -------------------------------------------------------------------------------------------------------


async def index_locked(watch: AlertWatch, folder: Path) -> None:
    async with watched(watch, folder) as (server, client), loading(client):
        with locked(index_path(folder / "store.db")):
            await all_fire(watch, "StoreIndexDoesNotGoOn", "StoreIndexLagsBehind", instance=instance_of(server))


async def reader_that_stays(watch: AlertWatch, folder: Path) -> None:
    async with watched(watch, folder) as (server, client):
        await client.append("order", "1", [NewEvent("Placed", 1)])
        reader = apsw.Connection(str(folder / "store.db"), flags=apsw.SQLITE_OPEN_READONLY)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchall()
        async with loading(client, 2, size_bytes=100_000):
            await all_fire(watch, "WriteAheadLogGrows", instance=instance_of(server), file="log")
        reader.close()


async def damaged(watch: AlertWatch, folder: Path) -> None:
    await _make_damaged(folder, SQLITE["no JSON"])
    async with watched(watch, folder, "--verify-every-h", "0.0003") as (server, client):
        await client.groups.create("reader")
        pulling = asyncio.create_task(_pull_and_ack(client, "reader"))
        await all_fire(watch, "LogIsDamaged", "VerifyIsOverdue", instance=instance_of(server))
        await all_fire(watch, "EventsAreDamaged", "EventsAreParked", group="reader")
        pulling.cancel()


async def lost(watch: AlertWatch, folder: Path) -> None:
    await _make_damaged(folder, next(iter(SQLITE_LOST.values())))
    async with watched(watch, folder) as (_, client):
        await client.groups.create("stalled")
        pulling = asyncio.create_task(_pull_and_ack(client, "stalled"))
        await all_fire(watch, "GroupIsStalled", group="stalled")
        pulling.cancel()


async def _make_damaged(folder: Path, spoil: Callable[[str, int], None]) -> None:
    url = f"sqlite:{folder}/store.db"
    async with AsyncClient(url) as store:
        for number in range(9):
            await store.append("order", str(number % 3), [NewEvent("Moved", {"text": "zażółć " * 20})])
    spoil(url, 5)


async def _pull_and_ack(client: AsyncClient, group: str) -> None:
    while True:
        with contextlib.suppress(IndelibleError):
            pulled = await client.groups.pull(group, limit=10, wait_s=1)
            await client.groups.ack(group, [one.delivery_id for one in pulled])
        await asyncio.sleep(0.1)


# --- Consumer groups -------------------------------------------------------------------------------------------------


async def nobody_consumes(watch: AlertWatch, folder: Path) -> None:
    async with watched(watch, folder) as (_, client):
        await client.groups.create("idle")
        for _ in range(11):
            await client.append("order", "1", [NewEvent("Placed", n) for n in range(1_000)])
        await all_fire(watch, "GroupLagsBehind", "NobodyConsumes", group="idle")


async def slow_members(watch: AlertWatch, folder: Path) -> None:
    async with watched(watch, folder) as (_, client):
        await client.groups.create("slow", ack_timeout_s=0.2, max_attempts=100)
        await client.append("order", "1", [NewEvent("Placed", 1)])

        async def pull() -> None:
            while True:
                await client.groups.pull("slow", limit=10, wait_s=1)

        pulling = asyncio.create_task(pull())
        await all_fire(watch, "AcknowledgementsComeTooLate", group="slow")
        pulling.cancel()


# --- Relays ----------------------------------------------------------------------------------------------------------


async def broker_gone(watch: AlertWatch, folder: Path) -> None:
    with nats_server(folder) as broker:
        settings = f'[relays.gone]\nto = "{broker.to()}"\n'
        async with watched(watch, folder, settings=settings) as (_, client):
            await client.append("order", "1", [NewEvent("Placed", 1)])
            await _until(lambda: client.relays.get("gone"), lambda info: info.published > 0)
            broker.kill()
            async with loading(client):
                await all_fire(watch, "RelayCannotPublish", "RelayLagsBehind", relay="gone")
        (folder / "indelible.toml").unlink()
        async with watched(watch, folder):
            await all_fire(watch, "NobodyRunsRelay", relay="gone")


async def event_too_large(watch: AlertWatch, folder: Path) -> None:
    with nats_server(folder, max_payload_bytes=2_000) as broker:
        settings = (
            f'[relays.refused]\nto = "{broker.to()}"\n'
            f'[relays.aside]\nto = "{broker.to("&stream=ASIDE&subject=aside")}"\non_refusal = "set_aside"\n'
        )
        async with watched(watch, folder, settings=settings) as (_, client):
            await client.append("order", "1", [NewEvent("Placed", "x" * 10_000)])
            await all_fire(watch, "RelayIsStopped", relay="refused")
            await all_fire(watch, "EventsAreSetAside", relay="aside")


# --- The query index -------------------------------------------------------------------------------------------------


async def search_index_locked(watch: AlertWatch, folder: Path) -> None:
    settings = f'[index]\nstore = "sqlite:{folder}/search.db"\n'
    async with watched(watch, folder, settings=settings) as (_, client):
        await client.append("order", "1", [NewEvent("Placed", 1)])
        await _until(client.index.status, lambda info: info.serving is not None)
        with locked(*generations_in(folder)):
            async with loading(client):
                await all_fire(watch, "QueryIndexLagsBehind", "QueryIndexDoesNotGoOn")


async def nothing_indexed(watch: AlertWatch, folder: Path) -> None:
    """The disk of the index is full from the beginning, so that no index gets complete."""
    with small_disk(folder / "disk", 2) as disk:
        settings = f'[index]\nstore = "sqlite:{disk.path}/search.db"\n'
        server = ServerProcess(folder / "store.db", log=folder / "server.log")
        await server.start()
        async with AsyncClient(server.url) as client:
            for _ in range(20):
                await client.append("order", "1", [NewEvent("Placed", os.urandom(100).hex()) for _ in range(1_000)])
        await server.kill()
        async with watched(watch, folder, settings=settings):
            await all_fire(watch, "NothingIsSearched")


async def refused_events(watch: AlertWatch, folder: Path) -> None:
    """A proxy before the service takes no documents as large as the largest event's."""
    with opensearch_server() as service:
        async with rewriting_proxy(service.address) as proxy:
            proxy.handle = refusing_above(6_000)
            settings = f'[index]\nstore = "opensearch://{proxy.address}/refused"\n'
            async with watched(watch, folder, settings=settings) as (_, client):
                await client.append("order", "1", [NewEvent("Placed", "word " * 5_000)])
                await all_fire(watch, "QueryIndexRefusesEvents")


SCENES = {
    "healthy": Scene((), healthy),
    "killed": Scene(("InstanceIsDown",), killed),
    "certificate expires": Scene(("CertificateExpires",), certificate_expires),
    "full disk": Scene(
        ("DiskFillsUp", "DiskIsNearlyFull", "AppendsFail", "RequestsFail", "InstanceIsNotReady"), full_disk
    ),
    "slow disk": Scene(("AppendsAreSlow", "AppendsQueueUp"), slow_disk),
    "database gone": Scene(("PartFailsAgainAndAgain", "InstanceIsNotReady"), database_gone),
    "index locked": Scene(("StoreIndexDoesNotGoOn", "StoreIndexLagsBehind"), index_locked),
    "reader that stays": Scene(("WriteAheadLogGrows",), reader_that_stays),
    "damaged": Scene(("LogIsDamaged", "VerifyIsOverdue", "EventsAreDamaged", "EventsAreParked"), damaged),
    "event lost": Scene(("GroupIsStalled",), lost),
    "nobody consumes": Scene(("GroupLagsBehind", "NobodyConsumes"), nobody_consumes),
    "slow members": Scene(("AcknowledgementsComeTooLate",), slow_members),
    "broker gone": Scene(("RelayCannotPublish", "RelayLagsBehind", "NobodyRunsRelay"), broker_gone),
    "event too large": Scene(("RelayIsStopped", "EventsAreSetAside"), event_too_large),
    "search index locked": Scene(("QueryIndexLagsBehind", "QueryIndexDoesNotGoOn"), search_index_locked),
    "nothing indexed": Scene(("NothingIsSearched",), nothing_indexed),
    "refused events": Scene(("QueryIndexRefusesEvents",), refused_events),
}
