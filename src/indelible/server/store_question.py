"""A question to the store that must not take long, whatever has become of the store."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from indelible.errors import Unavailable
from indelible.limits import RETRY_AFTER_S, STORE_ANSWER_TIMEOUT_S

_T = TypeVar("_T")


class StoreQuestion(Generic[_T]):
    """Asks once at a time: who comes while the store has not answered waits for the same answer. So probes of a store
    that hangs do not pile up."""

    def __init__(self, question: Callable[[], Awaitable[_T]]) -> None:
        self._question: Final = question
        self._asking: asyncio.Task[_T] | None = None

    async def ask(self) -> _T:
        """The store's answer. Raises what the store raises, and ``Unavailable`` when it takes more than
        ``STORE_ANSWER_TIMEOUT_S``."""
        asking = self._asking
        if asking is None or asking.done():
            asking = self._asking = asyncio.create_task(self._answer())
            asking.add_done_callback(_hear_of_failure)
        # Not cancelled when it is late: to cancel a query, a database driver may have to wait for the database.
        await asyncio.wait({asking}, timeout=STORE_ANSWER_TIMEOUT_S)
        if not asking.done():
            raise Unavailable(f"it has not answered within {STORE_ANSWER_TIMEOUT_S:g} s", retry_after_s=RETRY_AFTER_S)
        return asking.result()

    async def _answer(self) -> _T:
        return await self._question()


def _hear_of_failure(asking: "asyncio.Task[_T]") -> None:
    """Nobody may be left to hear of it, which asyncio would complain about."""
    if not asking.cancelled():
        asking.exception()
