"""What a server takes from the system: sockets, open files, signals, standard error for its log."""

import asyncio
import contextlib
import errno
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, NoReturn, TextIO, cast

import apsw
import structlog

from indelible.errors import InvalidRequest
from indelible.limits import CONNECTIONS_MAX, CONNECTIONS_WAITING_MAX, KERNEL_UNSENT_SIZE_BYTES_MAX
from indelible.server.config import Address, LogFormat, LogLevel
from indelible.tasks import is_set_within, on_signals
from indelible.traced import TRACED

EXIT_STORAGE_FAILURE: Final = os.EX_IOERR
"""74: the storage has failed. What was acknowledged is on disk; a restart finds out what else is."""

_FILES_BESIDE_CONNECTIONS: Final = 256
"""Databases, logs, reader threads and the like."""

_OBJECTS_BETWEEN_COLLECTIONS: Final = 20_000
"""New objects that may be left before the garbage collector looks for cycles among them; Python's own is 700."""

_STANDARD_ERROR: Final = 2
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

# Without the values of variables: those hold callers' events.
_to_dict: Final = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


_FILE_SYSTEMS_OF_SQLITE: Final = ("unix", "win32")
"""Those that it takes unless it is told otherwise."""


def prepare_process() -> None:
    """Let this process serve many callers well."""
    _allow_open_files(CONNECTIONS_MAX + _FILES_BESIDE_CONNECTIONS)
    _spare_garbage_collector()
    _count_no_memory_of_sqlite()


def end_process(exit_code: int) -> NoReturn:
    """At once, whatever still runs."""
    sys.stdout.flush()
    os._exit(exit_code)


def _spare_garbage_collector() -> None:
    """A request leaves no cycles, but every batch makes thousands of objects that live until its commit: searching
    them, and all the modules, again and again took a tenth of the event loop's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 20, 50)


def _count_no_memory_of_sqlite() -> None:
    """It keeps account of what it allocates, under one lock for all threads, and nobody asks for it: a tenth of a read.
    That can be said before its first use only, by whom the process belongs to; and it forgets what was registered with
    it, such as file systems of one's own."""
    if not apsw.connections() and apsw.vfs_names()[0] in _FILE_SYSTEMS_OF_SQLITE:
        apsw.shutdown()
        apsw.config(apsw.SQLITE_CONFIG_MEMSTATUS, False)
        apsw.initialize()


def _allow_open_files(count: int) -> None:
    """Raise this process's own limit, as far as the system lets it: a connection is an open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


# --- Sockets ---------------------------------------------------------------------------------------------------------


class ServerUrls(NamedTuple):
    """Where a server is reached."""

    url: str
    """Of the REST API."""
    grpc_url: str | None
    """None when gRPC is not offered."""
    esdb_url: str | None = None
    """For clients of KurrentDB and EventStoreDB; None when that is not offered."""


def listen(address: Address, *, shared: bool = False, pointer: str = "/http") -> socket.socket:
    """A socket that listens. Others may share its port if all of them are ``shared``. Raises ``InvalidRequest`` when
    the address cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server(tuple(address), family=family, backlog=CONNECTIONS_WAITING_MAX, reuse_port=shared)
    except OSError as error:
        # Python adds the address to what the system says.
        why = str(error.strerror or error).partition(" (while")[0] + _another_port(address, error, pointer)
        raise InvalidRequest(f"cannot listen on {address}: {why}", pointer=pointer) from None


def _another_port(address: Address, error: OSError, pointer: str) -> str:
    """What to do when another program has the port already."""
    if error.errno != errno.EADDRINUSE:
        return ""
    host = str(address).removesuffix(f":{address.port}")
    setting = pointer.removeprefix("/").replace("/", ".")
    given = f"{setting} = " if "." in setting else f"--{setting} "
    return f". Stop what listens there, or take another port: {given}{host}:PORT, or {given}{host}:0 for a free one"


def bound_unsent(connected: socket.socket) -> None:
    """Send at once, and let the kernel hold little that is not sent: whose reader is slow is known by then."""
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_UNSENT_SIZE_BYTES_MAX)


def hold_port(address: Address, pointer: str = "/grpc") -> socket.socket:
    """A socket that takes a port and does not listen, so that processes of this server, and nobody else, may listen on
    it. Raises ``InvalidRequest`` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with listen(address, pointer=pointer) as alone:
        at = alone.getsockname()
    holder = socket.socket(family)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(at)
    return holder


def listen_together(address: Address, count: int, sockets: contextlib.ExitStack) -> list[socket.socket]:
    """``count`` sockets that listen on one port, one for each worker; ``sockets`` closes them. Raises as
    :func:`listen`.

    The kernel gives each new connection to one of them by a hash of its addresses. From one socket that all workers
    accept from, whoever wakes first takes all that wait: of 64 connections that came at once, two workers got 9 and 55,
    four 13, 1, 40 and 10. With a socket each they got 28 and 36, and 20, 18, 14 and 12.
    """
    with listen(address) as alone:
        # Sockets that share a port would share it with those of another server too, and nobody would notice.
        at = address._replace(port=alone.getsockname()[1])
    return [sockets.enter_context(listen(at, shared=True)) for _ in range(count)]


# --- Why a server stops ----------------------------------------------------------------------------------------------


class Stop:
    """Why the server stops, once it does. Make it within the event loop."""

    def __init__(self, on_stop: Callable[[], None] | None = None) -> None:
        self.exit_code = os.EX_OK
        self._on_stop: Final = on_stop
        self._reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._at_once: Final = asyncio.Event()

    async def wait(self) -> str:
        """Until the server is to stop; the first reason for it."""
        return await asyncio.shield(self._reason)

    async def drained(self, delay_s: float) -> None:
        """Until those who send callers here may have seen that it stops: for ``delay_s``, unless the storage has
        failed, or until there is one more reason to stop."""
        if self.exit_code == os.EX_OK and delay_s:
            await is_set_within(delay_s, self._at_once)

    def because(self, reason: str) -> None:
        if self._reason.done():
            self._at_once.set()
            return
        self._reason.set_result(reason)
        if self._on_stop is not None:
            self._on_stop()

    def on_signals(self) -> AbstractContextManager[None]:
        """Stop at SIGTERM and SIGINT. Call from the main thread."""
        return on_signals(lambda number: self.because(f"received {number.name}"), signal.SIGTERM, signal.SIGINT)


# --- Logs: structured lines on standard error ------------------------------------------------------------------------


def configure_logs(log_format: LogFormat, log_level: LogLevel, *, worker: int | None = None) -> None:
    """``console`` is for people, ``json`` gives one JSON object a line; ``auto`` is the first on a terminal. A
    ``worker``'s lines carry its number, and those of a request that is part of a trace the trace's id."""
    renderer: structlog.typing.Processor
    if not is_for_people(log_format):
        renderer = structlog.processors.JSONRenderer()
        exceptions = [structlog.processors.ExceptionRenderer(_to_dict)]
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=os.isatty(_STANDARD_ERROR), exception_formatter=structlog.dev.plain_traceback
        )
        exceptions = []
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            *([] if worker is None else [_add_worker(worker)]),
            _add_trace,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *exceptions,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[log_level]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _StandardError())),
    )
    logging.basicConfig(handlers=[_IntoStructlog()], level=logging.WARNING, force=True)


def is_for_people(log_format: LogFormat) -> bool:
    """Whether the log, and what is said beside it, has the form that people read."""
    return log_format == "console" or (log_format == "auto" and os.isatty(_STANDARD_ERROR))


def _add_trace(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    traced = TRACED.get()
    if traced is not None:
        event["trace_id"] = traced.trace_id
    return event


def _add_worker(worker: int) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["worker"] = worker
        return event

    return add


class _StandardError:
    """Standard error, a line at a time. What it does not take is lost: a log that nobody reads any more, or a full
    disk under it, must not keep the server from answering, nor from stopping when it must. No buffer, because what
    stays in one raises again later, the last time when the interpreter exits."""

    def write(self, text: str) -> None:
        if sys.__stderr__ is None:
            # It was closed when Python started, so its descriptor may be somebody's socket now.
            return
        with contextlib.suppress(OSError):
            os.write(_STANDARD_ERROR, text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        pass


class _IntoStructlog(logging.Handler):
    """What libraries log, as lines of the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(record.name)
        logger.log(record.levelno, record.getMessage().strip(), logger=record.name, exc_info=record.exc_info)
