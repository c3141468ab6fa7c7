"""Error answers: which codes a route may answer with, and what each problem document holds."""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from indelible.errors import (
    AggregateNotFound,
    ConditionFailed,
    ConditionTooCostly,
    EventIdConflict,
    EventNotFound,
    GroupExists,
    GroupNotFound,
    IndelibleError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotAcceptable,
    OutcomeUnknown,
    Overloaded,
    ParkedEventNotFound,
    PayloadTooLarge,
    RouteNotFound,
    ShuttingDown,
    SnapshotNotFound,
    StorageFailure,
    StorageFull,
    StoreCorrupted,
    Unavailable,
    UnsupportedMediaType,
    VersionConflict,
)
from indelible.events import JSON_CONTENT_TYPE
from indelible.limits import CONDITION_ENTRIES_MAX, REQUEST_SIZE_BYTES_MAX, RETRY_AFTER_S
from indelible.server.http.messages import NDJSON_CONTENT_TYPE
from indelible.server.http.openapi_operation import Operation
from indelible.server.http.openapi_types import Schema
from indelible.server.http.openapi_vocabulary import ERROR_FIELDS
from indelible.wire.errors import PROBLEM_CONTENT_TYPE, STATUS_OF_CODE, STATUS_PRECONDITION_FAILED, problem

STATUS_HEAD_TOO_LARGE: Final = 431

APPEND_ERRORS: Final = (
    "version_conflict", "event_id_conflict", "shutting_down", "outcome_unknown", "storage_full",
)  # fmt: skip
"""Of every append, beside what every route may answer with."""

_OF_EVERY_ROUTE: Final = ("invalid_request", "overloaded", "internal_error")
_OF_THE_STORE: Final = ("unavailable", "storage_failure", "store_corrupted")
_OF_BODIES: Final = ("payload_too_large", "unsupported_media_type")
_KEY: Final = {"aggregate_type": "order", "aggregate_id": "o-1"}
_EVENT_ID: Final = "01890a5d-ac96-774b-bcce-b302099a8057"

EXAMPLES: Final[dict[str, IndelibleError]] = {
    error.code: error
    for error in (
        InvalidRequest("must be an integer from 1 to 1000", pointer="/limit"),
        PayloadTooLarge(
            f"the body takes more than {REQUEST_SIZE_BYTES_MAX} bytes", size_bytes_max=REQUEST_SIZE_BYTES_MAX
        ),
        ConditionTooCostly(
            f"after {CONDITION_ENTRIES_MAX} index entries it is not known whether an event matches; nothing was stored",
            pointer="/condition",
            entries_looked_at=CONDITION_ENTRIES_MAX,
            entries_looked_at_max=CONDITION_ENTRIES_MAX,
        ),
        VersionConflict("order-o-1 is at version 3, expected 2", **_KEY, expected_version=2, actual_version=3),
        EventIdConflict(f"event id {_EVENT_ID} is stored already, with other content", event_id=_EVENT_ID),
        ConditionFailed("the event at position 17 matches the append condition", position=17),
        AggregateNotFound("no aggregate order-o-1", **_KEY),
        EventNotFound(f"no event has the id {_EVENT_ID}", event_id=_EVENT_ID),
        SnapshotNotFound("order-o-1 has no snapshot", **_KEY),
        GroupExists("group billing exists with other settings", group="billing"),
        GroupNotFound("no group billing", group="billing"),
        ParkedEventNotFound("no event is parked at position 17", group="billing", position=17),
        RouteNotFound("nothing is at /v2/events"),
        MethodNotAllowed("DELETE is not possible here, only GET, HEAD", allowed=["GET", "HEAD"]),
        NotAcceptable(
            f"offered here: {JSON_CONTENT_TYPE}, {NDJSON_CONTENT_TYPE}",
            offered=[JSON_CONTENT_TYPE, NDJSON_CONTENT_TYPE],
        ),
        UnsupportedMediaType("the body must be application/json in UTF-8", supported=[JSON_CONTENT_TYPE]),
        Unavailable("the store is out of reach; nothing was stored", retry_after_s=RETRY_AFTER_S),
        Overloaded("too many appends are waiting; nothing was stored", retry_after_s=RETRY_AFTER_S),
        ShuttingDown("the store is closed; nothing was stored", retry_after_s=RETRY_AFTER_S),
        StorageFull("no space is left; nothing was stored", retry_after_s=RETRY_AFTER_S),
        OutcomeUnknown("the commit failed; append again with the same event ids to learn whether it is stored"),
        StorageFailure("the storage has failed"),
        StoreCorrupted("stored bytes are not what was written"),
        InternalError("something is wrong in the server; its log has the details"),
    )
}
"""One of each error that a request can meet: its fields are those that such an error always has."""

_NOT_ALWAYS: Final = {
    "payload_too_large": ("size_bytes_max", "events_max", "keys_max", "statement_timeout_s"),
    "store_corrupted": ("position",),
    "unavailable": ("parts",),
    "shutting_down": ("parts",),
}
"""Fields that an error may have or not."""

_OF_NO_OPERATION: Final = (RouteNotFound.code, MethodNotAllowed.code)
"""What is asked for is none; the description of the whole names these."""

_TITLES: Final = {
    400: "The request is not allowed as it is.",
    404: "It does not exist.",
    406: "The Accept header takes no media type that is offered.",
    409: "The store's state forbids it. Nothing was stored.",
    412: "The aggregate is not at the version that the header asked for. Nothing was stored.",
    413: "Something in the request is larger than allowed. Nothing was stored.",
    415: "The body is of no media type that is taken, or not in UTF-8.",
    431: "The request line and headers are too long.",
    500: "Something is wrong in the server or its storage.",
    503: "Not now, or not known. Try again later; appends with the same event ids.",
    507: "No space is left where the store lives. Nothing was stored.",
}


_BASE: Final[dict[str, Schema]] = {
    "type": {"type": "string", "format": "uri", "description": "The code as a URN."},
    "title": {"type": "string", "description": "The code in words."},
    "status": {"type": "integer", "description": "The HTTP status."},
    "detail": {"type": "string", "description": "What is wrong and what to do, for people."},
    "code": {"type": "string", "enum": [*EXAMPLES], "description": "What is wrong, for programs. Stable."},
}


def problem_schemas() -> dict[str, Schema]:
    """A component for all problem documents, and one for each code that an operation may answer with."""
    base: Schema = {
        "title": "Problem",
        "description": "An error, as RFC 9457 has it. Programs look at code; its other fields depend on that.",
        "type": "object",
        "properties": _BASE,
        "required": [*_BASE],
    }
    errors = [error for error in EXAMPLES.values() if error.code not in _OF_NO_OPERATION]
    return {"Problem": base, **{type(error).__name__: _problem_schema(error) for error in errors}}


def _problem_schema(error: IndelibleError) -> Schema:
    """All its fields. Not as an addition to Problem (allOf): of that, some generators of clients lose the fields."""
    optional = _NOT_ALWAYS.get(error.code, ())
    always = [name for name in error.fields if name not in optional]
    fields = {name: ERROR_FIELDS[name] for name in (*always, *optional)}
    return {
        "title": type(error).__name__,
        "description": _meaning(error),
        "type": "object",
        "properties": _BASE | {"code": {"const": error.code, "description": "Says which error this is."}} | fields,
        "required": [*_BASE, *always],
        "examples": [problem(error)],
    }


def _meaning(error: IndelibleError) -> str:
    """What its class says, but for the fields: those are said one by one."""
    text = " ".join((type(error).__doc__ or "").replace("``", "`").split())
    return re.sub(r" Fields?: .*", "", text)


def error_responses(operation: Operation) -> dict[str, Schema]:
    """The error answers of an operation, by status."""
    errors = sorted({(STATUS_OF_CODE[code], code) for code in _codes(operation)})
    found = {
        status: _error_response(status, [code for _, code in group])
        for status, group in groupby(errors, key=lambda error: error[0])
    }
    found[STATUS_HEAD_TOO_LARGE] = _error_response(STATUS_HEAD_TOO_LARGE, ["payload_too_large"])
    if "If-Match" in operation.headers:
        found[STATUS_PRECONDITION_FAILED] = _error_response(STATUS_PRECONDITION_FAILED, ["version_conflict"], "ETag")
    return {str(status): found[status] for status in sorted(found)}


def _codes(operation: Operation) -> Iterable[str]:
    yield from _OF_EVERY_ROUTE
    yield from operation.errors
    if operation.group != "Operations":
        yield from _OF_THE_STORE
    if operation.body is not None:
        yield from _OF_BODIES


def _error_response(status: int, codes: list[str], *headers: str) -> Schema:
    errors = [EXAMPLES[code] for code in codes]
    if status == 503 or any(isinstance(error, Unavailable) for error in errors):
        headers = (*headers, "Retry-After")
    return {
        "description": _TITLES[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {PROBLEM_CONTENT_TYPE: {"schema": _one_of(errors)}},
    }


def _one_of(errors: list[IndelibleError]) -> Schema:
    references = {error.code: f"#/components/schemas/{type(error).__name__}" for error in errors}
    if len(references) == 1:
        return {"$ref": next(iter(references.values()))}
    return {
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "code", "mapping": references},
    }
