"""A server in this process, for tests that break nothing of it."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from indelible.core.store import LocalEventStore
from indelible.server.compose import http_app
from indelible.server.config import Address
from indelible.server.uvicorn_server import serving


@contextmanager
def serving_in_a_thread(store: LocalEventStore) -> Iterator[str]:
    """Opens the store and serves it, on an event loop that outlives those of single tests; gives the URL."""
    ready: Future[str] = Future()
    stop = asyncio.Event()

    async def serve() -> None:
        async with store, serving(http_app(store), Address("127.0.0.1", 0), shutdown_grace_s=5) as url:
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
