"""The check of a group's deliveries finds what it is for."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from faults.group_check import Deliveries, check_held_up, check_one_at_a_time, check_order, latest_redelivery_s
from faults.group_member import Got, Heard, Record, Said
from indelible import AsyncClient, NewEvent, RecordedEvent

TIMEOUT_S = 5.0


@pytest.fixture
async def log(event_store: AsyncClient) -> Sequence[RecordedEvent]:
    """Three events of one aggregate."""
    await event_store.append("order", "1", [NewEvent("Counted", n) for n in range(3)])
    return (await event_store.read_feed()).events


def _got(event: RecordedEvent, at: float, number: int) -> Got:
    deadline = datetime.fromtimestamp(at + TIMEOUT_S, UTC)
    return Got(at, f"{event.position}-{number}", event.position, event.aggregate_id, event.version, 1, deadline)


def _acked(got: Got, at: float) -> list[Record]:
    return [got, Said(at, got.delivery_id, True), Heard(at + 0.1, got.delivery_id, True, False)]


def test_a_good_run(log: Sequence[RecordedEvent]) -> None:
    records = [record for n, event in enumerate(log) for record in _acked(_got(event, 10.0 * n, n), 10.0 * n + 1)]
    deliveries = Deliveries(records)
    check_order(deliveries, log)
    check_one_at_a_time(deliveries)
    assert latest_redelivery_s(deliveries, TIMEOUT_S) == 0
    assert deliveries.stood_still_s(5.0, 10.0) == pytest.approx(10.0)


def test_what_nobody_acknowledged_is_found(log: Sequence[RecordedEvent]) -> None:
    records = [*_acked(_got(log[0], 0, 1), 1), _got(log[1], 2, 2)]
    with pytest.raises(AssertionError, match="nobody acknowledged position 2"):
        check_order(Deliveries(records), log)


def test_an_event_that_comes_too_soon_is_found(log: Sequence[RecordedEvent]) -> None:
    records = [*_acked(_got(log[0], 0, 1), 3), *_acked(_got(log[1], 2, 2), 4), *_acked(_got(log[2], 5, 3), 6)]
    with pytest.raises(AssertionError, match="position 2 came before 1 was done"):
        check_order(Deliveries(records), log)


def test_an_event_with_two_members_is_found(log: Sequence[RecordedEvent]) -> None:
    early = [_got(log[0], 0, 1), *_acked(_got(log[0], 4, 2), 5)]
    with pytest.raises(AssertionError):
        check_one_at_a_time(Deliveries(early))
    late = Deliveries([_got(log[0], 0, 1), *_acked(_got(log[0], 8, 2), 9)])
    check_one_at_a_time(late)
    assert latest_redelivery_s(late, TIMEOUT_S) == pytest.approx(3.0)


def test_an_event_behind_a_parked_one_is_found(log: Sequence[RecordedEvent]) -> None:
    check_held_up(Deliveries([_got(log[1], 0, 1)]), log[1:2], log)
    with pytest.raises(AssertionError, match="position 3 came behind a parked one"):
        check_held_up(Deliveries([_got(log[2], 0, 1)]), log[1:2], log)
