"""gRPC calls as any client makes them, without the project's own."""

from collections.abc import Awaitable, Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status

from indelible.errors import IndelibleError
from indelible.wire.errors import GRPC_CODE_KEY, GRPC_DETAILS_KEY
from indelible.wire.pb import event_store_pb2 as pb
from indelible.wire.pb import events_pb2
from indelible.wire.pb import groups_pb2 as groups_pb
from indelible.wire.pb import keys_pb2 as keys_pb
from indelible.wire.pb import relays_pb2 as relays_pb
from indelible.wire.pb import schemas_pb2 as schemas_pb
from indelible.wire.pb import search_pb2 as search_pb
from indelible.wire.pb.errors_pb2 import Error
from indelible.wire.proto_events import decode_error

SERVICES = (
    pb.DESCRIPTOR.services_by_name["EventStore"],
    groups_pb.DESCRIPTOR.services_by_name["ConsumerGroups"],
    relays_pb.DESCRIPTOR.services_by_name["Relays"],
    keys_pb.DESCRIPTOR.services_by_name["Keys"],
    schemas_pb.DESCRIPTOR.services_by_name["Schemas"],
    search_pb.DESCRIPTOR.services_by_name["Search"],
)
METHODS = {method.name: method for service in SERVICES for method in service.methods}


class Api:
    """Every method of the services by its name: ``api.Append(request)``."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    def __getattr__(self, name: str) -> Any:
        method = METHODS[name]
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        request, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        make = getattr(self.channel, kind)
        return make(f"/{method.containing_service.full_name}/{name}", request.SerializeToString, answer.FromString)


def connected(url: str, options: Sequence[tuple[str, Any]] = ()) -> grpc.aio.Channel:
    local = ("grpc.use_local_subchannel_pool", 1)
    return grpc.aio.insecure_channel(url.removeprefix("grpc://"), options=[local, *options])


def new_event(event_data: bytes = b"{}", **fields: Any) -> events_pb2.NewEvent:
    return events_pb2.NewEvent(**{"event_type": "Happened", "event_data": event_data, **fields})


def an_append(aggregate_id: str, *events: events_pb2.NewEvent, **fields: Any) -> pb.AggregateAppend:
    return pb.AggregateAppend(
        aggregate_type="thing", aggregate_id=aggregate_id, events=events or (new_event(),), **fields
    )


async def refusal(call: Awaitable[Any]) -> tuple[grpc.StatusCode, IndelibleError]:
    """The status, and the error that its details tell of."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    trailers = dict(caught.value.trailing_metadata() or ())
    status = Status.FromString(trailers[GRPC_DETAILS_KEY])
    assert status.code == caught.value.code().value[0]
    error = Error()
    assert status.details[0].Unpack(error)
    assert trailers[GRPC_CODE_KEY] == error.code
    assert error.message.startswith(status.message)
    assert error.message.startswith(caught.value.details())
    return caught.value.code(), decode_error(error)
