"""Rebuilding the state of an aggregate: the newest snapshot and the events after it, folded."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeVar

from indelible.client.event_iterator import iterate_aggregate
from indelible.errors import Unavailable
from indelible.events import RecordedEvent, check_version
from indelible.eventstore import EventStore, Replay
from indelible.limits import PAGE_EVENTS_MAX

T = TypeVar("T")
Apply = Callable[[T, RecordedEvent], T]
"""Returns the state after an event; may change and return the state that it was given."""


class Rebuilt(NamedTuple, Generic[T]):
    """A state, and the aggregate's version that it is of: what to give as ``expected_version`` with the next append."""

    state: T
    version: int


def as_it_is(value: Any) -> Any:
    """How a state that is JSON already is encoded and decoded."""
    return value


async def rebuild(
    store: EventStore,
    aggregate_type: str,
    aggregate_id: str,
    apply: Apply[T],
    initial: T,
    *,
    at_version: int | None = None,
    use_snapshots: bool = True,
    snapshot_every: int | None = None,
    encode: Callable[[T], Any] = as_it_is,
    decode: Callable[[Any], T] = as_it_is,
) -> Rebuilt[T]:
    """See :meth:`indelible.client.async_client.AsyncClient.rebuild`."""
    if snapshot_every is not None:
        check_version(snapshot_every, "/snapshot_every")
    if use_snapshots:
        replay = await store.replay(aggregate_type, aggregate_id, at_version=at_version)
    else:
        page = await store.read_aggregate(aggregate_type, aggregate_id, to_version=at_version, limit=PAGE_EVENTS_MAX)
        replay = Replay(None, page)
    state, version = initial, 0
    if replay.snapshot is not None:
        state, version = decode(replay.snapshot.state), replay.snapshot.version
    snapshot_version = version
    for event in replay.page.events:
        state, version = apply(state, event), event.version
    if replay.page.next_version is not None:
        rest = iterate_aggregate(
            store, aggregate_type, aggregate_id,
            from_version=replay.page.next_version, to_version=at_version,
            direction="forward", page_size=PAGE_EVENTS_MAX,
        )  # fmt: skip
        async for event in rest:
            state, version = apply(state, event), event.version
    if snapshot_every is not None and version - snapshot_version >= snapshot_every:
        await _try_save(store, aggregate_type, aggregate_id, version, encode(state))
    return Rebuilt(state, version)


async def _try_save(store: EventStore, aggregate_type: str, aggregate_id: str, version: int, state: Any) -> None:
    """The state is right with or without its snapshot; a store that is too busy gets it from the next rebuild."""
    with suppress(Unavailable):
        await store.save_snapshot(aggregate_type, aggregate_id, version=version, state=state)
