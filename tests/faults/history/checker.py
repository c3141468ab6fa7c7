"""Says whether a history can be true of a store that keeps its promises, and names what cannot.

The store is one log, so its state at any moment is a head: the events up to some position. Every answer says something
about the head at which its request took effect: at least ``seen``, because of an event that it shows or goes by, and at
most ``room``, because of an event that it does not. A store is strictly serializable if such heads can be chosen within
each request's time and never go back. So, with the order of the log given, it is enough that

- no request that began after another's end has less room than the other has seen (the *floor*), and
- no request has seen an event whose append began after the request's end (the *ceiling*).

The rest compares each answer with the log.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate

from faults.history.answers import Answers, Span, WrongAnswerError
from faults.history.groups import groups_of, owners_of
from faults.history.log import Log, check_log
from faults.history.model import Acknowledged, Append, FeedSeen, History, Operation, ReadFeed
from faults.history.report import Report, named
from faults.history.stored import StoredAppends
from faults.history.violations import Rule, Violation


def check(history: History) -> list[Violation]:
    """What is wrong with a history; nothing, it is hoped. One fault may break several rules."""
    return _Checker(history).run()


class _Timeline:
    """What was certainly stored, and what can have been, at any moment."""

    def __init__(self, start: int, begun_ns: dict[int, int]) -> None:
        self._start = start
        self._positions = sorted(begun_ns)
        self._begun_ns = list(accumulate((begun_ns[position] for position in self._positions), max))
        self._known_ns: list[int] = []
        self._known: list[int] = []

    def know(self, proofs: Iterable[tuple[int, int]]) -> None:
        """Take proofs: at this time, the event at this position was stored."""
        ordered = sorted(proofs)
        self._known_ns = [at_ns for at_ns, _ in ordered]
        self._known = list(accumulate((position for _, position in ordered), max))

    def floor(self, at_ns: int) -> int:
        """The highest position that was known before."""
        count = bisect_left(self._known_ns, at_ns)
        return self._known[count - 1] if count else self._start

    def ceiling(self, at_ns: int) -> int:
        """The highest position up to which every event's append had begun by then."""
        count = bisect_right(self._begun_ns, at_ns)
        return self._positions[count - 1] if count else self._start


class _Checker:
    def __init__(self, history: History) -> None:
        self._history = history
        self._report = Report(min((operation.invoked_ns for operation in history.operations), default=0))
        self._log = Log(history.log, history.start)
        groups = groups_of(history.operations)
        self._owners = owners_of(groups)
        self._stored = StoredAppends(self._log, groups, self._owners, self._report)
        self._answers = Answers(self._log, groups, self._owners)

    def run(self) -> list[Violation]:
        self._stored.check()
        self._check_order()
        for follower in sorted(self._history.followers):
            self._check_follower(follower)
        return [*check_log(self._history.log, self._history.start), *self._report.violations]

    def _check_order(self) -> None:
        begun_ns = {
            event.position: owner.begun_ns if (owner := self._owners.get(event.event_id)) else 0
            for event in self._history.log
        }
        timeline = _Timeline(self._history.start, begun_ns)
        spans = [(operation, span) for operation in self._history.operations if (span := self._span(operation))]
        spans = [pair for pair in spans if self._is_under_ceiling(*pair, timeline)]
        timeline.know((operation.completed_ns, span.seen) for operation, span in spans)
        for operation, span in spans:
            floor = timeline.floor(operation.invoked_ns)
            if floor > span.room:
                rule = _rule_of_order(operation, Rule.STALE_READ)
                text = f"position {floor} was known before, but the answer is of {span.room} at most"
                self._report.say(rule, text, operation)
        for event in self._history.log:
            floor = timeline.floor(begun_ns[event.position])
            if floor >= event.position:
                owner = self._owners[event.event_id]
                text = f"{named(event)} stands below {floor}, which was known before"
                self._report.say(Rule.OUT_OF_ORDER, text, owner.storers[0])

    def _span(self, operation: Operation) -> Span | None:
        try:
            return self._answers.span(operation)
        except WrongAnswerError as wrong:
            self._report.say(wrong.rule, wrong.text, operation)
            return None

    def _is_under_ceiling(self, operation: Operation, span: Span, timeline: _Timeline) -> bool:
        # An event that stands below an acknowledged one and began after it is found from its own side.
        if isinstance(operation.outcome, Acknowledged):
            return True
        ceiling = timeline.ceiling(operation.completed_ns)
        if span.seen > ceiling:
            rule = _rule_of_order(operation, Rule.FUTURE_READ)
            self._report.say(rule, f"knows of position {span.seen}, but only {ceiling} had been sent", operation)
        return span.seen <= ceiling

    def _check_follower(self, follower: str) -> None:
        """Each page goes on where the one before it ended, from the start to the end; what is within the pages is
        checked like any other page."""
        cursor = self._history.start
        for operation in self._pages_of(follower):
            assert isinstance(operation.request, ReadFeed)
            if operation.request.after != cursor:
                text = f"the page before it ended at {cursor}, this one begins after {operation.request.after}"
                self._report.say(Rule.SKIPPED_EVENT, text, operation)
            if isinstance(operation.outcome, FeedSeen):
                cursor = operation.outcome.cursor
        if cursor != self._log.end:
            self._report.say(Rule.SKIPPED_EVENT, f"{follower} came to {cursor}, but the log ends at {self._log.end}")

    def _pages_of(self, client: str) -> list[Operation]:
        pages = [
            operation
            for operation in self._history.operations
            if operation.client == client and isinstance(operation.request, ReadFeed)
        ]
        return sorted(pages, key=lambda operation: operation.invoked_ns)


def _rule_of_order(operation: Operation, rule: Rule) -> Rule:
    return Rule.FALSE_CONFLICT if isinstance(operation.request, Append) else rule
