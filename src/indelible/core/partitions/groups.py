"""Consumer groups over several partitions: a group of the same name in each, with a checkpoint of its own there.

The first partition decides which groups there are. A group is made there first, and what it is known by, the time of
that, is given to its parts in the others; it is deleted there first too. A part that is known by another time than the
first partition's is dead: its group is gone, and never comes back. So whoever finds the part, and looks at the first
partition after that, may take it away. A group that lacks a part is not listed, and gives no events; whoever makes it
again makes it whole.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from indelible.core.consumer_groups import LocalConsumerGroups
from indelible.core.group_progress import parked_event_not_found
from indelible.core.group_worker import group_not_found
from indelible.cursors import Cursor, Places, cursor_at, cursor_over, places_of, position_of
from indelible.errors import GroupNotFound, IndelibleError, InvalidRequest, OutcomeUnknown, Unavailable
from indelible.events import timestamp_to_us
from indelible.groups import (
    Delivery,
    DeliveryKey,
    GroupInfo,
    GroupSettings,
    InFlight,
    ParkedEvent,
    ParkedList,
    Settled,
    SkippedEvent,
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
from indelible.limits import GROUP_PULL_DEFAULT, PAGE_EVENTS_DEFAULT, PAGE_EVENTS_MAX, RETRY_AFTER_S
from indelible.queries import EVERYTHING, EventQuery, check_page
from indelible.tasks import to_its_end

R = TypeVar("R")


class PartitionedGroups:
    """Implements :class:`indelible.groups.ConsumerGroups`. ``max_in_flight`` counts in each partition."""

    def __init__(self, partitions: Sequence[LocalConsumerGroups]) -> None:
        self._partitions: Final = tuple(partitions)
        self._first: Final = self._partitions[0]
        self._next = 0
        """The partition that is asked first by the next pull, so that none has to wait for the others."""

    async def _each(self, ask: Callable[[LocalConsumerGroups], Awaitable[R]]) -> list[R]:
        return await asyncio.gather(*[ask(one) for one in self._partitions])

    # --- Groups ------------------------------------------------------------------------------------------------------

    async def create(
        self,
        group: str,
        query: EventQuery = EVERYTHING,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
        **settings: Any,
    ) -> GroupInfo:
        check_group(group)
        checked = GroupSettings(check_group_query(query), **settings).checked()
        positions = await self._positions(StartPoint(start, after, since).checked())
        made = await self._first.create(group, query, after=cursor_at(positions[0]), **settings)
        created_us = timestamp_to_us(made.created)
        with _after_others():
            for part, position in zip(self._partitions[1:], positions[1:], strict=True):
                await self._make_part(part, group, checked, position, created_us)
            is_there = await self._first.created_us(group) == created_us
            if not is_there:
                # Whoever deleted it may have looked for its parts before they were made.
                await self._forget_dead(group)
        if not is_there:
            raise Unavailable(f"the group {group} was deleted while it was made", retry_after_s=RETRY_AFTER_S)
        return replace(await self.get(group), is_new=made.is_new)

    async def _positions(self, start: StartPoint) -> list[int]:
        """Where to begin in each partition. Nothing is changed anywhere before all have said that they can."""
        starts = [start] * len(self._partitions)
        if start.after is not None:
            places = places_of(start.after, len(self._partitions))
            starts = [StartPoint(after=cursor_at(position)) for position in places.positions]
        return await asyncio.gather(
            *[part.find_start(begin) for part, begin in zip(self._partitions, starts, strict=True)]
        )

    async def _make_part(
        self, part: LocalConsumerGroups, group: str, settings: GroupSettings, position: int, created_us: int
    ) -> None:
        """Unless it is there, or the group is gone by now."""
        while not await part.make_part(group, settings, position, created_us):
            there_us = await part.created_us(group)
            if there_us == created_us or await self._first.created_us(group) != created_us:
                return
            if there_us is not None:
                await part.delete_part(group, there_us)

    async def _forget_dead(self, group: str) -> None:
        """What is left in the other partitions of groups of this name that are gone."""
        found = [(part, await part.created_us(group)) for part in self._partitions[1:]]
        created_us = await self._first.created_us(group)
        for part, there_us in found:
            if there_us not in (None, created_us):
                await part.delete_part(group, there_us)

    async def list(self) -> tuple[GroupInfo, ...]:
        by_name = [{one.group: one for one in some} for some in await self._each(lambda one: one.list())]
        whole = [name for name in by_name[0] if all(name in some for some in by_name)]
        return tuple([_together([some[name] for some in by_name]) for name in whole])

    async def get(self, group: str) -> GroupInfo:
        return _together(await self._each(lambda one: one.get(group)))

    async def change(self, group: str, **changes: Any) -> GroupInfo:
        return _together(await _in_turn([partial(one.change, group, **changes) for one in self._partitions]))

    async def delete(self, group: str) -> None:
        check_group(group)
        is_deleted = await self._first.delete_part(group, None)
        with _after_others():
            await self._forget_dead(group)
        if not is_deleted:
            raise group_not_found(group)

    async def reset(
        self,
        group: str,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
    ) -> GroupInfo:
        positions = await self._positions(StartPoint(start, after, since).given())
        resets = [
            partial(one.reset, group, after=cursor_at(position))
            for one, position in zip(self._partitions, positions, strict=True)
        ]
        return _together(await _in_turn(resets))

    # --- Consuming ---------------------------------------------------------------------------------------------------

    async def pull(
        self, group: str, *, member: str = "", limit: int = GROUP_PULL_DEFAULT, wait_s: float = 0.0
    ) -> tuple[Delivery, ...]:
        check_pull(member, limit, wait_s)
        first, self._next = self._next, (self._next + 1) % len(self._partitions)
        pull = _Pull(self._partitions, first, group, member, limit)
        try:
            await pull.ask_in_turn()
            if wait_s and not pull.is_over:
                await pull.wait_for_some(wait_s)
        except BaseException:
            # Whoever has left gets nothing; and nobody has tried these.
            await to_its_end(self._give_back(group, pull.found))
            raise
        if isinstance(pull.problem, GroupNotFound):
            await self._give_back(group, pull.found)
            raise pull.problem
        # That one partition fails keeps nobody from the events of the others.
        if pull.problem is not None and not pull.found:
            raise pull.problem
        await self._give_back(group, pull.found[limit:])
        return tuple(pull.found[:limit])

    async def _give_back(self, group: str, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            # Where even that fails, they come again when their time is over.
            with contextlib.suppress(IndelibleError):
                await self.nack(group, [one.delivery_id for one in deliveries], untried=True)

    async def ack(self, group: str, delivery_ids: Sequence[str]) -> Settled:
        return await self._settle(group, delivery_ids, lambda one, ids: one.ack(group, ids))

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
        return await self._settle(
            group,
            delivery_ids,
            lambda one, ids: one.nack(group, ids, delay_s=delay_s, reason=reason, park=park, untried=untried),
        )

    async def extend(self, group: str, delivery_ids: Sequence[str], *, ack_timeout_s: float | None = None) -> Settled:
        check_ack_timeout(ack_timeout_s)
        return await self._settle(
            group, delivery_ids, lambda one, ids: one.extend(group, ids, ack_timeout_s=ack_timeout_s)
        )

    async def _settle(
        self,
        group: str,
        delivery_ids: Sequence[str],
        settle: Callable[[LocalConsumerGroups, Sequence[str]], Awaitable[Settled]],
    ) -> Settled:
        shares: dict[int, list[DeliveryKey]] = {}
        lost: set[str] = set()
        for key in check_delivery_ids(delivery_ids):
            if key.partition is None or key.partition >= len(self._partitions):
                lost.add(key.delivery_id)
            else:
                shares.setdefault(key.partition, []).append(key)
        if not shares:
            await self._first.get(group)
        settled = await asyncio.gather(
            *[
                settle(self._partitions[n], [key._replace(partition=None).delivery_id for key in keys])
                for n, keys in shares.items()
            ]
        )
        lost |= {_with_partition(own, n) for n, one in zip(shares, settled, strict=True) for own in one.lost}
        return Settled(sum(one.settled for one in settled), tuple([one for one in delivery_ids if one in lost]))

    async def list_in_flight(self, group: str) -> tuple[InFlight, ...]:
        some = await self._each(lambda one: one.list_in_flight(group))
        found = [replace(one, partition=n) for n, mine in enumerate(some) for one in mine]
        return tuple(sorted(found, key=lambda one: (one.position, one.partition)))

    # --- Parked events -----------------------------------------------------------------------------------------------

    async def list_parked(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> ParkedList:
        check_page(limit)
        walk = _ListWalk(len(self._partitions), after, limit)
        found: list[ParkedEvent] = []
        for n, partition in enumerate(self._partitions):
            page = await partition.list_parked(group, after=walk.after(n), limit=walk.asked)
            if walk.takes(n, len(page.parked), page.cursor, at_end=page.at_end):
                found += [replace(one, partition=n) for one in page.parked]
        return ParkedList(tuple(found), walk.cursor, walk.at_end)

    async def list_skipped(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> SkippedList:
        check_page(limit)
        walk = _ListWalk(len(self._partitions), after, limit)
        found: list[SkippedEvent] = []
        for n, partition in enumerate(self._partitions):
            page = await partition.list_skipped(group, after=walk.after(n), limit=walk.asked)
            if walk.takes(n, len(page.skipped), page.cursor, at_end=page.at_end):
                found += [replace(one, partition=n) for one in page.skipped]
        return SkippedList(tuple(found), walk.cursor, walk.at_end)

    async def redrive_parked(
        self, group: str, positions: Sequence[int] | None = None, *, partition: int | None = None
    ) -> int:
        if positions is None:
            chosen = check_partition_of(partition, len(self._partitions))
            some = self._partitions if chosen is None else self._partitions[chosen : chosen + 1]
            await self._first.get(group)
            return sum(await _in_turn([partial(one.redrive_parked, group) for one in some]))
        shares = await self._parked_at(group, positions, partition)
        redrives = [partial(self._partitions[n].redrive_parked, group, mine) for n, mine in shares.items()]
        return sum(await _in_turn(redrives))

    async def skip_parked(
        self, group: str, positions: Sequence[int], *, reason: str, partition: int | None = None
    ) -> int:
        check_reason(reason)
        shares = await self._parked_at(group, positions, partition)
        skips = [partial(self._partitions[n].skip_parked, group, mine, reason=reason) for n, mine in shares.items()]
        return sum(await _in_turn(skips))

    async def _parked_at(
        self, group: str, positions: Sequence[int], partition: int | None
    ) -> Mapping[int, Sequence[int]]:
        """The positions by partition. Raises as :meth:`redrive_parked` of the protocol does."""
        checked = check_positions(positions)
        chosen = check_partition_of(partition, len(self._partitions))
        shares: dict[int, list[int]] = {}
        parked = await self._each(lambda one: _all_parked(one, group))
        for position in checked:
            at = [n for n, some in enumerate(parked) if position in some and chosen in (None, n)]
            if len(at) > 1:
                raise InvalidRequest(
                    f"is missing: partitions {', '.join(map(str, at))} each have an event parked at position "
                    f"{position}",
                    pointer="/partition",
                )
            if not at:
                raise parked_event_not_found(group, position)
            shares.setdefault(at[0], []).append(position)
        return shares


class _Pull:
    """A member's pull: from one partition after the other, and then from whichever has some first."""

    def __init__(
        self, partitions: Sequence[LocalConsumerGroups], first: int, group: str, member: str, limit: int
    ) -> None:
        numbered = list(enumerate(partitions))
        self._partitions: Final = numbered[first:] + numbered[:first]
        self._group: Final = group
        self._member: Final = member
        self._limit: Final = limit
        self.found: Final[list[Delivery]] = []
        self.problem: IndelibleError | None = None
        """What kept a partition from saying what it has."""

    @property
    def is_over(self) -> bool:
        return bool(self.found) or self.problem is not None

    async def ask_in_turn(self) -> None:
        for n, partition in self._partitions:
            if len(self.found) < self._limit:
                try:
                    self.found.extend(await self._of(n, partition, self._limit - len(self.found), 0.0))
                except IndelibleError as error:
                    self.problem = error

    async def wait_for_some(self, wait_s: float) -> None:
        share = max(self._limit // len(self._partitions), 1)
        pulls = [asyncio.create_task(self._of(n, one, share, wait_s)) for n, one in self._partitions]
        try:
            waiting = set(pulls)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if any(one.exception() is not None or one.result() for one in done):
                    break
        finally:
            await to_its_end(self._end(pulls))

    async def _end(self, pulls: Sequence[asyncio.Task[list[Delivery]]]) -> None:
        """Each partition takes back what nobody waits for any more; what came just before is found."""
        for one in pulls:
            one.cancel()
        for some in await asyncio.gather(*pulls, return_exceptions=True):
            if isinstance(some, IndelibleError):
                self.problem = some
            elif not isinstance(some, BaseException):
                self.found.extend(some)
            elif not isinstance(some, asyncio.CancelledError):
                raise some

    async def _of(self, n: int, partition: LocalConsumerGroups, limit: int, wait_s: float) -> list[Delivery]:
        pulled = await partition.pull(self._group, member=self._member, limit=limit, wait_s=wait_s)
        return [replace(one, delivery_id=_with_partition(one.delivery_id, n)) for one in pulled]


class _ListWalk:
    """A page of a list that goes through the partitions one by one."""

    def __init__(self, partitions: int, after: str | None, limit: int) -> None:
        self._positions: Final = [0] * partitions if after is None else list(places_of(after, partitions).positions)
        self._left = limit
        self.at_end = True

    def after(self, partition: int) -> str:
        return cursor_at(self._positions[partition])

    @property
    def asked(self) -> int:
        """How much to ask the next partition for: one at least, to see whether the list goes on."""
        return max(self._left, 1)

    def takes(self, partition: int, count: int, cursor: str, *, at_end: bool) -> bool:
        """Whether there was room for what a partition answered."""
        if not self._left:
            self.at_end = self.at_end and not count
            return False
        self._left -= count
        self._positions[partition] = position_of(cursor)
        self.at_end = self.at_end and at_end
        return True

    @property
    def cursor(self) -> Cursor:
        return cursor_over(Places(tuple(self._positions)))


async def _all_parked(partition: LocalConsumerGroups, group: str) -> set[int]:
    found: set[int] = set()
    after, at_end = None, False
    while not at_end:
        page = await partition.list_parked(group, after=after, limit=PAGE_EVENTS_MAX)
        found.update(one.position for one in page.parked)
        after, at_end = page.cursor, page.at_end
    return found


async def _in_turn(changes: Sequence[Callable[[], Awaitable[R]]]) -> list[R]:
    """Each in a partition of its own."""
    done: list[R] = []
    for change in changes:
        with _after_others() if done else contextlib.nullcontext():
            done.append(await change())
    return done


@contextlib.contextmanager
def _after_others() -> Iterator[None]:
    """A partition that fails says that nothing was done; but others have done it."""
    try:
        yield
    except (GroupNotFound, OutcomeUnknown):
        raise
    except IndelibleError as error:
        message = f"it was done in some partitions, and not in all ({error.message}); ask again to have it done"
        raise OutcomeUnknown(message) from error


def _with_partition(delivery_id: str, partition: int) -> str:
    return DeliveryKey.parse(delivery_id, "")._replace(partition=partition).delivery_id


def _together(infos: Sequence[GroupInfo], *, is_new: bool = False) -> GroupInfo:
    """What is told of a group, from what each partition tells."""
    return replace(
        infos[0],
        created=max(one.created for one in infos),
        cursor=cursor_over(Places(tuple([position_of(one.cursor) for one in infos]))),
        position=sum(one.position for one in infos),
        lag=sum(one.lag for one in infos),
        in_flight=sum(one.in_flight for one in infos),
        waiting=sum(one.waiting for one in infos),
        parked=sum(one.parked for one in infos),
        parked_aggregates=sum(one.parked_aggregates for one in infos),
        unreadable=sum(one.unreadable for one in infos),
        is_stalled=any(one.is_stalled for one in infos),
        is_new=is_new,
    )
