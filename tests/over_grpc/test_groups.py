"""Consumer groups over gRPC, call by call; :mod:`over_grpc.test_consume` has the streams."""

import asyncio
import time
from typing import Any

import grpc
import pytest

from indelible.errors import GroupExists, InvalidRequest
from indelible.limits import GROUP_SETTLE_MAX, GROUP_WAIT_MAX_S
from indelible.wire.pb import event_store_pb2 as store_pb
from indelible.wire.pb import events_pb2
from indelible.wire.pb import groups_pb2 as pb
from over_grpc.calls import METHODS, Api, refusal
from over_grpc.groups import Group, ids, names


async def test_a_group_is_made_once(api: Api) -> None:
    group = Group(api)
    items = [events_pb2.QueryItem(tags=[group.tag], event_types=["Happened"])]
    request = pb.CreateGroupRequest(group=group.name, items=items, ack_timeout_s=2.5, max_attempts=3)
    first = await api.CreateGroup(request)
    assert (first.is_new, first.group, first.ack_timeout_s) == (True, group.name, 2.5)
    assert (first.max_attempts, first.max_in_flight) == (3, 1_000)
    assert list(first.items) == items
    again = await api.CreateGroup(request)
    assert not again.is_new
    assert again.created == first.created
    request.max_attempts = 4
    status, error = await refusal(api.CreateGroup(request))
    assert (status, type(error)) == (grpc.StatusCode.ALREADY_EXISTS, GroupExists)
    assert again in (await api.ListGroups(pb.ListGroupsRequest())).groups


async def test_where_a_group_begins(api: Api) -> None:
    before = Group(api)
    await before.append("a")
    head = await api.GetHead(store_pb.GetHeadRequest())
    [event] = (await api.ReadFeed(store_pb.ReadFeedRequest(direction="DIRECTION_BACKWARD", limit=1)).read()).events
    await before.append("b")

    async def begun(**start: Any) -> list[str]:
        group = Group(api)
        items = [events_pb2.QueryItem(tags=[before.tag])]
        await api.CreateGroup(pb.CreateGroupRequest(group=group.name, items=items, **start))
        return sorted(names(await group.pull()))

    assert await begun() == ["a", "b"]
    assert await begun(start="GROUP_START_BEGINNING") == ["a", "b"]
    assert await begun(start="GROUP_START_END") == []
    assert await begun(after=head.cursor) == ["b"]
    assert await begun(since=event.timestamp) == ["a", "b"]


async def test_a_delivery_has_the_event_as_the_log_has_it(api: Api) -> None:
    group = await Group.made(api)
    await group.append("a")
    [delivery] = await group.pull(member="me")
    query = events_pb2.EventQuery(items=[events_pb2.QueryItem(tags=[group.tag])])
    [event] = (await api.ReadFeed(store_pb.ReadFeedRequest(query=query)).read()).events
    assert delivery.event == event
    assert delivery.attempt == 1
    [in_flight] = await group.in_flight()
    assert (in_flight.member, in_flight.position, in_flight.version) == ("me", event.position, 1)
    assert (in_flight.aggregate_type, in_flight.aggregate_id) == (event.aggregate_type, event.aggregate_id)
    assert in_flight.deadline == delivery.deadline


async def test_acknowledged_refused_and_extended(api: Api) -> None:
    group = await Group.made(api)
    await group.append("a", "a", "b", "c")
    a, b, c = await group.pull()
    assert names((a, b, c)) == ["a", "b", "c"]
    assert await group.ack([a]) == await group.ack([a]) == pb.Settled(settled=1)
    refused = pb.NackRequest(group=group.name, delivery_ids=[b.delivery_id])
    assert await api.Nack(refused) == pb.Settled(settled=1)
    longer = pb.ExtendRequest(group=group.name, delivery_ids=[c.delivery_id], ack_timeout_s=600)
    assert await api.Extend(longer) == pb.Settled(settled=1)
    deadlines = {one.aggregate_id[0]: one.deadline.seconds for one in await group.in_flight()}
    assert deadlines["c"] > time.time() + 500
    second, again = await group.pull()
    assert (names((second, again)), second.event.version, again.attempt) == (["a", "b"], 2, 2)
    assert await group.ack([b, again]) == pb.Settled(settled=1, lost=[b.delivery_id])


async def test_what_is_parked_is_redriven_or_skipped(api: Api) -> None:
    group = await Group.made(api)
    await group.append("a", "b", "b")
    deliveries = await group.pull()
    park = {"reason": "no such account", "park": True}
    await api.Nack(pb.NackRequest(group=group.name, delivery_ids=ids(deliveries), **park))
    first = await api.ListParked(pb.ListParkedRequest(group=group.name, limit=1))
    rest = await api.ListParked(pb.ListParkedRequest(group=group.name, after=first.cursor))
    (a,), (b,) = first.parked, rest.parked
    assert (first.at_end, rest.at_end, a.reason, a.attempts) == (False, True, "no such account", 1)
    assert (b.following, (await group.info()).parked_aggregates) == (1, 2)

    skip = pb.SkipParkedRequest(group=group.name, positions=[a.position], reason="a test")
    assert (await api.SkipParked(skip)).skipped == 1
    status, error = await refusal(api.SkipParked(skip))
    assert (status, error.code) == (grpc.StatusCode.NOT_FOUND, "parked_event_not_found")
    [skipped] = (await api.ListSkipped(pb.ListSkippedRequest(group=group.name))).skipped
    assert (skipped.position, skipped.reason, skipped.parked_reason) == (a.position, "a test", "no such account")
    assert (await api.RedriveParked(pb.RedriveParkedRequest(group=group.name, all=True))).redriven == 1
    [redriven] = await group.pull()
    assert (names([redriven]), redriven.attempt) == (["b"], 1)


async def test_changed_reset_and_deleted(api: Api) -> None:
    group = await Group.made(api)
    await group.append("a")
    changed = await api.ChangeGroup(pb.ChangeGroupRequest(group=group.name, max_attempts=9))
    assert (changed.max_attempts, changed.max_in_flight) == (9, 1_000)
    old = await group.pull()
    await api.ResetGroup(pb.ResetGroupRequest(group=group.name, start="GROUP_START_BEGINNING"))
    assert await group.ack(old) == pb.Settled(lost=ids(old))
    assert names(await group.pull()) == ["a"]
    await api.DeleteGroup(pb.DeleteGroupRequest(group=group.name))
    status, error = await refusal(group.info())
    assert (status, error.code) == (grpc.StatusCode.NOT_FOUND, "group_not_found")


async def test_a_pull_waits_for_events(api: Api) -> None:
    group = await Group.made(api)
    waiting = asyncio.create_task(group.pull(wait_s=GROUP_WAIT_MAX_S))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await group.append("a")
    async with asyncio.timeout(GROUP_WAIT_MAX_S - 5):
        assert names(await waiting) == ["a"]
    assert list(await group.pull(wait_s=0.2)) == []


async def test_a_caller_that_goes_away_waits_no_more(api: Api) -> None:
    group = await Group.made(api)
    for ended in ("cancelled", "too late"):
        waiting = api.Pull(
            pb.PullRequest(group=group.name, wait_s=GROUP_WAIT_MAX_S), timeout=0.3 if ended == "too late" else None
        )
        await asyncio.sleep(0.2)
        if ended == "cancelled":
            waiting.cancel()
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await waiting
            assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.sleep(0.1)
        await group.append("a")
        async with asyncio.timeout(GROUP_WAIT_MAX_S - 5):
            deliveries = await group.pull(wait_s=GROUP_WAIT_MAX_S)
        assert [one.attempt for one in deliveries] == [1]
        await group.ack(deliveries)


async def test_every_call_knows_a_group_that_is_not_there(api: Api) -> None:
    fields: dict[str, dict[str, Any]] = {
        "ChangeGroup": {"max_attempts": 2},
        "ResetGroup": {"after": "0"},
        "Ack": {"delivery_ids": ["1-1"]},
        "Nack": {"delivery_ids": ["1-1"]},
        "Extend": {"delivery_ids": ["1-1"]},
        "RedriveParked": {"all": True},
        "SkipParked": {"positions": [1], "reason": "a test"},
    }
    about_one = [method for method in METHODS.values() if "group" in method.input_type.fields_by_name]
    assert len(about_one) == 14
    for method in about_one:
        if method.name != "CreateGroup":
            request = getattr(pb, method.input_type.name)(group="nobody", **fields.get(method.name, {}))
            status, error = await refusal(getattr(api, method.name)(request))
            assert (status, error.code) == (grpc.StatusCode.NOT_FOUND, "group_not_found"), method.name


async def test_what_is_wrong_with_a_call(api: Api) -> None:
    name = (await Group.made(api)).name
    too_many = ["1-1"] * (GROUP_SETTLE_MAX + 1)
    wrong: list[tuple[Any, str]] = [
        (api.CreateGroup(pb.CreateGroupRequest()), "/group"),
        (api.CreateGroup(pb.CreateGroupRequest(group="g", items=[{"tags": [""]}])), "/items/0/tags/0"),
        (api.CreateGroup(pb.CreateGroupRequest(group="g", start=9)), "/start"),
        (api.CreateGroup(pb.CreateGroupRequest(group="g", after="x")), "/after"),
        (api.CreateGroup(pb.CreateGroupRequest(group="g", since={"seconds": 2**60})), "/since"),
        (api.CreateGroup(pb.CreateGroupRequest(group="g", ack_timeout_s=0)), "/ack_timeout_s"),
        (api.CreateGroup(pb.CreateGroupRequest(group="g", ack_timeout_s=float("nan"))), "/ack_timeout_s"),
        (api.ChangeGroup(pb.ChangeGroupRequest(group=name, max_in_flight=-1)), "/max_in_flight"),
        (api.ResetGroup(pb.ResetGroupRequest(group=name)), "/start"),
        (api.Pull(pb.PullRequest(group=name, limit=0)), "/limit"),
        (api.Pull(pb.PullRequest(group=name, wait_s=31)), "/wait_s"),
        (api.Pull(pb.PullRequest(group=name, member="\n")), "/member"),
        (api.Ack(pb.AckRequest(group=name)), "/delivery_ids"),
        (api.Ack(pb.AckRequest(group=name, delivery_ids=too_many)), "/delivery_ids"),
        (api.Nack(pb.NackRequest(group=name, delivery_ids=["1-1"], delay_s=-1)), "/delay_s"),
        (api.Extend(pb.ExtendRequest(group=name, delivery_ids=["1-1"], ack_timeout_s=0)), "/ack_timeout_s"),
        (api.ListParked(pb.ListParkedRequest(group=name, after="x")), "/after"),
        (api.ListSkipped(pb.ListSkippedRequest(group=name, limit=0)), "/limit"),
        (api.RedriveParked(pb.RedriveParkedRequest(group=name)), "/positions"),
        (api.SkipParked(pb.SkipParkedRequest(group=name, positions=[0], reason="a test")), "/positions/0"),
        (api.SkipParked(pb.SkipParkedRequest(group=name, positions=[1])), "/reason"),
    ]
    for call, pointer in wrong:
        status, error = await refusal(call)
        assert (status, error.fields["pointer"]) == (grpc.StatusCode.INVALID_ARGUMENT, pointer)
        assert isinstance(error, InvalidRequest)
