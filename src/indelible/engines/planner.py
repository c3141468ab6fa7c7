"""Decides a batch: which requests are stored, repeated or refused; or whether recorded events continue a log exactly.
Pure; every durable engine asks it.

The engine looks up what the batch touches (:class:`StoredState`), asks :func:`plan`, and writes the planned events. The
memory engine does not use it: it is the model that this is compared with.

The events that a batch's conditions have not been held against yet are few (``CONDITION_TAIL_EVENTS_MAX``, and the
batch itself), so where a name stands among them is one integer with a bit for each event (:class:`RecentEvents`):
whatever a condition asks for, every name costs one step over a few kilobytes.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NoReturn, Protocol
from uuid import UUID

import msgspec

from indelible.conditions import AppendCondition, Scanned, condition_failed, version_conflict
from indelible.cursors import position_of
from indelible.engines.engine import AppendOutcome, ConditionBehind, LogHead
from indelible.errors import EventIdConflict, IndelibleError, InvalidRequest, StoreCorrupted
from indelible.events import (
    AggregateKey,
    NewEvent,
    RecordedEvent,
    event_hash,
    format_timestamp,
    is_json,
    names_in_line,
    timestamp_from_us,
    timestamp_to_us,
    unhashed_line,
    unhashed_line_of,
)
from indelible.eventstore import (
    AggregateAppend,
    AppendedEvent,
    AppendRequest,
    AppendResult,
    AtomicAppendResult,
    repeat_ids,
)
from indelible.json_text import json_equal
from indelible.queries import QueryItem


class PlannedEvent(msgspec.Struct, frozen=True, gc=False):
    """One event that is to be written, with all that the store adds to it."""

    key: AggregateKey
    version: int
    position: int
    timestamp_us: int
    event: NewEvent
    hash: bytes


class RecentEvent(msgspec.Struct, frozen=True, gc=False):
    """What a condition may ask of an event."""

    event_type: str
    aggregate_type: str
    tags: Sequence[str]


def unseen_after(batch: Sequence[AppendRequest], head: int) -> int:
    """The conditions of a batch have not been held against the events after this position; the head, if there are
    none."""
    starts = (
        request.condition_start
        for request in batch
        if request.condition is not None and request.scanned.refusal is None
    )
    return min(starts, default=head)


class StoredState(msgspec.Struct, frozen=True):
    """What the store held, for what a batch touches, before the batch."""

    head: LogHead
    versions: Mapping[AggregateKey, int]
    """Of every aggregate in the batch; 0 or absent when it does not exist."""
    events: Mapping[UUID, RecordedEvent]
    """The stored ones among the batch's event ids."""
    recent: Sequence[RecentEvent] = ()
    """The last events before the batch, in position order up to the head: all that its conditions have not been held
    against yet, or as many as ``CONDITION_TAIL_EVENTS_MAX`` and ``CONDITION_TAIL_SIZE_BYTES_MAX`` allow."""
    unreadable: Mapping[UUID, int] = {}
    """Positions of those among the batch's event ids that are stored, but whose events are not there to compare."""


class Plan(msgspec.Struct, frozen=True):
    outcomes: list[AppendOutcome]
    events: list[PlannedEvent]
    """In position order."""
    head: LogHead
    """After the batch."""


class _Placed(Protocol):
    """What a stored and a planned event have in common."""

    @property
    def version(self) -> int: ...

    @property
    def position(self) -> int: ...


def plan(batch: Sequence[AppendRequest], state: StoredState, now_us: int) -> Plan:
    """Decide a batch. ``now_us`` is the wall clock; the batch's timestamp is never below the head's."""
    return _Planner(batch, state, now_us).plan(batch)


def plan_in_parts(batch: Sequence[AppendRequest], state: StoredState, now_us: int, events_max: int) -> Iterator[Plan]:
    """The same by parts of at most so many events, unless one request has more: one can be written while the next is
    decided. Each has its own outcomes and events, and the head after them."""
    planner = _Planner(batch, state, now_us)
    part: list[AppendRequest] = []
    events = 0
    for request in batch:
        events += request.event_count
        if part and events > events_max:
            yield planner.plan(part)
            part, events = [], request.event_count
        part.append(request)
    yield planner.plan(part)


def same_content(new: NewEvent, stored: RecordedEvent) -> bool:
    """Whether a stored event says what the new one says: equal as JSON, not to the letter."""
    if new.event_type != stored.event_type or new.content_type != stored.content_type or new.tags != stored.tags:
        return False
    if not json_equal(new.metadata_raw, bytes(stored.metadata_raw)):
        return False
    if isinstance(stored.event_data_base64, str):
        return new.event_data_raw == stored.event_data_bytes
    return json_equal(new.event_data_raw, bytes(stored.event_data_raw))


def same_new_content(new: NewEvent, other: NewEvent) -> bool:
    """The same question about two events that are both not stored yet."""
    return (
        new.event_type == other.event_type
        and new.content_type == other.content_type
        and new.tags == other.tags
        and (
            new.event_data_raw == other.event_data_raw
            or (is_json(new.content_type) and json_equal(new.event_data_raw, other.event_data_raw))
        )
        and json_equal(new.metadata_raw, other.metadata_raw)
    )


class _Planner:
    def __init__(self, batch: Sequence[AppendRequest], state: StoredState, now_us: int) -> None:
        self._state = state
        self._timestamp_us = max(now_us, state.head.timestamp_us)
        self._timestamp = format_timestamp(self._timestamp_us)
        self._position = state.head.position
        self._hash = state.head.hash
        self._versions = dict(state.versions)
        self._events: list[PlannedEvent] = []
        self._planned_by_id: dict[bytes, PlannedEvent] = {}
        """Kept only where an id may be known. By an id's bytes, whose hash is not for whoever made the id to choose."""
        # Almost always so. One look at all the ids together spares several at each.
        self._are_all_new = not state.events and not state.unreadable and not repeat_ids(batch)
        self._recent = _recent_events(batch, state)
        """Where the batch has conditions."""

    def plan(self, requests: Sequence[AppendRequest]) -> Plan:
        """The next of the batch."""
        self._events = []
        outcomes = [self._decide(request) for request in requests]
        head = self._state.head
        timestamp_us = self._timestamp_us if self._position > head.position else head.timestamp_us
        return Plan(outcomes, self._events, LogHead(self._position, timestamp_us, self._hash))

    def _decide(self, request: AppendRequest) -> AppendOutcome:
        # An id that is known settles the request, whatever version or condition it carries: that is what lets a client
        # repeat an append whose answer it never saw.
        if not self._are_all_new:
            known = self._unreadable(request) or self._repeated(request)
            if known is not None:
                return known
        for append in request.appends:
            if append.expected_version != "any":
                conflict = version_conflict(append.key, append.expected_version, self._versions.get(append.key, 0))
                if conflict is not None:
                    return conflict
        refused = None if request.condition is None else self._condition_failed(request.condition, request.scanned)
        return refused or self._store(request)

    def _unreadable(self, request: AppendRequest) -> StoreCorrupted | None:
        """Whether an id is that of an event of which nobody can say if it is the same: neither a repeat nor new."""
        for event in (event for append in request.appends for event in append.events):
            position = self._state.unreadable.get(event.event_id)
            if position is not None:
                message = f"event id {event.event_id} is stored at position {position}, but its event cannot be found"
                return StoreCorrupted(message, position=position)
        return None

    def _repeated(self, request: AppendRequest) -> AppendOutcome | None:
        if not any(map(self._knows_any, request.appends)):
            return None
        placed: list[list[_Placed]] = []
        first_new: NewEvent | None = None
        first_known: NewEvent | None = None
        for append in request.appends:
            places: list[_Placed] = []
            for event in append.events:
                place = self._place(append.key, event)
                if isinstance(place, EventIdConflict):
                    return place
                if place is None:
                    first_new = first_new or event
                else:
                    first_known = first_known or event
                    places.append(place)
            placed.append(places)
        if first_new is not None and first_known is not None:
            return _id_conflict(first_known, "is stored already, but others of the same append are not")
        return _first_result(request, placed)

    def _knows_any(self, append: AggregateAppend) -> bool:
        for event in append.events:
            if event.event_id.bytes in self._planned_by_id or event.event_id in self._state.events:
                return True
        return False

    def _place(self, key: AggregateKey, event: NewEvent) -> "_Placed | EventIdConflict | None":
        """Where the event stands, None when it is new, a conflict when its id stands for something else."""
        stored = self._state.events.get(event.event_id)
        if stored is not None:
            if stored.aggregate_type == key.aggregate_type and stored.aggregate_id == key.aggregate_id:
                return stored if same_content(event, stored) else _id_conflict(event, "is stored with other content")
            return _id_conflict(event, "is stored in another aggregate")
        planned = self._planned_by_id.get(event.event_id.bytes)
        if planned is None:
            return None
        if planned.key != key:
            return _id_conflict(event, "is stored in another aggregate")
        if same_new_content(event, planned.event):
            return planned
        return _id_conflict(event, "is stored with other content")

    def _condition_failed(self, condition: AppendCondition, scanned: Scanned) -> IndelibleError | None:
        if scanned.refusal is not None:
            return scanned.refusal
        assert self._recent is not None, "the batch has a condition"
        after = max(position_of(condition.after), scanned.up_to)
        if after < self._state.head.position - len(self._state.recent):
            return ConditionBehind.at(after)
        position = self._recent.first_match(condition.fail_if, after)
        return None if position is None else condition_failed(position)

    def _store(self, request: AppendRequest) -> AtomicAppendResult:
        results = tuple(map(self._store_one, request.appends))
        return AtomicAppendResult(self._position, results)

    def _store_one(self, append: AggregateAppend) -> AppendResult:
        key = append.key
        version, position, digest = self._versions.get(key, 0), self._position, self._hash
        appended, names = [], names_in_line(key)
        for event in append.events:
            version += 1
            position += 1
            digest = event_hash(digest, unhashed_line_of(event, names, version, position, self._timestamp))
            planned = PlannedEvent(key, version, position, self._timestamp_us, event, digest)
            self._events.append(planned)
            appended.append(AppendedEvent(event.event_id, version, position))
            if not self._are_all_new:
                self._planned_by_id[event.event_id.bytes] = planned
        if self._recent is not None:
            for event in append.events:
                self._recent.add(event.event_type, key.aggregate_type, event.tags)
        self._versions[key], self._position, self._hash = version, position, digest
        return AppendResult(key.aggregate_type, key.aggregate_id, version, position, tuple(appended))


def _id_conflict(event: NewEvent, what: str) -> EventIdConflict:
    return EventIdConflict(f"event id {event.event_id} {what}", event_id=str(event.event_id))


def _first_result(request: AppendRequest, placed: Sequence[Sequence[_Placed]]) -> AppendOutcome:
    """The first result again. Events that stand apart, or in another order, were not one append."""
    results = []
    for append, places in zip(request.appends, placed, strict=True):
        versions = [place.version for place in places]
        if versions != list(range(versions[0], versions[0] + len(versions))):
            return _id_conflict(append.events[0], "is stored, but not next to the others of this append in this order")
        events = tuple(
            AppendedEvent(event.event_id, place.version, place.position)
            for event, place in zip(append.events, places, strict=True)
        )
        results.append(
            AppendResult(
                append.key.aggregate_type, append.key.aggregate_id, versions[-1], places[-1].position, events, True
            )
        )
    return AtomicAppendResult(max(result.position for result in results), tuple(results), True)


# --- Events that conditions have not been held against ---------------------------------------------------------------


class RecentEvents:
    """Events in position order, without gaps, after the position ``after``. Only the names that ``conditions`` ask for
    are kept."""

    def __init__(self, after: int, conditions: Iterable[AppendCondition]) -> None:
        self._after = after
        self._count = 0
        items = [item for condition in conditions for item in condition.fail_if]
        self._event_types = _Names(name for item in items for name in item.event_types)
        self._aggregate_types = _Names(name for item in items for name in item.aggregate_types)
        self._tags = _Names(name for item in items for name in item.tags)

    def add(self, event_type: str, aggregate_type: str, tags: Collection[str]) -> None:
        number = self._count
        self._count += 1
        self._event_types.add(event_type, number)
        self._aggregate_types.add(aggregate_type, number)
        for tag in tags:
            self._tags.add(tag, number)

    def first_match(self, items: Sequence[QueryItem], after: int) -> int | None:
        """Position of the first event after the given one that matches any item."""
        skipped = max(after - self._after, 0)
        found = 0
        for item in items:
            found |= self._matching(item) >> skipped
        if not found:
            return None
        first = (found & -found).bit_length()
        return self._after + skipped + first

    def _matching(self, item: QueryItem) -> int:
        matching = (1 << self._count) - 1
        for tag in item.tags:
            matching &= self._tags.places(tag)
            if not matching:
                return 0
        for asked, known in ((item.event_types, self._event_types), (item.aggregate_types, self._aggregate_types)):
            if asked:
                any_of = 0
                for name in asked:
                    any_of |= known.places(name)
                matching &= any_of
        return matching


class _Names:
    """Where each of some names stands: the numbers of events."""

    def __init__(self, names: Iterable[str]) -> None:
        self._numbers: dict[str, list[int]] = {name: [] for name in names}
        self._places: dict[str, tuple[int, int]] = {}
        """As bits; and how many of the numbers are in there."""

    def add(self, name: str, number: int) -> None:
        numbers = self._numbers.get(name)
        if numbers is not None:
            numbers.append(number)

    def places(self, name: str) -> int:
        numbers = self._numbers[name]
        places, count = self._places.get(name, (0, 0))
        if count < len(numbers):
            places |= _bits(numbers[count:])
            self._places[name] = places, len(numbers)
        return places


def _bits(numbers: Sequence[int]) -> int:
    """An integer with these bits set; they ascend."""
    bits = bytearray(numbers[-1] // 8 + 1)
    for number in numbers:
        bits[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(bits, "little")


def _recent_events(batch: Sequence[AppendRequest], state: StoredState) -> RecentEvents | None:
    conditions = [request.condition for request in batch if request.condition is not None]
    if not conditions:
        return None
    recent = RecentEvents(state.head.position - len(state.recent), conditions)
    for event in state.recent:
        recent.add(event.event_type, event.aggregate_type, event.tags)
    return recent


# --- Recorded events -------------------------------------------------------------------------------------------------


def plan_recorded(events: Sequence[RecordedEvent], state: StoredState) -> Plan:
    """Plan to write the events with the positions, versions, timestamps and hashes that they have.

    Raises :class:`InvalidRequest` for the first event that does not continue the log, with its field as ``pointer`` and
    its ``position``. It is the request that is wrong then; the log is as good as before.
    """
    return _Log(state).plan(events, 0)


def plan_recorded_in_parts(events: Sequence[RecordedEvent], state: StoredState, events_max: int) -> Iterator[Plan]:
    """The same by parts, of which one can be written while the next is looked at. Nothing may be committed before the
    last."""
    log = _Log(state)
    for first in range(0, len(events), events_max):
        yield log.plan(events[first : first + events_max], first)


class _Log:
    """The log as it will be."""

    def __init__(self, state: StoredState) -> None:
        self._position = state.head.position
        self._hash = state.head.hash
        self._timestamp = timestamp_from_us(state.head.timestamp_us)
        self._timestamp_us = state.head.timestamp_us
        self._timestamp_text = format_timestamp(state.head.timestamp_us)
        self._versions = dict(state.versions)
        self._ids = {*state.events, *state.unreadable}

    def plan(self, events: Sequence[RecordedEvent], first_index: int) -> Plan:
        planned = [self._add_indexed(index, event) for index, event in enumerate(events, first_index)]
        return Plan([], planned, LogHead(self._position, self._timestamp_us, self._hash))

    def _add_indexed(self, index: int, event: RecordedEvent) -> PlannedEvent:
        try:
            return self._add(event)
        except InvalidRequest as error:
            fields = {**error.fields, "pointer": f"/events/{index}{error.pointer}", "position": event.position}
            raise type(error)(error.message, **fields) from None

    def _add(self, event: RecordedEvent) -> PlannedEvent:
        position = self._position + 1
        if event.position != position:
            _refuse("position", f"is {event.position}, but the log goes on at position {position}")
        key = event.key
        version = self._versions.get(key, 0) + 1
        if version == 1:
            # Those that have events have been checked.
            key = AggregateKey.checked(event.aggregate_type, event.aggregate_id)
        # Made anew, so that it is checked as every event is, and rendered in the one canonical form: what was not in
        # that form shows in the hash.
        new = _as_new_event(event)
        if event.version != version:
            _refuse("version", f"is {event.version}, but {key.stream} goes on at version {version}")
        if new.event_id in self._ids:
            _refuse("event_id", f"{event.event_id} is stored already")
        if event.timestamp != self._timestamp:
            self._advance_to(event.timestamp)
        digest = event_hash(self._hash, unhashed_line(new, key, version, position, self._timestamp_text))
        if event.hash != digest.hex():
            _refuse("hash", f"is {event.hash}, but the event and the hash before it give {digest.hex()}")
        self._position, self._hash, self._versions[key] = position, digest, version
        self._ids.add(new.event_id)
        return PlannedEvent(key, version, position, self._timestamp_us, new, digest)

    def _advance_to(self, timestamp: datetime) -> None:
        if timestamp.tzinfo is None:
            _refuse("timestamp", "has no time zone")
        timestamp_us = timestamp_to_us(timestamp)
        text = format_timestamp(timestamp_us)
        if timestamp_us < self._timestamp_us:
            _refuse("timestamp", f"is {text}, earlier than {self._timestamp_text} of the event before it")
        self._timestamp, self._timestamp_us, self._timestamp_text = timestamp, timestamp_us, text


def _as_new_event(event: RecordedEvent) -> NewEvent:
    try:
        if not is_json(event.content_type):
            return NewEvent(
                event.event_type, event.event_data_bytes, event_id=event.event_id, metadata=event.metadata_raw,
                tags=event.tags, content_type=event.content_type,
            )  # fmt: skip
        # Decoding a line has seen to its being strict JSON, but not to the UTF-8 within strings.
        event_data, metadata = bytes(event.event_data_raw), bytes(event.metadata_raw)
        event_data.decode()
        metadata.decode()
        return NewEvent.from_strict_json(
            event.event_type, event_data, event_id=event.event_id, metadata=None if metadata == b"{}" else metadata,
            tags=event.tags, content_type=event.content_type,
        )  # fmt: skip
    except ValueError as error:
        raise InvalidRequest(f"is not JSON in UTF-8, or not base64: {error}", pointer="/event_data") from None


def _refuse(field: str, reason: str) -> NoReturn:
    raise InvalidRequest(reason, pointer=f"/{field}")
