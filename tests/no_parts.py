"""Parts of a store that takes no consumer groups and no relays, as one of several partitions may."""

from collections.abc import Awaitable, Callable
from typing import Any

from indelible.core.group_worker import group_not_found
from indelible.core.relays import relay_not_found
from indelible.errors import InvalidRequest
from indelible.groups import GroupInfo, check_group, check_group_query
from indelible.queries import EVERYTHING, EventQuery
from indelible.relay_state import RelayInfo, RelayLease, check_owner, check_relay


class NoGroups:
    """Of a store that takes none."""

    async def list(self) -> tuple[GroupInfo, ...]:
        return ()

    async def create(self, group: str, query: EventQuery = EVERYTHING, **_: Any) -> GroupInfo:
        check_group(group)
        check_group_query(query)
        raise InvalidRequest("this store takes no consumer groups")

    def __getattr__(self, _: str) -> Callable[..., Awaitable[Any]]:
        """Everything else names a group."""
        return self._not_found

    async def _not_found(self, group: str, *_: object, **__: object) -> Any:
        raise group_not_found(check_group(group))


class NoRelays:
    """Of a store that takes none."""

    async def list(self) -> tuple[RelayInfo, ...]:
        return ()

    async def claim(self, relay: str, owner: str, **_: Any) -> RelayLease:
        check_relay(relay)
        check_owner(owner)
        raise InvalidRequest("this store takes no relays")

    def __getattr__(self, _: str) -> Callable[..., Awaitable[Any]]:
        """Everything else names a relay that is there."""
        return self._not_found

    async def _not_found(self, relay: str, *_: object, **__: object) -> Any:
        raise relay_not_found(check_relay(relay))
