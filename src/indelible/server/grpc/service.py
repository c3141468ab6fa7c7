"""The API's methods, and what handles each. Those without a handler of their own here are asked as their row says."""

from functools import partial
from typing import Any, Final

from indelible.operations import OPERATIONS, Operation
from indelible.operations.deliveries import PULL
from indelible.server.grpc.append import append
from indelible.server.grpc.append_atomic import append_atomic
from indelible.server.grpc.append_batches import append_batches
from indelible.server.grpc.calls import Method, Streams, ToPacedStream, ToStream, Unary
from indelible.server.grpc.consume import consume
from indelible.server.grpc.get_event import get_event
from indelible.server.grpc.pull import pull
from indelible.server.grpc.read_aggregate import read_aggregate
from indelible.server.grpc.read_feed import read_feed
from indelible.server.grpc.replay import replay
from indelible.server.grpc.subscribe import subscribe
from indelible.server.services import Services
from indelible.wire.operation_proto import decode_parameters, encode_answer, request_type
from indelible.wire.pb import event_store_pb2 as pb
from indelible.wire.pb import groups_pb2 as groups_pb

EVENT_STORE: Final[str] = pb.DESCRIPTOR.services_by_name["EventStore"].full_name
CONSUMER_GROUPS: Final[str] = groups_pb.DESCRIPTOR.services_by_name["ConsumerGroups"].full_name

_OWN_HANDLERS: Final = (PULL,)


async def ask(operation: Operation[Any, Any], services: Services, request: Any) -> bytes:
    """One question, one answer."""
    return encode_answer(operation, await operation.ask(services.store, decode_parameters(operation, request)))


def _asked(service: str) -> tuple[Method, ...]:
    return tuple(
        Unary(one.grpc.partition(".")[2], request_type(one), partial(ask, one))
        for one in OPERATIONS
        if one.grpc.startswith(f"{service}.") and one not in _OWN_HANDLERS
    )


SERVICES: Final[dict[str, tuple[Method, ...]]] = {
    EVENT_STORE: (
        Unary("Append", pb.AggregateAppend, append),
        Unary("AppendAtomic", pb.AppendAtomicRequest, append_atomic),
        Streams("AppendBatches", append_batches),
        ToStream("ReadAggregate", pb.ReadAggregateRequest, read_aggregate),
        ToStream("ReadFeed", pb.ReadFeedRequest, read_feed),
        ToPacedStream("Subscribe", pb.SubscribeRequest, subscribe),
        Unary("GetEvent", pb.GetEventRequest, get_event),
        Unary("Replay", pb.ReplayRequest, replay),
        *_asked("EventStore"),
    ),
    CONSUMER_GROUPS: (
        Streams("Consume", consume),
        Unary("Pull", groups_pb.PullRequest, pull),
        *_asked("ConsumerGroups"),
    ),
}
"""By the full name of the service."""
