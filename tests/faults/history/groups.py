"""All attempts to append the same events, and which of them stored the events, if any did."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from faults.history.model import Acknowledged, Append, Operation, Unexpected, Unknown


class Group:
    """All attempts to append the same events."""

    FIRST, MAYBE, REPLAYED, REFUSED = range(4)

    def __init__(self, attempts: list[Operation]) -> None:
        kinds: list[list[Operation]] = [[], [], [], []]
        for attempt in attempts:
            kinds[_kind(attempt)].append(attempt)
        self.firsts: Final = kinds[self.FIRST]
        self.kind: Final = next(kind for kind, found in enumerate(kinds) if found)
        """The best proof that the events may be stored."""
        self.storers: Final = kinds[self.kind]
        """One of these stored the events, if any did."""
        self.request: Final = append_of(self.storers[0])
        self.begun_ns: Final = min(attempt.invoked_ns for attempt in self.storers)


def append_of(operation: Operation) -> Append:
    assert isinstance(operation.request, Append)
    return operation.request


def _kind(attempt: Operation) -> int:
    match attempt.outcome:
        case Acknowledged(replayed=replayed):
            return Group.REPLAYED if replayed else Group.FIRST
        case Unknown() | Unexpected():
            return Group.MAYBE
    return Group.REFUSED


def groups_of(operations: Iterable[Operation]) -> dict[tuple[UUID, ...], Group]:
    attempts: defaultdict[tuple[UUID, ...], list[Operation]] = defaultdict(list)
    for operation in operations:
        if isinstance(operation.request, Append):
            attempts[operation.request.ids].append(operation)
    return {ids: Group(found) for ids, found in attempts.items()}


def owners_of(groups: dict[tuple[UUID, ...], Group]) -> dict[UUID, Group]:
    """By event id, the group that most probably stored the event."""
    owners: dict[UUID, Group] = {}
    for ids, group in groups.items():
        for event_id in ids:
            other = owners.get(event_id)
            if other is None or (group.kind, group.begun_ns) < (other.kind, other.begun_ns):
                owners[event_id] = group
    return owners
