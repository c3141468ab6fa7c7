"""Consumers of persistent subscriptions: members of consumer groups, and how those of one process share.

The strategies, as far as groups that keep the order of each stream allow:

- RoundRobin: each takes a few events in turn, as long as it has room;
- Pinned, PinnedByCorrelation: the same. What they are for holds with any strategy: no two consumers have events of one
  stream at once. Which one has the next of a stream may change;
- DispatchToSingle: whoever came first takes all that it has room for, the next what is left.

Each process shares out what it pulls, and processes compete. The number of subscribers is counted in each as well.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from indelible.batching import in_lots
from indelible.events import RecordedEvent
from indelible.eventstore import EventStore
from indelible.groups import Delivery
from indelible.limits import (
    ESDB_SHARED_PULL_MAX,
    ESDB_SUBSCRIBERS_MAX,
    GROUP_PULL_MAX,
    GROUP_SETTLE_MAX,
    GROUP_WAIT_MAX_S,
)
from indelible.operations.deliveries import Ack, Nack
from indelible.server.esdb.persistent_catalogue import Subscription
from indelible.server.esdb.persistent_source import source_of
from indelible.server.grpc.consume import Member, Settlement
from indelible.server.grpc.exchange import Refused
from indelible.server.services import give_back, pull_until
from indelible.wire.esdb.errors import subscribers_reached
from indelible.wire.esdb.persistent import DISPATCH_TO_SINGLE, SubscriptionSettings


class Subscribers:
    """The consumers of one persistent subscription in this process, in the order in which they came."""

    def __init__(self) -> None:
        self.members: Final[list[Subscriber]] = []
        self.items = 0
        """How many events they have been sent."""

    def limit_of(self, member: "Subscriber", room: int) -> int:
        """How many of the events that it has room for a member may take now."""
        if not self.is_turn_of(member):
            return 0
        is_shared = len(self.members) > 1 and member.strategy != DISPATCH_TO_SINGLE
        return min(room, ESDB_SHARED_PULL_MAX) if is_shared else room

    def is_turn_of(self, member: "Subscriber") -> bool:
        if member.strategy != DISPATCH_TO_SINGLE:
            return True
        earlier = self.members[: self.members.index(member)]
        return not any(one.is_ready for one in earlier)

    def changed(self) -> None:
        """Somebody came, left, or has other room than before."""
        for member in self.members:
            if member.strategy == DISPATCH_TO_SINGLE:
                member.turns.set()


class AllSubscribers:
    """By the name of the consumer group."""

    def __init__(self) -> None:
        self._by_group: Final[dict[str, Subscribers]] = {}

    def of(self, group_name: str) -> Subscribers | None:
        return self._by_group.get(group_name)

    @contextlib.contextmanager
    def joined(self, member: "Subscriber", settings: SubscriptionSettings) -> Iterator[None]:
        """Raises ``Refused`` when there are as many as may be."""
        subscribers = self._by_group.setdefault(member.group, Subscribers())
        if len(subscribers.members) >= min(settings.max_subscriber_count or ESDB_SUBSCRIBERS_MAX, ESDB_SUBSCRIBERS_MAX):
            raise Refused(*subscribers_reached(settings.stream, settings.group))
        subscribers.members.append(member)
        member.subscribers = subscribers
        subscribers.changed()
        try:
            yield
        finally:
            subscribers.members.remove(member)
            subscribers.changed()
            if not subscribers.members:
                del self._by_group[member.group]


class Subscriber(Member):
    """One consumer, for as long as its stream is open. ``whole``: the store without its grants, which says what of a
    stream is hidden."""

    def __init__(
        self, store: EventStore, whole: EventStore, subscription: Subscription, *, max_in_flight: int, name: str
    ) -> None:
        super().__init__(store, subscription.info, name, max_in_flight)
        self._whole: Final = whole
        self.source: Final = source_of(subscription.settings)
        self.strategy: Final = subscription.settings.strategy
        self.name: Final = name
        self.max_in_flight: Final = max_in_flight
        self.turns: Final = asyncio.Event()
        """Set when it may be this member's turn, or be so no longer."""
        self.subscribers = Subscribers()
        self.items = 0
        self._unwanted_pulls = 0
        """In a row, in which nothing was wanted."""
        self._events: Final[dict[str, RecordedEvent]] = {}
        """By delivery id, until they are sent."""
        self._delivery_of: Final[dict[UUID, str]] = {}
        """By the id that the consumer acknowledges."""

    # --- Out ---------------------------------------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def is_ready(self) -> bool:
        """Whether it would take an event now."""
        return not self._deliveries and self.in_flight < self.max_in_flight

    async def _room(self) -> int:
        while True:
            room = await super()._room()
            self.turns.clear()
            if limit := self.subscribers.limit_of(self, room):
                self.subscribers.changed()
                return limit
            await self.turns.wait()

    async def _pull(self, limit: int) -> Sequence[Delivery]:
        """Of what there is, what is wanted. While nothing is, more is pulled each time than there is room for."""
        reach = min(limit << self._unwanted_pulls, GROUP_PULL_MAX)
        pulling = self._store.groups.pull(self.group, member=self._name, limit=reach, wait_s=GROUP_WAIT_MAX_S)
        pulled = await pull_until(self._store.groups, self.group, pulling, self._until_turn_is_over())
        self._hold(pulled)
        try:
            wanted = await self._wanted(pulled)
        except BaseException:
            await self._give_back_untried([one.delivery_id for one in pulled])
            raise
        if pulled:
            self._unwanted_pulls = 0 if wanted else min(self._unwanted_pulls + 1, 10)
        self.subscribers.changed()
        await self._give_back_untried([one.delivery_id for one in wanted[limit:]])
        return wanted[:limit]

    async def _give_back_untried(self, delivery_ids: Sequence[str]) -> None:
        self._let_go(delivery_ids)
        await give_back(self._store.groups, self.group, delivery_ids, untried=True)

    async def _until_turn_is_over(self) -> None:
        while self.subscribers.is_turn_of(self):
            self.turns.clear()
            await self.turns.wait()

    async def _wanted(self, pulled: Sequence[Delivery]) -> Sequence[Delivery]:
        """The others are acknowledged."""
        if not pulled:
            return pulled
        of = {one.delivery_id: event for one in pulled if self.source.wants(event := one.event)}
        shown = await self.source.shown(self._whole, list(of.values()))
        positions = {event.position for event in shown}
        of = {delivery_id: event for delivery_id, event in of.items() if event.position in positions}
        unwanted = [one.delivery_id for one in pulled if one.delivery_id not in of]
        for some in in_lots(unwanted, GROUP_SETTLE_MAX):
            await self._store.groups.ack(self.group, some)
        self._let_go(unwanted)
        self._events.update(of)
        return [one for one in pulled if one.delivery_id in of]

    def _let_go(self, delivery_ids: Sequence[str]) -> None:
        """They are not with it any more, if they were."""
        for delivery_id in delivery_ids:
            self._in_flight.pop(delivery_id, None)
            self._events.pop(delivery_id, None)

    def event_of(self, delivery: Delivery) -> RecordedEvent:
        """Of one that is to be sent now."""
        return self._events.pop(delivery.delivery_id)

    def sent(self, delivery: Delivery, ack_id: UUID) -> None:
        """The consumer will acknowledge it by this id."""
        if len(self._delivery_of) > 2 * self.max_in_flight + GROUP_PULL_MAX:
            self._forget_overdue()
        self._delivery_of[ack_id] = delivery.delivery_id
        self.items += 1
        self.subscribers.items += 1

    def _forget_overdue(self) -> None:
        kept = {ack_id: one for ack_id, one in self._delivery_of.items() if one in self._in_flight}
        self._delivery_of.clear()
        self._delivery_of.update(kept)

    # --- In ----------------------------------------------------------------------------------------------------------

    async def acknowledge(self, ids: Sequence[UUID]) -> None:
        """What was sent by these ids is done; those that are not known, or not any more, are passed over. Returns when
        the consumer may say more."""
        for some in in_lots(self._delivered(ids), GROUP_SETTLE_MAX):
            await self.receive(Ack(group=self.group, delivery_ids=some))

    async def refuse(self, ids: Sequence[UUID], *, reason: str, park: bool) -> None:
        """The same of what is to be tried again, or parked."""
        for some in in_lots(self._delivered(ids), GROUP_SETTLE_MAX):
            await self.receive(Nack(group=self.group, delivery_ids=some, reason=reason, park=park))

    def _delivered(self, ids: Sequence[UUID]) -> list[str]:
        found = [self._delivery_of.pop(one, None) for one in ids]
        return [delivery_id for delivery_id in found if delivery_id is not None]

    async def _settle(self, alike: Sequence[Settlement]) -> None:
        await super()._settle(alike)
        self.subscribers.changed()
