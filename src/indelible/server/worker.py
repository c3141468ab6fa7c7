"""One of several processes that serve together, and what it and its supervisor tell each other.

The supervisor writes one :class:`WorkerOrder` to the worker's standard input and leaves that open: its end says that
the supervisor is gone. The worker writes one :class:`WorkerReport` to its standard output.

A request for metrics reaches one worker, and each counts by itself. So the one that is asked asks the others, over
sockets that only this machine reaches; every sample has the number of its worker as a label. A worker that was replaced
counts from 0 again: to Prometheus a reset of its own series, and no step back of a sum.
"""

import asyncio
import contextlib
import functools
import re
import socket
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import structlog

from indelible.errors import IndelibleError, error_from_code
from indelible.limits import WORKER_KILL_AFTER_S, WORKER_METRICS_TIMEOUT_S
from indelible.server.background import Part
from indelible.server.config import Settings
from indelible.server.metrics import MetricsText
from indelible.server.services import Services

_FAMILY: Final = re.compile(rb"^(?=# HELP )", re.MULTILINE)
_END: Final = b"# EOF\n"
"""Behind what a worker tells another: one that dies while it tells would else have told less, or other numbers.
OpenMetrics ends so too."""
_PLAIN: Final = b"t"
_OPENMETRICS: Final = b"o"
"""What is asked for."""

_log: Final = structlog.get_logger(__name__)


class WorkerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to serve. The sockets are open file descriptors of the worker."""

    settings: Settings
    number: int
    """1, 2, 3 …; that of a worker that is replaced goes to its successor."""
    listener: int
    metrics_listener: int
    metrics_addresses: Sequence[str]
    """Where each worker answers the others, by number."""


class WorkerReport(msgspec.Struct, frozen=True):
    """That a worker serves, or why it does not."""

    code: str | None = None
    message: str = ""
    fields: dict[str, Any] = {}

    @classmethod
    def of(cls, error: IndelibleError) -> "WorkerReport":
        return cls(error.code, error.message, error.fields)

    @property
    def error(self) -> IndelibleError | None:
        return None if self.code is None else error_from_code(self.code, self.message, self.fields)

    def encoded(self) -> bytes:
        """One line."""
        return msgspec.json.encode(self, enc_hook=str) + b"\n"


class Worker:
    """This process as one of several. Takes over the sockets of its order."""

    def __init__(self, order: WorkerOrder) -> None:
        self.number = order.number
        self.listener = socket.socket(fileno=order.listener)
        self._metrics_listener = socket.socket(fileno=order.metrics_listener)
        here = order.number - 1
        self._others = (*order.metrics_addresses[:here], *order.metrics_addresses[here + 1 :])

    def share_metrics(self, services: Services) -> None:
        """Tell the others this worker's metrics, and let it answer for all."""
        shared = SharedMetrics(services.metrics.text, self._others)
        services.metrics_text = shared.text
        answer = functools.partial(shared.answer_others, self._metrics_listener)
        services.background.add(Part("metrics for other workers", answer))


def stop_s(settings: Settings) -> float:
    """How long a worker may take to stop before it is killed."""
    return settings.drain_delay_s + settings.shutdown_grace_s + WORKER_KILL_AFTER_S


# --- Metrics of all workers ------------------------------------------------------------------------------------------


class SharedMetrics:
    """``own_text`` gives this worker's metrics; ``others`` are the addresses of the other workers."""

    def __init__(self, own_text: MetricsText, others: Sequence[str]) -> None:
        self._own_text: Final = own_text
        self._others: Final = others

    async def answer_others(self, listener: socket.socket) -> None:
        """For as long as this runs."""
        # A copy, because it is closed at the end: this may be begun again.
        server = await asyncio.start_unix_server(self._answer, sock=listener.dup())
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever asked may have given up waiting.
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError), contextlib.closing(writer):
            async with asyncio.timeout(WORKER_METRICS_TIMEOUT_S):
                is_openmetrics = await reader.readexactly(1) == _OPENMETRICS
            text = await self._own_text(is_openmetrics=is_openmetrics)
            writer.write(text.removesuffix(_END) + _END)
            await writer.drain()

    async def text(self, *, is_openmetrics: bool = False) -> bytes:
        """Of all workers that answer in time: one that is just being replaced does not."""
        asked = _OPENMETRICS if is_openmetrics else _PLAIN
        own = self._own_text(is_openmetrics=is_openmetrics)
        texts = await asyncio.gather(own, *(_ask(address, asked) for address in self._others))
        return merged([text.removesuffix(_END) for text in texts]) + (_END if is_openmetrics else b"")


async def _ask(address: str, asked: bytes) -> bytes:
    try:
        async with asyncio.timeout(WORKER_METRICS_TIMEOUT_S):
            return await _read(address, asked)
    except (OSError, TimeoutError) as error:
        _log.warning("another worker does not tell its metrics", error=str(error) or type(error).__name__)
        return b""


async def _read(address: str, asked: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, address)
        await loop.sock_sendall(connection, asked)
        parts = []
        while part := await loop.sock_recv(connection, 65536):
            parts.append(part)
        text = b"".join(parts)
        if not text.endswith(_END):
            raise ConnectionError("it has not told all")
        return text.removesuffix(_END)


def merged(texts: Iterable[bytes]) -> bytes:
    """One text in Prometheus' format, in which all samples of a family stand together under its one heading."""
    families: dict[bytes, list[bytes]] = {}
    for text in texts:
        for family in filter(None, _FAMILY.split(text)):
            help_line, type_line, samples = family.split(b"\n", 2)
            families.setdefault(help_line + b"\n" + type_line + b"\n", []).append(samples)
    return b"".join(heading + b"".join(samples) for heading, samples in families.items())
