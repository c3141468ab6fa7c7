"""Acknowledgements of concurrent tasks travel together, and none waits for company: while one call is on its way, those
that come form the next."""

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from indelible.errors import IndelibleError, InternalError
from indelible.groups import Settled
from indelible.limits import GROUP_SETTLE_MAX

SendAcks = Callable[[Sequence[str]], Awaitable[Settled]]
"""Acknowledges deliveries. Raises when it is not known to have done so."""


class _Waiting(msgspec.Struct, frozen=True, eq=False):
    delivery_id: str
    outcome: asyncio.Future[bool | Exception]


class Acks:
    """Belongs to one event loop. As many may wait as are with the caller, which the consumer bounds."""

    def __init__(self, send: SendAcks) -> None:
        self._send = send
        self._waiting: deque[_Waiting] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def ack(self, delivery_id: str) -> bool:
        """Whether the event was still with the caller. Raises why it is not acknowledged."""
        waiting = _Waiting(delivery_id, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all(), name="acks")
        outcome = await waiting.outcome
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _send_all(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), GROUP_SETTLE_MAX)
            await self._send_and_settle([self._waiting.popleft() for _ in range(count)])
        self._sending = None

    async def _send_and_settle(self, batch: list[_Waiting]) -> None:
        outcomes: dict[str, bool | Exception]
        try:
            lost = set((await self._send([waiting.delivery_id for waiting in batch])).lost)
            outcomes = {waiting.delivery_id: waiting.delivery_id not in lost for waiting in batch}
        except Exception as error:  # noqa: BLE001 - whatever broke, every caller must get an answer
            if not isinstance(error, IndelibleError):
                error = InternalError(f"acknowledging failed: {type(error).__name__}: {error}")
            # A copy each: every caller adds its own traceback.
            outcomes = {waiting.delivery_id: copy.copy(error) for waiting in batch}
        for waiting in batch:
            if not waiting.outcome.done():
                waiting.outcome.set_result(outcomes[waiting.delivery_id])
