"""Listens, and stops graciously: one part of an event loop that others use too."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Final

from indelible.limits import CONNECTIONS_WAITING_MAX, SHUTDOWN_STALLED_S
from indelible.server.config import Address
from indelible.server.http.connection import Application, Connection, Site
from indelible.server.process import listen

_POLL_S: Final = 0.05
"""How often a server that stops looks whether its connections have ended."""


@contextlib.asynccontextmanager
async def serving(app: Application, at: Address | socket.socket, *, shutdown_grace_s: float) -> AsyncIterator[str]:
    """Serve an application while the context is open; gives the URL. A socket that listens is closed at the end.

    Leaving stops graciously: nothing new is accepted, what is in flight is answered, within ``shutdown_grace_s``
    seconds. Raises ``InvalidRequest`` when the address cannot be had.
    """
    with listen(at) if isinstance(at, Address) else at as listener:
        host, port = listener.getsockname()[:2]
        site = Site(app)
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(site), sock=listener, backlog=CONNECTIONS_WAITING_MAX
        )
        try:
            yield f"http://{Address(host, port)}"
        finally:
            server.close()
            await _stop(site, shutdown_grace_s)


async def _stop(site: Site, grace_s: float) -> None:
    site.is_stopping = True
    for connection in tuple(site.connections):
        connection.stop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace_s):
            await _until_ended(site)
    tasks = {connection.abort() for connection in site.connections} | site.orphans
    under_way = [task for task in tasks if task is not None and not task.done()]
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)


async def _until_ended(site: Site) -> None:
    loop = asyncio.get_running_loop()
    look_at = loop.time() + SHUTDOWN_STALLED_S
    while site.connections or site.orphans:
        if loop.time() >= look_at:
            look_at += SHUTDOWN_STALLED_S
            for connection in tuple(site.connections):
                connection.end_if_stalled()
        await asyncio.sleep(_POLL_S)
