"""What is to be written in one transaction: a batch of appends, or recorded events of another store."""

from collections.abc import Sequence
from functools import cached_property
from typing import Final
from uuid import UUID

from indelible.engines.planner import Plan, StoredState, plan, unseen_after
from indelible.engines.postgres.writer import TypeNames
from indelible.engines.recorded import plan_recorded
from indelible.events import AggregateKey, RecordedEvent
from indelible.eventstore import AppendRequest
from indelible.limits import SMALL_APPEND_EVENTS_MAX, SMALL_APPEND_SIZE_BYTES_MAX, VERSION_MAX


class Batch:
    """Requests of which each has its own outcome."""

    def __init__(self, requests: Sequence[AppendRequest]) -> None:
        self.requests = requests
        appends = [append for request in requests for append in request.appends]
        self.keys = list(dict.fromkeys(append.key for append in appends))
        self.event_ids = [event.event_id for append in appends for event in append.events]
        self.type_names = {
            (append.key.aggregate_type, event.event_type) for append in appends for event in append.events
        }
        self.unseen_after = unseen_after(requests, VERSION_MAX)

    def decide(self, state: StoredState, now_us: int) -> Plan:
        return plan(self.requests, state, now_us)

    @property
    def is_small(self) -> bool:
        return (
            len(self.event_ids) <= SMALL_APPEND_EVENTS_MAX
            and sum(request.size_bytes for request in self.requests) <= SMALL_APPEND_SIZE_BYTES_MAX
        )


class Recorded:
    """Events that are stored as they are, or refused."""

    is_small = False
    unseen_after: Final = VERSION_MAX

    def __init__(self, events: Sequence[RecordedEvent]) -> None:
        self._events = events
        self._was_sent = False

    @cached_property
    def keys(self) -> list[AggregateKey]:
        return list(dict.fromkeys(event.key for event in self._events))

    @cached_property
    def event_ids(self) -> list[UUID]:
        return [event.event_id for event in self._events]

    @cached_property
    def type_names(self) -> set[TypeNames]:
        return {(event.aggregate_type, event.event_type) for event in self._events}

    def decide(self, state: StoredState, now_us: int) -> Plan:  # noqa: ARG002 - the events have their times
        last = self._events[-1]
        if self._was_sent and state.events.get(last.event_id) == last:
            # An attempt of which nobody heard has stored them.
            return Plan([], [], state.head)
        planned = plan_recorded(self._events, state)
        self._was_sent = True
        return planned
