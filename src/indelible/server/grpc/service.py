"""The API's methods, and what handles each."""

from typing import Final

from indelible.server.grpc.append import append
from indelible.server.grpc.append_atomic import append_atomic
from indelible.server.grpc.append_batches import append_batches
from indelible.server.grpc.catalogue import get_head, list_aggregate_types, list_aggregates, list_event_types
from indelible.server.grpc.consume import consume
from indelible.server.grpc.get_aggregate import get_aggregate
from indelible.server.grpc.get_event import get_event
from indelible.server.grpc.groups import (
    change_group,
    create_group,
    delete_group,
    get_group,
    list_groups,
    reset_group,
)
from indelible.server.grpc.methods import Method, Streams, ToPacedStream, ToStream, Unary
from indelible.server.grpc.pull import pull
from indelible.server.grpc.read_aggregate import read_aggregate
from indelible.server.grpc.read_feed import read_feed
from indelible.server.grpc.replay import replay
from indelible.server.grpc.settle import ack, extend, nack
from indelible.server.grpc.snapshots import get_snapshot, save_snapshot
from indelible.server.grpc.subscribe import subscribe
from indelible.server.grpc.unfinished import (
    list_in_flight,
    list_parked,
    list_skipped,
    replay_parked,
    skip_parked,
)
from indelible.wire.pb import event_store_pb2 as pb
from indelible.wire.pb import groups_pb2 as groups_pb

EVENT_STORE: Final[str] = pb.DESCRIPTOR.services_by_name["EventStore"].full_name
CONSUMER_GROUPS: Final[str] = groups_pb.DESCRIPTOR.services_by_name["ConsumerGroups"].full_name

SERVICES: Final[dict[str, tuple[Method, ...]]] = {
    EVENT_STORE: (
        Unary("Append", pb.AggregateAppend, append),
        Unary("AppendAtomic", pb.AppendAtomicRequest, append_atomic),
        Streams("AppendBatches", append_batches),
        ToStream("ReadAggregate", pb.ReadAggregateRequest, read_aggregate),
        ToStream("ReadFeed", pb.ReadFeedRequest, read_feed),
        ToPacedStream("Subscribe", pb.SubscribeRequest, subscribe),
        Unary("GetEvent", pb.GetEventRequest, get_event),
        Unary("GetAggregate", pb.GetAggregateRequest, get_aggregate),
        Unary("Replay", pb.ReplayRequest, replay),
        Unary("SaveSnapshot", pb.SaveSnapshotRequest, save_snapshot),
        Unary("GetSnapshot", pb.GetSnapshotRequest, get_snapshot),
        Unary("GetHead", pb.GetHeadRequest, get_head),
        Unary("ListEventTypes", pb.ListEventTypesRequest, list_event_types),
        Unary("ListAggregateTypes", pb.ListAggregateTypesRequest, list_aggregate_types),
        Unary("ListAggregates", pb.ListAggregatesRequest, list_aggregates),
    ),
    CONSUMER_GROUPS: (
        Unary("CreateGroup", groups_pb.CreateGroupRequest, create_group),
        Unary("ListGroups", groups_pb.ListGroupsRequest, list_groups),
        Unary("GetGroup", groups_pb.GetGroupRequest, get_group),
        Unary("ChangeGroup", groups_pb.ChangeGroupRequest, change_group),
        Unary("DeleteGroup", groups_pb.DeleteGroupRequest, delete_group),
        Unary("ResetGroup", groups_pb.ResetGroupRequest, reset_group),
        Streams("Consume", consume),
        Unary("Pull", groups_pb.PullRequest, pull),
        Unary("Ack", groups_pb.AckRequest, ack),
        Unary("Nack", groups_pb.NackRequest, nack),
        Unary("Extend", groups_pb.ExtendRequest, extend),
        Unary("ListInFlight", groups_pb.ListInFlightRequest, list_in_flight),
        Unary("ListParked", groups_pb.ListParkedRequest, list_parked),
        Unary("ReplayParked", groups_pb.ReplayParkedRequest, replay_parked),
        Unary("SkipParked", groups_pb.SkipParkedRequest, skip_parked),
        Unary("ListSkipped", groups_pb.ListSkippedRequest, list_skipped),
    ),
}
"""By the full name of the service."""
