"""The state of an aggregate: rebuilt from the newest snapshot and the events after it; loaded, decided on, and saved
with the version that the decision was made at."""

import logging
from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from indelible.client.iterators import iterate_aggregate
from indelible.client.live_states import LiveStates, never
from indelible.errors import (
    AggregateNotFound,
    Forbidden,
    IndelibleError,
    OutcomeUnknown,
    PayloadTooLarge,
    Unavailable,
    VersionConflict,
)
from indelible.events import RecordedEvent, check_version
from indelible.eventstore import AppendResult, EventStore, NewEvents, Replay
from indelible.limits import PAGE_EVENTS_MAX

_log: Final = logging.getLogger(__name__)

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
    """The state of an aggregate and its version: the newest snapshot, and ``apply`` for every event after it.

    ``initial`` is the state before the first event. ``at_version`` gives the state as it was at that version (the
    newest, if the aggregate has not come to it). With ``snapshot_every`` a snapshot is saved when that many events
    or more came since the last one. A state that is not JSON needs ``encode`` (to JSON) and ``decode``. A snapshot that
    the store does not take (the state is too large, the caller may only read, the store is away) is done without; the
    log of ``indelible.client.repository`` says so.

    An aggregate has one line of snapshots. So states that another ``apply`` gives, and states of an older
    program's shape, must be kept apart: with ``use_snapshots=False`` every event is read instead.
    Raises ``AggregateNotFound``.
    """
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
    """The state is right with or without its snapshot. A store that is too busy gets it from a later rebuild; one that
    does not take it at all must not keep the aggregate from being used."""
    try:
        await store.save_snapshot(aggregate_type, aggregate_id, version=version, state=state)
    except (Unavailable, OutcomeUnknown, PayloadTooLarge, Forbidden) as error:
        _tell_once(aggregate_type, aggregate_id, error)


_told: Final = set[tuple[str, str]]()
"""Aggregate types and the codes of the errors that were logged."""
_TOLD_MAX: Final = 1_000


def _tell_once(aggregate_type: str, aggregate_id: str, error: IndelibleError) -> None:
    """Each load may try again, so that a line for every error would be one for every load."""
    told = (aggregate_type, error.code)
    if told in _told:
        return
    if len(_told) >= _TOLD_MAX:
        _told.clear()
    _told.add(told)
    _log.warning(
        "a snapshot of %s %s was not saved, and its state is rebuilt from more events: %s. More errors of this kind of "
        "this aggregate type are not logged",
        aggregate_type, aggregate_id, error,
    )  # fmt: skip


UPDATE_ATTEMPTS_MAX: Final = 10
"""How often :meth:`Repository.update` decides anew by default. Each lost race means that another writer won, so more
are needed only where very many write to one aggregate at once."""


class Repository(Generic[T]):
    """The aggregates of one type, as states of type ``T``.

    ``apply`` gives the state after an event, ``initial`` makes the state before the first. With ``snapshot_every``
    a load saves a snapshot once that many events came since the last one; ``encode`` and ``decode`` turn a state that
    is not JSON into JSON and back.
    """

    def __init__(
        self,
        store: EventStore,
        aggregate_type: str,
        apply: Apply[T],
        initial: Callable[[], T],
        *,
        snapshot_every: int | None = None,
        encode: Callable[[T], Any] = as_it_is,
        decode: Callable[[Any], T] = as_it_is,
    ) -> None:
        self._store = store
        self._aggregate_type = aggregate_type
        self._apply = apply
        self._initial = initial
        self._snapshot_every = snapshot_every
        self._encode = encode
        self._decode = decode

    async def load(self, aggregate_id: str, *, at_version: int | None = None, must_exist: bool = False) -> Rebuilt[T]:
        """The state and its version; the initial state and 0 when the aggregate has no events, or, with
        ``must_exist``, ``AggregateNotFound``.

        With ``at_version``, the state as it was at that version (or the newest, if the aggregate is not there yet).
        """
        initial = self._initial()
        try:
            return await rebuild(
                self._store, self._aggregate_type, aggregate_id, self._apply, initial,
                at_version=at_version, snapshot_every=self._snapshot_every, encode=self._encode, decode=self._decode,
            )  # fmt: skip
        except AggregateNotFound:
            if must_exist:
                raise
            return Rebuilt(initial, 0)

    async def save(self, aggregate_id: str, events: NewEvents, *, expected_version: int) -> AppendResult:
        """Append events that were decided on at ``expected_version``; raises ``VersionConflict`` when the aggregate has
        moved on since, and what :meth:`indelible.eventstore.EventStore.append` raises."""
        check_version(expected_version, "/expected_version", least=0)
        return await self._store.append(self._aggregate_type, aggregate_id, events, expected_version=expected_version)

    async def update(
        self,
        aggregate_id: str,
        decide: Callable[[T], NewEvents],
        *,
        attempts_max: int = UPDATE_ATTEMPTS_MAX,
        must_exist: bool = False,
    ) -> AppendResult | None:
        """Load, decide, save; again from the load when another writer came between.

        ``decide`` gets the state and returns the event or events to append; it may be called several times and should
        do nothing else. Returns None when it returned no events. What it raises comes out as it is. Raises
        ``VersionConflict`` once ``attempts_max`` attempts have lost; with ``must_exist``, ``AggregateNotFound`` when
        the aggregate has no events.
        """
        check_version(attempts_max, "/attempts_max")
        while True:
            attempts_max -= 1
            state, version = await self.load(aggregate_id, must_exist=must_exist)
            events = decide(state)
            if not events:
                return None
            try:
                return await self.save(aggregate_id, events, expected_version=version)
            except VersionConflict:
                if attempts_max == 0:
                    raise

    def live(self, *, until: Callable[[T], bool] = never) -> LiveStates[T]:
        """The states of all aggregates of the type, kept in memory, but for those whose state satisfies ``until``; see
        :class:`LiveStates`."""
        return LiveStates(
            self._store, self._aggregate_type, self._apply, self._initial, load=self._load_state, until=until
        )

    async def _load_state(self, aggregate_id: str, at_version: int) -> T:
        return (await self.load(aggregate_id, at_version=at_version)).state
