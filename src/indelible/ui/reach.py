"""Asking a store that may be slow, or out of reach for a while: what is asked goes on until it is answered, and how the
store does is known meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from indelible.errors import Conflict, Forbidden, IndelibleError, InvalidRequest, NotFound
from indelible.limits import UI_ANSWER_TIMEOUT_S, UI_OUTAGE_WAIT_MAX_S, UI_REFRESH_S

T = TypeVar("T")

REFUSALS: Final = (InvalidRequest, NotFound, Conflict, Forbidden)
"""Errors by which a store that is well says no. Any other is trouble of its own, which may pass."""


class NoAnswer(Exception):
    """The store is in trouble, and what was asked was to be tried only once."""


class Reach:
    """How the store does. Times are in seconds."""

    def __init__(self) -> None:
        self.trouble: str | None = None
        """Why it does not answer; None while it does."""
        self._trouble_since = 0.0
        self._asked_at: Final[dict[object, float]] = {}

    @property
    def trouble_s(self) -> float:
        return 0.0 if self.trouble is None else time.monotonic() - self._trouble_since

    @property
    def waiting_s(self) -> float:
        """How long the oldest question has waited for its answer."""
        return time.monotonic() - min(self._asked_at.values()) if self._asked_at else 0.0

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer, however long the store takes to be well again. Raises :data:`REFUSALS`."""
        wait_s = UI_REFRESH_S
        while True:
            try:
                return await self.ask_once(question)
            except NoAnswer:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, UI_OUTAGE_WAIT_MAX_S)

    async def ask_once(self, question: Callable[[], Awaitable[T]]) -> T:
        """For what changes something. Raises :class:`NoAnswer`, and :data:`REFUSALS`."""
        token = object()
        self._asked_at[token] = time.monotonic()
        try:
            async with asyncio.timeout(UI_ANSWER_TIMEOUT_S):
                answer = await question()
        except TimeoutError:
            raise self.lost(f"no answer within {UI_ANSWER_TIMEOUT_S:g} s") from None
        except REFUSALS:
            self.answered()
            raise
        except IndelibleError as error:
            raise self.lost(error.message) from error
        finally:
            del self._asked_at[token]
        self.answered()
        return answer

    def answered(self) -> None:
        self.trouble = None

    def lost(self, trouble: str) -> NoAnswer:
        if self.trouble is None:
            self._trouble_since = time.monotonic()
        self.trouble = trouble
        return NoAnswer(trouble)
