"""Delete and Tombstone. To delete a stream is to write metadata that hides what it has; the log keeps it."""

from typing import Final, NoReturn

from indelible.conditions import ExpectedVersion
from indelible.events import JSON_CONTENT_TYPE, new_event_id
from indelible.server.call import Call
from indelible.server.esdb.stream_metadata import DELETED, is_deleted, version_of
from indelible.server.grpc.exchange import Refused
from indelible.wire.esdb.errors import stream_deleted, wrong_expected_version
from indelible.wire.esdb.messages import expected_version, stream_name
from indelible.wire.esdb.payloads import Mark, Payload, new_event
from indelible.wire.esdb.pb import streams_pb2 as pb
from indelible.wire.esdb.stream_names import METADATA_PREFIX, aggregate_of, metadata_stream_of

METADATA_TYPE: Final = "$metadata"
_DELETION: Final = b'{"$tb":%d}' % DELETED


async def delete(call: Call, request: pb.DeleteReq) -> bytes:
    """It hides what the stream has when it is looked at: what is appended meanwhile stays to be seen."""
    stream = stream_name(request.options.stream_identifier)
    expected = expected_version(request.options)
    key = aggregate_of(stream)
    version = await version_of(call.store, key)
    if stream.startswith(METADATA_PREFIX) or not _is_as_expected(expected, version):
        raise Refused(*wrong_expected_version("Delete", stream, expected, version))
    if await is_deleted(call.store, stream):
        raise Refused(*stream_deleted(stream))
    payload = Payload(_DELETION, b"", JSON_CONTENT_TYPE, Mark(last_revision=version - 1))
    metadata_key = aggregate_of(metadata_stream_of(stream))
    call.take_events(1)
    result = await call.store.append(
        metadata_key.aggregate_type, metadata_key.aggregate_id, new_event(new_event_id(), METADATA_TYPE, payload)
    )
    answer = pb.DeleteResp()
    answer.position.commit_position = answer.position.prepare_position = result.position
    return answer.SerializeToString()


def _is_as_expected(expected: ExpectedVersion, version: int) -> bool:
    """What was never there cannot be deleted, whatever is expected."""
    return version > 0 if expected in ("any", "exists") else version > 0 and expected == version


async def tombstone(_: Call, request: pb.TombstoneReq) -> NoReturn:
    stream = stream_name(request.options.stream_identifier)
    raise Refused(
        "UNIMPLEMENTED",
        f"the stream '{stream}' cannot be tombstoned: events are immutable here, and names are never closed. "
        "Delete it, which hides its events from readers and keeps them in the log",
    )
