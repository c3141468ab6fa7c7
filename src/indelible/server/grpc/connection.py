"""One HTTP/2 connection (RFC 9113) that carries calls: takes frames apart, bounds what its caller may make it hold and
do, and sends what calls answer as far as the caller has room for it.

Each call waits for the room of its own stream, and for that of the connection. None waits for another whose answer
nobody takes: what cannot be sent stays with its call.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final, cast

import structlog

from indelible.limits import (
    GRPC_CALLS_PER_CONNECTION_MAX,
    GRPC_CONTINUATIONS_MAX,
    GRPC_IDLE_FRAMES_MAX,
    GRPC_IDLE_FRAMES_S,
    GRPC_KEEP_ALIVE_S,
    GRPC_KEEP_ALIVE_TIMEOUT_S,
    GRPC_RESETS_MAX,
    GRPC_SETTINGS_MAX,
    GRPC_TURN_S,
    GRPC_UNREAD_SIZE_BYTES_MAX,
    HEADER_SIZE_BYTES_MAX,
    STREAM_CHUNK_SIZE_BYTES_MAX,
)
from indelible.server.grpc import frames as h2
from indelible.server.grpc.exchange import Exchange, Refused
from indelible.server.grpc.frames import BrokenConnection, Head, HeadDecoder, frame, number_frame
from indelible.server.grpc.site import Site
from indelible.server.principal_limits import Use
from indelible.server.process import bound_unsent
from indelible.server.tls import certificate_names
from indelible.wire.errors import SPEAKS_GRPC

_log: Final = structlog.get_logger(__name__)
_CONNECTION_WINDOW: Final = 4 * GRPC_UNREAD_SIZE_BYTES_MAX
_SETTINGS: Final = h2.settings_frame((
    (h2.SETTING_MAX_STREAMS, GRPC_CALLS_PER_CONNECTION_MAX),
    (h2.SETTING_INITIAL_WINDOW, GRPC_UNREAD_SIZE_BYTES_MAX),
    (h2.SETTING_HEADER_LIST_SIZE_MAX, HEADER_SIZE_BYTES_MAX),
)) + number_frame(h2.WINDOW_UPDATE, 0, _CONNECTION_WINDOW - h2.WINDOW_DEFAULT)  # fmt: skip
_SETTINGS_ACK: Final = frame(h2.SETTINGS, h2.ACK, 0)
_WAKING_SIZE_BYTES: Final = 1_024
"""Of room, for each call that is woken to use it."""
_PING: Final = frame(h2.PING, 0, 0, b"indelibl")

_NOT_HTTP2: Final = (
    b"""\
HTTP/1.1 400 Bad Request\r
Content-Type: text/plain\r
Connection: close\r
\r
%b, over HTTP/2 from the first byte on. The REST API has another.
"""
    % SPEAKS_GRPC
)

_ALLOWED: Final = {
    h2.SETTING_ENABLE_PUSH: range(2),
    h2.SETTING_FRAME_SIZE_MAX: range(h2.FRAME_SIZE_BYTES_MAX, 1 << 24),
}


class Connection(asyncio.Protocol):
    _transport: asyncio.Transport
    certificate_names: tuple[str, ...]
    """In the certificate that the caller has shown."""
    address: str
    """Of the machine that calls."""

    def __init__(self, site: Site) -> None:
        self.use: Use | None = None
        """The principal's that it counts for, where that is bounded."""
        self.loop: Final = asyncio.get_running_loop()
        self.peer_window = h2.WINDOW_DEFAULT
        """What a new stream may send."""
        self._site: Final = site
        self._heads: Final = HeadDecoder()
        self._exchanges: Final[dict[int, Exchange]] = {}
        self._unread = b""
        self._has_preface = False
        self._block: list[bytes] | None = None
        """Of a head that is not whole."""
        self._block_stream_id = 0
        self._block_ends_stream = False
        self._last_stream_id = 0
        self._send_window = h2.WINDOW_DEFAULT
        self._received_bytes = 0
        """Since the caller was told that there is room for more."""
        self._outgoing: Final[list[bytes]] = []
        self._outgoing_bytes = 0
        self._waiting: Final[deque[asyncio.Future[None]]] = deque()
        """Calls for which the connection has no room."""
        self._is_writing_paused = False
        self._is_reading_paused = False
        self._is_taking_later = False
        self._is_going_away = False
        self._is_lost = False
        self._heard_at = self._counted_since = self.loop.time()
        self._pinged_at: float | None = None
        self._idle_frames = self._resets = self._settings = 0
        self._handlers: Final[dict[int, Callable[[int, int, bytes], None]]] = {
            h2.DATA: self._on_data,
            h2.HEADERS: self._on_headers,
            h2.PRIORITY: self._on_priority,
            h2.RST_STREAM: self._on_reset,
            h2.SETTINGS: self._on_settings,
            h2.PUSH_PROMISE: self._on_push_promise,
            h2.PING: self._on_ping,
            h2.GOAWAY: self._on_goaway,
            h2.WINDOW_UPDATE: self._on_window_update,
        }

    # --- What the transport calls ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=STREAM_CHUNK_SIZE_BYTES_MAX)
        bound_unsent(transport.get_extra_info("socket"))
        self.certificate_names = certificate_names(transport)
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        has_room = self._site.make_room()
        self._site.connections.add(self)
        if self._site.is_stopping or not has_room:
            self.write(_SETTINGS)
            self.go_away(h2.NO_ERROR, "too many connections")
            self._close_soon()

    def data_received(self, data: bytes) -> None:
        self._heard_at, self._pinged_at = self.loop.time(), None
        self._unread = self._unread + data if self._unread else data
        self._take_turn()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter
        self._is_lost = True
        self._site.connections.discard(self)
        if self.use is not None:
            self.use.connections -= 1
        self._unread = b""
        for exchange in tuple(self._exchanges.values()):
            exchange.leave()
        self._exchanges.clear()
        self._wake()

    def pause_writing(self) -> None:
        self._is_writing_paused = True
        self._pace()

    def resume_writing(self) -> None:
        self._is_writing_paused = False
        self._pace()
        self._wake()

    # --- What comes --------------------------------------------------------------------------------------------------

    def _take_turn(self) -> None:
        if self._is_taking_later:
            return
        if self._site.is_busy:
            self._take_later()
        else:
            self._take_now()

    def _take_now(self) -> None:
        try:
            self._unread = self._take(self._unread)
        except BrokenConnection as broken:
            self._break(broken)

    def _take_later(self) -> None:
        """Others on the event loop get their turns."""
        self._is_taking_later = True
        self._pace()
        self._site.take_later(self)

    def take_on(self) -> None:
        self._is_taking_later = False
        self._take_now()
        self._pace()

    def _pace(self) -> None:
        """Read on while what has come can be taken. Whoever does not take answers says nothing more either: pings and
        settings are answered too."""
        if self._is_lost or self._transport.is_closing():
            return
        is_full = self._is_taking_later or self._is_writing_paused
        if is_full != self._is_reading_paused:
            self._is_reading_paused = is_full
            if is_full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _take(self, data: bytes) -> bytes:
        """Gives what is left: what is not a whole frame, or comes in a later turn."""
        at = 0
        if not self._has_preface:
            size = min(len(data), len(h2.PREFACE))
            if data[:size] != h2.PREFACE[:size]:
                if b" HTTP/1." not in data:
                    raise BrokenConnection(h2.PROTOCOL_ERROR, "this is not HTTP/2")
                self.write(_NOT_HTTP2)
                self.close()
                return b""
            if size < len(h2.PREFACE):
                return data
            self._has_preface = True
            self.write(_SETTINGS)
            at = size
        end, turn_ends = len(data), monotonic() + GRPC_TURN_S
        while end - at >= h2.HEAD_SIZE_BYTES:
            size_bytes = data[at] << 16 | data[at + 1] << 8 | data[at + 2]
            if size_bytes > h2.FRAME_SIZE_BYTES_MAX:
                raise BrokenConnection(h2.FRAME_SIZE_ERROR, "a frame is too large")
            start = at + h2.HEAD_SIZE_BYTES
            if end - start < size_bytes:
                break
            stream_id = int.from_bytes(data[at + 5 : start], "big") & 0x7FFFFFFF
            self._on_frame(data[at + 3], data[at + 4], stream_id, data[start : start + size_bytes])
            at = start + size_bytes
            if self._transport.is_closing():
                return b""
            if monotonic() > turn_ends:
                self._take_later()
                break
        return data[at:]

    def _on_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is not None:
            if kind != h2.CONTINUATION or stream_id != self._block_stream_id:
                raise BrokenConnection(h2.PROTOCOL_ERROR, "a head must be whole before anything else comes")
            self._on_continuation(flags, payload)
            return
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(flags, stream_id, payload)
        elif kind == h2.CONTINUATION:
            raise BrokenConnection(h2.PROTOCOL_ERROR, "nothing is continued")
        else:
            self._count_idle_frame()

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        block = _unpadded(flags, payload)
        if flags & h2.WITH_PRIORITY:
            block = block[5:]
        if flags & h2.END_HEADERS:
            self._on_head(stream_id, block, ends=bool(flags & h2.END_STREAM))
        else:
            self._block, self._block_stream_id = [block], stream_id
            self._block_ends_stream = bool(flags & h2.END_STREAM)

    def _on_continuation(self, flags: int, payload: bytes) -> None:
        assert self._block is not None, "only a head that is not whole is continued"
        self._block.append(payload)
        if len(self._block) > GRPC_CONTINUATIONS_MAX or sum(map(len, self._block)) > HEADER_SIZE_BYTES_MAX:
            raise BrokenConnection(h2.ENHANCE_YOUR_CALM, "a head is too large")
        if flags & h2.END_HEADERS:
            block, self._block = b"".join(self._block), None
            self._on_head(self._block_stream_id, block, ends=self._block_ends_stream)

    def _on_head(self, stream_id: int, block: bytes, *, ends: bool) -> None:
        head = self._heads.decode(block)
        if stream_id and stream_id <= self._last_stream_id:
            self._on_request_trailers(stream_id, head, ends=ends)
            return
        if not stream_id & 1:
            raise BrokenConnection(h2.PROTOCOL_ERROR, "callers' streams have odd numbers")
        self._last_stream_id = stream_id
        if self._is_going_away or len(self._exchanges) >= GRPC_CALLS_PER_CONNECTION_MAX:
            self._reset(stream_id, h2.REFUSED_STREAM)
            return
        if head.can_begin:
            self._begin(stream_id, head, ends=ends)
        else:
            self._reset(stream_id, h2.PROTOCOL_ERROR)

    def _begin(self, stream_id: int, head: Head, *, ends: bool) -> None:
        self._idle_frames = 0
        exchange = self._exchanges[stream_id] = Exchange(self, stream_id, head, self.peer_window)
        if ends:
            exchange.end_of_requests()
        self._site.begin(exchange)

    def _reset(self, stream_id: int, code: int) -> None:
        self.write(number_frame(h2.RST_STREAM, stream_id, code))

    def _on_request_trailers(self, stream_id: int, head: Head, *, ends: bool) -> None:
        exchange = self._exchanges.get(stream_id)
        if exchange is None:
            self._reset(stream_id, h2.STREAM_CLOSED)
        elif not ends or not head.can_end or exchange.requests_ended:
            raise BrokenConnection(h2.PROTOCOL_ERROR, "only trailers may come after a head, and end a stream")
        else:
            exchange.end_of_requests()

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        content = _unpadded(flags, payload)
        self._received_bytes += len(payload)
        if self._received_bytes > _CONNECTION_WINDOW // 2:
            self.write(number_frame(h2.WINDOW_UPDATE, 0, self._received_bytes))
            self._received_bytes = 0
        if not content and not flags & h2.END_STREAM:
            self._count_idle_frame()
        exchange = self._exchanges.get(stream_id)
        if exchange is None:
            self._check_begun(stream_id)
            self._reset(stream_id, h2.STREAM_CLOSED)
            return
        exchange.take(content, len(payload))
        if flags & h2.END_STREAM:
            exchange.end_of_requests()

    def _check_begun(self, stream_id: int) -> None:
        if not stream_id or stream_id > self._last_stream_id:
            raise BrokenConnection(h2.PROTOCOL_ERROR, "there is no such stream yet")

    def _on_reset(self, _flags: int, stream_id: int, payload: bytes) -> None:
        _check_size(payload, 4)
        self._check_begun(stream_id)
        self._count_idle_frame(0)
        self._resets += 1
        if self._resets > GRPC_RESETS_MAX:
            raise BrokenConnection(h2.ENHANCE_YOUR_CALM, "too many calls are begun and given up")
        exchange = self._exchanges.get(stream_id)
        if exchange is not None:
            exchange.leave()

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._count_idle_frame()
        _check_whole_connection(stream_id)
        if flags & h2.ACK:
            _check_size(payload, 0)
            return
        if len(payload) % 6:
            raise BrokenConnection(h2.FRAME_SIZE_ERROR, "settings have six bytes each")
        self._settings += 1
        if self._settings > GRPC_SETTINGS_MAX:
            raise BrokenConnection(h2.ENHANCE_YOUR_CALM, "settings change too often")
        window_bytes = self.peer_window
        for setting, value in struct.iter_unpack(">HI", payload):
            if setting == h2.SETTING_INITIAL_WINDOW:
                window_bytes = value
                if value > h2.WINDOW_MAX:
                    raise BrokenConnection(h2.FLOW_CONTROL_ERROR, "a window is too large")
            elif setting in _ALLOWED and value not in _ALLOWED[setting]:
                raise BrokenConnection(h2.PROTOCOL_ERROR, "a setting is not allowed")
        self._set_peer_window(window_bytes)
        self.write(_SETTINGS_ACK)

    def _set_peer_window(self, size_bytes: int) -> None:
        change = size_bytes - self.peer_window
        self.peer_window = size_bytes
        if change:
            for exchange in tuple(self._exchanges.values()):
                exchange.widen(change)

    def _on_push_promise(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        raise BrokenConnection(h2.PROTOCOL_ERROR, "callers push nothing")

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._count_idle_frame()
        _check_whole_connection(stream_id)
        _check_size(payload, 8)
        if not flags & h2.ACK:
            self.write(frame(h2.PING, h2.ACK, 0, payload))

    def _on_goaway(self, _flags: int, stream_id: int, _payload: bytes) -> None:
        self._count_idle_frame()
        _check_whole_connection(stream_id)

    def _on_priority(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Which means nothing any more (RFC 9113, section 5.3.2)."""
        self._count_idle_frame()
        _check_size(payload, 5)
        if not stream_id:
            raise BrokenConnection(h2.PROTOCOL_ERROR, "only a stream has a priority")

    def _on_window_update(self, _flags: int, stream_id: int, payload: bytes) -> None:
        increment = int.from_bytes(payload, "big") & 0x7FFFFFFF
        _check_size(payload, 4)
        if not increment:
            raise BrokenConnection(h2.PROTOCOL_ERROR, "a window must grow")
        if stream_id:
            self._check_begun(stream_id)
            exchange = self._exchanges.get(stream_id)
            if exchange is not None:
                exchange.widen(increment)
            return
        self._send_window += increment
        if self._send_window > h2.WINDOW_MAX:
            raise BrokenConnection(h2.FLOW_CONTROL_ERROR, "a window is too large")
        self._wake()

    def _count_idle_frame(self, count: int = 1) -> None:
        """What costs its sender nothing, and asks for no call: bounded by what clients do that live."""
        now = self._heard_at
        if now - self._counted_since > GRPC_IDLE_FRAMES_S:
            self._counted_since = now
            self._idle_frames = self._resets = self._settings = 0
        self._idle_frames += count
        if self._idle_frames > GRPC_IDLE_FRAMES_MAX:
            raise BrokenConnection(h2.ENHANCE_YOUR_CALM, "too_many_pings")

    # --- What goes out -----------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """What needs no room: heads, trailers and resets. All that is written in one turn of the event loop goes out
        together: many calls end at once, when what they wait for is stored."""
        if self._is_lost:
            return
        if not self._outgoing:
            self.loop.call_soon(self._flush)
        self._outgoing.append(data)
        self._outgoing_bytes += len(data)
        if self._outgoing_bytes > STREAM_CHUNK_SIZE_BYTES_MAX:
            self._flush()

    def _flush(self) -> None:
        if self._outgoing and not self._is_lost:
            data = b"".join(self._outgoing)
            self._outgoing.clear()
            self._outgoing_bytes = 0
            self._transport.write(data)

    def _close_soon(self) -> None:
        self._flush()
        self._transport.close()

    def room_now(self) -> int:
        """Bytes of messages that may go at once."""
        return 0 if self._is_writing_paused else self._send_window

    def take_room(self, size_bytes: int) -> None:
        self._send_window -= size_bytes
        self._idle_frames = 0

    async def room(self) -> None:
        """Returns when there may be room for messages, or nobody to send them to."""
        turn: asyncio.Future[None] = self.loop.create_future()
        self._waiting.append(turn)
        try:
            await turn
        finally:
            # After what this one sends: whoever is next may have room as well.
            self.loop.call_soon(self._wake)

    def _wake(self) -> None:
        """As many calls as the room could be worth it for: to wake all for a few bytes would cost more than they."""
        count = len(self._waiting) if self._is_lost else -(-self.room_now() // _WAKING_SIZE_BYTES)
        while self._waiting and count > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                count -= 1

    def forget(self, stream_id: int) -> None:
        """Its call is over."""
        self._exchanges.pop(stream_id, None)
        if self._is_going_away and not self._exchanges and not self._is_lost:
            self._close_soon()

    def go_away(self, code: int, why: str) -> None:
        if not self._is_going_away:
            self._is_going_away = True
            self.write(h2.goaway_frame(self._last_stream_id, code, why))
        if not self._exchanges and not self._is_lost:
            self._close_soon()

    def cancel_calls(self) -> None:
        for exchange in tuple(self._exchanges.values()):
            exchange.cancel(Refused("UNAVAILABLE", "the server stops"))

    def abort(self) -> None:
        self._transport.abort()

    def _break(self, broken: BrokenConnection) -> None:
        _log.debug("a caller is cut off", why=str(broken))
        self.write(h2.goaway_frame(self._last_stream_id, broken.code, str(broken)))
        self._unread = b""
        self.close()

    def close(self) -> None:
        if self._is_lost:
            return
        if self._is_writing_paused:
            self._transport.abort()
        else:
            self._close_soon()

    def silence(self) -> tuple[int, float] | None:
        """See :class:`indelible.server.accepting.Guest`. First who has called nothing yet."""
        return None if self._exchanges else (int(self._last_stream_id > 0), self._heard_at)

    def give_way(self) -> None:
        self._site.connections.discard(self)
        self._transport.abort()

    def look(self, now: float) -> None:
        if self._pinged_at is not None:
            if now - self._pinged_at > GRPC_KEEP_ALIVE_TIMEOUT_S:
                self._transport.abort()
        elif now - self._heard_at > GRPC_KEEP_ALIVE_S:
            if self._has_preface and self._block is None:
                self.write(_PING)
                self._pinged_at = now
            else:
                self._transport.abort()


def _check_size(payload: bytes, size_bytes: int) -> None:
    if len(payload) != size_bytes:
        raise BrokenConnection(h2.FRAME_SIZE_ERROR, f"such a frame has {size_bytes} bytes")


def _check_whole_connection(stream_id: int) -> None:
    if stream_id:
        raise BrokenConnection(h2.PROTOCOL_ERROR, "such a frame is about no stream")


def _unpadded(flags: int, payload: bytes) -> bytes:
    if not flags & h2.PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise BrokenConnection(h2.PROTOCOL_ERROR, "there is more padding than frame")
    return payload[1 : len(payload) - payload[0]]
