"""Append: to one aggregate."""

from indelible.server.services import Services
from indelible.wire.pb.event_store_pb2 import AggregateAppend
from indelible.wire.proto_requests import decode_append
from indelible.wire.proto_responses import encode_append_result


async def append(services: Services, request: AggregateAppend) -> bytes:
    append = decode_append(request)
    result = await services.store.append(
        append.key.aggregate_type, append.key.aggregate_id, append.events, expected_version=append.expected_version
    )
    return encode_append_result(result)
