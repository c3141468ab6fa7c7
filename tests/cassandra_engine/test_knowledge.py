"""What a server that appends knows of a log, and the index rows that follow from it: the same however often, and by
whomever, they are made."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from indelible.engines.cassandra import knowledge as knowledge_module
from indelible.engines.cassandra.knowledge import Knowledge
from indelible.engines.cassandra.log_events import LogEvent, slot_of, together
from indelible.engines.cassandra.places import EMPTY, LogEnd
from indelible.engines.cassandra.session import Statement
from indelible.engines.engine import LogHead
from indelible.events import AggregateKey, new_event_id


def _events(names: Iterable[str], first: int = 1, versions: dict[str, int] | None = None) -> list[LogEvent]:
    versions = {} if versions is None else versions
    events = []
    for position, name in enumerate(names, first):
        versions[name] = versions.get(name, 0) + 1
        key = AggregateKey("Order", name)
        events.append(
            LogEvent(key, versions[name], position, 1_000 + position, new_event_id(), f"Type{position % 2}", [name])
        )
    return events


class _Tables:
    """Rows as Cassandra keeps them: of a key, those of the latest write time."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, ...], dict[str, Any]] = {}

    def write(self, statements: Iterable[Statement]) -> None:
        for name, values in statements:
            key = (name, *(str(values.get(part)) for part in _KEYS[name]))
            if key not in self.rows or self.rows[key]["written_at"] <= values["written_at"]:
                self.rows[key] = dict(values)

    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        return {
            (row["aggregate_type"], row["event_type"]): (row["count"], row["position"])
            for key, row in self.rows.items()
            if key[0] == "write_count"
        }


_KEYS = {
    "write_version": ("aggregate_type", "aggregate_id", "version"),
    "write_event_id": ("event_id",),
    "write_entry": ("name", "position"),
    "write_aggregate": ("aggregate_type", "aggregate_id"),
    "write_count": ("aggregate_type", "event_type"),
}


def _told(knowledge: Knowledge, events: Sequence[LogEvent]) -> list[Statement]:
    knowledge.learn(dict.fromkeys(knowledge.unknown(dict.fromkeys(event.key for event in events))))
    return [statement for _, statement in knowledge.add("log", events)]


def _all_at_once(events: Sequence[LogEvent]) -> _Tables:
    tables = _Tables()
    tables.write(_told(Knowledge(LogEnd(EMPTY), {}), events))
    return tables


@pytest.mark.parametrize("part", range(0, 100, 7))
def test_rows_are_the_same_whoever_makes_them_good(part: int):
    """One server dies when it has written a part of what a batch needs; another starts from what is there."""
    events = _events(["a", "b", "a", "c", "c", "d", "b", "e"])
    tables, dying = _Tables(), Knowledge(LogEnd(EMPTY), {})
    tables.write(_told(dying, events[:3]))
    tables.write(_told(dying, events[3:])[:part])
    other = Knowledge(LogEnd(LogHead(3, 1_003, b"")), tables.counts())
    known = {
        AggregateKey(row["aggregate_type"], row["aggregate_id"]): knowledge_module.AggregateRow(
            row["version"], row["position"], row["first_timestamp_us"], row["last_timestamp_us"]
        )
        for key, row in tables.rows.items()
        if key[0] == "write_aggregate"
    }
    other.learn(known)
    tables.write(_told(other, events[3:]))
    assert tables.rows == _all_at_once(events).rows


def test_events_that_are_told_again_change_nothing():
    """As where their rows could not be written; and rows of the index are the same by steps and all at once."""
    events = _events(["a", "b", "a", "c", "c", "d", "b", "e"])
    tables, knowledge = _Tables(), Knowledge(LogEnd(EMPTY), {})
    for first in range(0, 8, 3):
        step = events[first : first + 3]
        once = _told(knowledge, step)
        assert _told(knowledge, step) == once
        knowledge.end = LogEnd(LogHead(step[-1].position, 0, b""))
        tables.write(once)
    assert tables.rows == _all_at_once(events).rows
    assert [event.tags for event in knowledge.recent(0)] == [event.tags for event in events]


def test_rows_that_come_late_change_nothing():
    events = _events(["a", "b", "a", "a"])
    tables, knowledge = _Tables(), Knowledge(LogEnd(EMPTY), {})
    early = _told(knowledge, events[:2])
    tables.write(early)
    tables.write(_told(knowledge, events[2:]))
    whole = dict(tables.rows)
    tables.write(early)
    assert tables.rows == whole == _all_at_once(events).rows
    assert tables.counts() == {("Order", ""): (2, 2), ("Order", "Type1"): (2, 3), ("Order", "Type0"): (2, 4)}


def test_types_are_counted_without_aggregates():
    knowledge = Knowledge(LogEnd(EMPTY), {})
    _told(knowledge, _events(["a", "b", "a"]))
    assert knowledge.types == 2


def test_aggregates_not_used_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(knowledge_module, "CASSANDRA_AGGREGATES_KEPT_MAX", 2)
    knowledge = Knowledge(LogEnd(EMPTY), {})
    _told(knowledge, _events(["a", "b", "c"]))
    keys = [AggregateKey("Order", name) for name in "abc"]
    assert knowledge.versions(keys[:1]) == {keys[0]: 1}
    knowledge.forget_some()
    assert knowledge.unknown(keys) == [keys[1]]


def test_recent_events_for_conditions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(knowledge_module, "CONDITION_TAIL_EVENTS_MAX", 4)
    knowledge = Knowledge(LogEnd(LogHead(10, 0, b"")), {})
    assert knowledge.not_remembered(8) == (9, 10)
    assert knowledge.not_remembered(2) == (7, 10)
    _told(knowledge, _events(["a", "b"], 11))
    knowledge.end = LogEnd(LogHead(12, 0, b""))
    assert [event.tags for event in knowledge.recent(0)] == [["a"], ["b"]]
    assert knowledge.not_remembered(10) == (11, 10)
    assert knowledge.not_remembered(9) == (10, 10)
    knowledge.recall([knowledge_module.RecentEvent("T", "Order", ["before"])])
    assert [event.tags for event in knowledge.recent(9)] == [["before"], ["a"], ["b"]]
    assert [event.tags for event in knowledge.recent(11)] == [["b"]]
    assert knowledge.recent(12) == knowledge.recent(99) == []
    _told(knowledge, _events("cde", 13))
    knowledge.end = LogEnd(LogHead(15, 0, b""))
    assert [event.tags for event in knowledge.recent(0)] == [["b"], ["c"], ["d"], ["e"]]


def test_ids_of_one_moment_share_a_slot():
    """And others are spread, whatever they look like."""
    ids = [new_event_id() for _ in range(200)]
    assert len({slot_of(one) for one in ids}) <= 2
    assert len({slot_of(uuid4()) for _ in range(200)}) > 190
    assert len({slot_of(UUID(int=number)) for number in range(200)}) > 190
    assert all(slot_of(one) < 2**36 for one in ids)


def test_rows_of_one_partition_are_written_together():
    rows = [(("versions", name), ("write_version", {"n": number})) for name, count in _SIZES for number in range(count)]
    parts = [[values["n"] for _, values in part] for part in together(rows)]
    assert sorted(map(len, parts)) == [1, 4, 10, 12, 500]
    assert list(range(4)) in parts
    assert sum(map(len, parts)) == len(rows)


_SIZES = [("few", 3), ("some", 4), ("many", 501), *((f"one{number}", 1) for number in range(19))]
