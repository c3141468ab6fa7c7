"""One call's stream: puts together the messages that come on it, and sends what the call answers, in frames, as far as
its caller has room."""

import asyncio
import contextlib
import zlib
from collections import deque
from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from indelible.errors import IndelibleError, PayloadTooLarge
from indelible.limits import (
    ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX,
    GRPC_MESSAGE_S,
    GRPC_UNREAD_SIZE_BYTES_MAX,
    REQUEST_SIZE_BYTES_MAX,
)
from indelible.server.grpc import frames as h2
from indelible.server.grpc.frames import BrokenConnection, Head, field_block, frame_head, headers_frames, number_frame
from indelible.server.services import BodyMemory
from indelible.wire.errors import GRPC_NUMBERS

if TYPE_CHECKING:
    from indelible.server.grpc.connection import Connection

_SENT_PLAINLY: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
"""In a status message; each byte of anything else takes three."""
_PREFIX_BYTES: Final = 5
_ANSWER_HEAD: Final = (
    (b":status", b"200"),
    (b"content-type", b"application/grpc"),
    (b"grpc-accept-encoding", b"identity, deflate, gzip"),
)
_HEAD_BLOCK: Final = field_block(_ANSWER_HEAD)
_OK_BLOCK: Final = field_block(((b"grpc-status", b"0"),))
_WINDOW_BITS: Final = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_UNIT_S: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TIMEOUT_DIGITS_MAX: Final = 8
_COPIED_SIZE_BYTES_MAX: Final = h2.FRAME_SIZE_BYTES_MAX
"""Longer messages are not copied to get their prefix, but sent after it."""


Trailers = Sequence[tuple[bytes, bytes]]
"""Fields beside a call's status: names, which are in lower case, and values."""


class Refused(Exception):
    """A call ends in a status of gRPC's own, such as UNIMPLEMENTED, that says nothing of the store; or in one that its
    API makes itself."""

    def __init__(self, status: str, message: str, trailers: Trailers = ()) -> None:
        super().__init__(message)
        self.status: Final = status
        self.message: Final = message
        self.trailers: Final = trailers


class Exchange:
    """Iterating over it gives the caller's messages, encoded."""

    __slots__ = (
        "_arrived", "_bodies", "_buffer", "_cancelled_because", "_has_begun", "_has_room", "_held_bytes",
        "_is_alone", "_is_deaf", "_is_over", "_late", "_messages", "_problem", "_taken_bytes", "_timer",
        "_uncredited_bytes", "_unread_window", "code", "connection", "deadline", "head", "requests_ended",
        "send_window", "stream_id", "task",
    )  # fmt: skip

    def __init__(self, connection: "Connection", stream_id: int, head: Head, send_window: int) -> None:
        self.stream_id: Final = stream_id
        self.head: Final = head
        self.send_window = send_window
        self.task: asyncio.Task[Any] | None = None
        self.deadline: float | None = None
        self.connection: Final = connection
        self.code: str | None = None
        """Of the error that it ended with."""
        self._bodies: BodyMemory | None = None
        self._cancelled_because: Refused | None = None
        self._is_alone = self._is_deaf = False
        """Whether the caller is gone, and whether what it says is left."""
        self._buffer = bytearray()
        self._messages: Final[deque[tuple[int, bytes]]] = deque()
        """As they came, and whether they are compressed: read only when they are taken, so that what waits is small."""
        self._held_bytes = self._taken_bytes = 0
        """Of all that is here, and of the message that was taken last, which is held until the next is asked for."""
        self._uncredited_bytes = 0
        self._unread_window = GRPC_UNREAD_SIZE_BYTES_MAX
        self._arrived: asyncio.Future[None] | None = None
        self._has_room: asyncio.Future[None] | None = None
        self._problem: IndelibleError | Refused | None = None
        self.requests_ended = False
        self._has_begun = False
        self._is_over = False
        self._timer: asyncio.TimerHandle | None = None
        self._late: asyncio.TimerHandle | None = None

    def begin(self, task: "asyncio.Task[Any]", bodies: BodyMemory) -> None:
        self.task, self._bodies = task, bodies
        timeout = self.head.fields.get(b"grpc-timeout")
        if timeout is not None:
            left_s = _seconds(timeout)
            self.deadline = self.connection.loop.time() + left_s
            self._timer = self.connection.loop.call_later(
                left_s, self.cancel, Refused("DEADLINE_EXCEEDED", "the call's deadline has passed")
            )

    def cancel(self, because: Refused | None = None) -> None:
        """``because``: what the caller is told; None where it is the caller who left."""
        self._cancelled_because = because
        if self.task is not None:
            self.task.cancel()

    def cancelled(self) -> str:
        """Tell the caller, if it is there; gives the status."""
        because = self._cancelled_because or Refused("CANCELLED", "the caller is gone")
        self.finish(because.status, because.message)
        return because.status

    def done(self, _: object) -> None:
        """Its task has ended, and may have been cancelled before it began."""
        if not self._is_over:
            self.cancelled()

    # --- What comes --------------------------------------------------------------------------------------------------

    def take(self, payload: bytes, flow_bytes: int) -> None:
        """``flow_bytes``: what it counts for, its padding included. Raises ``BrokenConnection``."""
        self._unread_window -= flow_bytes
        if self._unread_window < 0:
            raise BrokenConnection(h2.FLOW_CONTROL_ERROR, "more comes than there is room for")
        if self.requests_ended:
            raise BrokenConnection(h2.STREAM_CLOSED, "more comes after the end")
        self._uncredited_bytes += flow_bytes
        if self._problem is not None:
            if self._is_deaf:
                self._give_credit()
            return
        try:
            self._keep(payload)
        except (IndelibleError, Refused) as problem:
            self._fail(problem)
        self._notify()
        self._give_credit()

    def _fail(self, problem: IndelibleError | Refused) -> None:
        self._problem = problem
        self._buffer.clear()

    def _keep(self, payload: bytes) -> None:
        self._hold(len(payload))
        if not self._buffer and len(payload) >= _PREFIX_BYTES:
            size_bytes = int.from_bytes(payload[1:_PREFIX_BYTES], "big")
            if len(payload) == size_bytes + _PREFIX_BYTES:
                self._messages.append((payload[0], payload[_PREFIX_BYTES:]))
                return
        buffer = self._buffer
        buffer += payload
        while len(buffer) >= _PREFIX_BYTES:
            size_bytes = int.from_bytes(buffer[1:_PREFIX_BYTES], "big")
            if size_bytes > REQUEST_SIZE_BYTES_MAX:
                raise too_large()
            end = size_bytes + _PREFIX_BYTES
            if len(buffer) < end:
                break
            self._messages.append((buffer[0], bytes(buffer[_PREFIX_BYTES:end])))
            del buffer[:end]
            self._cancel_late()
        if buffer and self._late is None:
            self._late = self.connection.loop.call_later(GRPC_MESSAGE_S, self._on_late)

    def _cancel_late(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _on_late(self) -> None:
        self._fail(Refused("DEADLINE_EXCEEDED", f"a message did not come whole within {GRPC_MESSAGE_S:g} s"))
        self._notify()

    def _plain(self, flag: int, content: bytes) -> bytes:
        if not flag:
            return content
        encoding = self.head.fields.get(b"grpc-encoding", b"identity")
        window_bits = _WINDOW_BITS.get(encoding)
        if flag != 1 or encoding == b"identity":
            raise Refused("INTERNAL", "a message says that it is compressed, its call does not")
        if window_bits is None:
            raise Refused("UNIMPLEMENTED", "messages may be compressed by gzip or deflate")
        reader = zlib.decompressobj(window_bits)
        try:
            plain = reader.decompress(content, REQUEST_SIZE_BYTES_MAX + 1)
        except zlib.error as error:
            raise Refused("INTERNAL", f"a compressed message cannot be read: {error}") from None
        if len(plain) > REQUEST_SIZE_BYTES_MAX:
            raise too_large()
        if not reader.eof:
            raise Refused("INTERNAL", "a compressed message is not whole")
        self._hold(len(plain))
        self._taken_bytes += len(plain)
        return plain

    def end_of_requests(self) -> None:
        self.requests_ended = True
        self._cancel_late()
        if self._buffer and self._problem is None:
            self._problem = Refused("INTERNAL", "the last message is not whole")
        self._notify()

    def _notify(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _give_credit(self) -> None:
        """Room for more, once what has come is taken."""
        if self._uncredited_bytes > GRPC_UNREAD_SIZE_BYTES_MAX // 4 and not self._messages:
            if not self.requests_ended and not self._is_over:
                self.connection.write(number_frame(h2.WINDOW_UPDATE, self.stream_id, self._uncredited_bytes))
            self._unread_window += self._uncredited_bytes
            self._uncredited_bytes = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Raises what is wrong with what came."""
        self._release(self._taken_bytes)
        self._taken_bytes = 0
        while not self._messages:
            if self._problem is not None:
                raise self._problem
            if self.requests_ended:
                raise StopAsyncIteration
            self._arrived = self.connection.loop.create_future()
            await self._arrived
        flag, content = self._messages.popleft()
        self._taken_bytes = len(content) + _PREFIX_BYTES
        self._give_credit()
        return self._plain(flag, content)

    async def only_message(self) -> bytes:
        """Of a call that has one. What it takes is held until the call is over."""
        while not self.requests_ended and self._problem is None:
            self._arrived = self.connection.loop.create_future()
            await self._arrived
        if self._problem is not None:
            raise self._problem
        if len(self._messages) != 1:
            raise Refused("INTERNAL", "a call of this kind has one message")
        return self._plain(*self._messages[0])

    async def hear_out(self, within_s: float) -> None:
        """Take what still comes, and leave it. Of a call that ends while its caller sends, gRPC's core may tell the
        caller of an error of its own in place of the status."""
        self._is_deaf = True
        self._cancel_late()
        self._fail(self._problem or Refused("CANCELLED", "what comes is left"))
        self._messages.clear()
        self._release(self._held_bytes)
        self._give_credit()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not self.requests_ended:
                    self._arrived = self.connection.loop.create_future()
                    await self._arrived

    def _hold(self, size_bytes: int) -> None:
        if self._bodies is not None:
            self._bodies.take(size_bytes)
            self._held_bytes += size_bytes

    def _release(self, size_bytes: int) -> None:
        size_bytes = min(size_bytes, self._held_bytes)
        if self._bodies is not None and size_bytes:
            self._bodies.give_back(size_bytes)
            self._held_bytes -= size_bytes

    # --- What goes out -----------------------------------------------------------------------------------------------

    def widen(self, size_bytes: int) -> None:
        self.send_window += size_bytes
        if self.send_window > h2.WINDOW_MAX:
            raise BrokenConnection(h2.FLOW_CONTROL_ERROR, "a window is too large")
        if self.send_window > 0 and self._has_room is not None and not self._has_room.done():
            self._has_room.set_result(None)

    async def write(self, message: bytes) -> None:
        """Returns when there was room for all of it."""
        prefix = b"\0" + len(message).to_bytes(4, "big")
        if len(message) > _COPIED_SIZE_BYTES_MAX:
            await self._send(memoryview(prefix))
            await self._send(memoryview(message))
        else:
            await self._send(memoryview(prefix + message))

    async def _send(self, data: memoryview) -> None:
        at, end = 0, len(data)
        while at < end:
            room = min(self.send_window, self.connection.room_now(), h2.FRAME_SIZE_BYTES_MAX, end - at)
            if room <= 0:
                await self._room()
                continue
            self._spend(room)
            head = frame_head(room, h2.DATA, 0, self.stream_id)
            self.connection.write(b"".join((self._head(), head, data[at : at + room])))
            at += room

    async def answer(self, message: bytes) -> None:
        """The only message, and with it the end."""
        size_bytes = len(message) + _PREFIX_BYTES
        room = min(self.send_window, self.connection.room_now(), h2.FRAME_SIZE_BYTES_MAX)
        if size_bytes > room:
            await self.write(message)
            self.finish()
            return
        self._spend(size_bytes)
        data = frame_head(size_bytes, h2.DATA, 0, self.stream_id) + b"\0" + len(message).to_bytes(4, "big")
        self._end(b"".join((self._head(), data, message, headers_frames(self.stream_id, _OK_BLOCK, ends=True))))

    def finish(self, status: str = "OK", message: str = "", trailers: Trailers = ()) -> None:
        if status == "OK":
            block = _OK_BLOCK
        else:
            shown = _quoted(shortened(message)).encode("ascii")
            fields = ((b"grpc-status", b"%d" % GRPC_NUMBERS[status]), (b"grpc-message", shown))
            block = field_block((*fields, *trailers))
        if not self._has_begun:
            self._has_begun = True
            block = _HEAD_BLOCK + block
        self._end(headers_frames(self.stream_id, block, ends=True))

    def reject(self, http_status: bytes) -> None:
        """What is no call at all."""
        self._has_begun = True
        self._end(headers_frames(self.stream_id, field_block(((b":status", http_status),)), ends=True))

    def _head(self) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        return headers_frames(self.stream_id, _HEAD_BLOCK, ends=False)

    def _spend(self, size_bytes: int) -> None:
        self.send_window -= size_bytes
        self.connection.take_room(size_bytes)

    async def _room(self) -> None:
        if self.connection.room_now() <= 0:
            await self.connection.room()
        else:
            self._has_room = self.connection.loop.create_future()
            await self._has_room

    def _end(self, last: bytes) -> None:
        if self._is_over:
            return
        if not self.requests_ended and not self._is_alone:
            last += number_frame(h2.RST_STREAM, self.stream_id, h2.NO_ERROR)
        if not self._is_alone:
            self.connection.write(last)
        self.close()

    def close(self) -> None:
        """Nothing more comes or goes."""
        if self._is_over:
            return
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._cancel_late()
        self._messages.clear()
        self._buffer.clear()
        self._release(self._held_bytes)
        self.connection.forget(self.stream_id)

    def leave(self) -> None:
        """The caller is gone. What it began may have something to put in order: it counts until that is done."""
        self._is_alone = True
        if self._timer is not None:
            self._timer.cancel()
        self.cancel()

    def give_up(self) -> None:
        """Whoever calls does not take what it asked for."""
        self.connection.write(number_frame(h2.RST_STREAM, self.stream_id, h2.ENHANCE_YOUR_CALM))
        self.leave()


def shortened(message: str) -> str:
    """As much as fits into a status."""
    # A character takes a byte at the least; the others need not be looked at.
    message = message[:ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX]
    if len(_quoted(message)) <= ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX:
        return message
    ends = accumulate(len(_quoted(character)) for character in message)
    return message[: sum(1 for _ in takewhile(ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX.__ge__, ends))]


def _quoted(text: str) -> str:
    return quote(text, safe=_SENT_PLAINLY, errors="replace")


def too_large(size_bytes_max: int = REQUEST_SIZE_BYTES_MAX) -> PayloadTooLarge:
    return PayloadTooLarge(f"a message may have at most {size_bytes_max} bytes", size_bytes_max=size_bytes_max)


def _seconds(timeout: bytes) -> float:
    """Raises ``Refused`` for what is no time-out."""
    digits, unit_s = timeout[:-1], _UNIT_S.get(timeout[-1:])
    if unit_s is None or not digits.isdigit() or len(digits) > _TIMEOUT_DIGITS_MAX:
        raise Refused("INTERNAL", f"{timeout!r} is no time-out")
    return int(digits) * unit_s
