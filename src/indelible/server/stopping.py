"""Why a server stops."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from os import EX_IOERR, EX_OK
from typing import Final

EXIT_STORAGE_FAILURE: Final = EX_IOERR
"""74: the storage has failed. What was acknowledged is on disk; a restart finds out what else is."""


class Stop:
    """Why the server stops, once it does. Make it within the event loop."""

    def __init__(self) -> None:
        self.exit_code = EX_OK
        self._reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def wait(self) -> str:
        """Until the server is to stop; the first reason for it."""
        return await asyncio.shield(self._reason)

    def because(self, reason: str) -> None:
        if not self._reason.done():
            self._reason.set_result(reason)

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT. Call from the main thread."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.because, f"received {number.name}")
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
