"""The process above several workers: opens the sockets, starts the workers, replaces those that die, stops them all.

It serves nothing and opens no store. Workers are new programs, not forks of this one, so they share nothing with it but
the sockets. It keeps the sockets open as well: what connects while a worker is being replaced waits for its successor.
"""

import asyncio
import contextlib
import functools
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
import structlog

from indelible.errors import IndelibleError, InvalidRequest, StorageFailure
from indelible.keeping import Backoff
from indelible.limits import WORKER_RESTART_WAIT_MAX_S, WORKER_RESTART_WAIT_MIN_S
from indelible.server.config import ESDB_POINTER, Address, Settings, esdb_url, shown_url
from indelible.server.process import EXIT_STORAGE_FAILURE, ServerUrls, Stop, hold_port, listen_together
from indelible.server.systemd import ServiceManager
from indelible.server.worker import WorkerOrder, WorkerReport, stop_s
from indelible.tasks import first_of

# -P: a worker must not import what happens to lie in the working directory.
_PROGRAM: Final = (sys.executable, "-P", "-m", "indelible.server.worker_process")

_log: Final = structlog.get_logger(__name__)


async def supervise(
    settings: Settings,
    *,
    on_ready: Callable[[ServerUrls], None] | None = None,
    manager: ServiceManager | None = None,
) -> int:
    """Keep ``settings.workers`` workers serving until a signal; returns the exit code. ``on_ready`` hears where when
    all of them serve. Call from the main thread: it takes signals.

    Raises what kept the workers from serving, and ``StorageFailure`` when the storage of one has failed for good.
    """
    manager = manager or ServiceManager()
    stop = Stop(functools.partial(manager.tell, "STOPPING=1"))
    if settings.tls is not None:
        # The workers look at the files by themselves.
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _log.info, "the workers look at the certificate")
    with stop.on_signals(), contextlib.ExitStack() as sockets:
        http = _listeners(settings, manager, sockets)
        metrics = [sockets.enter_context(_listen_on_this_machine()) for _ in http]
        if settings.grpc is not None:
            grpc = sockets.enter_context(hold_port(settings.grpc))
            settings = msgspec.structs.replace(settings, grpc=Address(*grpc.getsockname()[:2]))
        if settings.wire.esdb is not None:
            esdb = sockets.enter_context(hold_port(settings.wire.esdb.address, ESDB_POINTER))
            settings = settings.with_esdb_at(Address(*esdb.getsockname()[:2]))
        supervisor = _Supervisor(settings, http, metrics, on_ready)
        try:
            async with manager.watching():
                await supervisor.keep_serving(stop)
        finally:
            sockets.close()
            await supervisor.stop_workers()
    _log.info("stopped", exit_code=supervisor.exit_code)
    return supervisor.exit_code


def _listeners(settings: Settings, manager: ServiceManager, sockets: contextlib.ExitStack) -> list[socket.socket]:
    """One for each worker; of a socket that is handed over, the workers share that."""
    handed = manager.sockets.get("http")
    if handed is None:
        return listen_together(settings.http, settings.workers, sockets)
    return [sockets.enter_context(one) for one in (handed, *(handed.dup() for _ in range(settings.workers - 1)))]


def _listen_on_this_machine() -> socket.socket:
    """A socket whose address the system chooses; the address is not a file that could be left behind."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("")
    listener.listen()
    return listener


class _Ended(NamedTuple):
    """How a worker ended."""

    number: int
    exit_code: int
    """Of a worker that was killed, the signal's number below 0."""
    report: WorkerReport | None
    """None when it ended without one."""

    @property
    def has_served(self) -> bool:
        return self.report is not None and self.report.error is None

    @property
    def error(self) -> IndelibleError:
        """What it means for the server when this worker cannot be replaced."""
        if self.report is not None and self.report.error is not None:
            return self.report.error
        if self.exit_code == EXIT_STORAGE_FAILURE:
            return StorageFailure(f"the storage has failed; worker {self.number} has the details in the log")
        return IndelibleError(f"worker {self.number} ended with code {self.exit_code} before it served; see the log")


class _Supervisor:
    def __init__(
        self,
        settings: Settings,
        http: list[socket.socket],
        metrics: list[socket.socket],
        on_ready: Callable[[ServerUrls], None] | None,
    ) -> None:
        self.exit_code = 0
        self._settings: Final = settings
        self._http: Final = http
        self._metrics: Final = metrics
        self._on_ready: Final = on_ready
        self._serving: Final = set[int]()
        self._have_all_served = False
        self._keepers: Final = list[asyncio.Task[None]]()

    async def keep_serving(self, stop: Stop) -> None:
        """Until the server is to stop."""
        self._keepers.extend(asyncio.create_task(self._keep(number)) for number in range(1, len(self._http) + 1))
        # They are stopped only when nobody can connect any more.
        reason = await first_of(*map(asyncio.shield, self._keepers), stop.wait())
        _log.info("stopping", reason=reason)

    async def stop_workers(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, number: int) -> None:
        """Run one worker after another. Raises what must end the server."""
        backoff = Backoff(WORKER_RESTART_WAIT_MIN_S, WORKER_RESTART_WAIT_MAX_S)
        while True:
            backoff.started()
            ended = await self._run_worker(number)
            if not self._may_replace(ended):
                raise ended.error
            wait_s = backoff.wait_s()
            _log_death(ended, wait_s)
            await asyncio.sleep(wait_s)

    def _may_replace(self, ended: _Ended) -> bool:
        """A server that has never served whole, or of which nothing serves, ends if a worker cannot start: whoever
        runs it must hear of that. So does one whose storage or settings no other worker would find better."""
        if ended.has_served:
            return ended.exit_code != EXIT_STORAGE_FAILURE
        if isinstance(ended.error, (InvalidRequest, StorageFailure)):
            return False
        return self._have_all_served and bool(self._serving)

    async def _run_worker(self, number: int) -> _Ended:
        process = await self._start(number)
        try:
            report = await self._report_of(process, number)
            return _Ended(number, await process.wait(), report)
        finally:
            self._serving.discard(number)
            if process.returncode is None and await self._stop(process, number) == EXIT_STORAGE_FAILURE:
                self.exit_code = EXIT_STORAGE_FAILURE

    async def _start(self, number: int) -> asyncio.subprocess.Process:
        http, metrics = self._http[number - 1], self._metrics[number - 1]
        process = await asyncio.create_subprocess_exec(
            *_PROGRAM,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(http.fileno(), metrics.fileno()),
            # Ctrl-C reaches this process alone, which stops the workers.
            process_group=0,
        )
        order = WorkerOrder(
            settings=self._settings,
            number=number,
            listener=http.fileno(),
            metrics_listener=metrics.fileno(),
            metrics_addresses=[one.getsockname().decode("ascii") for one in self._metrics],
        )
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        return process

    async def _report_of(self, process: asyncio.subprocess.Process, number: int) -> WorkerReport | None:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line.endswith(b"\n"):
            return None
        report = msgspec.json.decode(line, type=WorkerReport)
        if report.error is None:
            self._serving.add(number)
            if len(self._serving) == len(self._http) and not self._have_all_served:
                self._have_all_served = True
                self._welcome()
        return report

    def _welcome(self) -> None:
        host, port = self._http[0].getsockname()[:2]
        s = "" if self._settings.tls is None else "s"
        url = f"http{s}://{Address(host, port)}"
        grpc_url = None if self._settings.grpc is None else f"grpc{s}://{self._settings.grpc}"
        urls = ServerUrls(url, grpc_url, esdb_url(self._settings))
        store, workers = shown_url(self._settings.store), len(self._http)
        _log.info("serving", url=url, grpc=grpc_url, esdb=urls.esdb_url, store=store, workers=workers)
        if self._on_ready is not None:
            self._on_ready(urls)

    async def _stop(self, process: asyncio.subprocess.Process, number: int) -> int:
        """Graciously; a worker that does not end in time is killed."""
        _send(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(stop_s(self._settings)):
                return await process.wait()
        except TimeoutError:
            _log.error("a worker does not stop and is killed", number=number)
            _send(process, signal.SIGKILL)
            return await process.wait()


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """As ``process.send_signal`` does, but that asks first whether the process has ended, and if it just has, takes its
    exit code away from whoever waits for it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, number)


def _log_death(ended: _Ended, wait_s: float) -> None:
    error = None if ended.has_served else ended.error.message
    _log.error("a worker has ended", number=ended.number, exit_code=ended.exit_code, error=error, replaced_in_s=wait_s)
