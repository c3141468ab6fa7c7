"""Gathers what is written in one turn of the event loop into one write.

uvicorn writes a response's head and body apart: two system calls, two packets and two wake-ups of the reader, which
together took a quarter of the event loop's time under many small appends. What is long goes out at once, as only then
its sender hears whether the reader takes it.
"""

import asyncio
from typing import Any, Final

from indelible.limits import STREAM_CHUNK_SIZE_BYTES_MAX


class CorkedTransport:
    """Stands in for a transport; only writing differs."""

    __slots__ = ("_loop", "_parts", "_size_bytes", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport: Final = transport
        self._loop: Final = loop
        self._parts: Final[list[bytes]] = []
        self._size_bytes = 0
        transport.set_write_buffer_limits(high=STREAM_CHUNK_SIZE_BYTES_MAX)

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size_bytes += len(data)
        if self._size_bytes >= STREAM_CHUNK_SIZE_BYTES_MAX:
            self._flush()

    def close(self) -> None:
        """What was written before still goes out."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._size_bytes = 0
            # The connection may have gone since: then there is nobody to write to.
            if not self._transport.is_closing():
                self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
