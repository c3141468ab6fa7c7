"""Statuses, trailers and details as the clients of KurrentDB know them."""

from collections.abc import Callable

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
from indelible.limits import ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX
from indelible.wire.errors import GRPC_NUMBERS
from indelible.wire.esdb.batches import fill_error
from indelible.wire.esdb.errors import (
    Refusal,
    refusal_of,
    shown_name,
    subscribers_reached,
    subscription_dropped,
    subscription_exists,
    subscription_not_found,
    wrong_expected_version,
)
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


REFUSALS = (subscription_not_found, subscription_exists, subscription_dropped, subscribers_reached)


@pytest.mark.parametrize("refusal_for", REFUSALS)
@pytest.mark.parametrize("character", ["x", "\xe9", "\u4e00", "\U0001f600", "\n"])
def test_names_of_any_length_leave_a_refusal_that_clients_take(
    refusal_for: Callable[[str, str], Refusal], character: str
):
    refusal = refusal_for(character * 20_000, character * 1_000)
    # HTTP/2 counts 32 bytes more for each.
    size_bytes = sum(len(name) + len(value) + 32 for name, value in refusal.trailers)
    assert size_bytes + ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX < 4 * 1024


def test_names_of_a_usual_length_stand_whole_in_refusals():
    refusal = subscription_not_found("x" * 255, "g" * 1_000)
    assert dict(refusal.trailers)[b"stream-name"] == b"x" * 255
    assert dict(refusal.trailers)[b"group-name"] == b"g" * 1_000
    assert shown_name("x" * 1_001) == "x" * 1_000 + "..."


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
