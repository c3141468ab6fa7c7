"""Decides whether recorded events continue a log exactly as they are. Pure; every engine asks it.

The engine looks up what the events touch, as it does for a batch (:class:`StoredState`), asks :func:`plan_recorded`,
and writes the planned events.
"""

from collections.abc import Sequence
from datetime import datetime
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
    timestamp_from_us,
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
        self._position = state.head.position
        self._hash = state.head.hash
        self._timestamp = timestamp_from_us(state.head.timestamp_us)
        self._timestamp_us = state.head.timestamp_us
        self._timestamp_text = format_timestamp(state.head.timestamp_us)
        self._versions = dict(state.versions)
        self._ids = {*state.events, *state.unreadable}

    @property
    def head(self) -> LogHead:
        return LogHead(self._position, self._timestamp_us, self._hash)

    def add(self, index: int, event: RecordedEvent) -> PlannedEvent:
        try:
            return self._add(event)
        except InvalidRequest as error:
            fields = {**error.fields, "pointer": f"/events/{index}{error.pointer}", "position": event.position}
            raise type(error)(error.message, **fields) from None

    def _add(self, event: RecordedEvent) -> PlannedEvent:
        position = self._position + 1
        if event.position != position:
            _refuse("position", f"is {event.position}, but the log goes on at position {position}")
        # Made anew, so that it is checked as every event is, and rendered in the one canonical form: what was not in
        # that form shows in the hash.
        key, new = AggregateKey.checked(event.aggregate_type, event.aggregate_id), _made_anew(event)
        version = self._versions.get(key, 0) + 1
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


def _made_anew(event: RecordedEvent) -> NewEvent:
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
            event.event_type, event_data, event_id=event.event_id, metadata=metadata,
            tags=event.tags, content_type=event.content_type,
        )  # fmt: skip
    except ValueError as error:
        raise InvalidRequest(f"is not JSON in UTF-8, or not base64: {error}", pointer="/event_data") from None


def _refuse(field: str, reason: str) -> NoReturn:
    raise InvalidRequest(reason, pointer=f"/{field}")
