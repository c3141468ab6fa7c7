"""What the members of a consumer group wrote down, held against what a group promises."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from faults.group_member import Got, Heard, Record, Said
from indelible.events import RecordedEvent

EARLY_S = 0.05
"""Two processes do not read the clock at the same moment."""


class Delivered(msgspec.Struct):
    """One delivery, and what became of it."""

    got: Got
    said: Said | None = None
    """The first time."""
    heard: Heard | None = None

    @property
    def deadline(self) -> float:
        return self.got.deadline.timestamp()

    @property
    def is_late(self) -> bool:
        return self.said is not None and self.said.is_ack and self.said.at > self.deadline

    def is_unheard(self, ack_timeout_s: float) -> bool:
        """Whether it was acknowledged well in time, and lost."""
        in_time = self.said is not None and self.said.is_ack and self.said.at < self.deadline - ack_timeout_s / 2
        return in_time and self.is_lost

    @property
    def is_lost(self) -> bool:
        return self.heard is not None and self.heard.is_lost


class Deliveries:
    """Of one run, all members together."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.by_id: dict[str, Delivered] = {}
        for record in records:
            if isinstance(record, Got):
                assert record.delivery_id not in self.by_id, f"{record} was delivered twice"
                self.by_id[record.delivery_id] = Delivered(record)
                continue
            delivered = self.by_id[record.delivery_id]
            if isinstance(record, Heard):
                delivered.heard = delivered.heard or record
            else:
                delivered.said = delivered.said or record
        self.of_event: defaultdict[int, list[Delivered]] = defaultdict(list)
        # The member that hung took note of a delivery when it went on, long after the next had been.
        for delivered in sorted(self.by_id.values(), key=lambda one: one.deadline):
            self.of_event[delivered.got.position].append(delivered)

    def acked_at(self, position: int) -> float | None:
        """When an event was first acknowledged, by those who did."""
        return min((one.said.at for one in self.of_event[position] if one.said and one.said.is_ack), default=None)

    def settled_times(self) -> list[float]:
        heard = (one.heard for one in self.by_id.values())
        return sorted(one.at for one in heard if one is not None and one.is_ack and not one.is_lost)

    def stood_still_s(self, after: float, within_s: float) -> float:
        """The longest time without an acknowledgement that began or ended soon after a moment."""
        pairs = pairwise(self.settled_times())
        return max((end - start for start, end in pairs if end > after and start < after + within_s), default=0.0)


def check_order(deliveries: Deliveries, log: Sequence[RecordedEvent]) -> None:
    """Every event was acknowledged, and none delivered before the one before it in its aggregate had been."""
    before: dict[str, RecordedEvent] = {}
    for event in log:
        acked_at = deliveries.acked_at(event.position)
        assert acked_at is not None, f"nobody acknowledged position {event.position}"
        assert all(one.got.version == event.version for one in deliveries.of_event[event.position])
        last = before.get(event.aggregate_id)
        if last is not None:
            last_acked_at = deliveries.acked_at(last.position)
            first_got_at = min(one.got.at for one in deliveries.of_event[event.position])
            assert last_acked_at is not None
            assert first_got_at >= last_acked_at, f"position {event.position} came before {last.position} was done"
        before[event.aggregate_id] = event


def check_one_at_a_time(deliveries: Deliveries) -> None:
    """An event goes to another member only when the one that had it refused it, or its time was over."""
    for many in deliveries.of_event.values():
        for one, following in pairwise(many):
            was_refused = one.said is not None and not one.said.is_ack and following.got.at >= one.said.at
            assert was_refused or following.got.at >= one.deadline - EARLY_S, (one, following)


def latest_redelivery_s(deliveries: Deliveries, ack_timeout_s: float) -> float:
    """How long after its deadline, at most, an event whose member was silent went to another."""
    # Not by when that noted it: it may have been the one that hung.
    late_s = [
        following.deadline - ack_timeout_s - one.deadline
        for many in deliveries.of_event.values()
        for one, following in pairwise(many)
        if one.said is None or one.said.at > one.deadline
    ]
    return max(late_s, default=0.0)


def check_held_up(deliveries: Deliveries, poisoned: Iterable[RecordedEvent], log: Sequence[RecordedEvent]) -> None:
    """While events are poisoned, nothing that follows them in their aggregates is delivered; called before the cure."""
    versions = {event.aggregate_id: event.version for event in poisoned}
    for event in log:
        if event.version > versions.get(event.aggregate_id, event.version):
            assert not deliveries.of_event.get(event.position), f"position {event.position} came behind a parked one"
