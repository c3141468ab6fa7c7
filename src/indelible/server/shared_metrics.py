"""The metrics of all workers of a server, from whichever is asked.

A scrape reaches one worker, and each counts by itself. So the one that is asked asks the others, over sockets that only
this machine reaches; every sample has the number of its worker as a label. A worker that was replaced counts from 0
again: to Prometheus a reset of its own series, and no step back of a sum.
"""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Final

import structlog

from indelible.limits import WORKER_METRICS_TIMEOUT_S

_log: Final = structlog.get_logger(__name__)

_FAMILY: Final = re.compile(rb"^(?=# HELP )", re.MULTILINE)


class SharedMetrics:
    """``own_text`` gives this worker's metrics; ``others`` are the addresses of the other workers."""

    def __init__(self, own_text: Callable[[], Awaitable[bytes]], others: Sequence[str]) -> None:
        self._own_text: Final = own_text
        self._others: Final = others

    @contextlib.asynccontextmanager
    async def answering_others(self, listener: socket.socket) -> AsyncIterator[None]:
        server = await asyncio.start_unix_server(self._answer, sock=listener)
        try:
            yield
        finally:
            server.close()

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever asked may have given up waiting.
        with contextlib.suppress(OSError), contextlib.closing(writer):
            writer.write(await self._own_text())
            await writer.drain()

    async def text(self) -> bytes:
        """Of all workers that answer in time: one that is just being replaced does not."""
        return merged(await asyncio.gather(self._own_text(), *map(_ask, self._others)))


async def _ask(address: str) -> bytes:
    try:
        async with asyncio.timeout(WORKER_METRICS_TIMEOUT_S):
            return await _read(address)
    except (OSError, TimeoutError) as error:
        _log.warning("another worker does not tell its metrics", error=str(error) or type(error).__name__)
        return b""


async def _read(address: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, address)
        parts = []
        while part := await loop.sock_recv(connection, 65536):
            parts.append(part)
        return b"".join(parts)


def merged(texts: Iterable[bytes]) -> bytes:
    """One text in Prometheus' format, in which all samples of a family stand together under its one heading."""
    families: dict[bytes, list[bytes]] = {}
    for text in texts:
        for family in filter(None, _FAMILY.split(text)):
            help_line, type_line, samples = family.split(b"\n", 2)
            families.setdefault(help_line + b"\n" + type_line + b"\n", []).append(samples)
    return b"".join(heading + b"".join(samples) for heading, samples in families.items())
