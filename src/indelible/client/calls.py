"""What every store behind a server does about failures, whatever it speaks to the server."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final, TypeVar

from indelible.client.retry import Retry
from indelible.errors import IndelibleError, InternalError, OutcomeUnknown, ShuttingDown, Unavailable
from indelible.eventstore import FeedPage
from indelible.limits import CLIENT_APPENDS_WAITING_MAX
from indelible.queries import Cursor

R = TypeVar("R")


class Calls:
    """Repeats attempts as :class:`Retry` says, and knows when none is under way. Belongs to one event loop."""

    def __init__(self, retry_total_s: float) -> None:
        self._retry: Final = Retry(retry_total_s)
        self._room: Final = asyncio.Semaphore(CLIENT_APPENDS_WAITING_MAX)
        self._count = 0
        self._idle: Final = asyncio.Event()

    async def stop(self) -> None:
        """Wait for what is under way, which is not repeated any more."""
        self._retry.stop()
        if self._count:
            await self._idle.wait()

    async def retried(self, attempt: Callable[[], Awaitable[R]]) -> R:
        if self._retry.is_stopped:
            raise ShuttingDown("the client is closed")
        self._count += 1
        try:
            return await self._retry.call(attempt)
        finally:
            self._count -= 1
            if self._retry.is_stopped and not self._count:
                self._idle.set()

    async def append(self, attempt: Callable[[], Awaitable[R]]) -> R:
        """Above ``CLIENT_APPENDS_WAITING_MAX`` of them callers wait."""
        async with self._room:
            try:
                return await self.retried(attempt)
            except InternalError as error:
                # Of the server, or an answer that cannot be read: either may have come after the commit.
                raise OutcomeUnknown(error.message, **error.fields) from error

    async def read(self, attempt: Callable[[], Awaitable[R]]) -> R:
        try:
            return await self.retried(attempt)
        except OutcomeUnknown as error:
            # Of a read nothing is unknown but its answer.
            raise Unavailable(error.message, **error.fields) from error.__cause__

    async def follow(
        self, connect: Callable[[Cursor], AsyncGenerator[FeedPage]], cursor: Cursor
    ) -> AsyncGenerator[FeedPage]:
        """Connect anew, after the last page's cursor, as long as a connection comes about within the time that retries
        may take."""
        failures, failing_since = 0, 0.0
        while not self._retry.is_stopped:
            try:
                async with aclosing(connect(cursor)) as pages:
                    async for page in pages:
                        cursor, failures = page.cursor, 0
                        yield page
                error: IndelibleError = Unavailable("the server ended the subscription")
            except (Unavailable, OutcomeUnknown) as broken:
                error = broken
            now = time.monotonic()
            failures, failing_since = failures + 1, now if failures == 0 else failing_since
            if now - failing_since >= self._retry.total_s:
                raise error
            await self._retry.wait_before_attempt(failures, error)
        raise ShuttingDown("the client is closed")
