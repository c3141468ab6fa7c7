"""What consumers of a broker got, held against the log and against what a relay promises."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import msgspec

from indelible.events import RecordedEvent
from indelible.testing.conformance.sink_broker import Received, Seen, in_order, prefix_of, without_repeats
from relays.brokers import Kind

SHOWN_MAX = 5
"""Violations of one kind that are told one by one."""


class Repeats(msgspec.Struct, frozen=True):
    """Events that came again, one after another: one publication that had been made before."""

    first: int
    """Position."""
    count: int


class Checked(msgspec.Struct):
    received: int
    repeats: list[Repeats]
    epochs: list[int]
    """In the order in which they were seen first."""
    violations: list[str]


def check(
    received: Sequence[Received], log: Sequence[RecordedEvent], kind: Kind, *, repeats_at_once_max: int
) -> Checked:
    """``repeats_at_once_max``: so many events may come again together where the broker does not store them once."""
    seen, violations = [], list[str]()
    for one in received:
        try:
            seen.append(Seen.of(one))
        except AssertionError as error:
            violations.append(f"foreign: {error}")
    for found in (_unknown(seen, log), _missing(seen, log), _disorder(seen, kind), _epochs(seen, kind)):
        violations += found
    repeats = _repeats(seen)
    for some in repeats:
        if kind.remembers:
            violations.append(f"repeated: {some.count} events from position {some.first} on came again")
        elif some.count > repeats_at_once_max:
            violations.append(f"repeated: {some.count} events came again together from position {some.first} on")
    epochs = list(dict.fromkeys(one.epoch for one in seen))
    return Checked(len(received), repeats, epochs, list(shortened(violations)))


def _unknown(seen: Iterable[Seen], log: Sequence[RecordedEvent]) -> Iterator[str]:
    known = {str(event.event_id): event for event in log}
    for one in seen:
        event = known.get(one.event_id)
        if event is None:
            yield f"foreign: nobody appended event {one.event_id}"
        elif one.position != event.position:
            yield f"changed: position {event.position} came as {one.position}"
        elif prefix_of(one.received) is not None and one.received.data != event.event_data_bytes:
            yield f"changed: position {event.position} came with other data"
        elif one.replay is not None:
            yield f"changed: position {event.position} came as a replay"


def _missing(seen: Iterable[Seen], log: Sequence[RecordedEvent]) -> Iterator[str]:
    there = {one.event_id for one in seen}
    for event in log:
        if str(event.event_id) not in there:
            yield f"missing: position {event.position} did not come"


def _disorder(seen: Iterable[Seen], kind: Kind) -> Iterator[str]:
    """Each aggregate is in order, and all events where the broker has one order, once repeats are left out."""
    for group in in_order(without_repeats(seen), kind.order):
        for before, after in pairwise(group):
            if before.position > after.position:
                yield f"disorder: position {after.position} came behind {before.position}"


def _epochs(seen: Iterable[Seen], kind: Kind) -> Iterator[str]:
    if kind.fences:
        for group in _by_place(seen):
            for before, after in pairwise(group):
                if before.epoch > after.epoch:
                    yield f"stale: position {after.position} of epoch {after.epoch} came behind epoch {before.epoch}"


def _by_place(seen: Iterable[Seen]) -> list[list[Seen]]:
    places: defaultdict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        places[one.received.place].append(one)
    return list(places.values())


def _repeats(seen: Iterable[Seen]) -> list[Repeats]:
    """Of each place, in turn."""
    found: list[Repeats] = []
    for group in _by_place(seen):
        known: set[str] = set()
        run: list[Seen] = []
        for one in group:
            is_repeat = one.event_id in known
            if run and not (is_repeat and one.position > run[-1].position):
                found.append(Repeats(run[0].position, len(run)))
                run = []
            if is_repeat:
                run.append(one)
            known.add(one.event_id)
        if run:
            found.append(Repeats(run[0].position, len(run)))
    return found


def shortened(violations: Iterable[str]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for one in violations:
        kind = one.partition(":")[0]
        counts[kind] += 1
        if counts[kind] <= SHOWN_MAX:
            yield one
    for kind, count in counts.items():
        if count > SHOWN_MAX:
            yield f"{kind}: {count - SHOWN_MAX} more"
