"""Answers to the appends of BatchAppend."""

from typing import Final

from indelible.conditions import ExpectedVersion
from indelible.errors import IndelibleError
from indelible.eventstore import AppendResult
from indelible.wire.errors import GRPC_NUMBERS
from indelible.wire.esdb.errors import refusal_of, wrong_expected_version
from indelible.wire.esdb.pb import shared_pb2 as shared
from indelible.wire.esdb.pb import streams_pb2 as pb

_EXPECTED_FIELDS: Final = {
    "any": "expected_any", "exists": "expected_stream_exists", "none": "expected_no_stream",
}  # fmt: skip
_DETAILS: Final = {
    "forbidden": shared.AccessDenied,
    "payload_too_large": shared.MaximumAppendSizeExceeded,
    "outcome_unknown": shared.Timeout,
}
"""By the error's code. Of others clients say what was wrong, or only that it is unknown when the server could not."""
_SERVER_S_OWN: Final = ("UNKNOWN", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")


def repeat_request(answer: pb.BatchAppendResp, request: pb.BatchAppendReq) -> None:
    """What tells the caller which append it is."""
    answer.correlation_id.CopyFrom(request.correlation_id)
    options = request.options
    answer.stream_identifier.CopyFrom(options.stream_identifier)
    which = options.WhichOneof("expected_stream_position")
    if which == "stream_position":
        answer.stream_position = options.stream_position
    elif which is not None:
        getattr(answer, which).SetInParent()


def fill_success(success: pb.BatchAppendResp.Success, result: AppendResult) -> None:
    success.current_revision = result.version - 1
    success.position.commit_position = success.position.prepare_position = result.position


def fill_wrong_version(answer: pb.BatchAppendResp, stream: str, expected: ExpectedVersion, actual_version: int) -> None:
    refusal = wrong_expected_version("Append", stream, expected, actual_version)
    detail = shared.WrongExpectedVersion()
    if actual_version:
        detail.current_stream_revision = actual_version - 1
    else:
        detail.current_no_stream.SetInParent()
    if isinstance(expected, int):
        detail.expected_stream_position = expected - 1
    else:
        getattr(detail, _EXPECTED_FIELDS[expected]).SetInParent()
    answer.error.code, answer.error.message = GRPC_NUMBERS[refusal.status], refusal.message
    answer.error.details.Pack(detail)


def fill_error(answer: pb.BatchAppendResp, error: IndelibleError) -> None:
    refusal = refusal_of(error)
    other = shared.Unknown if refusal.status in _SERVER_S_OWN else shared.BadRequest
    detail = _DETAILS.get(error.code, other)()
    if isinstance(detail, shared.MaximumAppendSizeExceeded):
        detail.maxAppendSize = error.fields.get("size_bytes_max") or 0
    elif isinstance(detail, shared.BadRequest):
        detail.message = refusal.message
    answer.error.code, answer.error.message = GRPC_NUMBERS[refusal.status], refusal.message
    answer.error.details.Pack(detail)


def fill_timeout(answer: pb.BatchAppendResp, message: str) -> None:
    answer.error.code, answer.error.message = GRPC_NUMBERS["DEADLINE_EXCEEDED"], message
    answer.error.details.Pack(shared.Timeout())
