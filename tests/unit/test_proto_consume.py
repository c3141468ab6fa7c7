"""What a member says on its stream, and hears."""

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from indelible import NewEvent
from indelible.core.open import open_local_store
from indelible.errors import InvalidRequest
from indelible.groups import Delivery, Settled
from indelible.limits import GROUP_SETTLE_MAX
from indelible.operations.deliveries import PULL, Nack
from indelible.server.grpc.consume import are_alike, decode_settlement
from indelible.wire.operation_proto import decode_answer, encode_any_answer
from indelible.wire.pb import groups_pb2 as pb
from indelible.wire.proto_events import encode_consumed, encode_deliveries

THEN = datetime(2026, 11, 26, 7, 8, 9, 123456, tzinfo=UTC)
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


def some_deliveries() -> tuple[Delivery, ...]:
    return tuple(Delivery(f"{i}-9", i, THEN, msgspec.Raw(line)) for i, line in enumerate(some_lines(), start=1))


def test_deliveries_come_back_byte_for_byte():
    sent = some_deliveries()
    pulled = decode_answer(PULL, pb.PullResponse.FromString(encode_deliveries(sent)))
    assert [bytes(one.line) for one in pulled] == [bytes(one.line) for one in sent]
    assert [one.delivery_id for one in pulled] == [one.delivery_id for one in sent]
    consumed = pb.ConsumeResponse.FromString(encode_consumed(sent, [LOST, Settled(1)]))
    assert [(one.settled, tuple(one.lost)) for one in consumed.settled] == [(2, LOST.lost), (1, ())]
    assert consumed.deliveries[0].event.event_data == '{"total":1.0,"ü":"é"}'.encode()
    assert encode_consumed([], []) == b""


def test_the_fast_way_to_encode_deliveries_says_what_the_general_one_says():
    sent = some_deliveries()
    general, fast = encode_any_answer(PULL, sent), encode_deliveries(sent)
    assert pb.PullResponse.FromString(general) == pb.PullResponse.FromString(fast)


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
        decode_settlement("g", message)
    assert caught.value.fields["pointer"] == pointer


def test_settlements_that_one_call_can_do():
    ack = decode_settlement("g", pb.ConsumeRequest(ack=pb.ConsumeAck(delivery_ids=["1-1"])))
    again = decode_settlement("g", pb.ConsumeRequest(ack=pb.ConsumeAck(delivery_ids=["2-1", "3-1"])))
    nack = decode_settlement("g", pb.ConsumeRequest(nack=pb.ConsumeNack(delivery_ids=["1-1"])))
    park = decode_settlement("g", pb.ConsumeRequest(nack=pb.ConsumeNack(delivery_ids=["1-1"], park=True)))
    assert are_alike(ack, again)
    assert not are_alike(ack, nack)
    assert not are_alike(nack, park)
    assert park == Nack("g", ("1-1",), park=True)
