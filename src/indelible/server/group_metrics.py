"""What the server counts of consumer groups, and what it tells of them when metrics are asked for."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from indelible.diagnostics import GroupMeasure
from indelible.groups import GroupInfo
from indelible.limits import GROUPS_MAX

_COUNTERS: Final = (
    ("acks", "indelible_group_acks", "Deliveries that were acknowledged."),
    ("nacks", "indelible_group_nacks", "Deliveries that were refused."),
    ("timeouts", "indelible_group_timeouts", "Deliveries that were not acknowledged in time."),
    ("parked", "indelible_group_given_up", "Events that were parked, those that follow them aside."),
    ("damage", "indelible_group_corrupted", "Events that were parked because the store cannot read them."),
)
_GAUGES: Final = (
    ("lag", "indelible_group_lag", "Positions from the checkpoint to the head."),
    ("in_flight", "indelible_group_in_flight", "Events that are with members."),
    ("waiting", "indelible_group_waiting", "Aggregates with an event that was read and is to be delivered."),
    ("parked", "indelible_group_parked", "Events that are parked, those that follow them included."),
    ("parked_aggregates", "indelible_group_parked_aggregates", "Aggregates with a parked event."),
    ("unreadable", "indelible_group_unreadable", "Parked aggregates whose event the store cannot read."),
    ("is_stalled", "indelible_group_stalled", "1 while nothing more is delivered for what is parked, else 0."),
)


class GroupCounts:
    """What this process did for each group since it started."""

    def __init__(self, groups_max: int = GROUPS_MAX) -> None:
        self._groups_max: Final = groups_max
        self._of_group: Final[dict[str, Counter[str]]] = {}
        """The one that something happened to last stands last."""

    def add(self, group: str, measure: GroupMeasure) -> None:
        counted = self._of_group.pop(group, None) or Counter[str]()
        for name in GroupMeasure.__struct_fields__:
            value = getattr(measure, name)
            # A delivery that reached nobody is taken back, and a counter must never fall.
            counted[name] += len(value) if isinstance(value, list) else max(value, 0)
        self._of_group[group] = counted
        if len(self._of_group) > self._groups_max:
            # Where there are more than a store can hold, some are deleted, and nothing happens to those.
            del self._of_group[next(iter(self._of_group))]

    def collect(self) -> Iterator[Metric]:
        deliveries = CounterMetricFamily(
            "indelible_group_deliveries",
            "Events handed to members: for the first time, or again.",
            labels=("group", "attempt"),
        )
        for group, counted in self._of_group.items():
            deliveries.add_metric((group, "first"), counted["deliveries"] - counted["redeliveries"])
            deliveries.add_metric((group, "again"), counted["redeliveries"])
        yield deliveries
        for field, name, documentation in _COUNTERS:
            family = CounterMetricFamily(name, documentation, labels=("group",))
            for group, counted in self._of_group.items():
                family.add_metric((group,), counted[field])
            yield family


def group_gauges(groups: Iterable[GroupInfo]) -> Iterator[Metric]:
    """How far each group has come. The store says so, hence every server and worker says the same."""
    for field, name, documentation in _GAUGES:
        family = GaugeMetricFamily(name, documentation, labels=("group",))
        for info in groups:
            family.add_metric((info.group,), float(getattr(info, field)))
        yield family
