"""Decides whether recorded events continue a log exactly as they are. Pure; every engine asks it.

The engine looks up what the events touch, as it does for a batch (:class:`StoredState`), asks :func:`plan_recorded`,
and writes the planned events.
"""

from collections.abc import Sequence
from typing import NoReturn

from indelible.engines.engine import LogHead
from indelible.engines.planner import Plan, PlannedEvent, StoredState
from indelible.errors import InvalidRequest
from indelible.events import (
    AggregateKey,
    NewEvent,
    RecordedEvent,
    event_hash,
    format_timestamp,
    is_json,
    timestamp_to_us,
    unhashed_line,
)


def plan_recorded(events: Sequence[RecordedEvent], state: StoredState) -> Plan:
    """Plan to write the events with the positions, versions, timestamps and hashes that they have.

    Raises :class:`InvalidRequest` for the first event that does not continue the log, with its field as ``pointer`` and
    its ``position``. It is the request that is wrong then; the log is as good as before.
    """
    log = _Log(state)
    planned = [log.add(index, event) for index, event in enumerate(events)]
    return Plan([], planned, log.head)


class _Log:
    """The log as it will be."""

    def __init__(self, state: StoredState) -> None:
        self.head = state.head
        self._versions = dict(state.versions)
        self._ids = set(state.events)

    def add(self, index: int, event: RecordedEvent) -> PlannedEvent:
        try:
            return self._add(event)
        except InvalidRequest as error:
            fields = {**error.fields, "pointer": f"/events/{index}{error.pointer}", "position": event.position}
            raise type(error)(error.message, **fields) from None

    def _add(self, event: RecordedEvent) -> PlannedEvent:
        position = self.head.position + 1
        if event.position != position:
            _refuse("position", f"is {event.position}, but the log goes on at position {position}")
        # Made anew, so that it is checked as every event is, and rendered in the one canonical form: what was not in
        # that form shows in the hash.
        key, new = AggregateKey.checked(event.aggregate_type, event.aggregate_id), _made_anew(event)
        version = self._versions.get(key, 0) + 1
        if event.version != version:
            _refuse("version", f"is {event.version}, but {key.stream} goes on at version {version}")
        if event.event_id in self._ids:
            _refuse("event_id", f"{event.event_id} is stored already")
        timestamp_us = self._checked_timestamp_us(event)
        unhashed = unhashed_line(new, key, version, position, format_timestamp(timestamp_us))
        digest = event_hash(self.head.hash, unhashed)
        if event.hash != digest.hex():
            _refuse("hash", f"is {event.hash}, but the event and the hash before it give {digest.hex()}")
        self.head = LogHead(position, timestamp_us, digest)
        self._versions[key] = version
        self._ids.add(event.event_id)
        return PlannedEvent(key, version, position, timestamp_us, new, digest)

    def _checked_timestamp_us(self, event: RecordedEvent) -> int:
        if event.timestamp.tzinfo is None:
            _refuse("timestamp", "has no time zone")
        timestamp_us = timestamp_to_us(event.timestamp)
        if timestamp_us < self.head.timestamp_us:
            before = format_timestamp(self.head.timestamp_us)
            _refuse("timestamp", f"is {format_timestamp(timestamp_us)}, earlier than {before} of the event before it")
        return timestamp_us


def _made_anew(event: RecordedEvent) -> NewEvent:
    try:
        event_data = event.event_data_raw if is_json(event.content_type) else event.event_data_bytes
    except ValueError as error:
        raise InvalidRequest(f"is not base64: {error}", pointer="/event_data_base64") from None
    return NewEvent(
        event.event_type,
        event_data,
        event_id=event.event_id,
        metadata=event.metadata_raw,
        tags=event.tags,
        content_type=event.content_type,
    )


def _refuse(field: str, reason: str) -> NoReturn:
    raise InvalidRequest(reason, pointer=f"/{field}")
