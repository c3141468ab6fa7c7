"""Collects violations, with the operation that shows each."""

from collections import defaultdict
from collections.abc import Iterator

from faults.history.model import Append, LoggedEvent, Operation
from faults.history.violations import Rule, Violation


class Report:
    """``origin_ns`` is what the messages count time from."""

    def __init__(self, origin_ns: int) -> None:
        self._origin_ns = origin_ns
        self.violations: list[Violation] = []

    def say(self, rule: Rule, message: str, operation: Operation | None = None) -> None:
        self.violations.append(Violation(rule, self._describe(operation) + message))

    def _describe(self, operation: Operation | None) -> str:
        if operation is None:
            return ""
        from_s = (operation.invoked_ns - self._origin_ns) / 1e9
        to_s = (operation.completed_ns - self._origin_ns) / 1e9
        return f"{operation.client}, {from_s:.6f} to {to_s:.6f} s, {_shown(operation)}: "


def named(event: LoggedEvent) -> str:
    return f"the event {event.event_id} at position {event.position}, {event.key.stream} {event.version}"


def _shown(operation: Operation) -> str:
    """The request and its answer, in short."""
    match operation.request:
        case Append(parts):
            request = "append " + ", ".join(
                f"{len(part.events)} to {part.key.stream} at {part.expected_version}" for part in parts
            )
        case other:
            request = str(other)
    outcome = str(operation.outcome)
    return f"{request} -> {outcome if len(outcome) < 200 else outcome[:200] + '…'}"


def shown(violations: list[Violation], most: int = 20) -> Iterator[str]:
    """For a person: the first of each rule come first."""
    seen: defaultdict[Rule, int] = defaultdict(int)
    ordered = []
    for violation in violations:
        ordered.append((seen[violation.rule], violation))
        seen[violation.rule] += 1
    ordered.sort(key=lambda pair: pair[0])
    yield from (str(violation) for _, violation in ordered[:most])
