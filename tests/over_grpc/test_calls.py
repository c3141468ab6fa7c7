"""What the API does that a client of another language sees, and the project's own does not show."""

import asyncio
from contextlib import AsyncExitStack, suppress
from uuid import uuid4

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor

from indelible.errors import Overloaded
from indelible.limits import GRPC_BATCHES_UNDER_WAY_MAX, GRPC_CALLS_MAX, GRPC_CALLS_PER_CONNECTION_MAX, PAGE_EVENTS_MAX
from indelible.server.grpc.calls import Streams, ToStream, Unary
from indelible.server.grpc.handlers import SERVICES
from indelible.wire.pb import event_store_pb2 as pb
from indelible.wire.pb import events_pb2
from over_grpc.calls import SERVICES as DECLARED
from over_grpc.calls import Api, an_append, connected, new_event, refusal


@pytest.mark.parametrize("service", DECLARED, ids=lambda service: service.name)
def test_every_method_has_a_handler_of_its_kind(service: ServiceDescriptor):
    kinds = {Unary: (False, False), ToStream: (False, True), Streams: (True, True)}
    declared = {method.name: (method.client_streaming, method.server_streaming) for method in service.methods}
    methods = SERVICES[service.full_name]
    assert {method.name: kinds[type(method)] for method in methods} == declared
    for method in methods:
        if not isinstance(method, Streams):
            assert method.request.DESCRIPTOR is service.methods_by_name[method.name].input_type


def test_every_service_is_served():
    assert set(SERVICES) == {service.full_name for service in DECLARED}


async def test_an_event_comes_back_as_it_was_sent(api: Api, aggregate_id: str) -> None:
    sent = [
        new_event('{"n": 12345678901234567890, "x": 1.0, "ü": "\\u00fc"}'.encode(), metadata='{"b":1,"a":2}'),
        new_event(b"\x00\xff", content_type="image/png", tags=["b", "a", "b"], event_id=str(uuid4())),
        new_event(b"null", content_type="application/cloudevents+json"),
    ]
    await api.Append(an_append(aggregate_id, *sent))
    request = pb.ReadAggregateRequest(aggregate_type="thing", aggregate_id=aggregate_id)
    page = await api.ReadAggregate(request).read()
    assert [event.event_data for event in page.events] == [
        '{"n":12345678901234567890,"x":1.0,"ü":"\\u00fc"}'.encode(), b"\x00\xff", b"null",
    ]  # fmt: skip
    assert page.events[0].metadata == '{"b":1,"a":2}'
    assert list(page.events[1].tags) == ["a", "b"]
    assert page.events[1].event_id == sent[1].event_id
    assert [event.content_type for event in page.events] == [
        "application/json", "image/png", "application/cloudevents+json",
    ]  # fmt: skip
    assert [len(bytes.fromhex(event.hash)) for event in page.events] == [32] * 3
    single = await api.GetEvent(pb.GetEventRequest(event_id=page.events[1].event_id))
    assert single.event == page.events[1]


async def test_a_stream_holds_everything_in_pages(api: Api, aggregate_id: str) -> None:
    await api.Append(an_append(aggregate_id, *[new_event()] * (PAGE_EVENTS_MAX + 7)))
    request = pb.ReadAggregateRequest(aggregate_type="thing", aggregate_id=aggregate_id)
    pages = [page async for page in api.ReadAggregate(request)]
    assert [len(page.events) for page in pages] == [PAGE_EVENTS_MAX, 7]
    assert [page.HasField("next_version") for page in pages] == [True, False]

    request.direction = events_pb2.DIRECTION_BACKWARD
    versions = [event.version async for page in api.ReadAggregate(request) for event in page.events]
    assert versions == list(range(PAGE_EVENTS_MAX + 7, 0, -1))

    request.limit = 5
    assert [len(page.events) async for page in api.ReadAggregate(request)] == [5]

    feed = pb.ReadFeedRequest(pages_max=2)
    pages = [page async for page in api.ReadFeed(feed)]
    assert len(pages) == 2
    feed.after = pages[0].cursor
    assert (await api.ReadFeed(feed).read()).events == pages[1].events


async def test_outcomes_of_a_batch_stand_alone_and_in_order(api: Api, aggregate_id: str) -> None:
    batches = api.AppendBatches()
    bad = an_append(aggregate_id, new_event(b"no JSON"))
    late = an_append(aggregate_id, expected_version=9)
    for _ in range(3 * GRPC_BATCHES_UNDER_WAY_MAX):
        await batches.write(pb.AppendBatchRequest(appends=[an_append(aggregate_id), bad, late]))
    await batches.done_writing()
    versions = []
    async for answer in batches:
        good, wrong, conflict = answer.outcomes
        versions.append(good.result.version)
        assert wrong.error.code == "invalid_request"
        assert '"pointer":"/events/0/event_data"' in wrong.error.fields
        assert conflict.error.code == "version_conflict" or conflict.result.version == 10
    assert versions == sorted(versions)
    assert len(versions) == 3 * GRPC_BATCHES_UNDER_WAY_MAX


async def test_a_subscription_catches_up_and_goes_on(api: Api, aggregate_id: str) -> None:
    query = events_pb2.EventQuery(items=[events_pb2.QueryItem(tags=[aggregate_id])])
    await api.Append(an_append(aggregate_id, new_event(b"1", tags=[aggregate_id])))
    subscription = api.Subscribe(pb.SubscribeRequest(query=query))
    seen: list[bytes] = []
    async with asyncio.timeout(30):
        while True:
            message = await subscription.read()
            seen += [event.event_data for event in message.events]
            if message.caught_up:
                break
        assert seen == [b"1"]
        await api.Append(an_append(aggregate_id, new_event(b"2", tags=[aggregate_id])))
        while not (message := await subscription.read()).events:
            pass
    assert [event.event_data for event in message.events] == [b"2"]
    assert message.cursor == str(message.events[0].position)
    subscription.cancel()


async def test_a_deadline_ends_a_call(api: Api) -> None:
    subscription = api.Subscribe(pb.SubscribeRequest(), timeout=0.3)
    with pytest.raises(grpc.aio.AioRpcError) as caught:  # noqa: PT012 - messages may come before the deadline
        while True:
            await subscription.read()
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await api.GetHead(pb.GetHeadRequest())).position >= 0


async def test_times_of_a_query_are_rounded_as_they_must(api: Api, aggregate_id: str) -> None:
    await api.Append(an_append(aggregate_id, new_event(tags=[aggregate_id])))
    items = [events_pb2.QueryItem(tags=[aggregate_id])]
    [event] = (await _read(api, events_pb2.EventQuery(items=items))).events
    exact = event.timestamp
    just_after = type(exact)(seconds=exact.seconds, nanos=exact.nanos + 1)
    assert len((await _read(api, events_pb2.EventQuery(items=items, since=exact))).events) == 1
    assert len((await _read(api, events_pb2.EventQuery(items=items, since=just_after))).events) == 0
    assert len((await _read(api, events_pb2.EventQuery(items=items, until=exact))).events) == 0
    assert len((await _read(api, events_pb2.EventQuery(items=items, until=just_after))).events) == 1


async def _read(api: Api, query: events_pb2.EventQuery) -> pb.ReadFeedResponse:
    found = pb.ReadFeedResponse()
    async for page in api.ReadFeed(pb.ReadFeedRequest(query=query)):
        found.MergeFrom(page)
    return found


async def test_calls_under_way_are_bounded(url: str, api: Api, aggregate_id: str) -> None:
    """Idle subscriptions are calls too. One connection may not have all of them."""
    head = await api.GetHead(pb.GetHeadRequest())
    request = pb.SubscribeRequest(after=head.cursor)
    streams = []
    async with AsyncExitStack() as connections:
        for _ in range(GRPC_CALLS_MAX // GRPC_CALLS_PER_CONNECTION_MAX):
            subscriber = Api(await connections.enter_async_context(connected(url)))
            opened = [subscriber.Subscribe(request) for _ in range(GRPC_CALLS_PER_CONNECTION_MAX)]
            await asyncio.gather(*(stream.read() for stream in opened))
            streams += opened
        status, error = await refusal(api.Append(an_append(aggregate_id)))
        assert status == grpc.StatusCode.UNAVAILABLE
        assert isinstance(error, Overloaded)
        assert len(streams) == GRPC_CALLS_MAX
    result = None
    while result is None:
        # Until the server has heard that they have ended.
        with suppress(grpc.aio.AioRpcError):
            result = await api.Append(an_append(aggregate_id))
    assert (result.version, result.position) == (1, head.position + 1)
