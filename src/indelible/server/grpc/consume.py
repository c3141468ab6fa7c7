"""Consume: a member of a consumer group, for as long as its stream is open: what goes out to it, what it says of that,
and what is with it.

Three things go on at once. Events are pulled while there is room for them. What the member says is read. What was read
is settled: all that came while one call of the store was on its way goes into the next.

For a member that does not take what lies ready for it, nothing more is pulled, and soon nothing more is read. So it
costs no more than the deliveries of one pull, and a bounded number of answers.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Final, NoReturn

from msgspec.structs import replace

from indelible.errors import InvalidRequest, ShuttingDown
from indelible.eventstore import EventStore
from indelible.groups import Delivery, GroupInfo, Settled
from indelible.limits import (
    GROUP_PULL_MAX,
    GROUP_SETTLE_MAX,
    GROUP_WAIT_MAX_S,
    GRPC_UNANSWERED_IDS_MAX,
    HEARTBEAT_S,
    RETRY_AFTER_S,
)
from indelible.operations import Operation
from indelible.operations.deliveries import ACK, EXTEND, NACK, Ack, Consume, Extend, Nack
from indelible.server.call import Call
from indelible.server.grpc.calls import decode_message
from indelible.server.services import give_back
from indelible.tasks import first_of, hear_of_failure, is_set_within
from indelible.wire.operation_proto import to_struct
from indelible.wire.pb.groups_pb2 import ConsumeRequest, ConsumeStart
from indelible.wire.proto_events import encode_consumed

Outgoing = tuple[Sequence[Delivery], Sequence[Settled]]
Settlement = Ack | Nack | Extend
"""What a member says on its stream of some deliveries."""
_OPERATIONS: Final[dict[str, Operation[Any, Settled]]] = {"ack": ACK, "nack": NACK, "extend": EXTEND}
_OPERATION_OF: Final = {operation.parameters: operation for operation in _OPERATIONS.values()}


def decode_settlement(group: str, message: ConsumeRequest) -> Settlement:
    """Checked as a whole, so that what it is gathered with does not fail for it."""
    kind = message.WhichOneof("message")
    if kind is None or kind == "start":
        raise InvalidRequest(
            "must be ack, nack or extend; start comes first, and once", pointer=f"/{kind}" if kind else ""
        )
    try:
        settlement: Settlement = to_struct(getattr(message, kind), _OPERATIONS[kind].parameters, group=group)
        settlement.check()
    except InvalidRequest as error:
        raise error.under(f"/{kind}") from None
    return settlement


def are_alike(one: Settlement, other: Settlement) -> bool:
    """Whether one call of the store can do both."""
    return replace(one, delivery_ids=()) == replace(other, delivery_ids=())


def _answer(settlement: Settlement, lost: frozenset[str]) -> Settled:
    """What became of it, when these ids are lost."""
    own = tuple(one for one in settlement.delivery_ids if one in lost)
    return Settled(len(settlement.delivery_ids) - len(own), own)


class Member:
    """Of one stream; ``max_in_flight`` is the stream's own."""

    def __init__(self, store: EventStore, group: GroupInfo, name: str, max_in_flight: int) -> None:
        self._store: Final = store
        self.group: Final = group.group
        self._ack_timeout_s: Final = group.ack_timeout_s
        self._name: Final = name
        self._max_in_flight: Final = max_in_flight
        self._in_flight: Final[dict[str, float]] = {}
        """When the time of each delivery is over, in seconds since 1970; by and large in that order."""
        self._has_room: Final = asyncio.Event()
        self._received: Final[deque[Settlement]] = deque()
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
            await give_back(self._store.groups, self.group, self._in_flight, untried=False)
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
            is_silent = not await is_set_within(HEARTBEAT_S, self._must_send)
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
            deliveries = await self._pull(await self._room())
            if deliveries:
                self._hold(deliveries)
                self._deliveries = deliveries
                self._must_send.set()
                while self._deliveries:
                    self._was_taken.clear()
                    await self._was_taken.wait()

    async def _pull(self, limit: int) -> Sequence[Delivery]:
        """What there is for the member; waited for, but not for ever."""
        return await self._store.groups.pull(self.group, member=self._name, limit=limit, wait_s=GROUP_WAIT_MAX_S)

    def _hold(self, deliveries: Sequence[Delivery]) -> None:
        """They are with the member, and are given back when it leaves."""
        self._in_flight.update((one.delivery_id, one.deadline.timestamp()) for one in deliveries)

    async def _room(self) -> int:
        """How many more events may go to the member, once that is any. Those whose time is over are not with it any
        more: they come again, perhaps to this very member."""
        while len(self._in_flight) >= self._max_in_flight:
            self._has_room.clear()
            first_ends_in_s = next(iter(self._in_flight.values())) - time.time()
            await is_set_within(max(first_ends_in_s, 0), self._has_room)
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

    async def receive(self, settlement: Settlement) -> None:
        """Returns when the member may say more."""
        self._received.append(settlement)
        self._unanswered_ids += len(settlement.delivery_ids)
        self._must_settle.set()
        while self._unanswered_ids >= GRPC_UNANSWERED_IDS_MAX:
            self._was_taken.clear()
            await self._was_taken.wait()

    async def _settle_all(self) -> None:
        while self._received or not self._is_ending:
            await self._must_settle.wait()
            self._must_settle.clear()
            while self._received:
                await self._settle(self._next_alike())

    def _next_alike(self) -> list[Settlement]:
        """What comes next, and all behind it that the same call can do."""
        taken = [self._received.popleft()]
        ids = len(taken[0].delivery_ids)
        while self._received and are_alike(self._received[0], taken[0]):
            ids += len(self._received[0].delivery_ids)
            if ids > GROUP_SETTLE_MAX:
                break
            taken.append(self._received.popleft())
        return taken

    async def _settle(self, alike: Sequence[Settlement]) -> None:
        first = alike[0]
        ids = [delivery_id for one in alike for delivery_id in one.delivery_ids]
        settled = await _OPERATION_OF[type(first)].ask(self._store, replace(first, delivery_ids=ids))
        lost = frozenset(settled.lost)
        self._settled += [_answer(one, lost) for one in alike]
        self._must_send.set()
        for delivery_id in ids:
            was_with_it = self._in_flight.pop(delivery_id, None)
            if isinstance(first, Extend) and was_with_it is not None and delivery_id not in lost:
                self._in_flight[delivery_id] = time.time() + (first.ack_timeout_s or self._ack_timeout_s)
        self._has_room.set()


async def consume(call: Call, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    with call.subscribed():
        async with aclosing(_consume(call, requests)) as answers:
            async for answer in answers:
                yield answer


async def _consume(call: Call, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    member = await _begin(call, await _start(requests, call.stopping))
    async with aclosing(served(member, _read(requests, member), call.stopping)) as outgoing:
        async for deliveries, settled in outgoing:
            yield encode_consumed(deliveries, settled)


async def served(member: Member, reads: Coroutine[Any, Any, None], stopping: asyncio.Event) -> AsyncGenerator[Outgoing]:
    """What is to be sent to a member for as long as it is served: until ``reads``, which hears what it says, has ended,
    or the server stops. Raises what ends it."""
    reading = asyncio.create_task(reads, name="grpc-member-says")
    stop = asyncio.create_task(until_stopping(stopping))
    serving = asyncio.create_task(member.serve(until=(reading, stop)), name="grpc-member")
    try:
        async with aclosing(member.outgoing()) as outgoing:
            async for one in outgoing:
                yield one
        await serving
    finally:
        # It ends with these. It is not cancelled: it may be giving back already. When this call is cancelled again, it
        # goes on by itself until everything is given back.
        serving.add_done_callback(hear_of_failure)
        for task in (reading, stop):
            task.cancel()
        await asyncio.wait((serving,))


async def until_stopping(stopping: asyncio.Event) -> NoReturn:
    """Raises ``ShuttingDown`` then."""
    await stopping.wait()
    raise ShuttingDown("the server stops; what was not acknowledged comes again elsewhere", retry_after_s=RETRY_AFTER_S)


async def _start(requests: AsyncIterator[bytes], stopping: asyncio.Event) -> ConsumeStart:
    encoded = await first_of(anext(requests, b""), until_stopping(stopping))
    message = decode_message(ConsumeRequest, encoded)
    if not message.HasField("start"):
        raise InvalidRequest("must be in the first message", pointer="/start")
    return message.start


async def _begin(call: Call, start: ConsumeStart) -> Member:
    try:
        asked: Consume = to_struct(start, Consume)
        asked.check()
        group = await call.store.groups.get(asked.group)
    except InvalidRequest as error:
        raise error.under("/start") from None
    return Member(call.store, group, asked.member, asked.max_in_flight)


async def _read(requests: AsyncIterator[bytes], member: Member) -> None:
    """Until the caller closes its side."""
    async for encoded in requests:
        await member.receive(decode_settlement(member.group, decode_message(ConsumeRequest, encoded)))
