"""The one table from error codes to statuses, and errors as problem documents (RFC 9457), both ways.

A problem document has ``type``, ``title``, ``status``, ``detail`` (the error's message), ``code``, and the error's
fields as further members, ``pointer`` among them.
"""

from typing import Any, Final

import msgspec

from indelible.errors import IndelibleError, OutcomeUnknown, error_from_code

PROBLEM_CONTENT_TYPE: Final = "application/problem+json"

STATUS_OF_CODE: Final[dict[str, int]] = {
    "invalid_request": 400,
    "aggregate_not_found": 404,
    "event_not_found": 404,
    "snapshot_not_found": 404,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "version_conflict": 409,
    "event_id_conflict": 409,
    "condition_failed": 409,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "storage_failure": 500,
    "store_corrupted": 500,
    "internal_error": 500,
    "unavailable": 503,
    "overloaded": 503,
    "shutting_down": 503,
    "outcome_unknown": 503,
    "store_locked": 503,
    "storage_full": 507,
}
"""Every code that can reach a caller over HTTP, and its status."""

STATUS_PRECONDITION_FAILED: Final = 412
"""For a version_conflict when the caller asked by header (If-Match, If-None-Match)."""

_TYPE_PREFIX: Final = "urn:indelible:error:"
_OWN_MEMBERS: Final = ("type", "title", "status", "detail", "code")


def status_of(error: IndelibleError) -> int:
    return STATUS_OF_CODE.get(error.code, 500)


def problem(error: IndelibleError, status: int | None = None) -> dict[str, Any]:
    """The problem document of an error, as a JSON object. ``status`` overrides the table."""
    return {
        "type": _TYPE_PREFIX + error.code,
        "title": error.code.replace("_", " ").capitalize(),
        "status": status_of(error) if status is None else status,
        "detail": error.message,
        "code": error.code,
        **error.fields,
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
