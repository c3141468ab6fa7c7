"""Delete and Tombstone. To delete a stream is to write metadata that hides what it has; the log keeps it."""

from typing import Final, NoReturn

from indelible.conditions import ExpectedVersion
from indelible.errors import InvalidRequest, Overloaded, VersionConflict
from indelible.events import JSON_CONTENT_TYPE, new_event_id
from indelible.eventstore import EventStore
from indelible.limits import ESDB_LOOKS_MAX, NAME_LENGTH_MAX, RETRY_AFTER_S
from indelible.server.call import Call
from indelible.server.esdb.stream_metadata import DELETED, StreamState, may_have_metadata, state_of
from indelible.server.grpc.exchange import Refused
from indelible.wire.esdb.errors import stream_deleted, wrong_expected_version
from indelible.wire.esdb.messages import METADATA_TYPE, expected_version, stream_name
from indelible.wire.esdb.payloads import Mark, Payload, new_event
from indelible.wire.esdb.pb import streams_pb2 as pb
from indelible.wire.esdb.stream_names import METADATA_PREFIX, aggregate_of, metadata_stream_of

_NAME_LENGTH_MAX: Final = NAME_LENGTH_MAX - len(METADATA_PREFIX)
_DELETION: Final = b'{"$tb":%d}' % DELETED


async def delete(call: Call, request: pb.DeleteReq) -> bytes:
    """It hides what the stream has when it is looked at: what is appended meanwhile stays to be seen."""
    stream = stream_name(request.options.stream_identifier)
    expected = expected_version(request.options)
    if stream.startswith(METADATA_PREFIX):
        raise InvalidRequest("metadata cannot be deleted; write {} instead", pointer="/stream_name")
    if not may_have_metadata(stream):
        raise InvalidRequest(
            f"a name of more than {_NAME_LENGTH_MAX} characters leaves no room for metadata, which deletes a stream",
            pointer="/stream_name",
        )
    call.take_events(1)
    answer = pb.DeleteResp()
    answer.position.commit_position = answer.position.prepare_position = await _delete(call.store, stream, expected)
    return answer.SerializeToString()


async def _delete(store: EventStore, stream: str, expected: ExpectedVersion) -> int:
    """Where the stream is deleted already, its deletion says so; only who expects that it exists is refused."""
    for _ in range(ESDB_LOOKS_MAX):
        state = await state_of(store, stream)
        if not _is_as_expected(expected, state.version):
            raise Refused(*wrong_expected_version("Delete", stream, expected, state.version))
        if state.is_deleted and expected == "exists":
            raise Refused(*stream_deleted(stream))
        try:
            return state.metadata.position if state.is_deleted else await _hide(store, stream, state)
        except VersionConflict:
            continue
    raise Overloaded("the stream's metadata changes faster than it is looked at", retry_after_s=RETRY_AFTER_S)


async def _hide(store: EventStore, stream: str, state: StreamState) -> int:
    """Raises ``VersionConflict`` when its metadata has changed since."""
    payload = Payload(_DELETION, b"", JSON_CONTENT_TYPE, Mark(last_revision=state.version - 1))
    key = aggregate_of(metadata_stream_of(stream))
    event = new_event(new_event_id(), METADATA_TYPE, payload)
    expected = state.metadata.version
    return (await store.append(key.aggregate_type, key.aggregate_id, event, expected_version=expected)).position


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
