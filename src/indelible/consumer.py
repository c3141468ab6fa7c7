"""A member of a consumer group, as applications use it: events as they come, each to be acknowledged.

It needs nothing but consumer groups, those of a store in this process or of a server's.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NoReturn, Self

from indelible.batching import Batcher, Bounds, in_lots
from indelible.errors import IndelibleError
from indelible.groups import ConsumerGroups, Delivery, GroupInfo, Settled, check_count, check_group, check_member
from indelible.handling import Handler, Handling, check_handling
from indelible.limits import (
    CLIENT_GIVE_BACK_DELAY_S,
    CLIENT_GIVE_BACK_TIMEOUT_S,
    GROUP_IN_FLIGHT_MAX,
    GROUP_PULL_MAX,
    GROUP_SETTLE_MAX,
    GROUP_WAIT_MAX_S,
    HANDLER_DELAY_DEFAULT_S,
)
from indelible.queries import EventQuery
from indelible.tasks import first_of

_EXTENSIONS_IN_TIME: Final = 3
"""How often deliveries that wait are extended within the group's time."""


class Consumer:
    """Iterate with ``async for`` over deliveries, in as many tasks as you like; :meth:`ack` or :meth:`nack` each.

    At most ``max_in_flight`` deliveries are here at once: those that wait to be taken, and those that were taken and
    are not settled yet. A delivery that is never settled keeps its place. Those that wait get more time from the group,
    as long as others are taken; once taken, each has at least two thirds of the group's time left. Use as ``async
    with``, or leave by :meth:`aclose`, which gives back what nobody has taken.

    ``wait_s``: who has waited so long for a delivery gets none; 0 takes what is there now. Then as many are pulled as
    are waited for.

    A server that is out of reach is waited for as long as whoever made the consumer has said; then the call that waits
    raises ``Unavailable``, and may be made again. Raises ``GroupNotFound``.
    """

    def __init__(
        self, groups: ConsumerGroups, group: str, *, member: str, max_in_flight: int, wait_s: float | None = None
    ) -> None:
        self.group: Final = check_group(group)
        self._pull: Final = partial(groups.pull, group, member=check_member(member))
        self._groups: Final = groups
        self._max_in_flight: Final = check_count(max_in_flight, "/max_in_flight", GROUP_IN_FLIGHT_MAX)
        self._wait_s: Final = wait_s
        self._acks: Final = ack_batcher(partial(groups.ack, group))
        self._ready: Final[deque[Delivery]] = deque()
        self._unsettled: Final[set[str]] = set()
        """Those in ``_ready`` included."""
        self._callers: Final[list[float]] = []
        """Those who wait for a delivery: since when, by the event loop's clock."""
        self._empty_from = 0.0
        """When the last pull began that brought nothing."""
        self._taken_at = 0.0
        """When the last one was."""
        self._working: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._is_closed = False

    async def create_group(self, query: EventQuery) -> GroupInfo:
        """Create the group, of the events that match, where there is none of its name; else it stays as it is. Raises
        ``GroupExists`` when that one has another query or other settings than a new one."""
        return await self._groups.create(self.group, query)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delivery:
        delivery = await self.next_delivery()
        if delivery is None:
            raise StopAsyncIteration
        return delivery

    async def next_delivery(self) -> Delivery | None:
        """The next delivery, waited for as long as it takes. None once the consumer is closed, and when ``wait_s`` is
        over."""
        came = asyncio.get_running_loop().time()
        self._callers.append(came)
        if self._wait_s is not None:
            self._notify()
        try:
            while not self._is_closed:
                if self._ready:
                    return self._take()
                if self._has_waited(came):
                    return None
                await self._wait_for_news()
        finally:
            self._callers.remove(came)
        return None

    def _take(self) -> Delivery:
        self._taken_at = asyncio.get_running_loop().time()
        delivery = self._ready.popleft()
        self._notify()
        return delivery

    def _has_waited(self, came: float) -> bool:
        """Whether a caller has waited long enough, and nothing was there since it came."""
        if self._wait_s is None or self._empty_from < came:
            return False
        return asyncio.get_running_loop().time() >= came + self._wait_s

    async def _wait_for_news(self) -> None:
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="consumer")
        if self._working.done():
            failed, self._working = self._working, None
            failed.result()
        else:
            await self._news.wait()

    async def ack(self, delivery: Delivery) -> bool:
        """Acknowledge: the event is done. False when it was lost: its time was over, and it goes to another member.
        Acknowledgements of several tasks travel together."""

        def hear(acknowledged: asyncio.Future[bool]) -> None:
            if not acknowledged.cancelled() and acknowledged.exception() is None:
                self._settle(delivery)

        # An acknowledgement that nobody waits for any more is sent all the same: the event is done.
        acknowledging = self._acks.put(delivery.delivery_id)
        acknowledging.add_done_callback(hear)
        return await asyncio.shield(acknowledging)

    async def nack(self, delivery: Delivery, *, delay_s: float = 0.0, reason: str = "", park: bool = False) -> bool:
        """Refuse: the event is delivered again after ``delay_s`` seconds, or parked after its last attempt, or at once
        with ``park``. False when it was lost."""
        ids = (delivery.delivery_id,)
        settled = await self._groups.nack(self.group, ids, delay_s=delay_s, reason=reason, park=park)
        self._settle(delivery)
        return not settled.lost

    async def extend(self, delivery: Delivery, *, ack_timeout_s: float | None = None) -> bool:
        """Take ``ack_timeout_s`` seconds from now; None: as many as the group gives. False when it was lost."""
        settled = await self._groups.extend(self.group, (delivery.delivery_id,), ack_timeout_s=ack_timeout_s)
        if settled.lost:
            self._settle(delivery)
        return not settled.lost

    async def run(self, handler: Handler, *, concurrency: int = 1, delay_s: float = HANDLER_DELAY_DEFAULT_S) -> None:
        """Call ``handler(event)`` for every event, up to ``concurrency`` at once, and those of one aggregate one after
        the other in their order. Goes on until the consumer is closed, or this is cancelled, and leaves nothing with
        this consumer; it may be called again then.

        An event is acknowledged when its handler returns. When it raises, the event is refused: it is delivered again
        after ``delay_s`` seconds, twice as long each further time to ``HANDLER_DELAY_MAX_S``, and parked after the
        group's last attempt; the log of ``indelible.handling`` has the traceback. While its handler runs the event's
        time is extended, so bound what may hang. A handler is a coroutine function, or a plain one that takes no time.

        After ``aclose()`` the handlers that run come to their end, and their events are settled. When this is
        cancelled they are cancelled too, and their events given back as if nobody had tried them.

        Raises ``InvalidRequest`` for bad arguments, and what pulling and settling raise.
        """
        check_handling(handler, concurrency, delay_s)
        handling = Handling(self, handler, delay_s, self._put_back)
        try:
            await handling.run(concurrency, self._keep_extending(lambda _: handling.held, lambda _: None))
        finally:
            await self._give_back()

    def _put_back(self, delivery: Delivery) -> None:
        """It was taken, and is nobody's any more: it goes to who comes next, or back with what nobody has taken."""
        self._ready.appendleft(delivery)
        self._notify()

    async def aclose(self) -> None:
        """Take no more, and give back what nobody has taken, so that it goes to other members soon. What was taken may
        still be acknowledged. May be called twice."""
        self._is_closed = True
        await self._give_back()

    async def _give_back(self) -> None:
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        self._notify()
        not_taken = self._waiting_ids()
        self._ready.clear()
        self._unsettled.difference_update(not_taken)
        # Else the time-out gives them back.
        with suppress(IndelibleError, TimeoutError):
            async with asyncio.timeout(CLIENT_GIVE_BACK_TIMEOUT_S):
                for some in in_lots(not_taken, GROUP_SETTLE_MAX):
                    await self._groups.nack(self.group, some, delay_s=CLIENT_GIVE_BACK_DELAY_S, untried=True)
                await self._acks.finish()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _work(self) -> None:
        """Keep deliveries at hand, until it fails."""
        try:
            await first_of(self._keep_pulling(), self._keep_extending(self._waiting_to_extend, self._drop))
        finally:
            self._notify()

    async def _keep_pulling(self) -> NoReturn:
        while True:
            while not self._is_time_to_pull:
                await self._news.wait()
            began = asyncio.get_running_loop().time()
            limit, wait_s = min(self._room, GROUP_PULL_MAX), float(GROUP_WAIT_MAX_S)
            if self._wait_s is not None:
                limit, wait_s = min(limit, len(self._callers)), min(wait_s, self._callers[0] + self._wait_s - began)
            pulled = await self._pull(limit=limit, wait_s=max(wait_s, 0.0))
            if not pulled:
                self._empty_from = began
            self._unsettled.update(delivery.delivery_id for delivery in pulled)
            self._ready.extend(pulled)
            self._notify()
            # Those who have waited long enough go first.
            await asyncio.sleep(0)

    def _waiting_to_extend(self, ack_timeout_s: float) -> list[str]:
        """Deliveries that wait must not run out of time because those before them take theirs. But a caller who takes
        no more does not keep them from others."""
        is_taking = self._taken_at + ack_timeout_s > asyncio.get_running_loop().time()
        return self._waiting_ids() if is_taking else []

    async def _keep_extending(
        self, choose: Callable[[float], Sequence[str]], drop: Callable[[Collection[str]], None]
    ) -> NoReturn:
        """Often enough within the group's time, for which ``choose`` says which deliveries; ``drop`` hears which are
        lost."""
        while True:
            ack_timeout_s = (await self._groups.get(self.group)).ack_timeout_s
            await asyncio.sleep(ack_timeout_s / _EXTENSIONS_IN_TIME)
            for some in in_lots(choose(ack_timeout_s), GROUP_SETTLE_MAX):
                drop((await self._groups.extend(self.group, some)).lost)

    def _drop(self, lost: Collection[str]) -> None:
        """Somebody else has them; whoever has taken one of them meanwhile is told when it is settled."""
        gone = {*lost} & {*self._waiting_ids()}
        kept = [delivery for delivery in self._ready if delivery.delivery_id not in gone]
        self._ready.clear()
        self._ready.extend(kept)
        self._unsettled.difference_update(gone)
        self._notify()

    def _waiting_ids(self) -> list[str]:
        return [delivery.delivery_id for delivery in self._ready]

    @property
    def _room(self) -> int:
        return self._max_in_flight - len(self._unsettled)

    @property
    def _is_time_to_pull(self) -> bool:
        """When there is nothing to take. While there is, only for many at once: each call has its price."""
        if self._wait_s is not None and not self._callers:
            return False
        return self._room >= (self._max_in_flight + 1) // 2 or (self._room > 0 and not self._ready)

    def _settle(self, delivery: Delivery) -> None:
        self._unsettled.discard(delivery.delivery_id)
        self._notify()

    def _notify(self) -> None:
        """Wake all who wait for something to change."""
        self._news.set()
        self._news = asyncio.Event()


def ack_batcher(ack: Callable[[Sequence[str]], Awaitable[Settled]]) -> Batcher[str, bool]:
    """Lets acknowledgements of concurrent tasks travel together, one call at a time. As many wait as are with the
    caller, which the consumer bounds."""

    async def send(delivery_ids: Sequence[str]) -> list[bool]:
        lost = {*(await ack(delivery_ids)).lost}
        return [delivery_id not in lost for delivery_id in delivery_ids]

    return Batcher("acks", send, Bounds(GROUP_SETTLE_MAX))
