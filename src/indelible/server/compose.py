"""Puts the server together: one store, its transports, one event loop; starts it, and stops it graciously."""

import asyncio
import contextlib
import gc
import resource
import signal
from collections.abc import Callable, Iterator
from os import EX_IOERR, EX_OK
from typing import Final

import structlog
import uvloop

from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.errors import StorageFailure
from indelible.limits import CONNECTIONS_MAX
from indelible.server.config import Settings, shown_url
from indelible.server.http.app import HttpApp
from indelible.server.http.routes import ROUTES
from indelible.server.logs import configure_logs
from indelible.server.metrics import Metrics
from indelible.server.services import Services
from indelible.server.uvicorn_server import serving

EXIT_STORAGE_FAILURE: Final = EX_IOERR
"""74: the storage has failed. What was acknowledged is on disk; a restart finds out what else is."""

_FILES_BESIDE_CONNECTIONS: Final = 256
"""Databases, logs, reader threads and the like."""

_OBJECTS_BETWEEN_COLLECTIONS: Final = 20_000
"""New objects that may be left before the garbage collector looks for cycles among them; Python's own is 700."""

_log: Final = structlog.get_logger(__name__)


def run(settings: Settings, *, on_ready: Callable[[str], None] | None = None) -> int:
    """Serve until a signal or a storage failure; returns the exit code. ``on_ready`` gets the server's URL.

    Raises ``InvalidRequest`` for an address or a store that cannot be had, ``StoreLocked``, ``StorageFailure``.
    """
    configure_logs(settings.log_format, settings.log_level)
    _allow_open_files(CONNECTIONS_MAX + _FILES_BESIDE_CONNECTIONS)
    _spare_garbage_collector()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings, on_ready=on_ready))


async def serve(settings: Settings, *, on_ready: Callable[[str], None] | None = None) -> int:
    """As :func:`run`, within an event loop that is there already. Call from the main thread: it takes signals."""
    stop = _Stop()
    metrics = Metrics()
    store = open_local_store(settings.store, on_batch=metrics.on_batch, on_failure=stop.on_storage_failure)
    with stop.on_signals():
        async with store:
            for warning in store.warnings:
                _log.warning(warning)
            await _serve_store(settings, Services(store, metrics), stop, on_ready)
    _log.info("stopped", exit_code=stop.exit_code)
    return stop.exit_code


async def _serve_store(
    settings: Settings, services: Services, stop: "_Stop", on_ready: Callable[[str], None] | None
) -> None:
    app = HttpApp(services, ROUTES)
    async with serving(app, settings.http, shutdown_grace_s=settings.shutdown_grace_s) as url:
        _log.info("serving", url=url, store=shown_url(settings.store))
        if on_ready is not None:
            on_ready(url)
        services.not_ready_because = await stop.wait()
        services.stopping.set()
        _log.info("stopping", reason=services.not_ready_because)


def http_app(store: LocalEventStore) -> HttpApp:
    """The REST API over a store that the caller opens and closes; for tests, and for a server inside another program.
    Its metrics know nothing of commits, unless the store was made with such hooks."""
    return HttpApp(Services(store, Metrics()), ROUTES)


class _Stop:
    """Why the server stops, once it does."""

    def __init__(self) -> None:
        self.exit_code = EX_OK
        self._reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def wait(self) -> str:
        return await self._reason

    def on_storage_failure(self, failure: StorageFailure) -> None:
        _log.critical("the storage has failed", error=failure.message, exc_info=failure)
        self.exit_code = EXIT_STORAGE_FAILURE
        self._stop(f"the storage has failed: {failure.message}")

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self._stop, f"received {number.name}")
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def _stop(self, reason: str) -> None:
        if not self._reason.done():
            self._reason.set_result(reason)


def _spare_garbage_collector() -> None:
    """A request leaves no cycles, but every batch makes thousands of objects that live until its commit: searching
    them, and all the modules, again and again took a tenth of the event loop's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 20, 50)


def _allow_open_files(count: int) -> None:
    """Raise this process's own limit, as far as the system lets it: a connection is an open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
