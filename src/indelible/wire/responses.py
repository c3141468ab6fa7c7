"""Answers, both ways: the store's values to JSON bytes, and JSON bytes to the same values at the client.

Events inside pages stay text: pages come rendered from the engine, and are only joined here.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from indelible.cursors import Cursor
from indelible.errors import IndelibleError, InternalError
from indelible.events import RecordedEvent, Snapshot, recorded_line
from indelible.eventstore import (
    AggregatePage,
    AppendResult,
    AtomicAppendResult,
    FeedPage,
    Replay,
)
from indelible.wire.errors import decode_problem, problem, status_of

# --- Forms that only the wire has ------------------------------------------------------------------------------------


class AggregatePageBody(msgspec.Struct):
    events: list[msgspec.Raw]
    version: int
    next_version: int | None


class FeedPageBody(msgspec.Struct):
    events: list[msgspec.Raw]
    cursor: str
    at_end: bool


class ReplayBody(msgspec.Struct):
    snapshot: Snapshot | None
    events: list[msgspec.Raw]
    version: int
    next_version: int | None


class BatchResultBody(msgspec.Struct):
    """``body`` is the append's answer where status is 200 or 201, else the problem document."""

    status: int
    body: msgspec.Raw


class BatchResultsBody(msgspec.Struct):
    results: list[BatchResultBody]


# --- Encoding --------------------------------------------------------------------------------------------------------

_encoder: Final = msgspec.json.Encoder()


def append_status(result: AppendResult | AtomicAppendResult) -> int:
    """201 for what was stored now, 200 for what was stored before."""
    return 200 if result.replayed else 201


def encode_append_result(result: AppendResult) -> bytes:
    return _encoder.encode(result)


def encode_atomic_append_result(result: AtomicAppendResult) -> bytes:
    return _encoder.encode(result)


def encode_batch_results(outcomes: Iterable[AppendResult | IndelibleError]) -> bytes:
    return msgspec.json.encode({"results": [_batch_result(outcome) for outcome in outcomes]}, enc_hook=str)


def _batch_result(outcome: AppendResult | IndelibleError) -> dict[str, object]:
    if isinstance(outcome, IndelibleError):
        return {"status": status_of(outcome), "body": problem(outcome)}
    return {"status": append_status(outcome), "body": outcome}


def encode_aggregate_page(page: AggregatePage) -> bytes:
    return b'{"events":[%b],%b}' % (_joined(page.lines), _versions(page))


def encode_feed_page(page: FeedPage) -> bytes:
    at_end = b"true" if page.at_end else b"false"
    return b'{"events":[%b],"cursor":"%b","at_end":%b}' % (_joined(page.lines), page.cursor.encode(), at_end)


def encode_replay(replay: Replay) -> bytes:
    snapshot = _encoder.encode(replay.snapshot)
    return b'{"snapshot":%b,"events":[%b],%b}' % (snapshot, _joined(replay.page.lines), _versions(replay.page))


def _joined(lines: bytes) -> bytes:
    """Lines as the inside of a JSON array. JSON text on one line holds line feeds only between lines."""
    return lines.replace(b"\n", b",")


def _versions(page: AggregatePage) -> bytes:
    following = b"null" if page.next_version is None else b"%d" % page.next_version
    return b'"version":%d,"next_version":%b' % (page.version, following)


def encode_event(event: RecordedEvent) -> bytes:
    return recorded_line(event)


# --- Decoding --------------------------------------------------------------------------------------------------------

_append_result: Final = msgspec.json.Decoder(AppendResult)
_atomic_append_result: Final = msgspec.json.Decoder(AtomicAppendResult)
_batch_results: Final = msgspec.json.Decoder(BatchResultsBody)
_aggregate_page: Final = msgspec.json.Decoder(AggregatePageBody)
_feed_page: Final = msgspec.json.Decoder(FeedPageBody)
_replay: Final = msgspec.json.Decoder(ReplayBody)
_recorded_event: Final = msgspec.json.Decoder(RecordedEvent)
_T = TypeVar("_T")


def decode_answer(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InternalError(f"the server's answer is not what was asked for: {error}") from None


def decode_append_result(body: bytes) -> AppendResult:
    return decode_answer(_append_result, body)


def decode_atomic_append_result(body: bytes) -> AtomicAppendResult:
    return decode_answer(_atomic_append_result, body)


def decode_batch_results(body: bytes) -> list[AppendResult | IndelibleError]:
    return [_batch_outcome(result) for result in decode_answer(_batch_results, body).results]


def _batch_outcome(result: BatchResultBody) -> AppendResult | IndelibleError:
    body = bytes(result.body)
    return decode_append_result(body) if result.status < 300 else decode_problem(result.status, body)


def decode_aggregate_page(body: bytes) -> AggregatePage:
    page = decode_answer(_aggregate_page, body)
    return AggregatePage(_lines(page.events), len(page.events), page.version, page.next_version)


def decode_feed_page(body: bytes) -> FeedPage:
    page = decode_answer(_feed_page, body)
    return FeedPage(_lines(page.events), len(page.events), Cursor(page.cursor), page.at_end)


def decode_replay(body: bytes) -> Replay:
    replay = decode_answer(_replay, body)
    page = AggregatePage(_lines(replay.events), len(replay.events), replay.version, replay.next_version)
    return Replay(replay.snapshot, page)


def _lines(events: Sequence[msgspec.Raw]) -> bytes:
    return b"\n".join(map(bytes, events))


def decode_recorded_event(body: bytes) -> RecordedEvent:
    return decode_answer(_recorded_event, body)
