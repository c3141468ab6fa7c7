"""A server in this process, for tests that break nothing of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from indelible.core.store import LocalEventStore
from indelible.server.compose import http_app, make_services
from indelible.server.config import Address
from indelible.server.grpc.server import serving_grpc
from indelible.server.http.connection import serving

_ANY_PORT = Address("127.0.0.1", 0)


@asynccontextmanager
async def _over_grpc(store: LocalEventStore) -> AsyncIterator[str]:
    services = make_services(store)
    async with serving_grpc(services, _ANY_PORT, shutdown_grace_s=5) as address:
        yield f"grpc://{address}"
        services.stopping.set()


@contextmanager
def serving_in_a_thread(store: LocalEventStore, transport: str = "http") -> Iterator[str]:
    """Opens the store and serves it, on an event loop that outlives those of single tests; gives the URL."""
    ready: Future[str] = Future()
    stop = asyncio.Event()

    def over_transport() -> AbstractAsyncContextManager[str]:
        return _over_grpc(store) if transport == "grpc" else serving(http_app(store), _ANY_PORT, shutdown_grace_s=5)

    async def serve() -> None:
        async with store, over_transport() as url:
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
