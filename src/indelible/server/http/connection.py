"""One HTTP/1.1 connection (RFC 9112): finds the requests in what comes, and sends their answers, one after the other.

A request is looked at once the one before it is answered. So answers keep their order, an error never overtakes one,
and what a caller sends ahead waits, up to a bound, in its connection.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, cast

import structlog

from indelible.errors import IndelibleError, InvalidRequest, Overloaded, PayloadTooLarge
from indelible.limits import (
    BODY_S,
    CONNECTIONS_MAX,
    DISCARDED_BODY_SIZE_BYTES_MAX,
    DISCARDED_BODY_TIMEOUT_S,
    HEAD_S,
    HEADER_SIZE_BYTES_MAX,
    KEEP_ALIVE_S,
    RETRY_AFTER_S,
    SHUTDOWN_STALLED_S,
    STREAM_CHUNK_SIZE_BYTES_MAX,
    UNREAD_SIZE_BYTES_MAX,
)
from indelible.server.accepting import accept, make_room
from indelible.server.config import Address
from indelible.server.http.exchange import Exchange, render
from indelible.server.http.message_syntax import Framing, Head, HeadReader
from indelible.server.http.messages import BadFraming, ClientDisconnected, problem_response
from indelible.server.principal_limits import Use
from indelible.server.process import bound_unsent, listen
from indelible.server.tls import Certificates, certificate_names
from indelible.wire.errors import status_of

_log: Final = structlog.get_logger(__name__)
_HEAD_END: Final = b"\r\n\r\n"
_STATUS_HEAD_TOO_LARGE: Final = 431
_STATUS_LATE: Final = 408
_LOOK_INTERVAL_S: Final = 0.5

Application = Callable[[Exchange], Awaitable[None]]


class Site:
    """What the connections of one server share."""

    def __init__(self, app: Application, draining: asyncio.Event | None = None) -> None:
        self.app: Final = app
        self.draining: Final = draining or asyncio.Event()
        self.connections: Final[set[Connection]] = set()
        self.orphans: Final[set[asyncio.Task[None]]] = set()
        """What answers callers that are gone, and is not done yet."""
        self.is_stopping = False

    def make_room(self, opening: int = 0) -> bool:
        """See :class:`indelible.server.accepting.Crowd`."""
        return make_room(self.connections, CONNECTIONS_MAX, opening)

    async def keep_time(self) -> None:
        """Ends what callers take too long with, as long as this runs."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_INTERVAL_S)
            now = loop.time()
            for connection in tuple(self.connections):
                connection.look(now)


class Connection(asyncio.Protocol):
    __slots__ = (
        "_awaits_since", "_discarded_bytes", "_drained", "_due_at", "_exchange", "_framing", "_has_eof", "_has_served",
        "_head_fed_bytes", "_head_reader", "_is_discarding", "_is_extra", "_is_lingering", "_is_lost",
        "_is_reading_paused", "_is_taking_later", "_is_tls", "_is_writing_paused", "_loop", "_site", "_task", "_timer",
        "_transport", "_unread", "_unsent_bytes", "address", "certificate_names", "has_taken_much", "use",
    )  # fmt: skip

    _transport: asyncio.Transport
    certificate_names: tuple[str, ...]
    """In the certificate that the caller has shown."""
    address: str
    """Of the machine that calls."""

    def __init__(self, site: Site) -> None:
        self.has_taken_much = False
        """Whether the caller has taken a large answer before."""
        self.use: Use | None = None
        """The principal's that it counts for, where that is bounded."""
        self._site: Final = site
        self._loop: Final = asyncio.get_running_loop()
        self._unread = b""
        self._head_reader: HeadReader | None = None
        """Of a head that has come in part."""
        self._head_fed_bytes = 0
        self._framing: Framing | None = None
        """Of a body that is not whole."""
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._awaits_since: float | None = None
        """Since when more is due from the caller; None while it is not."""
        self._due_at: float | None = None
        """When the head or body that has come in part must be whole; None without one."""
        self._unsent_bytes = 0
        """What the caller had not taken at the last look."""
        self._discarded_bytes = 0
        self._is_extra = False
        self._is_tls = False
        self._has_served = False
        self._has_eof = False
        self._is_lost = False
        self._is_discarding = False
        """Whether nothing that comes means anything any more."""
        self._is_lingering = False
        """Whether the last answer is sent, and its reader is given time."""
        self._is_reading_paused = False
        self._is_writing_paused = False
        self._is_taking_later = False

    # --- What the transport calls ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=STREAM_CHUNK_SIZE_BYTES_MAX)
        bound_unsent(transport.get_extra_info("socket"))
        self._is_tls = transport.get_extra_info("sslcontext") is not None
        self.certificate_names = certificate_names(transport) if self._is_tls else ()
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self._is_extra = not self._site.make_room()
        self._site.connections.add(self)
        self._await_more()
        if self._site.is_stopping:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._is_discarding:
            self._discard(len(data))
            return
        self._unread = self._unread + data if self._unread else data
        self._take()

    def eof_received(self) -> bool:
        """Whether the connection stays open for answers that are due."""
        self._has_eof = True
        if self._is_lingering:
            return False
        if self._exchange is None:
            return self._is_writing_paused and bool(self._unread) and not self._is_tls
        self._note_leaving(self._exchange)
        # The end of TLS is one of both directions.
        return not self._is_tls

    def _note_leaving(self, exchange: Exchange) -> None:
        # What lies here still may be the rest of its body.
        if self._has_eof and not self._is_taking_later:
            exchange.leave()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter
        self._is_lost = True
        self._site.connections.discard(self)
        if self.use is not None:
            self.use.connections -= 1
        self._unread = b""
        if self._timer is not None:
            self._timer.cancel()
        if self._exchange is not None:
            self._exchange.leave()
            if self._task is not None:
                self._site.orphans.add(self._task)
                self._task.add_done_callback(self._site.orphans.discard)
        self._wake_writer()

    def pause_writing(self) -> None:
        self._is_writing_paused = True

    def resume_writing(self) -> None:
        self._is_writing_paused = False
        self._wake_writer()
        self._take()

    def _wake_writer(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # --- What comes --------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """Take as much as the answers that are due allow."""
        if self._is_discarding or self._is_taking_later or self._transport.is_closing():
            return
        if self._framing is not None and self._unread:
            self._take_body()
        if self._framing is None and self._exchange is None and not self._is_writing_paused:
            self._take_head()
        self._pace()

    def _pace(self) -> None:
        """Read on while what has come can be taken, and wait for more where it is due."""
        if self._is_lingering or self._transport.is_closing():
            return
        exchange = self._exchange
        is_full = len(self._unread) > UNREAD_SIZE_BYTES_MAX or (exchange is not None and exchange.is_full)
        if is_full != self._is_reading_paused:
            self._is_reading_paused = is_full
            if is_full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
        if exchange is not None and (is_full or self._framing is None):
            self._awaits_since = None
        elif self._has_eof and exchange is None and not (self._is_writing_paused and self._unread):
            self._transport.close()
        else:
            self._await_more()

    def _take_head(self) -> None:
        data = self._unread
        if data[:1] in (b"\r", b"\n"):
            # Empty lines before a request (RFC 9112, section 2.2).
            data = self._unread = data.lstrip(b"\r\n")
        if not data:
            return
        end = data.find(_HEAD_END, max(0, self._head_fed_bytes - len(_HEAD_END) + 1))
        size_bytes = len(data) if end < 0 else end + len(_HEAD_END)
        reader = self._head_reader or HeadReader()
        try:
            reader.feed(data[self._head_fed_bytes : min(size_bytes, HEADER_SIZE_BYTES_MAX + 1)])
            if end < 0:
                if self._head_reader is None:
                    self._due_at = self._loop.time() + HEAD_S
                self._head_reader, self._head_fed_bytes = reader, size_bytes
                return
            head = reader.head()
            self._check_count()
        except IndelibleError as error:
            self._refuse(error)
            return
        self._head_reader, self._head_fed_bytes, self._due_at = None, 0, None
        self._unread = data[size_bytes:]
        self._begin(head)

    def _check_count(self) -> None:
        if self._is_extra and len(self._site.connections) > CONNECTIONS_MAX:
            raise Overloaded("too many connections are open", retry_after_s=RETRY_AFTER_S)
        self._is_extra = False

    def _begin(self, head: Head) -> None:
        exchange = self._exchange = Exchange(self, head)
        self._framing = head.framing
        if self._framing is not None:
            self._due_at = self._loop.time() + BODY_S
            if self._unread:
                self._take_body()
        if self._has_eof:
            self._note_leaving(exchange)
        self._task = self._loop.create_task(self._run(exchange))

    async def _run(self, exchange: Exchange) -> None:
        try:
            await self._site.app(exchange)
        except Exception as error:  # noqa: BLE001 - a bug in what answers must not leave the caller waiting
            _log.error("request failed", path=exchange.head.raw_path.decode("latin-1"), exc_info=error)
        finally:
            if not exchange.is_over:
                exchange.abandon()

    def _take_body(self) -> None:
        framing, exchange = self._framing, self._exchange
        assert framing is not None
        try:
            part, self._unread = framing.take(self._unread)
        except IndelibleError as error:
            self._on_bad_framing(error)
            return
        if framing.is_whole:
            self._framing = self._due_at = None
        elif self._unread:
            self._is_taking_later = True
            self._loop.call_soon(self._take_on)
        if exchange is not None:
            exchange.feed(part)

    def _take_on(self) -> None:
        self._is_taking_later = False
        self._take()
        if self._exchange is not None:
            self._note_leaving(self._exchange)

    def _on_bad_framing(self, error: IndelibleError, status: int | None = None) -> None:
        self._unread = b""
        self._framing = self._due_at = None
        self._is_discarding = True
        if self._exchange is None:
            self._linger()
        else:
            self._exchange.fail(BadFraming(error, status or _refusal_status(error)))

    def _refuse(self, error: IndelibleError, status: int | None = None) -> None:
        """Answer what is no request, or one too many. Where it ends is not known, so the connection ends."""
        self._due_at = None
        response = problem_response(error, status or _refusal_status(error))
        self.write(render(response, is_head=False, is_last=True, is_version_1_0=False))
        if isinstance(error, Overloaded):
            self._transport.close()
        else:
            self._linger()

    # --- Callers who take too long, or say nothing -------------------------------------------------------------------

    def look(self, now: float) -> None:
        """Once in a while."""
        if self._due_at is None or now <= self._due_at or self._is_lingering or self._transport.is_closing():
            return
        if self._framing is None:
            late = InvalidRequest(f"the request line and headers did not come whole within {HEAD_S:g} s")
            self._refuse(late, _STATUS_LATE)
        else:
            self._on_bad_framing(InvalidRequest(f"the body did not come whole within {BODY_S:g} s"), _STATUS_LATE)

    def silence(self) -> tuple[int, float] | None:
        """See :class:`indelible.server.accepting.Guest`. First who has asked nothing yet, then who has, then who is
        amid a body."""
        if self._awaits_since is None or self._is_lingering:
            return None
        return (2 if self._exchange is not None else int(self._has_served)), self._awaits_since

    def give_way(self) -> None:
        self._site.connections.discard(self)
        self._transport.abort()

    # --- What exchanges call -----------------------------------------------------------------------------------------

    @property
    def is_last(self) -> bool:
        """Whether the connection takes no further request."""
        return self._site.is_stopping or self._site.draining.is_set()

    def write(self, data: bytes) -> None:
        # The connection may have gone since: then there is nobody to write to.
        if not self._transport.is_closing():
            self._transport.write(data)

    def write_parts(self, parts: tuple[bytes, ...]) -> None:
        if not self._transport.is_closing():
            self._transport.writelines(parts)

    async def drain(self) -> None:
        """Until the caller has taken most of what was written. Raises ``ClientDisconnected``."""
        if self._is_writing_paused and not self._is_lost:
            self._drained = self._loop.create_future()
            await self._drained
        if self._is_lost:
            raise ClientDisconnected

    def body_taken(self) -> None:
        """More of the body may come."""
        self._pace()

    def answered(self, *, is_last: bool) -> None:
        """The exchange is over; the next one begins, or the connection ends."""
        self._exchange = None
        self._has_served = True
        if self._is_lost:
            return
        if not is_last and not self._site.is_stopping:
            if self._unread or self._has_eof or self._is_reading_paused:
                self._take()
            else:
                self._await_more()
        elif self._framing is not None or self._unread or self._is_discarding:
            self._linger()
        else:
            self._transport.close()

    def give_up(self) -> None:
        """The caller does not take its answer."""
        self._transport.abort()

    def abandon(self, *, at_once: bool) -> None:
        """End the connection, ``at_once`` without what is still to be sent: the exchange has no answer, or no end of
        one."""
        self._exchange = None
        if at_once:
            self._transport.abort()
        else:
            self._transport.close()

    # --- The end -----------------------------------------------------------------------------------------------------

    def _linger(self) -> None:
        """Read on for a while before closing the connection: closing at once would reset it, and the caller, still busy
        sending, would lose the answer (RFC 9112, section 9.6)."""
        if self._has_eof or self._is_lost:
            self._transport.close()
            return
        self._is_lingering = self._is_discarding = True
        self._discarded_bytes = len(self._unread)
        self._unread = b""
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
        if self._is_reading_paused:
            self._is_reading_paused = False
            self._transport.resume_reading()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(DISCARDED_BODY_TIMEOUT_S, self._transport.abort)

    def _discard(self, size_bytes: int) -> None:
        self._discarded_bytes += size_bytes
        if self._discarded_bytes > DISCARDED_BODY_SIZE_BYTES_MAX:
            self._transport.abort()

    def _await_more(self) -> None:
        """Close the connection when nothing more comes for a while."""
        self._awaits_since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(KEEP_ALIVE_S, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._awaits_since is None or self._transport.is_closing():
            return
        left_s = self._awaits_since + KEEP_ALIVE_S - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._on_timer)
        elif not self._takes_what_waits():
            self._transport.abort()
        elif self._unsent_bytes:
            self._timer = self._loop.call_later(KEEP_ALIVE_S, self._on_timer)
        else:
            self._transport.close()

    def _takes_what_waits(self) -> bool:
        """Whether the caller has taken something since the last look, or nothing waits for it."""
        before, self._unsent_bytes = self._unsent_bytes, self._transport.get_write_buffer_size()
        return self._unsent_bytes == 0 or self._unsent_bytes != before

    # --- Stopping ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End once what is under way is answered."""
        self._takes_what_waits()
        if self._exchange is None and not self._is_lingering:
            self._transport.close()

    def end_if_stalled(self) -> None:
        """Give up a caller that has taken nothing since the last look, or that has its answer."""
        if self._is_lingering or not self._takes_what_waits():
            self._transport.abort()

    def abort(self) -> "asyncio.Task[None] | None":
        """End now. What is under way is left to the caller."""
        self._transport.abort()
        return self._task


def _refusal_status(error: IndelibleError) -> int:
    """Of an answer to bytes that are no request."""
    return _STATUS_HEAD_TOO_LARGE if isinstance(error, PayloadTooLarge) else status_of(error)


_POLL_S: Final = 0.05
"""How often a server that stops looks whether its connections have ended."""


@contextlib.asynccontextmanager
async def serving(
    app: Application,
    at: Address | socket.socket,
    *,
    shutdown_grace_s: float,
    draining: asyncio.Event | None = None,
    certificates: Certificates | None = None,
) -> AsyncIterator[str]:
    """Serve an application while the context is open; gives the URL. A socket that listens is closed at the end. Once
    ``draining`` is set, each connection ends with its next answer, which says so. With ``certificates`` over TLS alone.

    Leaving stops graciously: nothing new is accepted, what is in flight is answered, within ``shutdown_grace_s``
    seconds. Raises ``InvalidRequest`` when the address cannot be had.
    """
    with listen(at) if isinstance(at, Address) else at as listener:
        host, port = listener.getsockname()[:2]
        site = Site(app, draining)
        server = await accept(listener, lambda: Connection(site), site, certificates, "http/1.1")
        keeping_time = asyncio.create_task(site.keep_time(), name="http-connections")
        try:
            yield f"{'http' if certificates is None else 'https'}://{Address(host, port)}"
        finally:
            server.close()
            await _stop(site, shutdown_grace_s)
            keeping_time.cancel()


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
