"""The one table from error codes to statuses of HTTP and gRPC, and errors as problem documents (RFC 9457), both ways.

A problem document has ``type``, ``title``, ``status``, ``detail`` (the error's message), ``code``, and the error's
fields as further members, ``pointer`` among them.
"""

from typing import Any, Final, NamedTuple

import msgspec

from indelible.errors import IndelibleError, OutcomeUnknown, error_from_code
from indelible.limits import ERROR_TEXT_SIZE_BYTES_MAX

PROBLEM_CONTENT_TYPE: Final = "application/problem+json"


class Statuses(NamedTuple):
    """What an error is over HTTP, and over gRPC (the name of a canonical code)."""

    http: int
    grpc: str


STATUSES: Final[dict[str, Statuses]] = {
    "invalid_request": Statuses(400, "INVALID_ARGUMENT"),
    "condition_too_costly": Statuses(400, "INVALID_ARGUMENT"),
    "search_too_costly": Statuses(400, "INVALID_ARGUMENT"),
    "unauthenticated": Statuses(401, "UNAUTHENTICATED"),
    "forbidden": Statuses(403, "PERMISSION_DENIED"),
    "aggregate_not_found": Statuses(404, "NOT_FOUND"),
    "event_not_found": Statuses(404, "NOT_FOUND"),
    "snapshot_not_found": Statuses(404, "NOT_FOUND"),
    "group_not_found": Statuses(404, "NOT_FOUND"),
    "parked_event_not_found": Statuses(404, "NOT_FOUND"),
    "relay_not_found": Statuses(404, "NOT_FOUND"),
    "set_aside_event_not_found": Statuses(404, "NOT_FOUND"),
    "key_not_found": Statuses(404, "NOT_FOUND"),
    "schema_not_found": Statuses(404, "NOT_FOUND"),
    "not_found": Statuses(404, "UNIMPLEMENTED"),
    "method_not_allowed": Statuses(405, "UNIMPLEMENTED"),
    "not_acceptable": Statuses(406, "INVALID_ARGUMENT"),
    "version_conflict": Statuses(409, "ABORTED"),
    "event_id_conflict": Statuses(409, "ALREADY_EXISTS"),
    "condition_failed": Statuses(409, "ABORTED"),
    "group_exists": Statuses(409, "ALREADY_EXISTS"),
    "relay_owned": Statuses(409, "FAILED_PRECONDITION"),
    "relay_fenced": Statuses(409, "ABORTED"),
    "replay_running": Statuses(409, "FAILED_PRECONDITION"),
    "schema_incompatible": Statuses(409, "FAILED_PRECONDITION"),
    "payload_too_large": Statuses(413, "RESOURCE_EXHAUSTED"),
    "unsupported_media_type": Statuses(415, "INVALID_ARGUMENT"),
    "schema_mismatch": Statuses(422, "INVALID_ARGUMENT"),
    "rate_limited": Statuses(429, "RESOURCE_EXHAUSTED"),
    "storage_failure": Statuses(500, "INTERNAL"),
    "store_corrupted": Statuses(500, "DATA_LOSS"),
    "index_mismatch": Statuses(500, "DATA_LOSS"),
    "event_not_decoded": Statuses(500, "INTERNAL"),
    "internal_error": Statuses(500, "INTERNAL"),
    "search_unavailable": Statuses(501, "UNIMPLEMENTED"),
    "unavailable": Statuses(503, "UNAVAILABLE"),
    "overloaded": Statuses(503, "UNAVAILABLE"),
    "shutting_down": Statuses(503, "UNAVAILABLE"),
    "index_behind": Statuses(503, "UNAVAILABLE"),
    "index_building": Statuses(503, "UNAVAILABLE"),
    "outcome_unknown": Statuses(503, "UNKNOWN"),
    "store_locked": Statuses(503, "UNAVAILABLE"),
    "storage_full": Statuses(507, "RESOURCE_EXHAUSTED"),
}
"""Every code that can reach a caller, and its statuses. ABORTED is gRPC's word for "read again, and then try again"."""

GRPC_NUMBERS: Final = {
    name: number
    for number, name in enumerate((
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ))
}  # fmt: skip
"""gRPC's canonical codes. google.rpc has them as an enumeration, which other packages of a process may have too: then
it can be had from one alone."""

STATUS_OF_CODE: Final = {code: statuses.http for code, statuses in STATUSES.items()}

STATUS_PRECONDITION_FAILED: Final = 412
"""For a version_conflict when the caller asked by header (If-Match, If-None-Match)."""

GRPC_DETAILS_KEY: Final = "grpc-status-details-bin"
"""Trailer of a call that failed: a google.rpc.Status, whose only detail is an indelible.v1.Error."""

GRPC_CODE_KEY: Final = "indelible-code"
"""Trailer with the error's code alone, for callers without Google's messages."""

_TYPE_PREFIX: Final = "urn:indelible:error:"
SPEAKS_GRPC: Final = b"This port speaks gRPC"
"""How a port for gRPC answers who speaks HTTP/1.1 there."""

_ELLIPSIS: Final = "…"
_OWN_MEMBERS: Final = ("type", "title", "status", "detail", "code")


def status_of(error: IndelibleError) -> int:
    return STATUS_OF_CODE.get(error.code, 500)


def grpc_status_of(error: IndelibleError) -> str:
    statuses = STATUSES.get(error.code)
    return "UNKNOWN" if statuses is None else statuses.grpc


def cut(text: str) -> str:
    """A text as an answer has it: of a very long one the beginning, and an ellipsis."""
    # Nothing more is encoded than may be sent.
    encoded = text[: ERROR_TEXT_SIZE_BYTES_MAX + 1].encode("utf-8", "replace")
    if len(encoded) <= ERROR_TEXT_SIZE_BYTES_MAX:
        return text
    return encoded[: ERROR_TEXT_SIZE_BYTES_MAX - len(_ELLIPSIS.encode())].decode("utf-8", "ignore") + _ELLIPSIS


def fields_of(error: IndelibleError) -> dict[str, Any]:
    """An error's fields as an answer has them. An answer that nobody takes stays in memory, where none of the bounds of
    requests counts: so a caller's own text, such as the key that a pointer names, is not in it whole."""
    return {name: cut(value) if isinstance(value, str) else value for name, value in error.fields.items()}


def problem(error: IndelibleError, status: int | None = None) -> dict[str, Any]:
    """The problem document of an error, as a JSON object. ``status`` overrides the table."""
    return {
        "type": _TYPE_PREFIX + error.code,
        "title": error.code.replace("_", " ").capitalize(),
        "status": status_of(error) if status is None else status,
        "detail": cut(error.message),
        "code": error.code,
        **fields_of(error),
    }


def encode_problem(error: IndelibleError, status: int | None = None) -> bytes:
    return msgspec.json.encode(problem(error, status), enc_hook=str)


def decode_problem(status: int, body: bytes) -> IndelibleError:
    """The error that an answer with this status and body stands for.

    An answer without a code is not from an Indelible server: a proxy or load balancer gave it. When it is a 5xx,
    what became of the request is unknown.
    """
    try:
        members = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        members = {}
    code = members.get("code")
    if isinstance(code, str):
        fields = {name: value for name, value in members.items() if name not in _OWN_MEMBERS}
        return error_from_code(code, str(members.get("detail", code)), fields)
    message = f"answered with status {status} and no error code; this is not an Indelible server's answer"
    return OutcomeUnknown(message, status=status) if status >= 500 else IndelibleError(message, status=status)
