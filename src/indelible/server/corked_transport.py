"""Gathers what is written in one turn of the event loop into one write.

uvicorn writes a response's head and body apart: two system calls, two packets and two wake-ups of the reader, which
together took a quarter of the event loop's time under many small appends.
"""

import asyncio
from typing import Any, Final


class CorkedTransport:
    """Stands in for a transport; only writing differs."""

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport: Final = transport
        self._loop: Final = loop
        self._parts: Final[list[bytes]] = []

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """What was written before still goes out."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            # The connection may have gone since: then there is nobody to write to.
            if not self._transport.is_closing():
                self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
