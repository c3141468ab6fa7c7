"""Statuses, trailers and details as the clients of KurrentDB know them."""

import pytest

from indelible.errors import (
    EventIdConflict,
    Forbidden,
    IndelibleError,
    InternalError,
    InvalidRequest,
    OutcomeUnknown,
    Overloaded,
    PayloadTooLarge,
    RateLimited,
    SchemaMismatch,
    Unauthenticated,
)
from indelible.wire.errors import GRPC_NUMBERS
from indelible.wire.esdb.batches import fill_error
from indelible.wire.esdb.errors import refusal_of, wrong_expected_version
from indelible.wire.esdb.pb import streams_pb2 as pb

CASES = [
    (Forbidden("you need append:*", permission="append"), "PERMISSION_DENIED", "access-denied", "AccessDenied"),
    (Unauthenticated("who are you?"), "UNAUTHENTICATED", "not-authenticated", "BadRequest"),
    (PayloadTooLarge("large", size_bytes_max=5), "INVALID_ARGUMENT", "maximum-append-size-exceeded",
     "MaximumAppendSizeExceeded"),
    (SchemaMismatch("must be a number", pointer="/events/0/event_data/total"), "INVALID_ARGUMENT", None, "BadRequest"),
    (InvalidRequest("is empty", pointer="/stream_name"), "INVALID_ARGUMENT", None, "BadRequest"),
    (EventIdConflict("is taken"), "ALREADY_EXISTS", None, "BadRequest"),
    (RateLimited("slower", retry_after_s=1), "RESOURCE_EXHAUSTED", None, "BadRequest"),
    (Overloaded("full", retry_after_s=1), "UNAVAILABLE", None, "Unknown"),
    (InternalError("broken"), "INTERNAL", None, "Unknown"),
    # Clients try again, with the same ids.
    (OutcomeUnknown("may be stored"), "DEADLINE_EXCEEDED", None, "Timeout"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "status", "exception", "detail"), CASES)
def test_each_error_is_one_that_clients_know(error: IndelibleError, status: str, exception: str | None, detail: str):
    refusal = refusal_of(error)
    trailers = dict(refusal.trailers)
    assert refusal.status == status
    assert trailers.get(b"exception", b"").decode() == (exception or "")
    assert trailers[b"indelible-code"].decode() == error.code
    assert error.message in refusal.message
    answer = pb.BatchAppendResp()
    fill_error(answer, error)
    assert answer.error.code == GRPC_NUMBERS[status]
    assert answer.error.details.TypeName() == f"event_store.client.{detail}"


def test_a_wrong_version_is_told_in_text_and_trailers():
    refusal = wrong_expected_version("Delete", "order-ä", "exists", 0)
    assert refusal.message.endswith("WrongExpectedVersion. Stream: order-ä, Expected version: -4, Actual version: -1")
    assert dict(refusal.trailers)[b"stream-name"] == b"order-\\xe4"
