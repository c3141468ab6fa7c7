"""A TCP proxy before a PostgreSQL server, that loses connections at a chosen moment, or plays a host that is gone."""

import asyncio
import contextlib
import enum
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from urllib.parse import urlsplit, urlunsplit

_STARTUP = 3 << 16
"""What a client says first, unless it asks for encryption before, or wants something cancelled."""


class Cut(enum.Enum):
    """What becomes of a connection that commits."""

    BEFORE_COMMIT = "the request to commit is never passed on"
    DURING_COMMIT = "it is passed on, and the connection lost while the database works on it"
    AFTER_COMMIT = "the database's answer to it is not passed back"
    HOST_DIES = "it is passed on, and from then on nothing comes through, on any connection"


class Proxy:
    """Passes everything on between clients and the server on ``port`` of this machine, but for what it is told to lose.

    ``cuts`` holds what becomes of the next requests to commit, one after another; None is no harm. A statement that
    commits by itself counts as such a request if its text has ``alone`` in it. Used by one event loop, that of its
    clients or another.
    """

    def __init__(self, port: int) -> None:
        self.cuts: deque[Cut | None] = deque()
        self.alone: bytes | None = None
        self.port = 0
        self._upstream_port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._swallows = False

    def url(self, url: str) -> str:
        """Of the same database, through the proxy."""
        parts = urlsplit(url)
        netloc = parts.netloc.replace(f":{self._upstream_port}", f":{self.port}")
        return urlunsplit(parts._replace(netloc=netloc))

    def swallow(self) -> None:
        """From now on nothing comes through, and nobody is told: the host is gone. Connections still come about."""
        self._swallows = True

    @property
    def is_gone(self) -> bool:
        return self._swallows

    def recover(self) -> None:
        """The host is back, and knows nothing of its connections."""
        self._swallows = False
        self.cut_all()

    def cut_all(self) -> None:
        """Lose every connection."""
        for writer in self._writers:
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut_all()
            await server.wait_closed()

    # --- One connection ----------------------------------------------------------------------------------------------

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._writers.add(to_client)
        to_server: asyncio.StreamWriter | None = None
        # Cancelled when the loop ends; asyncio's streams would make a noise about it.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._upstream_port)
            self._writers.add(to_server)
            link = _Link(self, from_client, to_client, from_server, to_server)
            await link.run()
        for writer in (to_client, to_server):
            if writer is not None:
                self._writers.discard(writer)
                writer.transport.abort()

    def next_cut(self) -> Cut | None:
        return self.cuts.popleft() if self.cuts else None

    def passes(self, data: bytes) -> bytes:
        return b"" if self._swallows else data


class _Link:
    """Ends when one of both sides ends, or the proxy is told so."""

    def __init__(
        self,
        proxy: Proxy,
        from_client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = from_client, to_client
        self._from_server, self._to_server = from_server, to_server
        self._cut: Cut | None = None
        self._prepared: dict[bytes, bytes] = {}
        """Statements by name: after the first time they are sent by that alone."""

    async def run(self) -> None:
        ways = [asyncio.create_task(_until_lost(way())) for way in (self._pass_requests, self._pass_answers)]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()

    async def _pass_requests(self) -> None:
        while await self._pass_first_packet() != _STARTUP:
            pass
        while True:
            head = await self._from_client.readexactly(5)
            body = await self._from_client.readexactly(struct.unpack("!I", head[1:])[0] - 4)
            if self._is_commit(head[:1], body):
                self._cut = self._proxy.next_cut()
            if self._cut is Cut.BEFORE_COMMIT:
                return
            self._to_server.write(self._proxy.passes(head + body))
            if _ends_request(head[:1]):
                if self._cut is Cut.DURING_COMMIT:
                    await self._to_server.drain()
                    await asyncio.sleep(0.05)  # until the database has begun: it goes on though its client is gone
                    return
                if self._cut is Cut.HOST_DIES:
                    self._proxy.swallow()

    async def _pass_first_packet(self) -> int:
        head = await self._from_client.readexactly(8)
        length, code = struct.unpack("!II", head)
        self._to_server.write(self._proxy.passes(head + await self._from_client.readexactly(length - 8)))
        return int(code)

    async def _pass_answers(self) -> None:
        while data := await self._from_server.read(65_536):
            if self._cut is Cut.AFTER_COMMIT and (b"COMMIT\0" in data or b"Z\0\0\0\x05I" in data):
                return
            if self._cut is not Cut.DURING_COMMIT:
                self._to_client.write(self._proxy.passes(data))

    def _is_commit(self, kind: bytes, body: bytes) -> bool:
        if kind == b"P":
            name, _, text = body.partition(b"\0")
            self._prepared[name] = text
            # It is bound next, and then counts, unless it needs no binding to be seen for what it is.
            return b"COMMIT\0" in body
        if kind == b"B":
            alone = self._proxy.alone
            return alone is not None and alone in self._prepared.get(body.split(b"\0", 2)[1], b"")
        return kind == b"Q" and body.endswith((b"COMMIT\0", b"COMMIT;\0"))


async def _until_lost(way: Awaitable[None]) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await way


def _ends_request(kind: bytes) -> bool:
    """A simple query, or Sync, upon which the database answers all that came before."""
    return kind in {b"Q", b"S"}
