"""Which persistent subscriptions there are, and what each was made with.

A persistent subscription is a consumer group: how far it has come, what is with consumers and what is parked is the
group's. What a group cannot hold (the stream, the filter, the strategy, and all settings as the client said them) is an
event of the store's own, of the aggregate type ``$persistent_subscription`` and the group's name; the newest one
counts. Such events are as durable as all others, are there for every server of the store at once, and need no table.
They are written past the callers' grants, once the store has let the caller make or change the group itself. Nobody can
write them otherwise, and only ``admin:*`` reads them: as events of an ordinary system stream, whoever may append to
streams without a category could change what others' consumers get, and each consumer would need a grant to read it.

The group is what there is. Settings name the time at which their group was made, so those of an earlier group of the
same name are none, and nothing has to be undone when a server stops between the two writes: a group without settings is
no subscription yet, and to create it once more completes it.
"""

from collections.abc import AsyncGenerator
from typing import Final, NamedTuple

import msgspec

from indelible.errors import GroupNotFound, VersionConflict
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import EventStore
from indelible.groups import GroupInfo
from indelible.server.esdb.stream_metadata import last_event
from indelible.server.grpc.exchange import Refused
from indelible.server.services import Services
from indelible.wire.esdb.errors import subscription_not_found
from indelible.wire.esdb.persistent import SubscriptionSettings, group_name_of, is_subscription_s

SETTINGS_AGGREGATE_TYPE: Final = "$persistent_subscription"
_SET: Final = "PersistentSubscriptionSet"
_decode: Final = msgspec.json.Decoder(SubscriptionSettings).decode


class Subscription(NamedTuple):
    """One that there is."""

    settings: SubscriptionSettings
    info: GroupInfo
    version: int
    """Of its settings."""


class Catalogue:
    """Of one store. What a caller may see of it is decided by the caller's own ``store``."""

    def __init__(self, services: Services) -> None:
        self.whole: Final = services.store
        """The store without anybody's grants: look at nothing there that the caller may not know."""
        self._append: Final = services.append_reserved

    async def find(self, store: EventStore, stream: str, group: str) -> Subscription:
        """Raises ``Refused`` where there is none, or none that the caller may know of; ``Forbidden``."""
        try:
            found = await self.of_group(await store.groups.get(group_name_of(stream, group)))
        except GroupNotFound:
            found = None
        if found is None:
            raise Refused(*subscription_not_found(stream, group))
        return found

    async def list(self, store: EventStore) -> AsyncGenerator[Subscription]:
        """Those that the caller may know of."""
        for info in await store.groups.list():
            if is_subscription_s(info.group) and (found := await self.of_group(info)) is not None:
                yield found

    async def of_group(self, info: GroupInfo) -> Subscription | None:
        """None for a consumer group that is no persistent subscription."""
        event = await last_event(self.whole, AggregateKey(SETTINGS_AGGREGATE_TYPE, info.group))
        if event is None:
            return None
        settings = _decode(event.event_data_bytes)
        return Subscription(settings, info, event.version) if settings.created == info.created else None

    async def version_of_settings(self, group_name: str) -> int:
        """Whoever's they are; 0 where there are none."""
        event = await last_event(self.whole, AggregateKey(SETTINGS_AGGREGATE_TYPE, group_name))
        return 0 if event is None else event.version

    async def save(self, settings: SubscriptionSettings, *, after_version: int) -> bool:
        """Whether they are the newest now: somebody else may have been first."""
        event = NewEvent(_SET, settings)
        try:
            await self._append(SETTINGS_AGGREGATE_TYPE, settings.group_name, [event], expected_version=after_version)
        except VersionConflict:
            return False
        return True
