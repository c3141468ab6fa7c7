"""What is to be written: what it touches, what it comes to once that is known, and what is said where nobody knows.
Pure."""

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Final, Protocol
from uuid import UUID

from indelible.engines.engine import AppendOutcome
from indelible.engines.planner import Plan, StoredState, plan, plan_recorded, unseen_after
from indelible.errors import IndelibleError, OutcomeUnknown
from indelible.events import AggregateKey, RecordedEvent
from indelible.eventstore import AppendRequest
from indelible.limits import VERSION_MAX


class Write(Protocol):
    @property
    def keys(self) -> Collection[AggregateKey]: ...

    @property
    def event_ids(self) -> Collection[UUID]: ...

    @property
    def unseen_after(self) -> int:
        """Conditions have not been held against the events after this position; ``VERSION_MAX``: there are none."""
        ...

    def decide(self, state: StoredState, now_us: int) -> Plan: ...

    def unknown(self, planned: Plan, error: IndelibleError) -> Plan:
        """What is said of a write that may be stored, as ``planned``, or not, because of ``error``. Raises
        :class:`OutcomeUnknown` where there is no request to say it to."""
        ...


class Batch:
    """Requests of which each has its own outcome."""

    def __init__(self, requests: Sequence[AppendRequest]) -> None:
        self._requests: Final = requests
        appends = [append for request in requests for append in request.appends]
        self.keys: Final = list(dict.fromkeys(append.key for append in appends))
        self.event_ids: Final = {event.event_id for append in appends for event in append.events}
        self.unseen_after: Final = unseen_after(requests, VERSION_MAX)

    def decide(self, state: StoredState, now_us: int) -> Plan:
        return plan(self._requests, state, now_us)

    def unknown(self, planned: Plan, error: IndelibleError) -> Plan:
        # What was refused was refused on a state that nobody knows to have been the log's.
        outcomes: list[AppendOutcome] = [OutcomeUnknown(_unknown(error)) for _ in planned.outcomes]
        return Plan(outcomes, [], planned.head)


class Recorded:
    """Events that are stored as they are, or refused."""

    unseen_after: Final = VERSION_MAX

    def __init__(self, events: Sequence[RecordedEvent]) -> None:
        self._events: Final = events

    @cached_property
    def keys(self) -> list[AggregateKey]:
        return list(dict.fromkeys(event.key for event in self._events))

    @cached_property
    def event_ids(self) -> set[UUID]:
        return {event.event_id for event in self._events}

    def decide(self, state: StoredState, now_us: int) -> Plan:  # noqa: ARG002 - the events have their times
        return plan_recorded(self._events, state)

    def unknown(self, planned: Plan, error: IndelibleError) -> Plan:  # noqa: ARG002 - there is no outcome
        raise OutcomeUnknown(_unknown(error)) from error


def _unknown(error: IndelibleError) -> str:
    return f"{error.message.partition(';')[0]}; append again with the same event ids to learn the outcome"
