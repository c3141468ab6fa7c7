"""How far consumer groups and relays had come: noted with a backup, and made anew in a store that is restored.

What is in flight, parked, skipped or set aside stays behind: a group goes on after its checkpoint, and what was with
members is delivered again.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from indelible.core.backup.manifest import GroupBackup, RelayBackup
from indelible.cursors import Cursor
from indelible.errors import GroupExists, GroupNotFound, RelayNotFound, RelayOwned
from indelible.eventstore import EventStore, Head
from indelible.groups import GroupInfo, GroupSettings
from indelible.queries import EventQuery
from indelible.relay_state import RelayInfo

_OWNER: Final = "indelible restore"


def noted_group(info: GroupInfo) -> GroupBackup:
    settings = GroupSettings(info.items, info.ack_timeout_s, info.max_attempts, info.max_in_flight)
    return GroupBackup(info.group, settings, str(info.cursor), info.position, info.parked)


def noted_relay(info: RelayInfo) -> RelayBackup:
    return RelayBackup(info.relay, str(info.cursor), info.position, info.is_paused, info.set_aside)


class ReadersReport(msgspec.Struct, frozen=True):
    """What became of the groups and relays of a backup."""

    groups: tuple[str, ...]
    """Made now."""
    relays: tuple[str, ...]
    left: tuple[str, ...]
    """Groups and relays that the store had already; they are left as they are."""
    parked: int
    """Events that were parked in groups made now, and no longer are."""
    set_aside: int
    """Events that were set aside by relays made now, likewise."""


async def restore_readers(
    store: EventStore, groups: Sequence[GroupBackup], relays: Sequence[RelayBackup]
) -> ReadersReport:
    """Make those that the store does not have, at their checkpoints; where the log ends before that, at its end."""
    head = await store.head()
    new_groups = [one for one in groups if await _make_group(store, one, head)]
    new_relays = [one for one in relays if await _make_relay(store, one, head)]
    made = {*(one.group for one in new_groups)}, {*(one.relay for one in new_relays)}
    left = [one.group for one in groups if one.group not in made[0]]
    left += [one.relay for one in relays if one.relay not in made[1]]
    return ReadersReport(
        tuple(one.group for one in new_groups),
        tuple(one.relay for one in new_relays),
        tuple(left),
        sum(one.parked for one in new_groups),
        sum(one.set_aside for one in new_relays),
    )


async def _make_group(store: EventStore, group: GroupBackup, head: Head) -> bool:
    try:
        await store.groups.get(group.group)
    except GroupNotFound:
        pass
    else:
        return False
    settings = group.settings
    try:
        await store.groups.create(
            group.group,
            EventQuery(items=settings.items),
            after=_not_past(head, group.position, group.cursor),
            ack_timeout_s=settings.ack_timeout_s,
            max_attempts=settings.max_attempts,
            max_in_flight=settings.max_in_flight,
        )
    except GroupExists:
        return False
    return True


async def _make_relay(store: EventStore, relay: RelayBackup, head: Head) -> bool:
    try:
        await store.relays.get(relay.relay)
    except RelayNotFound:
        pass
    else:
        return False
    try:
        lease = await store.relays.claim(relay.relay, _OWNER, after=_not_past(head, relay.position, relay.cursor))
    except RelayOwned:
        return False
    await store.relays.release(relay.relay, lease.epoch)
    if relay.is_paused:
        await store.relays.pause(relay.relay)
    return True


def _not_past(head: Head, position: int, cursor: str) -> Cursor:
    return head.cursor if position > head.position else Cursor.parse(cursor)
