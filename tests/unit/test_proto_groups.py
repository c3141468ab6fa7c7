"""Consumer groups as messages, and back."""

import asyncio
from datetime import UTC, datetime

import pytest

from indelible import NewEvent
from indelible.core.open import open_local_store
from indelible.errors import InvalidRequest
from indelible.groups import (
    Delivery,
    GroupInfo,
    GroupSettings,
    InFlight,
    ParkedEvent,
    ParkedList,
    Settled,
    SkippedEvent,
    SkippedList,
    StartPoint,
)
from indelible.limits import GROUP_SETTLE_MAX
from indelible.queries import Cursor, EventQuery, QueryItem
from indelible.wire import proto_group_requests as requests
from indelible.wire import proto_group_responses as responses
from indelible.wire.pb import groups_pb2 as pb
from indelible.wire.proto_requests import decode_items

THEN = datetime(2026, 11, 26, 7, 8, 9, 123456, tzinfo=UTC)
ITEMS = (QueryItem(event_types=("OrderPlaced",), tags=("a", "b")), QueryItem(aggregate_types=("order",)))
GROUP = GroupInfo("billing", ITEMS, 2.5, 3, 7, THEN, "41", 41, 9, 2, 1, 5, 4, 1, is_stalled=True)
LOST = Settled(2, ("5-7", "6-8"))


def some_lines() -> tuple[bytes, ...]:
    async def made() -> tuple[bytes, ...]:
        events = [
            NewEvent("OrderPlaced", {"total": 1.0, "ü": "é"}, tags=["b", "a"], metadata={"by": "me"}),
            NewEvent("ScanTaken", b"\x00\xff", content_type="image/png"),
        ]
        async with open_local_store("memory:") as store:
            await store.append("order", "o-1", events)
            page = await store.read_feed()
            return tuple(page.lines.split(b"\n"))

    return asyncio.run(made())


def test_a_group_comes_back_as_it_was():
    assert responses.decode_group(pb.GetGroupResponse.FromString(responses.encode_group(GROUP))) == GROUP
    assert responses.decode_group(pb.ResetGroupResponse.FromString(responses.encode_group(GROUP))) == GROUP
    created = pb.CreateGroupResponse.FromString(responses.encode_created_group(GROUP, is_new=True))
    assert (responses.decode_group(created), created.is_new) == (GROUP, True)
    listed = responses.encode_groups([GROUP, GROUP])
    assert responses.decode_groups(pb.ListGroupsResponse.FromString(listed)) == (GROUP, GROUP)


def test_deliveries_come_back_byte_for_byte():
    sent = tuple(Delivery(f"{i}-9", i, THEN, line) for i, line in enumerate(some_lines(), start=1))
    pulled = pb.PullResponse.FromString(responses.encode_deliveries(sent))
    assert responses.decode_deliveries(pulled) == sent
    consumed = pb.ConsumeResponse.FromString(responses.encode_consumed(sent, [LOST, Settled(1)]))
    assert responses.decode_deliveries(consumed) == sent
    assert [responses.decode_settled(one) for one in consumed.settled] == [LOST, Settled(1)]
    assert consumed.deliveries[0].event.event_data == '{"total":1.0,"ü":"é"}'.encode()
    assert responses.encode_consumed([], []) == b""


def test_lists_come_back_as_they_were():
    in_flight = (InFlight(3, "order", "o-1", 1, 2, "billing-1", THEN),)
    encoded = responses.encode_in_flight(in_flight)
    assert responses.decode_in_flight(pb.ListInFlightResponse.FromString(encoded)) == in_flight
    parked = ParkedList((ParkedEvent(3, "order", "o-1", 1, 5, "no such account", THEN, 2),), "3", at_end=False)
    assert responses.decode_parked(pb.ListParkedResponse.FromString(responses.encode_parked(parked))) == parked
    skipped = SkippedList((SkippedEvent(3, "order", "o-1", 1, 5, "no account", "a test", THEN),), "3", at_end=True)
    assert responses.decode_skipped(pb.ListSkippedResponse.FromString(responses.encode_skipped(skipped))) == skipped


@pytest.mark.parametrize("start", [{"start": "beginning"}, {"start": "end"}, {"after": Cursor.at(7)}, {"since": THEN}])
def test_a_start_point_comes_over_as_what_it_is(start: dict[str, object]):
    point = StartPoint(**start).checked()
    assert requests.decode_start_point(requests.create_message("g", GroupSettings(), point)) == start
    assert requests.decode_start_point(requests.reset_message("g", point)) == start


def test_what_is_not_set_is_not_said():
    assert requests.decode_start_point(pb.CreateGroupRequest()) == {}
    assert requests.decode_settings(pb.ChangeGroupRequest(max_attempts=0)) == {"max_attempts": 0}
    settings = GroupSettings(ITEMS, 2.5, 3, 7)
    message = requests.create_message("g", settings, StartPoint())
    query = EventQuery(decode_items(message.items))
    assert GroupSettings(query.items, **requests.decode_settings(message)) == settings


TOO_MANY = [f"{i}-1" for i in range(GROUP_SETTLE_MAX + 1)]
WRONG: list[tuple[pb.ConsumeRequest, str]] = [
    (pb.ConsumeRequest(), ""),
    (pb.ConsumeRequest(start=pb.ConsumeStart(group="g")), "/start"),
    (pb.ConsumeRequest(ack=pb.ConsumeAck()), "/ack/delivery_ids"),
    (pb.ConsumeRequest(ack=pb.ConsumeAck(delivery_ids=TOO_MANY)), "/ack/delivery_ids"),
    (pb.ConsumeRequest(ack=pb.ConsumeAck(delivery_ids=["1-1", "x"])), "/ack/delivery_ids/1"),
    (pb.ConsumeRequest(nack=pb.ConsumeNack(delivery_ids=["1-1"], delay_s=-1)), "/nack/delay_s"),
    (pb.ConsumeRequest(nack=pb.ConsumeNack(delivery_ids=["1-1"], reason="\0")), "/nack/reason"),
    (pb.ConsumeRequest(extend=pb.ConsumeExtend(delivery_ids=["1-1"], ack_timeout_s=0)), "/extend/ack_timeout_s"),
]


@pytest.mark.parametrize(("message", "pointer"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_settlement_that_is_wrong(message: pb.ConsumeRequest, pointer: str):
    with pytest.raises(InvalidRequest) as caught:
        requests.decode_settlement(message)
    assert caught.value.fields["pointer"] == pointer


def test_settlements_that_one_call_can_do():
    ack = requests.decode_settlement(pb.ConsumeRequest(ack=pb.ConsumeAck(delivery_ids=["1-1"])))
    again = requests.decode_settlement(pb.ConsumeRequest(ack=pb.ConsumeAck(delivery_ids=["2-1", "3-1"])))
    nack = requests.decode_settlement(pb.ConsumeRequest(nack=pb.ConsumeNack(delivery_ids=["1-1"])))
    park = requests.decode_settlement(pb.ConsumeRequest(nack=pb.ConsumeNack(delivery_ids=["1-1"], park=True)))
    assert ack.is_like(again)
    assert not ack.is_like(nack)
    assert not nack.is_like(park)
    assert park == ("nack", {"delay_s": 0.0, "reason": "", "park": True, "untried": False}, ("1-1",))


def test_positions_or_all():
    assert requests.decode_positions(pb.ReplayParkedRequest(positions=[2, 1])) == (2, 1)
    assert requests.decode_positions(pb.ReplayParkedRequest(all=True)) is None
    with pytest.raises(InvalidRequest) as caught:
        requests.decode_positions(pb.ReplayParkedRequest(all=True, positions=[1]))
    assert caught.value.fields["pointer"] == "/all"
