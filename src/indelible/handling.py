"""What a consumer does with a handler: calls it for every event, several at a time, and settles the event by how that
ends. It is the inner part of :meth:`indelible.consumer.Consumer.run`.

A group delivers the events of an aggregate one at a time. So any number of handlers at once keep their order.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

from indelible.errors import InvalidRequest
from indelible.events import RecordedEvent
from indelible.groups import Delivery, check_count, check_nack
from indelible.limits import GROUP_IN_FLIGHT_MAX, GROUP_REASON_LENGTH_MAX, HANDLER_DELAY_MAX_S

Handler = Callable[[RecordedEvent], Awaitable[object] | object]

_log: Final = logging.getLogger(__name__)


def check_handling(handler: object, concurrency: object, delay_s: object) -> None:
    """Raises ``InvalidRequest``."""
    if not callable(handler):
        raise InvalidRequest("must be a function of one event", pointer="/handler")
    check_count(concurrency, "/concurrency", GROUP_IN_FLIGHT_MAX)
    check_nack(delay_s, reason="")


class Deliveries(Protocol):
    """A consumer, as far as handling needs one."""

    @property
    def group(self) -> str: ...
    async def next_delivery(self) -> Delivery | None: ...
    async def ack(self, delivery: Delivery) -> bool: ...
    async def nack(self, delivery: Delivery, *, delay_s: float, reason: str) -> bool: ...


class Handling:
    """Belongs to one run of one consumer. ``put_back`` takes back what was not settled."""

    def __init__(
        self, deliveries: Deliveries, handler: Handler, delay_s: float, put_back: Callable[[Delivery], None]
    ) -> None:
        self._deliveries: Final = deliveries
        self._handler: Final = handler
        self._delay_s: Final = delay_s
        self._put_back: Final = put_back
        self._held: Final = set[str]()

    @property
    def held(self) -> list[str]:
        """The ids of the deliveries that handlers have."""
        return list(self._held)

    async def run(self, concurrency: int, extending: Coroutine[Any, Any, None]) -> None:
        """Until there are no more deliveries; ``extending`` runs beside it. The first failure of a call to the store
        ends all, and is raised."""
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = tasks.create_task(extending)
                await asyncio.wait([tasks.create_task(self._work()) for _ in range(concurrency)])
                beside.cancel()
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _work(self) -> None:
        while (delivery := await self._deliveries.next_delivery()) is not None:
            self._held.add(delivery.delivery_id)
            try:
                await self._deal_with(delivery)
            finally:
                self._held.discard(delivery.delivery_id)

    async def _deal_with(self, delivery: Delivery) -> None:
        is_done = False
        try:
            failure = await self._handle(delivery)
            is_done = failure is None
            is_ours = await (self._deliveries.ack(delivery) if failure is None else self._refuse(delivery, failure))
        except BaseException as error:
            # One that is being acknowledged is not given back: that goes on, though nobody waits for it.
            if not (is_done and isinstance(error, asyncio.CancelledError)):
                self._put_back(delivery)
            raise
        if not is_ours:
            _log.warning(
                "%s is lost: it was delivered to another member meanwhile, or the group was reset", _name(delivery)
            )

    async def _handle(self, delivery: Delivery) -> BaseException | None:
        """What the handler raised."""
        task = asyncio.current_task()
        assert task is not None
        try:
            result = self._handler(delivery.event)
            if inspect.isawaitable(result):
                await result
        except asyncio.CancelledError as error:
            if task.cancelling():
                raise
            # Something within was cancelled, which is a failure like others.
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, the other events go on
            return error
        return None

    async def _refuse(self, delivery: Delivery, failure: BaseException) -> bool:
        delay_s = min(self._delay_s * 2.0 ** min(delivery.attempt - 1, 32), max(self._delay_s, HANDLER_DELAY_MAX_S))
        _log.error(
            "group %s: the handler of %s has failed in attempt %d; unless it was the last, the next is in %g s",
            self._deliveries.group, _name(delivery), delivery.attempt, delay_s, exc_info=failure,
        )  # fmt: skip
        return await self._deliveries.nack(delivery, delay_s=delay_s, reason=_reason(failure))


def _name(delivery: Delivery) -> str:
    event = delivery.event
    return f"{event.aggregate_type}-{event.aggregate_id} {event.version}, position {event.position}"


def _reason(failure: BaseException) -> str:
    """For people, who look at what is parked."""
    text = f"{type(failure).__name__}: {failure}".replace("\0", "\\0")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")[:GROUP_REASON_LENGTH_MAX]
