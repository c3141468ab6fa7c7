"""The consumer groups of a store: checks what is asked, and has a worker of the group do it. What is only looked at is
read from the storage."""

import asyncio
import contextlib
import functools
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import uuid4

import msgspec

from indelible.core.engine_calls import outcome_of
from indelible.core.group_events import GroupEvents
from indelible.core.group_progress import GroupProgress
from indelible.core.group_worker import Decide, GroupWorker, T, group_not_found
from indelible.cursors import Cursor, cursor_at, position_of
from indelible.diagnostics import GroupMeasure
from indelible.engines.engine import Engine
from indelible.engines.group_storage import GroupState, GroupSummary, PendingEvent, StoredGroup
from indelible.errors import GroupExists, GroupNotFound, InvalidRequest
from indelible.events import timestamp_from_us
from indelible.groups import (
    Delivery,
    GroupInfo,
    GroupSettings,
    InFlight,
    ParkedEvent,
    ParkedList,
    Settled,
    SkippedList,
    Start,
    StartPoint,
    check_ack_timeout,
    check_delivery_ids,
    check_group,
    check_group_query,
    check_nack,
    check_partition_of,
    check_positions,
    check_pull,
    check_reason,
)
from indelible.limits import (
    GROUP_ACK_TIMEOUT_DEFAULT_S,
    GROUP_ATTEMPTS_DEFAULT,
    GROUP_IDLE_S,
    GROUP_IN_FLIGHT_DEFAULT,
    GROUP_PARKED_AGGREGATES_MAX,
    GROUP_PULL_DEFAULT,
    GROUPS_IDLE_PLACES_MAX,
    GROUPS_MAX,
    PAGE_EVENTS_DEFAULT,
)
from indelible.queries import EVERYTHING, EventQuery, check_page

_AGAIN: Final = "ask again to learn the outcome"

FindStart = Callable[[StartPoint], Awaitable[int]]
"""The position after which a group is to read. Raises ``InvalidRequest``."""

SettleOne = Callable[[GroupProgress, int, int], bool]
"""Progress, position, number of the delivery: whether it is settled."""


class LocalConsumerGroups:
    """Implements :class:`indelible.groups.ConsumerGroups` over an engine. ``on_measure`` hears of every save, with the
    group's name. ``monotonic_us`` gives microseconds, for the time that goes by since the storage told its own."""

    def __init__(
        self,
        engine: Engine,
        find_start: FindStart,
        on_measure: Callable[[str, GroupMeasure], None] | None,
        monotonic_us: Callable[[], int],
    ) -> None:
        self._engine: Final = engine
        self.find_start: Final = find_start
        self._on_measure: Final = on_measure or _ignore
        self._monotonic_us: Final = monotonic_us
        self._events: Final = GroupEvents(engine)
        self._workers: Final[dict[str, GroupWorker]] = {}
        self._idle: Final = IdleWorkers(self._workers)

    async def close(self) -> None:
        """Answer those who wait for events."""
        self._idle.close()
        for worker in tuple(self._workers.values()):
            await worker.close()

    def _worker(self, group: str) -> GroupWorker:
        worker = self._workers.get(check_group(group))
        if worker is None:
            worker = self._workers[group] = GroupWorker(
                group, self._engine, self._events, self._on_measure, self._monotonic_us
            )
            worker.on_idle = self._idle.add
        self._idle.discard(group)
        return worker

    async def _call(self, group: str, decide: Decide[T]) -> T:
        with self._serving(group) as worker:
            return await worker.call(decide)

    @contextlib.contextmanager
    def _serving(self, group: str) -> Iterator[GroupWorker]:
        """Keep no workers for groups that do not exist."""
        worker = self._worker(group)
        try:
            yield worker
        except GroupNotFound:
            # By now it may be another, of a group that was made anew.
            if self._workers.get(group) is worker:
                del self._workers[group]
            raise

    # --- Groups ------------------------------------------------------------------------------------------------------

    async def create(
        self,
        group: str,
        query: EventQuery = EVERYTHING,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
        ack_timeout_s: float = GROUP_ACK_TIMEOUT_DEFAULT_S,
        max_attempts: int = GROUP_ATTEMPTS_DEFAULT,
        max_in_flight: int = GROUP_IN_FLIGHT_DEFAULT,
    ) -> GroupInfo:
        check_group(group)
        settings = GroupSettings(check_group_query(query), ack_timeout_s, max_attempts, max_in_flight).checked()
        position = await self.find_start(StartPoint(start, after, since).checked())
        is_new = await self.make_part(group, settings, position, None)
        there = (await self._load(group)).group
        if there.settings != settings:
            raise GroupExists(f"there is a consumer group {group} with another query or other settings", group=group)
        return msgspec.structs.replace(await self.get(group), is_new=is_new)

    async def make_part(self, group: str, settings: GroupSettings, position: int, created_us: int | None) -> bool:
        """Store a group that reads on after ``position``. False when its name is taken. ``created_us``: when it was
        made in the first partition."""
        now_us = await self._engine.now_us()
        stored = StoredGroup(
            name=group, settings=settings, created_us=now_us if created_us is None else created_us, revision=now_us,
            reached=position, last_delivery=now_us, reset_at=now_us, save_id=uuid4(),
        )  # fmt: skip
        return await outcome_of(self._engine.create_group(stored, groups_max=GROUPS_MAX), _AGAIN)

    async def created_us(self, group: str) -> int | None:
        """When the group that has this name was made; None where none has."""
        for summary in await self._engine.list_groups(group):
            return summary.group.created_us
        return None

    async def list(self) -> tuple[GroupInfo, ...]:
        head = (await self._engine.head()).position
        return tuple(_info(summary, head) for summary in await self._engine.list_groups())

    async def get(self, group: str) -> GroupInfo:
        check_group(group)
        head = (await self._engine.head()).position
        for summary in await self._engine.list_groups(group):
            return _info(summary, head)
        raise group_not_found(group)

    async def change(
        self,
        group: str,
        *,
        ack_timeout_s: float | None = None,
        max_attempts: int | None = None,
        max_in_flight: int | None = None,
    ) -> GroupInfo:
        given = {"ack_timeout_s": ack_timeout_s, "max_attempts": max_attempts, "max_in_flight": max_in_flight}
        changes = {name: value for name, value in given.items() if value is not None}
        if not changes:
            raise InvalidRequest("give at least one of ack_timeout_s, max_attempts and max_in_flight")
        msgspec.structs.replace(GroupSettings(), **changes).checked()

        async def decide(progress: GroupProgress) -> None:
            progress.change_settings(msgspec.structs.replace(progress.settings, **changes).checked())

        await self._call(group, decide)
        return await self.get(group)

    async def delete(self, group: str) -> None:
        check_group(group)
        if not await self.delete_part(group, None):
            raise group_not_found(group)

    async def delete_part(self, group: str, created_us: int | None) -> bool:
        """With a time only the group that was made then. False when it is not there."""
        is_deleted = await outcome_of(self._engine.delete_group(group, created_us=created_us), _AGAIN)
        worker = self._workers.get(group)
        if is_deleted and worker is not None:
            worker.reload()
        return is_deleted

    async def reset(
        self,
        group: str,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
    ) -> GroupInfo:
        check_group(group)
        position = await self.find_start(StartPoint(start, after, since).given())

        async def decide(progress: GroupProgress) -> None:
            query = EventQuery(progress.settings.items)
            counts = {
                one.key: await self._events.count_following(query, one, position)
                for one in progress.parked_before(position)
            }
            progress.reset(position, counts)

        await self._call(group, decide)
        return await self.get(group)

    # --- Consuming ---------------------------------------------------------------------------------------------------

    async def pull(
        self, group: str, *, member: str = "", limit: int = GROUP_PULL_DEFAULT, wait_s: float = 0.0
    ) -> tuple[Delivery, ...]:
        check_pull(member, limit, wait_s)
        with self._serving(group) as worker:
            return await worker.pull(member, limit, wait_s)

    async def ack(self, group: str, delivery_ids: Sequence[str]) -> Settled:
        return await self._settle(group, delivery_ids, GroupProgress.ack)

    async def nack(
        self,
        group: str,
        delivery_ids: Sequence[str],
        *,
        delay_s: float = 0.0,
        reason: str = "",
        park: bool = False,
        untried: bool = False,
    ) -> Settled:
        check_nack(delay_s, reason, park, untried)
        nack = functools.partial(GroupProgress.nack, delay_s=delay_s, reason=reason, park=park, untried=untried)
        return await self._settle(group, delivery_ids, nack)

    async def extend(self, group: str, delivery_ids: Sequence[str], *, ack_timeout_s: float | None = None) -> Settled:
        check_ack_timeout(ack_timeout_s)
        return await self._settle(group, delivery_ids, functools.partial(GroupProgress.extend, timeout_s=ack_timeout_s))

    async def _settle(self, group: str, delivery_ids: Sequence[str], settle_one: SettleOne) -> Settled:
        parsed = check_delivery_ids(delivery_ids)

        async def decide(progress: GroupProgress) -> Settled:
            lost = tuple(
                delivery_id
                for delivery_id, (position, number, partition) in zip(delivery_ids, parsed, strict=True)
                # One of a partition is not of this store.
                if partition is not None or not settle_one(progress, position, number)
            )
            return Settled(len(delivery_ids) - len(lost), lost)

        return await self._call(group, decide)

    async def list_in_flight(self, group: str) -> tuple[InFlight, ...]:
        pending = (await self._load(group)).pending
        return tuple(_in_flight(one) for one in pending if one.state == "in_flight")

    # --- Parked events -----------------------------------------------------------------------------------------------

    async def list_parked(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> ParkedList:
        check_page(limit)
        start = 0 if after is None else position_of(after)
        pending = (await self._load(group)).pending
        found = [one for one in pending if one.state == "parked" and one.position > start]
        page = found[:limit]
        cursor = cursor_at(page[-1].position if page else start)
        return ParkedList(tuple(map(_parked, page)), cursor, at_end=len(found) <= limit)

    async def redrive_parked(
        self, group: str, positions: Sequence[int] | None = None, *, partition: int | None = None
    ) -> int:
        checked = None if positions is None else check_positions(positions)
        check_partition_of(partition, 1)

        async def decide(progress: GroupProgress) -> int:
            return progress.redrive(checked)

        return await self._call(group, decide)

    async def skip_parked(
        self, group: str, positions: Sequence[int], *, reason: str, partition: int | None = None
    ) -> int:
        checked = check_positions(positions)
        check_reason(reason)
        check_partition_of(partition, 1)

        async def decide(progress: GroupProgress) -> int:
            return progress.skip(checked, reason)

        return await self._call(group, decide)

    async def list_skipped(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> SkippedList:
        check_page(limit)
        start = 0 if after is None else position_of(after)
        await self._load(group)
        found = await self._engine.list_skipped(group, after=start, limit=limit + 1)
        page = found[:limit]
        return SkippedList(page, cursor_at(page[-1].position if page else start), at_end=len(found) <= limit)

    async def _load(self, group: str) -> GroupState:
        state = await self._engine.load_group(check_group(group))
        if state is None:
            raise group_not_found(group)
        return state


def _info(summary: GroupSummary, head: int) -> GroupInfo:
    group = summary.group
    return GroupInfo(
        group=group.name,
        items=group.settings.items,
        ack_timeout_s=group.settings.ack_timeout_s,
        max_attempts=group.settings.max_attempts,
        max_in_flight=group.settings.max_in_flight,
        created=timestamp_from_us(group.created_us),
        cursor=cursor_at(summary.checkpoint),
        position=summary.checkpoint,
        lag=max(head - summary.checkpoint, 0),
        in_flight=summary.in_flight,
        waiting=summary.waiting,
        parked=summary.parked,
        parked_aggregates=summary.parked_aggregates,
        unreadable=summary.unreadable,
        is_stalled=summary.is_held_up or summary.parked_aggregates >= GROUP_PARKED_AGGREGATES_MAX,
    )


def _in_flight(one: PendingEvent) -> InFlight:
    return InFlight(
        position=one.position,
        aggregate_type=one.key.aggregate_type,
        aggregate_id=one.key.aggregate_id,
        version=one.version,
        attempt=one.attempts,
        member=one.member,
        deadline=timestamp_from_us(one.due_us),
    )


def _parked(one: PendingEvent) -> ParkedEvent:
    return ParkedEvent(
        position=one.position,
        aggregate_type=one.key.aggregate_type,
        aggregate_id=one.key.aggregate_id,
        version=one.version,
        attempts=one.attempts,
        reason=one.reason,
        parked_at=timestamp_from_us(one.due_us),
        following=one.following,
    )


def _ignore(group: str, measure: GroupMeasure) -> None:
    pass


# --- Workers that have nothing to do ---------------------------------------------------------------------------------


class _Idle(NamedTuple):
    worker: GroupWorker
    since: float
    size: int


class IdleWorkers:
    """Workers of groups of which nobody asks anything are forgotten, taken out of ``workers``, after a while or when
    they know too much. All that an idle worker knows is stored; whoever asks for its group has it loaded anew. Belongs
    to one event loop."""

    def __init__(self, workers: dict[str, GroupWorker]) -> None:
        self._workers: Final = workers
        self._idle: Final[OrderedDict[str, _Idle]] = OrderedDict()
        """By the group's name; who is idle for the longest first."""
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def add(self, group: str, worker: GroupWorker) -> None:
        self.discard(group)
        if self._workers.get(group) is not worker or self._is_closed:
            return
        idle = self._idle[group] = _Idle(worker, time.monotonic(), worker.size)
        self._size += idle.size
        while self._size > GROUPS_IDLE_PLACES_MAX:
            self._forget(next(iter(self._idle)))
        if self._idle and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GROUP_IDLE_S, self._forget_old)

    def discard(self, group: str) -> None:
        """It is not idle any more."""
        idle = self._idle.pop(group, None)
        if idle is not None:
            self._size -= idle.size

    def close(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _forget(self, group: str) -> None:
        worker = self._idle[group].worker
        self.discard(group)
        # By now it may be another, of a group that was made anew.
        if self._workers.get(group) is worker:
            del self._workers[group]

    def _forget_old(self) -> None:
        self._timer = None
        now = time.monotonic()
        while self._idle:
            group, idle = next(iter(self._idle.items()))
            left_s = idle.since + GROUP_IDLE_S - now
            if left_s > 0:
                self._timer = asyncio.get_running_loop().call_later(left_s, self._forget_old)
                return
            self._forget(group)
