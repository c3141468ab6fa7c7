"""One of several processes that serve together, and what it and its supervisor tell each other.

The supervisor writes one :class:`WorkerOrder` to the worker's standard input and leaves that open: its end says that
the supervisor is gone. The worker writes one :class:`WorkerReport` to its standard output.
"""

import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from indelible.errors import IndelibleError, error_from_code
from indelible.server.config import Settings
from indelible.server.services import Services
from indelible.server.shared_metrics import SharedMetrics


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

    @contextlib.asynccontextmanager
    async def sharing_metrics(self, services: Services) -> AsyncIterator[None]:
        """Tell the others this worker's metrics, and let it answer for all, while the context is open."""
        shared = SharedMetrics(services.own_metrics_text, self._others)
        async with shared.answering_others(self._metrics_listener):
            services.metrics_text = shared.text
            yield
