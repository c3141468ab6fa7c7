"""AppendSession and AppendRecords: records for several streams, stored together or not at all."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Final, NoReturn

from indelible.conditions import ExpectedVersion
from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.events import NewEvent
from indelible.eventstore import AtomicAppendResult
from indelible.limits import ESDB_CHECKS_MAX, EVENT_SIZE_BYTES_MAX, REQUEST_SIZE_BYTES_MAX
from indelible.server.call import Call
from indelible.server.esdb.gathering import Gathering, in_time
from indelible.server.esdb.stream_appends import StreamAppend, StreamCheck, WrongVersion, append_to_streams
from indelible.server.grpc.calls import decode_message
from indelible.server.grpc.exchange import Refused
from indelible.tasks import taken_by_turns
from indelible.wire.esdb.pb import records_pb2 as pb
from indelible.wire.esdb.records import (
    Violation,
    append_too_large,
    checks_failed,
    expected_of,
    no_requests,
    record_too_large,
    recorded_event,
    revision_conflict,
    stream_repeated,
)

_ANY: Final = -2


async def append_session(call: Call, requests: AsyncIterator[bytes]) -> bytes:
    with Gathering(call.bodies) as gathering:
        appends = await in_time(_received(requests, gathering))
        if not appends:
            raise Refused(*no_requests())
        try:
            result = await _append(call, appends, ())
        except WrongVersion as wrong:
            raise Refused(*revision_conflict(wrong.stream, wrong.expected, wrong.actual_version)) from None
    answer = pb.AppendSessionResponse(position=result.position)
    for append, done in zip(appends, result.results, strict=True):
        answer.output.add(stream=append.stream, stream_revision=done.version - 1, position=done.position)
    return answer.SerializeToString()


async def _received(requests: AsyncIterator[bytes], gathering: Gathering) -> list[StreamAppend]:
    appends: dict[str, StreamAppend] = {}
    async for encoded in requests:
        request = decode_message(pb.AppendRequest, encoded)
        _gather(gathering, len(encoded), len(request.records))
        if request.stream in appends:
            raise Refused(*stream_repeated(request.stream))
        state = request.expected_revision if request.HasField("expected_revision") else _ANY
        expected = expected_of(state, "/expected_revision")
        events = await taken_by_turns(_events((request.stream, record) for record in request.records))
        appends[request.stream] = StreamAppend(request.stream, tuple(events), expected)
    return list(appends.values())


def _gather(gathering: Gathering, size_bytes: int, events: int) -> None:
    try:
        gathering.add(size_bytes, events)
    except PayloadTooLarge as error:
        if "size_bytes_max" not in error.fields:
            raise
        raise Refused(*append_too_large(gathering.size_bytes + size_bytes, REQUEST_SIZE_BYTES_MAX)) from None


async def append_records(call: Call, request: pb.AppendRecordsRequest) -> bytes:
    if not request.records:
        raise InvalidRequest("must hold at least one record", pointer="/records")
    events = await taken_by_turns(_events((record.stream, record) for record in request.records))
    streams = {record.stream for record in request.records}
    expected, checks = _checks_of(request.checks, streams)
    appends = _by_stream(zip((record.stream for record in request.records), events, strict=True), expected)
    try:
        result = await _append(call, appends, checks)
    except WrongVersion as wrong:
        _refuse_check(request.checks, wrong)
    answer = pb.AppendRecordsResponse(position=result.position)
    revisions = {append.stream: done.version - 1 for append, done in zip(appends, result.results, strict=True)}
    for stream, revision in revisions.items():
        answer.revisions.add(stream=stream, revision=revision)
    return answer.SerializeToString()


async def _append(call: Call, appends: Sequence[StreamAppend], checks: Sequence[StreamCheck]) -> AtomicAppendResult:
    call.take_events(sum(len(append.events) for append in appends))
    return await append_to_streams(call.store, appends, checks)


def _events(records: Iterable[tuple[str, pb.AppendRecord]]) -> Iterator[NewEvent]:
    """``records``: with their streams."""
    for i, (stream, record) in enumerate(records):
        try:
            yield recorded_event(record)
        except PayloadTooLarge as error:
            if error.fields.get("size_bytes_max") != EVENT_SIZE_BYTES_MAX:
                raise error.under(f"/records/{i}") from None
            size_bytes = len(record.data) + sum(value.ByteSize() for value in record.properties.values())
            raise Refused(*record_too_large(stream, record.record_id, size_bytes, EVENT_SIZE_BYTES_MAX)) from None
        except InvalidRequest as error:
            raise error.under(f"/records/{i}") from None


def _by_stream(events: Iterable[tuple[str, NewEvent]], expected: dict[str, ExpectedVersion]) -> list[StreamAppend]:
    """In their order. What is expected of a stream is said where it stands first."""
    appends: list[tuple[str, list[NewEvent]]] = []
    for stream, event in events:
        if not appends or appends[-1][0] != stream:
            appends.append((stream, []))
        appends[-1][1].append(event)
    left = dict(expected)
    return [StreamAppend(stream, tuple(some), left.pop(stream, "any")) for stream, some in appends]


def _checks_of(
    checks: Iterable[pb.ConsistencyCheck], streams: set[str]
) -> tuple[dict[str, ExpectedVersion], list[StreamCheck]]:
    """Of ``streams``, which are appended to, what is expected of them; and the checks of others."""
    expected: dict[str, ExpectedVersion] = {}
    for i, check in enumerate(checks):
        if check.WhichOneof("type") != "stream_state":
            raise InvalidRequest("must be a stream_state", pointer=f"/checks/{i}")
        stream = check.stream_state.stream
        if stream in expected:
            raise InvalidRequest("the stream is checked already", pointer=f"/checks/{i}/stream_state/stream")
        expected[stream] = expected_of(check.stream_state.expected_state, f"/checks/{i}/stream_state/expected_state")
    others = [StreamCheck(*one) for one in expected.items() if one[0] not in streams and one[1] != "any"]
    if len(others) > ESDB_CHECKS_MAX:
        raise InvalidRequest(f"at most {ESDB_CHECKS_MAX} streams that nothing is appended to", pointer="/checks")
    return {stream: state for stream, state in expected.items() if stream in streams}, others


def _refuse_check(checks: Iterable[pb.ConsistencyCheck], wrong: WrongVersion) -> NoReturn:
    """Where nothing is checked, the ids are taken already in part."""
    for i, check in enumerate(checks):
        if check.stream_state.stream == wrong.stream:
            raise Refused(*checks_failed([Violation(i, wrong.stream, wrong.expected, wrong.actual_version)])) from None
    raise Refused(*revision_conflict(wrong.stream, wrong.expected, wrong.actual_version)) from None
