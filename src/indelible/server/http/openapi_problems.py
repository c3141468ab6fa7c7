"""Error answers: which codes a route may answer with, and what each problem document holds."""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final

import msgspec

from indelible import errors
from indelible.errors import IndelibleError, Unavailable
from indelible.events import JSON_CONTENT_TYPE
from indelible.limits import CONDITION_ENTRIES_MAX, REQUEST_SIZE_BYTES_MAX, RETRY_AFTER_S, SEARCH_TIMEOUT_S
from indelible.operations import Operation
from indelible.server.http.messages import NDJSON_CONTENT_TYPE
from indelible.server.principal_limits import PROBES
from indelible.wire.errors import PROBLEM_CONTENT_TYPE, STATUS_OF_CODE, STATUS_PRECONDITION_FAILED, problem
from indelible.words import COUNT, VERSION, ExpectedVersion, Schema

STATUS_HEAD_TOO_LARGE: Final = 431

_OF_EVERY_ROUTE: Final = ("invalid_request", "overloaded", "internal_error")
_OF_THE_STORE: Final = ("unavailable", "storage_failure", "store_corrupted")
_OF_BODIES: Final = ("payload_too_large", "unsupported_media_type")
_KEY: Final = {"aggregate_type": "order", "aggregate_id": "o-1"}
_EVENT_ID: Final = "01890a5d-ac96-774b-bcce-b302099a8057"

EXAMPLES: Final[dict[str, IndelibleError]] = {
    error.code: error
    for error in (
        errors.InvalidRequest("must be an integer from 1 to 1000", pointer="/limit"),
        errors.PayloadTooLarge(
            f"the body takes more than {REQUEST_SIZE_BYTES_MAX} bytes", size_bytes_max=REQUEST_SIZE_BYTES_MAX
        ),
        errors.ConditionTooCostly(
            f"after {CONDITION_ENTRIES_MAX} index entries it is not known whether an event matches; nothing was stored",
            pointer="/condition",
            entries_looked_at=CONDITION_ENTRIES_MAX,
            entries_looked_at_max=CONDITION_ENTRIES_MAX,
        ),
        errors.SearchTooCostly(
            f"took longer than {SEARCH_TIMEOUT_S:g} s; say more of what to find", pointer="", timeout_s=SEARCH_TIMEOUT_S
        ),
        errors.SchemaMismatch(
            "must fit minimum: 0, by version 1 of the schema of OrderPlaced",
            pointer="/events/0/event_data/total",
            event_type="OrderPlaced",
            schema_version=1,
            rule="/properties/total/minimum",
        ),
        errors.SchemaIncompatible(
            "not backward compatible: the new schema refuses data that fits version 1, by /required",
            event_type="OrderPlaced",
            version=1,
            broken="backward",
            pointer="/required",
            is_certain=True,
        ),
        errors.VersionConflict("order-o-1 is at version 3, expected 2", **_KEY, expected_version=2, actual_version=3),
        errors.EventIdConflict(f"event id {_EVENT_ID} is stored already, with other content", event_id=_EVENT_ID),
        errors.ConditionFailed("the event at position 17 matches the append condition", position=17),
        errors.Unauthenticated("say who you are: Authorization: Bearer TOKEN"),
        errors.Forbidden("you may not append to order", permission="append", aggregate_type="order"),
        errors.AggregateNotFound("no aggregate order-o-1", **_KEY),
        errors.EventNotFound(f"no event has the id {_EVENT_ID}", event_id=_EVENT_ID),
        errors.SnapshotNotFound("order-o-1 has no snapshot", **_KEY),
        errors.GroupExists("group billing exists with other settings", group="billing"),
        errors.RelayOwned(
            "the relay orders-to-nats is owned by relay-1 4711, for 4.5 s more",
            relay="orders-to-nats",
            owner="relay-1 4711",
            lease_left_s=4.5,
        ),
        errors.RelayFenced(
            "epoch 1 of the relay orders-to-nats is over: the newest is 2", relay="orders-to-nats", epoch=2
        ),
        errors.ReplayRunning(
            "the relay orders-to-nats publishes another range again: replay-3",
            relay="orders-to-nats",
            replay="replay-3",
        ),
        errors.RelayNotFound("there is no relay orders-to-nats", relay="orders-to-nats"),
        errors.SchemaNotFound("the event type OrderPlaced has no schema", event_type="OrderPlaced", version=2),
        errors.KeyNotFound("there is no key 6f1c0e5d2a9b4c37", key_id="6f1c0e5d2a9b4c37"),
        errors.SetAsideEventNotFound(
            "the relay orders-to-nats has set aside no event at position 17", relay="orders-to-nats", position=17
        ),
        errors.GroupNotFound("no group billing", group="billing"),
        errors.ParkedEventNotFound("no event is parked at position 17", group="billing", position=17),
        errors.RouteNotFound("nothing is at /v2/events"),
        errors.MethodNotAllowed("DELETE is not possible here, only GET, HEAD", allowed=["GET", "HEAD"]),
        errors.NotAcceptable(
            f"offered here: {JSON_CONTENT_TYPE}, {NDJSON_CONTENT_TYPE}",
            offered=[JSON_CONTENT_TYPE, NDJSON_CONTENT_TYPE],
        ),
        errors.UnsupportedMediaType("the body must be application/json in UTF-8", supported=[JSON_CONTENT_TYPE]),
        errors.RateLimited(
            "orders may have 100 requests a second, and no more; nothing was stored", retry_after_s=RETRY_AFTER_S
        ),
        Unavailable("the store is out of reach; nothing was stored", retry_after_s=RETRY_AFTER_S),
        errors.Overloaded("too many appends are waiting; nothing was stored", retry_after_s=RETRY_AFTER_S),
        errors.ShuttingDown("the store is closed; nothing was stored", retry_after_s=RETRY_AFTER_S),
        errors.StorageFull("no space is left; nothing was stored", retry_after_s=RETRY_AFTER_S),
        errors.SearchUnavailable("this store has no query index"),
        errors.IndexBehind(
            "the query index has come to cursor 2, and not to 3 yet",
            indexed_cursor="2",
            lag=1,
            retry_after_s=RETRY_AFTER_S,
        ),
        errors.IndexBuilding(
            "the query index is being built; 40 of 100 events are to come",
            documents=60,
            lag=40,
            retry_after_s=RETRY_AFTER_S,
        ),
        errors.IndexMismatch(f"the query index holds the event {_EVENT_ID}, the log does not", event_id=_EVENT_ID),
        errors.OutcomeUnknown("the commit failed; append again with the same event ids to learn whether it is stored"),
        errors.StorageFailure("the storage has failed"),
        errors.StoreCorrupted("stored bytes are not what was written"),
        errors.InternalError("something is wrong in the server; its log has the details"),
    )
}
"""One of each error that a request can meet: its fields are those that such an error always has."""

_NOT_ALWAYS: Final = {
    "forbidden": ("aggregate_type",),
    "payload_too_large": ("size_bytes_max", "events_max", "tags_max", "keys_max", "statement_timeout_s"),
    "schema_not_found": ("version",),
    "store_corrupted": ("position",),
    "unavailable": ("parts",),
    "shutting_down": ("parts",),
}
"""Fields that an error may have or not."""

_OF_NO_OPERATION: Final = (errors.RouteNotFound.code, errors.MethodNotAllowed.code)
"""What is asked for is none; the description of the whole names these."""

_INTEGER: Final[Schema] = {"type": "integer"}
_FIELDS: Final[dict[str, Schema]] = {
    "pointer": {"type": "string", "description": "JSON pointer of the bad field; /name for a parameter."},
    "event_type": {"type": "string", "description": "Whose schema it is about."},
    "schema_version": _INTEGER | VERSION | {"description": "Of the schema that the data does not fit."},
    "rule": {"type": "string", "description": "JSON pointer into the schema: what does not fit; empty if not known."},
    "version": _INTEGER | VERSION | {"description": "Of the schema."},
    "broken": {"enum": ["backward", "forward"], "description": "What the new schema does not keep."},
    "is_certain": {"type": "boolean", "description": "False where nobody can tell whether it keeps it."},
    "size_bytes_max": {"type": "integer", "description": "How many bytes are allowed."},
    "events_max": {"type": "integer", "description": "How many events are allowed."},
    "tags_max": {"type": "integer", "description": "How many tags are allowed, those of all events together."},
    "keys_max": {"type": "integer", "description": "How many keys the request's objects may have."},
    "statement_timeout_s": {
        "type": "number",
        "description": "How long the database lets a statement take; the append takes longer.",
    },
    "entries_looked_at": {"type": "integer", "description": "Index entries, before it was given up."},
    "entries_looked_at_max": {"type": "integer", "description": "How many are allowed."},
    "timeout_s": {"type": "number", "description": "How long it may take, in seconds."},
    "indexed_cursor": {"type": "string", "description": "How far the query index has come. Opaque."},
    "lag": _INTEGER | COUNT | {"description": "Positions that are to be indexed."},
    "documents": _INTEGER | COUNT | {"description": "About how many events are indexed."},
    "permission": {"type": "string", "description": "What would have to be granted."},
    "aggregate_type": {"type": "string", "description": "Of the aggregate that was asked for."},
    "aggregate_id": {"type": "string", "description": "Of the aggregate that was asked for."},
    "event_id": {"type": "string", "format": "uuid", "description": "Which event."},
    "group": {"type": "string", "description": "Name of the group that was asked for."},
    "key_id": {"type": "string", "description": "Id of the key that was asked for."},
    "relay": {"type": "string", "description": "Name of the relay that was asked for."},
    "owner": {"type": "string", "description": "Who owns it."},
    "replay": {"type": "string", "description": "Name of the replay that is under way."},
    "lease_left_s": {"type": "number", "minimum": 0, "description": "How long, unless the owner renews the lease."},
    "epoch": _INTEGER | VERSION | {"description": "The newest epoch."},
    "expected_version": msgspec.json.schema(ExpectedVersion) | {"description": "What the append asked for."},
    "actual_version": _INTEGER | COUNT | {"description": "What the aggregate's version is; 0 when it does not exist."},
    "position": _INTEGER
    | VERSION
    | {"description": "Of the first event that stands in the way, or is not as it should be."},
    "retry_after_s": {"type": "number", "minimum": 0, "description": "Seconds to wait before trying again."},
    "offered": {"type": "array", "items": {"type": "string"}, "description": "Media types that are offered."},
    "supported": {"type": "array", "items": {"type": "string"}, "description": "Media types that are taken."},
    "parts": {
        "type": "array",
        "items": {"$ref": "#/components/schemas/PartState"},
        "description": "What the server is made of. Only of /readyz, when asked for by verbose.",
    },
}
"""The fields that errors carry beyond those of every problem document."""

RESPONSE_HEADERS: Final[dict[str, tuple[str, Schema]]] = {
    "ETag": (
        "The version, in quotes; of a snapshot, with the time at which it was saved.",
        {"type": "string", "pattern": '^"[0-9]+(-[0-9]+)?"$'},
    ),
    "Link": ('Where the next page is, as <…>; rel="next"; while there is one.', {"type": "string"}),
    "Indelible-Cursor": ("The page's cursor; CloudEvents have no other place for it.", {"type": "string"}),
    "Retry-After": ("Seconds to wait before trying again.", _INTEGER | COUNT),
    "WWW-Authenticate": ("How to say who asks.", {"type": "string", "const": "Bearer"}),
}
"""What each means, and its schema."""
ALWAYS_THERE: Final = ("ETag", "Retry-After", "WWW-Authenticate")
"""Response headers that are there whenever they are named."""

_TITLES: Final = {
    400: "The request is not allowed as it is.",
    401: "The server has to know who asks.",
    403: "Who asks has no grant for it. Nothing was done.",
    404: "It does not exist.",
    406: "The Accept header takes no media type that is offered.",
    429: "The principal has had as much as it may. Nothing was stored.",
    409: "The store's state forbids it. Nothing was stored.",
    412: "The aggregate is not at the version that the header asked for. Nothing was stored.",
    422: "The data does not fit the schema of its event type. Nothing was stored.",
    413: "Something in the request is larger than allowed. Nothing was stored.",
    415: "The body is of no media type that is taken, or not in UTF-8.",
    431: "The request line and headers are too long.",
    500: "Something is wrong in the server or its storage.",
    501: "The server has not what that needs.",
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
    found = [error for error in EXAMPLES.values() if error.code not in _OF_NO_OPERATION]
    return {"Problem": base, **{type(error).__name__: _problem_schema(error) for error in found}}


def _problem_schema(error: IndelibleError) -> Schema:
    """All its fields. Not as an addition to Problem (allOf): of that, some generators of clients lose the fields."""
    optional = _NOT_ALWAYS.get(error.code, ())
    always = [name for name in error.fields if name not in optional]
    fields = {name: _FIELDS[name] for name in (*always, *optional)}
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


def error_responses(operation: Operation[Any, Any], *, has_body: bool) -> dict[str, Schema]:
    """The error answers of an operation, by status."""
    codes = sorted({(STATUS_OF_CODE[code], code) for code in _codes(operation, has_body)})
    found = {
        status: _error_response(status, [code for _, code in group])
        for status, group in groupby(codes, key=lambda error: error[0])
    }
    found[STATUS_HEAD_TOO_LARGE] = _error_response(STATUS_HEAD_TOO_LARGE, ["payload_too_large"])
    if "If-Match" in operation.request_headers:
        found[STATUS_PRECONDITION_FAILED] = _error_response(STATUS_PRECONDITION_FAILED, ["version_conflict"], "ETag")
    return {str(status): found[status] for status in sorted(found)}


def _codes(operation: Operation[Any, Any], has_body: bool) -> Iterable[str]:
    yield from _OF_EVERY_ROUTE
    yield from operation.errors
    if operation.name not in PROBES:
        yield errors.RateLimited.code
    if not operation.is_open:
        yield errors.Unauthenticated.code
    if operation.permission is not None:
        yield errors.Forbidden.code
    if operation.section != "Operations":
        yield from _OF_THE_STORE
    if has_body:
        yield from _OF_BODIES


def _error_response(status: int, codes: list[str], *headers: str) -> Schema:
    examples = [EXAMPLES[code] for code in codes]
    if status == 503 or any(isinstance(error, Unavailable) for error in examples):
        headers = (*headers, "Retry-After")
    if status == STATUS_OF_CODE[errors.Unauthenticated.code]:
        headers = (*headers, "WWW-Authenticate")
    return {
        "description": _TITLES[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {PROBLEM_CONTENT_TYPE: {"schema": _one_of(examples)}},
    }


def _one_of(examples: list[IndelibleError]) -> Schema:
    references = {error.code: f"#/components/schemas/{type(error).__name__}" for error in examples}
    if len(references) == 1:
        return {"$ref": next(iter(references.values()))}
    return {
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "code", "mapping": references},
    }
