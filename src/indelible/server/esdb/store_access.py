"""What callers of this wire may do with the metadata of streams.

The metadata of ``order-1`` is the stream ``$$order-1``: an aggregate of the type ``~``, as all are whose names say no
type. It is a part of ``order-1`` all the same. So whoever may append to ``order`` may append it, and whoever may append
to that or read it may read it: else a grant for ``order`` would be of no use to these clients.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from indelible.access import Principal
from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.errors import EventIdConflict
from indelible.events import AggregateKey
from indelible.eventstore import (
    AggregateAppend,
    AggregateInfo,
    AggregatePage,
    AppendResult,
    AtomicAppendResult,
    EventStore,
    NewEvents,
)
from indelible.server.services import Services
from indelible.store_around import StoreAround
from indelible.wire.esdb.stream_names import METADATA_PREFIX, WHOLE, category_of

METADATA_TYPE: Final = "$metadata"


def store_of(services: Services, principal: Principal) -> EventStore:
    """The store as a caller of this wire may use it."""
    store = services.store_of(principal)
    return store if services.authenticator is None else _WithMetadata(store, services.store, principal)


def store_to_follow(store: EventStore, key: AggregateKey) -> EventStore:
    """Where the events of one aggregate come from for the caller who has this store: ask it for no others."""
    return store.store_for(key, is_read=True) if isinstance(store, _WithMetadata) else store


@contextmanager
def _hiding_who_has_an_id(is_hidden: bool) -> Iterator[None]:
    """That an id is taken cannot be hidden; what has it is no business of who may not read it."""
    try:
        yield
    except EventIdConflict as conflict:
        if not is_hidden:
            raise
        event_id = conflict.fields["event_id"]
        raise EventIdConflict(f"event id {event_id} is stored already", event_id=event_id) from None


class _WithMetadata(StoreAround):
    """For one principal. ``whole``: the store without anybody's grants."""

    def __init__(self, inner: EventStore, whole: EventStore, principal: Principal) -> None:
        super().__init__(inner)
        self._whole: Final = whole
        self._principal: Final = principal

    async def append(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: NewEvents,
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        store = self.store_for(AggregateKey(aggregate_type, aggregate_id))
        with _hiding_who_has_an_id(store is self._whole):
            return await store.append(aggregate_type, aggregate_id, events, expected_version=expected_version)

    async def read_aggregate(self, aggregate_type: str, aggregate_id: str, **options: Any) -> AggregatePage:
        store = self.store_for(AggregateKey(aggregate_type, aggregate_id), is_read=True)
        return await store.read_aggregate(aggregate_type, aggregate_id, **options)

    async def get_aggregate(self, aggregate_type: str, aggregate_id: str) -> AggregateInfo:
        store = self.store_for(AggregateKey(aggregate_type, aggregate_id), is_read=True)
        return await store.get_aggregate(aggregate_type, aggregate_id)

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        """The condition may be about metadata, which this wire makes it: that no stream is deleted meanwhile."""
        appends = tuple(appends)
        is_more = condition is not None or any(self.store_for(one.key) is self._whole for one in appends)
        store = self._whole if is_more and self._may_append(appends, condition) else self.inner
        with _hiding_who_has_an_id(store is self._whole):
            return await store.append_atomic(appends, condition=condition)

    def _may_append(self, appends: Sequence[AggregateAppend], condition: AppendCondition | None) -> bool:
        """Whether it needs no other grants than those for streams."""
        of_metadata = (WHOLE,), (METADATA_TYPE,)
        items = () if condition is None else condition.fail_if
        others = [one for one in items if (one.aggregate_types, one.event_types) != of_metadata]
        read, append = self._principal.reach("read"), self._principal.reach("append")
        may_read = all(item.aggregate_types and all(map(read.covers, item.aggregate_types)) for item in others)
        return may_read and all(
            append.covers(one.key.aggregate_type) or self.store_for(one.key) is self._whole for one in appends
        )

    def __eq__(self, other: object) -> bool:
        """Whoever may do the same shares what is rendered for one of them."""
        return isinstance(other, _WithMetadata) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def _parts(self) -> tuple[object, ...]:
        return self.inner, self._whole, self._principal.grants

    def store_for(self, key: AggregateKey, *, is_read: bool = False) -> EventStore:
        """The store to use for one aggregate: for metadata that the caller may have, that without grants."""
        if key.aggregate_type != WHOLE or not key.aggregate_id.startswith(METADATA_PREFIX):
            return self.inner
        category = category_of(key.aggregate_id.removeprefix(METADATA_PREFIX))
        if category is None:
            return self.inner
        covered = self._principal.reach("append").covers(category) or (
            is_read and self._principal.reach("read").covers(category)
        )
        return self._whole if covered else self.inner
