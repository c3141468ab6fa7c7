"""Appends to streams, and what these clients may expect of them that the store does not check by itself: that a stream
exists and is not deleted, and the state of streams that nothing is appended to.

Such a thing is looked at, and the append then made on condition that nothing was stored meanwhile that could change it;
else it is looked at again. So it holds at the very moment of the append.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from indelible.batching import in_lots
from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.errors import (
    ConditionFailed,
    EventIdConflict,
    Forbidden,
    IndelibleError,
    InvalidRequest,
    NotFound,
    Overloaded,
    VersionConflict,
)
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendResult, AtomicAppendResult, EventStore
from indelible.limits import CONDITION_ITEMS_MAX, ESDB_LOOKS_MAX, QUERY_NAMES_MAX, RETRY_AFTER_S
from indelible.queries import QueryItem
from indelible.server.esdb.stream_metadata import StreamState, state_of, version_of
from indelible.wire.esdb.messages import METADATA_TYPE
from indelible.wire.esdb.stream_names import METADATA_PREFIX, WHOLE, aggregate_of

_METADATA: Final = QueryItem(event_types=(METADATA_TYPE,), aggregate_types=(WHOLE,))
"""What deletes streams."""
_TYPES_MAX: Final = (CONDITION_ITEMS_MAX - 1) * QUERY_NAMES_MAX
"""Aggregate types that have room in a condition beside it."""


class StreamAppend(NamedTuple):
    """Events for one stream, and what is expected of it before them."""

    stream: str
    events: tuple[NewEvent, ...]
    expected: ExpectedVersion


class StreamCheck(NamedTuple):
    """What is expected of a stream that nothing is appended to."""

    stream: str
    expected: ExpectedVersion


class WrongVersion(Exception):
    """A stream is not as expected. Clients are told so in an answer of its own, and not by an error of the store."""

    def __init__(self, stream: str, expected: ExpectedVersion, actual_version: int) -> None:
        super().__init__(stream, expected, actual_version)
        self.stream: Final = stream
        self.expected: Final = expected
        self.actual_version: Final = actual_version


async def append_to_stream(store: EventStore, append: StreamAppend) -> AppendResult:
    """Raises ``WrongVersion`` where the stream is not as expected, or where some of the ids are taken already."""
    if append.expected == "exists":
        return (await append_to_streams(store, (append,))).results[0]
    key = aggregate_of(append.stream)
    try:
        return await store.append(key.aggregate_type, key.aggregate_id, append.events, expected_version=append.expected)
    except VersionConflict as conflict:
        # A deleted stream will do; metadata cannot be deleted.
        if append.expected == "none" and not append.stream.startswith(METADATA_PREFIX):
            return (await append_to_streams(store, (append,))).results[0]
        raise WrongVersion(append.stream, append.expected, conflict.actual_version) from None
    except EventIdConflict as conflict:
        raise await _of_taken_id(store, (append,), conflict) from None


async def append_to_streams(
    store: EventStore, appends: Sequence[StreamAppend], checks: Sequence[StreamCheck] = ()
) -> AtomicAppendResult:
    """All or nothing. A stream may stand in it again, with "any". Raises ``WrongVersion`` as well as what the store
    raises."""
    asked = [AggregateAppend(aggregate_of(one.stream), one.events, one.expected) for one in appends]
    checks = (*checks, *(StreamCheck(one.stream, "exists") for one in appends if one.expected == "exists"))
    for _ in range(ESDB_LOOKS_MAX):
        try:
            condition = await _look(store, checks) if checks else None
            return await store.append_atomic(asked, condition=condition)
        except ConditionFailed:
            continue
        except VersionConflict as conflict:
            asked = await _without_deleted(store, appends, conflict)
        except WrongVersion:
            replayed = await _replayed(store, asked)
            if replayed is None:
                raise
            return replayed
        except EventIdConflict as conflict:
            raise await _of_taken_id(store, appends, conflict) from None
    raise Overloaded(
        "the streams change faster than they are looked at; nothing was stored", retry_after_s=RETRY_AFTER_S
    )


async def _look(store: EventStore, checks: Sequence[StreamCheck]) -> AppendCondition | None:
    """What must not happen until the append, for what is seen now to hold then; None: it holds for ever. Raises
    ``WrongVersion``."""
    types = {aggregate_of(check.stream).aggregate_type for check in checks if not _holds_for_ever(check)}
    if len(types) > _TYPES_MAX:
        raise InvalidRequest(
            f"streams of {len(types)} categories are expected to exist, or are checked; at most {_TYPES_MAX} may be",
            pointer="/expected_revision",
        )
    cursor = (await store.head()).cursor if types else None
    for check in checks:
        check_state(check.stream, check.expected, await state_of(store, check.stream))
    if cursor is None:
        return None
    items = [QueryItem(aggregate_types=tuple(some)) for some in in_lots(sorted(types), QUERY_NAMES_MAX)]
    return AppendCondition((*items, _METADATA), cursor)


def _holds_for_ever(check: StreamCheck) -> bool:
    """Metadata that is there cannot be deleted."""
    return check.expected == "exists" and check.stream.startswith(METADATA_PREFIX)


def check_state(stream: str, expected: ExpectedVersion, state: StreamState) -> None:
    """Raises ``WrongVersion``."""
    if not state.fits(expected):
        raise WrongVersion(stream, expected, 0 if state.is_deleted and expected == "exists" else state.version)


async def _without_deleted(
    store: EventStore, appends: Sequence[StreamAppend], conflict: VersionConflict
) -> list[AggregateAppend]:
    """The same appends, where none of the streams that must not exist does: those that are deleted must have the
    versions that they have, which go on. Raises ``WrongVersion`` for the stream in conflict if it is none of these."""
    asked = []
    for one in appends:
        key, expected = aggregate_of(one.stream), one.expected
        if expected == "none" and (version := await _version_of_deleted(store, one.stream)):
            expected = version
        elif (
            key == AggregateKey(conflict.fields["aggregate_type"], conflict.fields["aggregate_id"])
            and expected != "any"
        ):
            raise WrongVersion(one.stream, expected, conflict.actual_version) from None
        asked.append(AggregateAppend(key, one.events, expected))
    return asked


async def _version_of_deleted(store: EventStore, stream: str) -> int:
    """0 where it is not deleted, or where the caller may not know."""
    try:
        state = await state_of(store, stream)
    except Forbidden:
        return 0
    return state.version if state.is_deleted else 0


async def _replayed(store: EventStore, asked: Sequence[AggregateAppend]) -> AtomicAppendResult | None:
    """The first result, if this was stored before: that holds whatever is expected. Once an id is taken, nothing new is
    stored with it."""
    if not asked[0].events:
        return None  # nor would it be stored
    with suppress(NotFound, Forbidden, EventIdConflict):
        await store.get_event(asked[0].events[0].event_id)
        return await store.append_atomic(asked)
    return None


async def _of_taken_id(
    store: EventStore, appends: Sequence[StreamAppend], conflict: EventIdConflict
) -> WrongVersion | IndelibleError:
    """That the stream is not as expected is no answer where the id is another stream's: to try again is of no use."""
    with suppress(NotFound, Forbidden):
        key = (await store.get_event(conflict.fields["event_id"])).key
        for one in appends:
            if aggregate_of(one.stream) == key:
                return WrongVersion(one.stream, one.expected, await version_of(store, key))
    return conflict
