"""Consume: deliveries and acknowledgements on one stream, and what becomes of them when it breaks."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from indelible.limits import GROUP_SETTLE_MAX, GRPC_UNANSWERED_IDS_MAX
from indelible.wire.pb import event_store_pb2 as store_pb
from indelible.wire.pb import groups_pb2 as pb
from over_grpc.calls import Api, an_append, new_event, refusal
from over_grpc.groups import ACK_TIMEOUT_S, Group, Stream, ids, names

pytestmark = pytest.mark.usefixtures("patience")


@pytest.fixture
async def patience() -> AsyncIterator[None]:
    """Below the time that members have to acknowledge: what comes within it comes because it was given back."""
    async with asyncio.timeout(ACK_TIMEOUT_S / 4):
        yield


async def test_deliveries_come_and_are_acknowledged(api: Api) -> None:
    group = await Group.made(api)
    stream = await group.consume(member="me")
    await group.append("a", "a", "b")
    first = await stream.delivered(2)
    assert (sorted(names(first)), [one.attempt for one in first]) == (["a", "b"], [1, 1])
    assert {one.member for one in await group.in_flight()} == {"me"}
    await stream.ack(first)
    assert await stream.answered(1) == [pb.Settled(settled=2)]
    [second] = await stream.delivered(1)
    assert (names([second]), second.event.version) == (["a"], 2)
    await stream.ack([second])
    await stream.answered(1)
    assert (await group.info()).lag == 0
    stream.call.cancel()


async def test_no_more_are_in_flight_than_the_stream_allows(api: Api) -> None:
    group = await Group.made(api)
    await group.append(*"abcde")
    stream = await group.consume(max_in_flight=3)
    first = await stream.delivered(3)
    assert await stream.says_nothing(0.3)
    assert len(await group.in_flight()) == 3
    stream = await group.consume(max_in_flight=1)
    assert names(await stream.delivered(1)) == ["d"]
    assert await group.ack(first) == pb.Settled(settled=3)


async def test_room_is_made_by_acknowledging_and_by_refusing(api: Api) -> None:
    group = await Group.made(api)
    await group.append(*"abcd")
    stream = await group.consume(max_in_flight=1)
    seen = []
    for _ in range(2):
        seen += await stream.delivered(1)
        await stream.ack(seen[-1:])
    seen += await stream.delivered(1)
    await stream.nack(seen[-1:], delay_s=60)
    seen += await stream.delivered(1)
    assert names(seen) == ["a", "b", "c", "d"]
    assert await stream.answered(3) == [pb.Settled(settled=1)] * 3


async def test_each_message_has_its_answer_in_order(api: Api) -> None:
    group = await Group.made(api)
    await group.append(*"abcdef")
    stream = await group.consume()
    a, b, c, d, e, f = await stream.delivered(6)
    await api.Nack(pb.NackRequest(group=group.name, delivery_ids=[b.delivery_id]))
    await stream.delivered(1)
    await stream.ack([a, b])
    await stream.ack([a])
    await stream.nack([b, c], delay_s=60)
    await stream.say(extend=pb.ConsumeExtend(delivery_ids=ids([d, e])))
    await stream.nack([d], park=True, reason="no good")
    await stream.ack([e, f])
    assert [(one.settled, list(one.lost)) for one in await stream.answered(6)] == [
        (1, ids([b])), (1, []), (1, ids([b])), (2, []), (1, []), (2, []),
    ]  # fmt: skip
    [parked] = (await api.ListParked(pb.ListParkedRequest(group=group.name))).parked
    assert (parked.position, parked.reason) == (d.event.position, "no good")


async def test_many_messages_at_once_are_all_answered(api: Api) -> None:
    """Far more than may wait without an answer, while nobody reads answers."""
    group = await Group.made(api)
    await group.append(*map(str, range(50)))
    stream = await group.consume()
    deliveries = await stream.delivered(50)
    for _ in range(4):
        for delivery in deliveries:
            await stream.ack([delivery] * (GRPC_UNANSWERED_IDS_MAX // 40))
    await stream.call.done_writing()
    answers = await stream.answered(200)
    assert {(one.settled, len(one.lost)) for one in answers} == {(GRPC_UNANSWERED_IDS_MAX // 40, 0)}
    assert await stream.call.read() is grpc.aio.EOF


async def test_refused_events_come_again(api: Api) -> None:
    group = await Group.made(api, max_attempts=2)
    await group.append("a")
    stream = await group.consume()
    await stream.nack(await stream.delivered(1))
    [again] = await stream.delivered(1)
    assert again.attempt == 2
    await stream.nack([again], reason="no good")
    await stream.answered(2)
    assert (await group.info()).parked == 1


async def test_events_whose_time_is_over_make_room(api: Api) -> None:
    """For themselves, where there is no other member."""
    group = await Group.made(api)
    await group.append("a")
    stream = await group.consume(max_in_flight=1)
    [late] = await stream.delivered(1)
    # Less than it had: the next has as much as ever.
    await stream.say(extend=pb.ConsumeExtend(delivery_ids=ids([late]), ack_timeout_s=0.3))
    [again] = await stream.delivered(1)
    assert (late.attempt, again.attempt) == (1, 2)
    await stream.ack([late])
    await stream.ack([again])
    assert await stream.answered(3) == [pb.Settled(settled=1), pb.Settled(lost=ids([late])), pb.Settled(settled=1)]


async def test_an_extended_delivery_stays_with_its_member(api: Api) -> None:
    group = await Group.made(api, ack_timeout_s=4)
    await group.append("a", "b")
    stream = await group.consume(max_in_flight=1)
    first = await stream.delivered(1)
    await stream.say(extend=pb.ConsumeExtend(delivery_ids=ids(first), ack_timeout_s=ACK_TIMEOUT_S))
    await stream.answered(1)
    assert await stream.says_nothing(4.5)
    await stream.ack(first)
    assert names(await stream.delivered(1)) == ["b"]


# --- The end of a stream ---------------------------------------------------------------------------------------------


async def test_a_member_that_closes_its_side_gets_its_answers(api: Api) -> None:
    group = await Group.made(api)
    await group.append("a", "b")
    stream = await group.consume()
    a, b = await stream.delivered(2)
    await stream.ack([a])
    await stream.call.done_writing()
    assert await stream.answered(1) == [pb.Settled(settled=1)]
    assert await stream.call.read() is grpc.aio.EOF
    assert await stream.call.code() == grpc.StatusCode.OK
    [again] = await group.pull()
    assert (names([again]), again.attempt) == (names([b]), 2)


async def test_what_a_member_held_comes_to_another_at_once(api: Api) -> None:
    group = await Group.made(api)
    await group.append("a", "b")
    stream = await group.consume()
    held = await stream.delivered(2)
    other = await group.consume()
    stream.call.cancel()
    again = await other.delivered(2)
    assert [one.attempt for one in again] == [2, 2]
    # What the old stream had is acknowledged too late, whichever stream says so.
    await other.ack(held)
    await other.ack(again)
    assert await other.answered(2) == [pb.Settled(lost=ids(held)), pb.Settled(settled=2)]


async def test_an_acknowledgement_survives_its_stream(api: Api) -> None:
    """As long as nobody else has got the event meanwhile."""
    group = await Group.made(api)
    await group.append("a")
    stream = await group.consume()
    held = await stream.delivered(1)
    stream.call.cancel()
    while await group.in_flight():  # noqa: ASYNC110 - it happens in the server
        await asyncio.sleep(0.01)
    assert await group.ack(held) == pb.Settled(settled=1)
    assert (await group.info()).lag == 0


async def test_a_deadline_gives_back_too(api: Api) -> None:
    group = await Group.made(api)
    await group.append("a")
    stream = Stream(api, timeout=4)
    await stream.say(start=pb.ConsumeStart(group=group.name))
    await stream.delivered(1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert names(await group.pull(wait_s=10)) == ["a"]


async def test_deliveries_of_a_pull_are_acknowledged_on_a_stream(api: Api) -> None:
    group = await Group.made(api)
    await group.append("a")
    pulled = await group.pull()
    stream = await group.consume()
    await stream.ack(pulled)
    assert await stream.answered(1) == [pb.Settled(settled=1)]


async def test_a_member_process_that_is_killed(api: Api, url: str) -> None:
    group = await Group.made(api)
    await group.append("a", "b")
    program = Path(__file__).with_name("stuck_member.py")
    member = await asyncio.create_subprocess_exec(
        sys.executable, str(program), url.removeprefix("grpc://"), group.name, stdout=asyncio.subprocess.PIPE
    )
    assert member.stdout is not None
    assert await member.stdout.readline() == b"2\n"
    other = await group.consume()
    member.kill()
    await member.wait()
    assert sorted(names(await other.delivered(2))) == ["a", "b"]


async def test_members_that_come_and_go_leave_nothing_behind(api: Api) -> None:
    """Whenever they go: nothing waits for a deadline."""
    group = await Group.made(api, max_attempts=1_000)
    await group.append(*[str(i % 40) for i in range(400)])
    seen: dict[str, int] = {}

    async def come_and_go(rng: random.Random) -> None:
        while (await group.info()).lag:
            stream = await group.consume(max_in_flight=rng.choice((1, 5, 100)))
            for _ in range(rng.randrange(4)):
                if await stream.says_nothing(0.1):
                    break
                await stream.read()
                for one in stream.deliveries:
                    last = seen.get(one.event.aggregate_id, 0)
                    assert one.event.version in (last, last + 1)
                    seen[one.event.aggregate_id] = one.event.version
                if taken := await stream.delivered(len(stream.deliveries)):
                    await stream.ack(taken)
                await asyncio.sleep(rng.random() / 100)
            stream.call.cancel()

    async with asyncio.TaskGroup() as members:
        for number in range(8):
            members.create_task(come_and_go(random.Random(number)))
    info = await group.info()
    assert (info.in_flight, info.parked, info.waiting) == (0, 0, 0)


async def test_a_reader_that_takes_nothing_is_pulled_for_no_more(api: Api) -> None:
    """Nor does it keep others from the rest."""
    group = await Group.made(api)
    events = [new_event(b'"' + b"x" * 200_000 + b'"', tags=[group.tag]) for _ in range(200)]
    for start in range(0, 200, 50):
        appends = [an_append(f"{start + i} {group.tag}", one) for i, one in enumerate(events[start : start + 50])]
        await api.AppendAtomic(store_pb.AppendAtomicRequest(appends=appends))
    idle = await group.consume(member="idle", max_in_flight=1_000)
    await _settled_down(group)
    busy = await group.consume(member="busy", max_in_flight=1_000)
    while (held := await _held_by(group, "idle")) + len(busy.deliveries) < 200:
        if not await busy.says_nothing(0.1):
            await busy.read()
    assert 0 < held < 100
    idle.call.cancel()
    await busy.delivered(200)


async def _held_by(group: Group, member: str) -> int:
    return sum(one.member == member for one in await group.in_flight())


async def _settled_down(group: Group) -> None:
    held = -1
    while (now := len(await group.in_flight())) != held or not held:
        held = now
        await asyncio.sleep(0.5)


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "pointer"),
    [
        (pb.ConsumeRequest(), "/start"),
        (pb.ConsumeRequest(ack=pb.ConsumeAck(delivery_ids=["1-1"])), "/start"),
        (pb.ConsumeRequest(start=pb.ConsumeStart(group="")), "/start/group"),
        (pb.ConsumeRequest(start=pb.ConsumeStart(group="g", member="\n")), "/start/member"),
        (pb.ConsumeRequest(start=pb.ConsumeStart(group="g", max_in_flight=0)), "/start/max_in_flight"),
        (pb.ConsumeRequest(start=pb.ConsumeStart(group="g", max_in_flight=10_001)), "/start/max_in_flight"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_first_message_that_is_wrong(api: Api, first: pb.ConsumeRequest, pointer: str) -> None:
    stream = Stream(api)
    await stream.call.write(first)
    status, error = await refusal(stream.read())
    assert (status, error.fields["pointer"]) == (grpc.StatusCode.INVALID_ARGUMENT, pointer)


async def test_a_stream_without_a_first_message(api: Api) -> None:
    stream = Stream(api)
    await stream.call.done_writing()
    _, error = await refusal(stream.read())
    assert (error.code, error.fields["pointer"]) == ("invalid_request", "/start")


async def test_what_is_no_message_at_all(api: Api) -> None:
    raw = api.channel.stream_stream("/indelible.v1.ConsumerGroups/Consume", None, None)()
    await raw.write(b"\xff\xff")
    status, error = await refusal(raw.read())
    assert (status, error.code) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request")


async def test_a_group_that_is_not_there(api: Api) -> None:
    stream = await Group(api).consume()
    status, error = await refusal(stream.read())
    assert (status, error.code) == (grpc.StatusCode.NOT_FOUND, "group_not_found")


async def test_a_group_that_is_deleted_meanwhile(api: Api) -> None:
    group = await Group.made(api)
    await group.append("a")
    stream = await group.consume()
    await stream.delivered(1)
    await api.DeleteGroup(pb.DeleteGroupRequest(group=group.name))
    status, error = await refusal(stream.read())
    assert (status, error.code) == (grpc.StatusCode.NOT_FOUND, "group_not_found")


async def test_a_message_that_is_wrong_ends_the_stream_after_those_before_it(api: Api) -> None:
    group = await Group.made(api)
    await group.append("a", "b")
    stream = await group.consume()
    a, _ = await stream.delivered(2)
    await stream.ack([a])
    await stream.ack([a] * (GROUP_SETTLE_MAX + 1))
    assert await stream.answered(1) == [pb.Settled(settled=1)]
    status, error = await refusal(stream.read())
    assert (status, error.fields["pointer"]) == (grpc.StatusCode.INVALID_ARGUMENT, "/ack/delivery_ids")
    assert names(await group.pull()) == ["b"]


async def test_a_second_start_is_refused(api: Api) -> None:
    group = await Group.made(api)
    stream = await group.consume()
    await stream.say(start=pb.ConsumeStart(group=group.name))
    _, error = await refusal(stream.read())
    assert error.fields["pointer"] == "/start"
