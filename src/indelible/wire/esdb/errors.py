"""What is answered when something is wrong, as clients of this wire know it: by the status, the trailer ``exception``
with others beside it, and for some by the text."""

from typing import Final, NamedTuple

from indelible.conditions import ExpectedVersion
from indelible.errors import IndelibleError, OutcomeUnknown, PayloadTooLarge
from indelible.wire.errors import GRPC_CODE_KEY, grpc_status_of
from indelible.wire.esdb.messages import MissingProperty

_SHOWN_SIZE_BYTES_MAX: Final = 1_000
"""Of a name in a refusal, as ASCII. A stream's and a group's stand in trailers, of which clients take 8 KiB."""


class Refusal(NamedTuple):
    """How a call ends that was refused."""

    status: str
    message: str
    trailers: tuple[tuple[bytes, bytes], ...] = ()


def refusal_of(error: IndelibleError) -> Refusal:
    """Of any error that the store raises."""
    code = (GRPC_CODE_KEY.encode(), error.code.encode())
    if error.code == "forbidden":
        return Refusal("PERMISSION_DENIED", f"Access Denied: {error.message}", (_named("access-denied"), code))
    if error.code == "unauthenticated":
        return Refusal("UNAUTHENTICATED", f"Not Authenticated: {error.message}", (_named("not-authenticated"), code))
    if isinstance(error, OutcomeUnknown):
        # Of this status clients know that they may try again.
        return Refusal("DEADLINE_EXCEEDED", f"Operation timed out: {error.message}", (code,))
    if isinstance(error, PayloadTooLarge):
        return _too_large(error, code)
    if isinstance(error, MissingProperty):
        properties = (b"required-metadata-properties", b"type,content-type")
        return Refusal(
            "INVALID_ARGUMENT", error.message, (_named("missing-required-metadata-property"), properties, code)
        )
    return Refusal(grpc_status_of(error), _with_pointer(error), (code,))


def _with_pointer(error: IndelibleError) -> str:
    pointer = error.fields.get("pointer")
    return f"{pointer}: {error.message}" if pointer else error.message


def _too_large(error: PayloadTooLarge, code: tuple[bytes, bytes]) -> Refusal:
    maximum = error.fields.get("size_bytes_max") or error.fields.get("events_max") or 0
    return Refusal(
        "INVALID_ARGUMENT",
        f"Maximum Append Size Exceeded: {_with_pointer(error)}",
        (_named("maximum-append-size-exceeded"), _field("maximum-append-size", maximum), code),
    )


def _named(exception: str) -> tuple[bytes, bytes]:
    return (b"exception", exception.encode())


def shown_name(name: str) -> str:
    """A name as a refusal has it. One that came in a request may have any length, and clients that are sent larger
    headers than they take hear of no refusal."""
    size_bytes = 0
    for i, character in enumerate(name):
        size_bytes += len(_as_ascii(character))
        if size_bytes > _SHOWN_SIZE_BYTES_MAX:
            return f"{name[:i]}..."
    return name


def _as_ascii(text: str) -> bytes:
    return text.encode("ascii", "backslashreplace")


def _field(name: str, value: object) -> tuple[bytes, bytes]:
    # What is not ASCII would not pass as a header.
    return (name.encode(), _as_ascii(str(value)))


# --- What streams are refused for ------------------------------------------------------------------------------------


def shown_expected(expected: ExpectedVersion) -> int:
    """As a number: these clients' constants, or a revision."""
    return {"none": -1, "any": -2, "exists": -4}[expected] if isinstance(expected, str) else expected - 1


def wrong_expected_version(doing: str, stream: str, expected: ExpectedVersion, actual_version: int) -> Refusal:
    """``doing``: "Append" or "Delete"."""
    wanted, actual = shown_expected(expected), actual_version - 1
    return Refusal(
        "FAILED_PRECONDITION",
        f"{doing} failed due to WrongExpectedVersion. Stream: {stream}, Expected version: {wanted}, "
        f"Actual version: {actual}",
        (
            _named("wrong-expected-version"),
            _field("stream-name", stream),
            _field("expected-version", wanted),
            _field("actual-version", actual),
        ),
    )


def stream_deleted(stream: str) -> Refusal:
    return Refusal(
        "FAILED_PRECONDITION",
        f"Event stream '{stream}' is deleted.",
        (_named("stream-deleted"), _field("stream-name", stream)),
    )


def stream_not_found(stream: str) -> Refusal:
    return Refusal(
        "NOT_FOUND",
        f"Event stream '{stream}' is not found.",
        (_named("stream-not-found"), _field("stream-name", stream)),
    )


# --- What persistent subscriptions are refused for -------------------------------------------------------------------


def subscription_not_found(stream: str, group: str) -> Refusal:
    message = "Subscription group {group} on stream {stream} does not exist."
    return _of_subscription("NOT_FOUND", "persistent-subscription-does-not-exist", message, stream, group)


def subscription_exists(stream: str, group: str) -> Refusal:
    message = "Subscription group {group} on stream {stream} exists."
    return _of_subscription("ALREADY_EXISTS", "persistent-subscription-exists", message, stream, group)


def subscription_dropped(stream: str, group: str) -> Refusal:
    message = "Subscription group {group} on stream {stream} was dropped: it was deleted."
    return _of_subscription("CANCELLED", "persistent-subscription-dropped", message, stream, group)


def subscribers_reached(stream: str, group: str) -> Refusal:
    message = "Maximum subscriptions reached for subscription group {group} on stream {stream}."
    return _of_subscription("FAILED_PRECONDITION", "maximum-subscribers-reached", message, stream, group)


def _of_subscription(status: str, exception: str, message: str, stream: str, group: str) -> Refusal:
    """``message``: with places for the names."""
    stream, group = shown_name(stream), shown_name(group)
    trailers = (_named(exception), _field("stream-name", stream), _field("group-name", group))
    return Refusal(status, message.format(stream=stream, group=group), trailers)
