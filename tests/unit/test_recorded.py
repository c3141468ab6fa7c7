"""What the planner plans, another log takes as it is; the conformance suite puts every refusal to every engine."""

from datetime import datetime

import msgspec
import pytest

from indelible.engines.engine import LogHead
from indelible.engines.planner import Plan, StoredState, plan, plan_recorded, plan_recorded_in_parts
from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.events import (
    HASH_BEFORE_FIRST,
    AggregateKey,
    NewEvent,
    RecordedEvent,
    decode_event,
    format_timestamp,
    hashed_line,
    unhashed_line,
)
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.limits import EVENT_SIZE_BYTES_MAX

KEY = AggregateKey("Order", "1")
STATE = StoredState(LogHead(7, 1_000, bytes(range(32))), {KEY: 3}, {}, {})


def planned(*events: NewEvent, state: StoredState = STATE, now_us: int = 2_000) -> Plan:
    return plan([AppendRequest((AggregateAppend(KEY, events),))], state, now_us)


def recorded(plan: Plan) -> list[RecordedEvent]:
    return [
        decode_event(
            hashed_line(
                unhashed_line(one.event, one.key, one.version, one.position, format_timestamp(one.timestamp_us)),
                one.hash,
            )
        )
        for one in plan.events
    ]


def test_planned_events_are_planned_the_same_again() -> None:
    first = planned(NewEvent("A", {"n": 1}, tags=["b", "a"]), NewEvent("B", b"\xff", metadata={"by": "é"}))
    later = plan([AppendRequest((AggregateAppend(KEY, (NewEvent("C"),)),))], _after(first), 3_000)
    again = plan_recorded([*recorded(first), *recorded(later)], STATE)
    assert again == Plan([], [*first.events, *later.events], later.head)
    assert [event.timestamp_us for event in again.events] == [2_000, 2_000, 3_000]
    parts = list(plan_recorded_in_parts([*recorded(first), *recorded(later)], STATE, 2))
    assert parts == [Plan([], first.events, first.head), Plan([], later.events, later.head)]


def _after(plan: Plan) -> StoredState:
    return StoredState(plan.head, {KEY: plan.events[-1].version}, {}, {})


def test_nothing_leaves_the_head() -> None:
    assert plan_recorded([], STATE) == Plan([], [], STATE.head)


def test_first_event_of_a_log() -> None:
    empty = StoredState(LogHead(0, 0, HASH_BEFORE_FIRST), {}, {}, {})
    first = planned(NewEvent("A"), state=empty)
    assert plan_recorded(recorded(first), empty) == Plan([], first.events, first.head)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"timestamp": datetime(2026, 1, 1)}, "timestamp"),  # noqa: DTZ001 - the fault that this test is about
        ({"content_type": "image/png", "event_data_base64": "A"}, "event_data"),
        ({"content_type": "image/png", "event_data_base64": "/w=", "event_data_raw": msgspec.Raw(b"")}, "event_data"),
        ({"content_type": "image/png"}, "hash"),
        ({"event_data_raw": msgspec.Raw(b"")}, "event_data"),
        ({"event_data_raw": msgspec.Raw(b"nul")}, "event_data"),
        ({"metadata_raw": msgspec.Raw(b'{"\xff":1}')}, "event_data"),
        ({"hash": "A" * 64}, "hash"),
        ({"hash": ""}, "hash"),
    ],
)
def test_what_cannot_be_told_from_a_line_is_refused(changes: dict[str, object], field: str) -> None:
    event = msgspec.structs.replace(recorded(planned(NewEvent("A", 1)))[0], **changes)
    with pytest.raises(InvalidRequest) as caught:
        plan_recorded([event], STATE)
    assert (caught.value.pointer, caught.value.fields["position"]) == (f"/events/0/{field}", 8)


def test_an_event_that_is_too_large_is_refused_as_such() -> None:
    event = recorded(planned(NewEvent("A", 1)))[0]
    large = msgspec.structs.replace(event, event_data_raw=msgspec.Raw(b'"%b"' % (b"x" * EVENT_SIZE_BYTES_MAX)))
    with pytest.raises(PayloadTooLarge) as caught:
        plan_recorded([large], STATE)
    assert caught.value.fields["size_bytes_max"] == EVENT_SIZE_BYTES_MAX
