"""Consumer groups as one principal may use them.

What a group is for says who may do something with it: a permission has to cover every aggregate type that the group's
query lets through, now and later. A group of which a principal may see nothing is to it as one that does not exist.
"""

import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, TypeVar, cast

import msgspec

from indelible.access import Reach
from indelible.core.group_worker import group_not_found
from indelible.cursors import Cursor
from indelible.groups import ConsumerGroups, Delivery, GroupInfo, Start, check_group, check_group_query
from indelible.limits import (
    GROUP_ACK_TIMEOUT_DEFAULT_S,
    GROUP_ATTEMPTS_DEFAULT,
    GROUP_IN_FLIGHT_DEFAULT,
    GROUP_PULL_DEFAULT,
    GROUP_QUERY_KEPT_S,
    GROUPS_MAX,
)
from indelible.queries import EVERYTHING, EventQuery, QueryItem

P = ParamSpec("P")
R = TypeVar("R")


class _Kept(NamedTuple):
    items: tuple[QueryItem, ...]
    until: float


class GroupQueries:
    """What the groups of a store are for, kept for a moment."""

    def __init__(self, groups: ConsumerGroups) -> None:
        self._groups: Final = groups
        self._kept: Final[dict[str, _Kept]] = {}

    async def items(self, group: str) -> tuple[QueryItem, ...]:
        """Raises ``GroupNotFound``."""
        kept = self._kept.get(group)
        if kept is None or time.monotonic() > kept.until:
            self.forget(group)
            items = (await self._groups.get(group)).items
            if len(self._kept) >= GROUPS_MAX:
                self._kept.clear()
            kept = self._kept[group] = _Kept(items, time.monotonic() + GROUP_QUERY_KEPT_S)
        return kept.items

    def forget(self, group: str) -> None:
        self._kept.pop(group, None)


def covers_all_of(reach: Reach, items: Iterable[QueryItem]) -> bool:
    """Whether the reach has all that a group of these items is given, now and later."""
    return not any(True for _ in _beyond(reach, items))


def _beyond(reach: Reach, items: Iterable[QueryItem]) -> Iterable[str | None]:
    """What it lacks: names, and None for those that nobody has named."""
    for item in tuple(items) or (QueryItem(),):
        if item.aggregate_types:
            yield from (one for one in item.aggregate_types if not reach.covers(one))
        elif not reach.covers_all:
            yield None


class _Line(msgspec.Struct, gc=False):
    aggregate_type: str


_decode: Final = msgspec.json.Decoder(_Line).decode


def _of_group(
    method: Callable[Concatenate[ConsumerGroups, str, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate["AuthorisedGroups", str, P], Coroutine[Any, Any, R]]:
    """A method that concerns one group, whose name comes first."""
    name = method.__name__

    async def decided(self: "AuthorisedGroups", group: str, *args: Any, **options: Any) -> Any:
        await self._check(name, group)
        return await getattr(self._inner, name)(group, *args, **options)

    return cast("Callable[Concatenate[AuthorisedGroups, str, P], Coroutine[Any, Any, R]]", decided)


class AuthorisedGroups:
    """Implements :class:`indelible.groups.ConsumerGroups`. ``reaches``: what each method of the store may be used for,
    by its name in the table of operations."""

    def __init__(self, inner: ConsumerGroups, reaches: Mapping[str, Reach], queries: GroupQueries) -> None:
        self._inner: Final = inner
        self._reaches: Final = reaches
        self._queries: Final = queries

    def _reach(self, method: str) -> Reach:
        return self._reaches[f"groups.{method}"]

    async def _check(self, method: str, group: str) -> None:
        reach = self._reach(method)
        reach.check_any()
        items = await self._queries.items(check_group(group))
        for aggregate_type in _beyond(reach, items):
            raise reach.forbidden(aggregate_type) if self._sees(items) else group_not_found(group)

    def _sees(self, items: Iterable[QueryItem]) -> bool:
        """Whether a group of these items may be seen: whoever may be a member of it sees it too."""
        return covers_all_of(self._reach("get"), items) or covers_all_of(self._reach("pull"), items)

    def _check_sees_any(self) -> None:
        if self._reach("pull").is_nothing:
            self._reach("get").check_any()

    async def get(self, group: str) -> GroupInfo:
        self._check_sees_any()
        if not self._sees(await self._queries.items(check_group(group))):
            raise group_not_found(group)
        return await self._inner.get(group)

    async def list(self) -> tuple[GroupInfo, ...]:
        self._check_sees_any()
        return tuple(one for one in await self._inner.list() if self._sees(one.items))

    async def create(
        self,
        group: str,
        query: EventQuery = EVERYTHING,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: Any = None,
        ack_timeout_s: float = GROUP_ACK_TIMEOUT_DEFAULT_S,
        max_attempts: int = GROUP_ATTEMPTS_DEFAULT,
        max_in_flight: int = GROUP_IN_FLIGHT_DEFAULT,
    ) -> GroupInfo:
        reach = self._reach("create")
        for aggregate_type in _beyond(reach, check_group_query(query)):
            raise reach.forbidden(aggregate_type)
        self._queries.forget(group)
        return await self._inner.create(
            group, query, start=start, after=after, since=since,
            ack_timeout_s=ack_timeout_s, max_attempts=max_attempts, max_in_flight=max_in_flight,
        )  # fmt: skip

    async def delete(self, group: str) -> None:
        await self._check("delete", group)
        self._queries.forget(group)
        await self._inner.delete(group)

    async def pull(
        self, group: str, *, member: str = "", limit: int = GROUP_PULL_DEFAULT, wait_s: float = 0.0
    ) -> tuple[Delivery, ...]:
        await self._check("pull", group)
        deliveries = await self._inner.pull(group, member=member, limit=limit, wait_s=wait_s)
        reach = self._reach("pull")
        if all(reach.covers(_decode(one.line).aggregate_type) for one in deliveries):
            return deliveries
        # Another group has this name by now.
        self._queries.forget(group)
        await self._inner.nack(group, [one.delivery_id for one in deliveries], untried=True)
        raise group_not_found(group)

    change = _of_group(ConsumerGroups.change)
    reset = _of_group(ConsumerGroups.reset)
    ack = _of_group(ConsumerGroups.ack)
    nack = _of_group(ConsumerGroups.nack)
    extend = _of_group(ConsumerGroups.extend)
    list_in_flight = _of_group(ConsumerGroups.list_in_flight)
    list_parked = _of_group(ConsumerGroups.list_parked)
    redrive_parked = _of_group(ConsumerGroups.redrive_parked)
    skip_parked = _of_group(ConsumerGroups.skip_parked)
    list_skipped = _of_group(ConsumerGroups.list_skipped)
