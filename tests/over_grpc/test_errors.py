"""Errors over gRPC have the codes and fields that REST has, and statuses by one table."""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

import grpc
import pytest

from indelible.errors import InvalidRequest
from indelible.limits import (
    NAME_LENGTH_MAX,
    REQUEST_EVENTS_MAX,
    REQUEST_SIZE_BYTES_MAX,
    SEARCH_REQUEST_SIZE_BYTES_MAX,
)
from indelible.wire.errors import STATUSES
from indelible.wire.pb import event_store_pb2 as pb
from indelible.wire.pb import events_pb2, search_pb2
from over_grpc.calls import Api, an_append, new_event, refusal

WRONG: list[tuple[pb.AggregateAppend, str]] = [
    (an_append("a", new_event(b"")), "/events/0/event_data"),
    (an_append("a", new_event(b"{} {}")), "/events/0/event_data"),
    (an_append("a", new_event(b"\xff")), "/events/0/event_data"),
    (an_append("a", new_event(b"[" * 101 + b"]" * 101)), "/events/0/event_data"),
    (an_append("a", new_event(), new_event(metadata="[]")), "/events/1/metadata"),
    (an_append("a", new_event(metadata="{")), "/events/0/metadata"),
    (an_append("a", new_event(event_type="")), "/events/0/event_type"),
    (an_append("a", new_event(event_id="1")), "/events/0/event_id"),
    (an_append("a", new_event(tags=["", "b"])), "/events/0/tags/0"),
    (an_append("a", new_event(content_type="text")), "/events/0/content_type"),
    (an_append("", new_event()), "/aggregate_id"),
    (an_append("a", expected_version=-1), "/expected_version"),
    (an_append("a", expected_state=17), "/expected_state"),
    (pb.AggregateAppend(aggregate_type="thing", aggregate_id="a"), "/events"),
    (pb.AggregateAppend(aggregate_type="a-b", aggregate_id="a", events=[new_event()]), "/aggregate_type"),
]


@pytest.mark.parametrize(("append", "pointer"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
async def test_what_is_wrong_with_an_append(api: Api, append: pb.AggregateAppend, pointer: str) -> None:
    status, error = await refusal(api.Append(append))
    assert (status, error.code) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request")
    assert error.fields["pointer"] == pointer

    status, error = await refusal(api.AppendAtomic(pb.AppendAtomicRequest(appends=[an_append("other"), append])))
    assert error.fields["pointer"] == f"/appends/1{pointer}"


async def test_half_of_a_surrogate_pair_is_called_so(api: Api) -> None:
    for event in (new_event(rb'{"a":"\ud800 b"}'), new_event(metadata=r'{"a":"\udc00"}')):
        _, error = await refusal(api.Append(an_append("a", event)))
        assert error.message.startswith("holds half of a surrogate pair")


async def test_what_is_wrong_with_a_read(api: Api, aggregate_id: str) -> None:
    await api.Append(an_append(aggregate_id))
    wrong: list[tuple[Any, str]] = [
        (api.ReadFeed(pb.ReadFeedRequest(after=" ")), "/after"),
        (api.ReadFeed(pb.ReadFeedRequest(after=str(10**15))), "/after"),
        (api.ReadFeed(pb.ReadFeedRequest(limit=0)), "/limit"),
        (api.ReadFeed(pb.ReadFeedRequest(pages_max=0)), "/pages_max"),
        (api.ReadFeed(pb.ReadFeedRequest(direction=9)), "/direction"),
        (api.ReadFeed(pb.ReadFeedRequest(query={"since": {"seconds": 2**60}})), "/since"),
        (api.ReadFeed(pb.ReadFeedRequest(query={"items": [{"tags": [""]}]})), "/items/0/tags/0"),
        (api.Subscribe(pb.SubscribeRequest(after="x")), "/after"),
        (api.ReadAggregate(pb.ReadAggregateRequest(aggregate_type="thing", aggregate_id="")), "/aggregate_id"),
        (
            api.ReadAggregate(
                pb.ReadAggregateRequest(aggregate_type="thing", aggregate_id=aggregate_id, from_version=0)
            ),
            "/from_version",
        ),
    ]
    for call, pointer in wrong:
        status, error = await refusal(call.read())
        assert (status, error.fields["pointer"]) == (grpc.StatusCode.INVALID_ARGUMENT, pointer)
        assert isinstance(error, InvalidRequest)


async def test_conflicts(api: Api, aggregate_id: str) -> None:
    event = new_event(event_id=str(uuid4()), tags=[aggregate_id])
    first = await api.Append(an_append(aggregate_id, event, expected_state=pb.EXPECTED_STATE_NONE))
    status, error = await refusal(api.Append(an_append(aggregate_id, expected_version=7)))
    assert (status, error.code) == (grpc.StatusCode.ABORTED, "version_conflict")
    assert error.fields == {
        "aggregate_type": "thing", "aggregate_id": aggregate_id, "expected_version": 7, "actual_version": 1,
    }  # fmt: skip
    status, error = await refusal(api.Append(an_append(aggregate_id, expected_state=pb.EXPECTED_STATE_NONE)))
    assert error.fields["expected_version"] == "none"

    status, error = await refusal(api.Append(an_append("elsewhere", event)))
    assert (status, error.code) == (grpc.StatusCode.ALREADY_EXISTS, "event_id_conflict")
    assert error.fields == {"event_id": event.event_id}

    condition = pb.AppendCondition(fail_if=[events_pb2.QueryItem(tags=[aggregate_id])])
    request = pb.AppendAtomicRequest(appends=[an_append(aggregate_id)], condition=condition)
    status, error = await refusal(api.AppendAtomic(request))
    assert (status, error.code) == (grpc.StatusCode.ABORTED, "condition_failed")
    assert error.fields == {"position": first.position}


async def test_the_same_append_again_gives_the_first_result(api: Api, aggregate_id: str) -> None:
    append = an_append(aggregate_id, new_event(event_id=str(uuid4())))
    first = await api.Append(append)
    again = await api.Append(append)
    assert (first.replayed, again.replayed) == (False, True)
    again.replayed = False
    assert again == first


async def test_what_is_not_there(api: Api, aggregate_id: str) -> None:
    missing = {"aggregate_type": "thing", "aggregate_id": aggregate_id}
    calls = {
        "aggregate_not_found": [
            api.GetAggregate(pb.GetAggregateRequest(**missing)),
            api.ReadAggregate(pb.ReadAggregateRequest(**missing)).read(),
            api.Replay(pb.ReplayRequest(**missing)),
            api.SaveSnapshot(pb.SaveSnapshotRequest(**missing, version=1, state="{}")),
        ],
        "snapshot_not_found": [api.GetSnapshot(pb.GetSnapshotRequest(**missing))],
        "event_not_found": [api.GetEvent(pb.GetEventRequest(event_id=str(uuid4())))],
    }
    for code, some in calls.items():
        for call in some:
            status, error = await refusal(call)
            assert (status, error.code) == (grpc.StatusCode.NOT_FOUND, code)


async def test_the_longest_names_fit_into_an_error(api: Api) -> None:
    """Clients take 8 KiB of trailers for sure; a character may take 4 bytes, and 12 in a status message."""
    append = pb.AggregateAppend(
        aggregate_type="😀" * NAME_LENGTH_MAX,
        aggregate_id="😀" * NAME_LENGTH_MAX,
        events=[new_event()],
        expected_version=1,
    )
    call = api.Append(append)
    _, error = await refusal(call)
    assert error.code == "version_conflict"
    assert error.fields["aggregate_id"] == append.aggregate_id
    message, beside = quote(await call.details()), 32
    trailers = sum(len(name) + _sent_length(value) + beside for name, value in await call.trailing_metadata())
    # And :status, content-type, grpc-status.
    assert trailers + len("grpc-message") + len(message) + beside + 200 < 8_192


def _sent_length(value: str | bytes) -> int:
    """Bytes travel in base64, and clients count them so."""
    return len(value) if isinstance(value, str) else -(-len(value) * 4 // 3)


async def test_too_many_events(api: Api) -> None:
    append = an_append("a", *[new_event()] * (REQUEST_EVENTS_MAX + 1))
    status, error = await refusal(api.Append(append))
    assert (status, error.code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "payload_too_large")
    batches = api.AppendBatches()
    await batches.write(pb.AppendBatchRequest(appends=[append]))
    status, error = await refusal(batches.read())
    assert error.fields["events_max"] == REQUEST_EVENTS_MAX


async def test_a_message_that_is_too_large(api: Api) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.Append(an_append("a", new_event(b"1" * REQUEST_SIZE_BYTES_MAX)))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_search_that_is_too_large(api: Api) -> None:
    status, error = await refusal(api.Search(search_pb2.SearchRequest(query="x" * SEARCH_REQUEST_SIZE_BYTES_MAX)))
    assert (status, error.code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "payload_too_large")
    assert error.fields["size_bytes_max"] == SEARCH_REQUEST_SIZE_BYTES_MAX


async def test_what_is_no_message_at_all(api: Api) -> None:
    raw = api.channel.unary_unary("/indelible.v1.EventStore/Append", None, None)
    status, error = await refusal(raw(b"\xff\xff"))
    assert (status, error.code) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request")


def test_every_status_is_one_of_grpc():
    for statuses in STATUSES.values():
        assert statuses.grpc in grpc.StatusCode.__members__
