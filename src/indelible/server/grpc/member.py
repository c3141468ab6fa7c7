"""A member of a consumer group: what goes out to it, what it says of that, and what is with it.

Three things go on at once. Events are pulled while there is room for them. What the member says is read. What was read
is settled: all that came while one call of the store was on its way goes into the next.

For a member that does not take what lies ready for it, nothing more is pulled, and soon nothing more is read. So it
costs no more than the deliveries of one pull, and a bounded number of answers.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any, Final

from indelible.groups import ConsumerGroups, Delivery, GroupInfo, Settled
from indelible.limits import GROUP_PULL_MAX, GROUP_SETTLE_MAX, GROUP_WAIT_MAX_S, GRPC_UNANSWERED_IDS_MAX, HEARTBEAT_S
from indelible.server.services import give_back
from indelible.wire.proto_consume import Settlement

Outgoing = tuple[Sequence[Delivery], Sequence[Settled]]


class Member:
    """Of one stream; ``max_in_flight`` is the stream's own."""

    def __init__(self, groups: ConsumerGroups, group: GroupInfo, name: str, max_in_flight: int) -> None:
        self._groups: Final = groups
        self._group: Final = group.group
        self._ack_timeout_s: Final = group.ack_timeout_s
        self._name: Final = name
        self._max_in_flight: Final = max_in_flight
        self._in_flight: Final[dict[str, float]] = {}
        """When the time of each delivery is over, in seconds since 1970; by and large in that order."""
        self._has_room: Final = asyncio.Event()
        self._said: Final[deque[Settlement]] = deque()
        self._must_settle: Final = asyncio.Event()
        self._deliveries: Sequence[Delivery] = ()
        self._settled: list[Settled] = []
        self._unanswered_ids = 0
        self._must_send: Final = asyncio.Event()
        self._was_taken: Final = asyncio.Event()
        self._is_ending = False
        self._has_ended = False

    async def serve(self, *, until: Sequence["asyncio.Task[Any]"]) -> None:
        """Until one of these tasks ends, or something fails; raises what did.

        What the member has said by then is settled. The rest of what is with it is given back.
        """
        settling = asyncio.create_task(self._settle_all(), name="grpc-member-settles")
        others = (asyncio.create_task(self._pull_all(), name="grpc-member-pulls"), *until)
        try:
            await asyncio.wait((settling, *others), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
            self._is_ending = True
            self._must_settle.set()
            await asyncio.wait((settling,))
            await give_back(self._groups, self._group, self._in_flight, untried=False)
            self._has_ended = True
            self._must_send.set()
            failures = [task.exception() for task in (settling, *others) if not task.cancelled()]
        for failure in filter(None, failures):
            raise failure

    # --- Out ---------------------------------------------------------------------------------------------------------

    async def outgoing(self) -> AsyncGenerator[Outgoing]:
        """What is to be sent, until nothing more comes; nothing at all when there was nothing for ``HEARTBEAT_S``. What
        was given last counts as taken when this is asked for more."""
        while not (self._has_ended and not self._settled):
            is_silent = not await _is_set_within(HEARTBEAT_S, self._must_send)
            self._must_send.clear()
            deliveries, self._deliveries = self._deliveries, ()
            settled, self._settled = self._settled, []
            if self._has_ended:
                deliveries = ()  # they are with others by now
            if deliveries or settled or is_silent:
                yield deliveries, settled
            self._unanswered_ids -= sum(one.settled + len(one.lost) for one in settled)
            self._was_taken.set()

    async def _pull_all(self) -> None:
        while True:
            limit = await self._room()
            deliveries = await self._groups.pull(self._group, member=self._name, limit=limit, wait_s=GROUP_WAIT_MAX_S)
            if deliveries:
                self._in_flight.update((one.delivery_id, one.deadline.timestamp()) for one in deliveries)
                self._deliveries = deliveries
                self._must_send.set()
                while self._deliveries:
                    self._was_taken.clear()
                    await self._was_taken.wait()

    async def _room(self) -> int:
        """How many more events may go to the member, once that is any. Those whose time is over are not with it any
        more: they come again, perhaps to this very member."""
        while len(self._in_flight) >= self._max_in_flight:
            self._has_room.clear()
            first_ends_in_s = next(iter(self._in_flight.values())) - time.time()
            await _is_set_within(max(first_ends_in_s, 0), self._has_room)
            self._drop_overdue()
        return min(self._max_in_flight - len(self._in_flight), GROUP_PULL_MAX)

    def _drop_overdue(self) -> None:
        now = time.time()
        while self._in_flight:
            delivery_id, ends = next(iter(self._in_flight.items()))
            if ends > now:
                return
            del self._in_flight[delivery_id]

    # --- In ----------------------------------------------------------------------------------------------------------

    async def hear(self, settlement: Settlement) -> None:
        """Returns when the member may say more."""
        self._said.append(settlement)
        self._unanswered_ids += len(settlement.delivery_ids)
        self._must_settle.set()
        while self._unanswered_ids >= GRPC_UNANSWERED_IDS_MAX:
            self._was_taken.clear()
            await self._was_taken.wait()

    async def _settle_all(self) -> None:
        while self._said or not self._is_ending:
            await self._must_settle.wait()
            self._must_settle.clear()
            while self._said:
                await self._settle(self._take_alike())

    def _take_alike(self) -> list[Settlement]:
        """What comes next, and all behind it that the same call can do."""
        taken = [self._said.popleft()]
        ids = len(taken[0].delivery_ids)
        while self._said and self._said[0].is_like(taken[0]):
            ids += len(self._said[0].delivery_ids)
            if ids > GROUP_SETTLE_MAX:
                break
            taken.append(self._said.popleft())
        return taken

    async def _settle(self, alike: Sequence[Settlement]) -> None:
        first = alike[0]
        ids = [delivery_id for one in alike for delivery_id in one.delivery_ids]
        call = getattr(self._groups, first.method)
        settled: Settled = await call(self._group, ids, **first.options)
        lost = frozenset(settled.lost)
        self._settled += [one.answer(lost) for one in alike]
        self._must_send.set()
        for delivery_id in ids:
            was_with_it = self._in_flight.pop(delivery_id, None)
            if first.method == "extend" and was_with_it is not None and delivery_id not in lost:
                self._in_flight[delivery_id] = time.time() + (first.options["ack_timeout_s"] or self._ack_timeout_s)
        self._has_room.set()


async def _is_set_within(duration_s: float, event: asyncio.Event) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(duration_s):
            await event.wait()
    return event.is_set()
