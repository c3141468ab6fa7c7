"""A server in this process, for tests that break nothing of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress

from indelible.core.store import LocalEventStore
from indelible.eventstore import EventStore, MeasuringStore
from indelible.indexes.index import QueryIndex
from indelible.indexes.indexer import Indexer
from indelible.indexes.memory import MemoryIndex
from indelible.indexes.opened import OpenedIndex
from indelible.indexes.searching import SearchingStore
from indelible.search import FieldType
from indelible.server.compose import make_services
from indelible.server.config import Address, EsdbSettings
from indelible.server.esdb.server import serving_esdb
from indelible.server.grpc.server import serving_grpc
from indelible.server.http.app import HttpApp
from indelible.server.http.connection import serving
from indelible.server.http.routes import ROUTES
from indelible.server.network_settings import LimitSettings, TlsSettings
from indelible.server.principal_limits import PrincipalLimits
from indelible.server.services import Services
from indelible.server.tls import Certificates

_ANY_PORT = Address("127.0.0.1", 0)


@asynccontextmanager
async def searching(
    store: MeasuringStore, fields: Mapping[str, FieldType], index: QueryIndex | None = None
) -> AsyncIterator[SearchingStore]:
    """A store that is open, with a query index that is kept up to date."""
    opened = OpenedIndex(MemoryIndex() if index is None else index)
    indexer = Indexer(store, opened, fields)
    task = asyncio.create_task(indexer.run())
    try:
        yield SearchingStore(store, opened, fields, indexer=indexer)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await opened.close()


@asynccontextmanager
async def _around(
    store: LocalEventStore, fields: Mapping[str, FieldType] | None, index: QueryIndex | None
) -> AsyncIterator[EventStore]:
    if fields is None:
        yield store
        return
    async with searching(store, fields, index) as around:
        yield around


@asynccontextmanager
async def _over_grpc(services: Services, certificates: Certificates | None) -> AsyncIterator[str]:
    async with serving_grpc(services, _ANY_PORT, shutdown_grace_s=5, certificates=certificates) as address:
        yield f"{'grpc' if certificates is None else 'grpcs'}://{address}"
        services.stopping.set()


@asynccontextmanager
async def _over_esdb(services: Services, certificates: Certificates | None) -> AsyncIterator[str]:
    settings = EsdbSettings(_ANY_PORT)
    async with serving_esdb(services, settings, shutdown_grace_s=5, certificates=certificates) as address:
        yield f"esdb://{address}?tls={'false' if certificates is None else 'true'}"
        services.stopping.set()


@contextmanager
def serving_in_a_thread(
    store: LocalEventStore,
    transport: str = "http",
    *,
    fields: Mapping[str, FieldType] | None = None,
    index: QueryIndex | None = None,
    tls: TlsSettings | None = None,
    limits: LimitSettings | None = None,
) -> Iterator[str]:
    """Opens the store and serves it, on an event loop that outlives those of single tests; gives the URL. With
    ``fields``, those of a query index, it can be searched: in this ``index``, or in one in memory."""
    ready: Future[str] = Future()
    stop = asyncio.Event()

    def over_transport(services: Services) -> AbstractAsyncContextManager[str]:
        services.principal_limits = None if limits is None else PrincipalLimits(limits)
        certificates = None if tls is None else Certificates(tls)
        if transport == "grpc":
            return _over_grpc(services, certificates)
        if transport == "esdb":
            return _over_esdb(services, certificates)
        return serving(HttpApp(services, ROUTES), _ANY_PORT, shutdown_grace_s=5, certificates=certificates)

    async def serve() -> None:
        async with (
            store,
            _around(store, fields, index) as around,
            over_transport(make_services(store, around=around)) as url,
        ):
            ready.set_result(url)
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ready.result(timeout=60)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
