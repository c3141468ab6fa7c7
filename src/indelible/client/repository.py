"""Load an aggregate's state, decide, save with the version that the decision was made at."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic

from indelible.client.rebuild import Apply, Rebuilt, T, as_it_is, rebuild
from indelible.errors import AggregateNotFound, VersionConflict
from indelible.events import NewEvent, check_version
from indelible.eventstore import AppendResult, EventStore

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

    async def load(self, aggregate_id: str, *, at_version: int | None = None) -> Rebuilt[T]:
        """The state and its version; the initial state and 0 when the aggregate has no events.

        With ``at_version``, the state as it was at that version (or the newest, if the aggregate is not there yet).
        """
        initial = self._initial()
        try:
            return await rebuild(
                self._store, self._aggregate_type, aggregate_id, self._apply, initial,
                at_version=at_version, snapshot_every=self._snapshot_every, encode=self._encode, decode=self._decode,
            )  # fmt: skip
        except AggregateNotFound:
            return Rebuilt(initial, 0)

    async def save(self, aggregate_id: str, events: Sequence[NewEvent], *, expected_version: int) -> AppendResult:
        """Append events that were decided on at ``expected_version``; raises ``VersionConflict`` when the aggregate has
        moved on since, and what :meth:`indelible.eventstore.EventStore.append` raises."""
        check_version(expected_version, "/expected_version", least=0)
        return await self._store.append(self._aggregate_type, aggregate_id, events, expected_version=expected_version)

    async def update(
        self,
        aggregate_id: str,
        decide: Callable[[T], Sequence[NewEvent]],
        *,
        attempts_max: int = UPDATE_ATTEMPTS_MAX,
    ) -> AppendResult | None:
        """Load, decide, save; again from the load when another writer came between.

        ``decide`` gets the state and returns the events to append; it may be called several times and should do
        nothing else. Returns None when it returned no events. What it raises comes out as it is. Raises
        ``VersionConflict`` once ``attempts_max`` attempts have lost.
        """
        check_version(attempts_max, "/attempts_max")
        while True:
            attempts_max -= 1
            state, version = await self.load(aggregate_id)
            events = decide(state)
            if not events:
                return None
            try:
                return await self.save(aggregate_id, events, expected_version=version)
            except VersionConflict:
                if attempts_max == 0:
                    raise
