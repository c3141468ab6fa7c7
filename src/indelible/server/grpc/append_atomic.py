"""AppendAtomic: to many aggregates, whole or not at all."""

from indelible.server.services import Services
from indelible.wire.pb.event_store_pb2 import AppendAtomicRequest
from indelible.wire.proto_requests import decode_atomic_append
from indelible.wire.proto_responses import encode_atomic_append_result


async def append_atomic(services: Services, request: AppendAtomicRequest) -> bytes:
    asked = decode_atomic_append(request)
    return encode_atomic_append_result(await services.store.append_atomic(asked.appends, condition=asked.condition))
