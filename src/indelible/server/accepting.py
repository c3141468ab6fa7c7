"""Connections as they come: with TLS, whose handshake is bounded, or without.

A connection that is shaking hands is no connection yet: it holds nothing of the server's but its place among them, and
that for a bounded time.
"""

import asyncio
import heapq
import socket
from collections.abc import Callable, Collection
from typing import Final, Protocol

import structlog

from indelible.limits import (
    ACCEPT_AGAIN_S,
    ACCEPTED_AT_ONCE_MAX,
    CONNECTIONS_GIVING_WAY_MAX,
    CONNECTIONS_WAITING_MAX,
    TLS_HANDSHAKE_S,
    TLS_HANDSHAKES_MAX,
    TLS_SHUTDOWN_S,
)
from indelible.server.tls import Alpn, Certificates

_log: Final = structlog.get_logger(__name__)


class Listening(Protocol):
    """What accepts connections, until it is closed; it leaves those alone that are open then."""

    def close(self) -> None: ...


class Crowd(Protocol):
    """What is asked before one more connection begins."""

    def make_room(self, opening: int = 0) -> bool:
        """Whether there is room for it beside those that are there, and those that are ``opening``."""
        ...


async def accept(
    listener: socket.socket,
    make_protocol: Callable[[], asyncio.Protocol],
    crowd: Crowd,
    certificates: Certificates | None,
    alpn: Alpn,
) -> Listening:
    """Begin to accept connections on a socket that listens; with TLS where there are ``certificates``."""
    loop = asyncio.get_running_loop()
    if certificates is None:
        return await loop.create_server(make_protocol, sock=listener, backlog=CONNECTIONS_WAITING_MAX)
    return _TlsListening(listener, make_protocol, crowd, certificates, alpn)


class _TlsListening:
    """Accepts by itself what an event loop's server would: that one keeps no count of handshakes, and one certificate
    for ever."""

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        crowd: Crowd,
        certificates: Certificates,
        alpn: Alpn,
    ) -> None:
        self._loop: Final = asyncio.get_running_loop()
        self._listener: Final = listener
        self._make_protocol: Final = make_protocol
        self._crowd: Final = crowd
        self._certificates: Final = certificates
        self._alpn: Final[Alpn] = alpn
        self._opening: Final[dict[asyncio.Task[None], None]] = {}
        """In the order in which they came."""
        self._again: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._begin()

    def close(self) -> None:
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for opening in self._opening:
            opening.cancel()

    def _begin(self) -> None:
        self._again = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE_MAX):
            try:
                connected, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:
                _log.error("no connection can be accepted", error=str(error))
                self._loop.remove_reader(self._listener)
                self._again = self._loop.call_later(ACCEPT_AGAIN_S, self._begin)
                return
            self._open(connected)

    def _open(self, connected: socket.socket) -> None:
        if len(self._opening) >= TLS_HANDSHAKES_MAX:
            longest = next(iter(self._opening))
            del self._opening[longest]
            longest.cancel()
        if not self._crowd.make_room(len(self._opening)):
            connected.close()
            return
        connected.setblocking(False)
        opening = self._loop.create_task(self._shake_hands(connected))
        self._opening[opening] = None
        opening.add_done_callback(lambda _: self._opening.pop(opening, None))

    async def _shake_hands(self, connected: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._make_protocol,
                connected,
                ssl=self._certificates.context(self._alpn),
                ssl_handshake_timeout=TLS_HANDSHAKE_S,
                ssl_shutdown_timeout=TLS_SHUTDOWN_S,
            )
        except (OSError, asyncio.CancelledError) as error:
            # It speaks no TLS, or takes too long, or does not trust the certificate. Nobody waits for this task.
            _log.debug("a handshake has failed", error=str(error))


# --- Room for one more -----------------------------------------------------------------------------------------------


class Guest(Protocol):
    """A connection."""

    def silence(self) -> tuple[int, float] | None:
        """If it waits for its caller to say something: of which kind it is, of which the lowest gives way, and since
        when."""
        ...

    def give_way(self) -> None:
        """End at once, and be one of the server's connections no more."""
        ...


def make_room(guests: Collection[Guest], count_max: int, opening: int = 0) -> bool:
    """Whether there is room for one more beside those that are there and those that are ``opening``.

    Who has been silent the longest gives way: so whoever opens connections and says nothing on them takes the place of
    nobody but others who do the same.
    """
    if len(guests) + opening < count_max:
        return True
    silent = [(key, one) for one in guests if (key := one.silence()) is not None]
    least = min((kind for (kind, _), _ in silent), default=0)
    of_least = [(since, one) for (kind, since), one in silent if kind == least]
    for _, one in heapq.nsmallest(CONNECTIONS_GIVING_WAY_MAX, of_least, key=lambda each: each[0]):
        one.give_way()
    return len(guests) + opening < count_max
