"""One example of each body and answer. Together they tell of one store: an order is placed and paid."""

from typing import Any, Final

from indelible.events import RecordedEvent
from indelible.eventstore import AppendResult, AtomicAppendResult
from indelible.wire.requests import AppendBody, AtomicAppendBody, BatchBody
from indelible.wire.responses import AggregatePageBody, BatchResultsBody, FeedPageBody, ReplayBody

_PLACED_ID: Final = "01890a5d-ac96-774b-bcce-b302099a8057"
_PAID_ID: Final = "01890a5d-b2f1-7c3e-9a6b-1f0c2d4e6a80"
_TAKEN_ID: Final = "01890a5d-b2f1-7c3e-9a6b-1f0c2d4e6a81"
_ORDER: Final = {"aggregate_type": "order", "aggregate_id": "o-1"}
_PAYMENT: Final = {"aggregate_type": "payment", "aggregate_id": "p-1"}
_PLACED_AT: Final = "2026-01-31T12:00:00.000000Z"
_PAID_AT: Final = "2026-01-31T12:05:00.000000Z"

_PLACED: Final = {
    "event_id": _PLACED_ID,
    "event_type": "OrderPlaced",
    "event_data": {"total": 42.5},
    "tags": ["customer:ada"],
}
_PAID: Final = {"event_id": _PAID_ID, "event_type": "OrderPaid", "event_data": {"by": "card"}}
_TAKEN: Final = {
    "event_id": _TAKEN_ID,
    "event_type": "PaymentTaken",
    "event_data": {"cents": 4250},
    "tags": ["order:o-1"],
}

_PLACED_RECORDED: Final = {
    "event_id": _PLACED_ID,
    "event_type": "OrderPlaced",
    **_ORDER,
    "version": 1,
    "position": 1,
    "timestamp": _PLACED_AT,
    "event_data": {"total": 42.5},
    "metadata": {},
    "tags": ["customer:ada"],
    "content_type": "application/json",
    "hash": "5f0c1b0f7d2f2d4b0e5c9b6a1e8d3c7f4a2b9e6d1c8f5a3b0e7d4c1f8a5b2e9d",
}
_PAID_RECORDED: Final = _PLACED_RECORDED | {
    "event_id": _PAID_ID,
    "event_type": "OrderPaid",
    "version": 2,
    "position": 2,
    "timestamp": _PAID_AT,
    "event_data": {"by": "card"},
    "tags": [],
    "hash": "c3a1f0e9d8b7c6a5f4e3d2c1b0a9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c3b2a1",
}

_PLACED_RESULT: Final = {
    **_ORDER,
    "version": 1,
    "position": 1,
    "events": [{"event_id": _PLACED_ID, "version": 1, "position": 1}],
    "replayed": False,
}
_PAID_RESULT: Final = {
    **_ORDER,
    "version": 2,
    "position": 2,
    "events": [{"event_id": _PAID_ID, "version": 2, "position": 2}],
    "replayed": False,
}
_TAKEN_RESULT: Final = {
    **_PAYMENT,
    "version": 1,
    "position": 3,
    "events": [{"event_id": _TAKEN_ID, "version": 1, "position": 3}],
    "replayed": False,
}
_SNAPSHOT: Final = {**_ORDER, "version": 1, "timestamp": _PAID_AT, "state": {"status": "placed"}, "metadata": {}}
_INFO: Final = {**_ORDER, "version": 2, "first_timestamp": _PLACED_AT, "last_timestamp": _PAID_AT}

EXAMPLES: Final[dict[Any, Any]] = {
    AppendBody: {"expected_version": "none", "events": [_PLACED]},
    AppendResult: _PLACED_RESULT,
    AtomicAppendBody: {
        "appends": [
            {**_ORDER, "expected_version": 1, "events": [_PAID]},
            {**_PAYMENT, "expected_version": "none", "events": [_TAKEN]},
        ],
        "condition": {"fail_if": [{"event_types": ["PaymentTaken"], "tags": ["order:o-1"]}], "after": "1"},
    },
    AtomicAppendResult: {"position": 3, "results": [_PAID_RESULT, _TAKEN_RESULT], "replayed": False},
    BatchBody: {"appends": [{**_ORDER, "events": [_PAID]}, {**_PAYMENT, "events": [_TAKEN]}]},
    BatchResultsBody: {
        "results": [{"status": 201, "body": _PAID_RESULT}, {"status": 201, "body": _TAKEN_RESULT}],
    },
    AggregatePageBody: {"events": [_PLACED_RECORDED, _PAID_RECORDED], "version": 2, "next_version": None},
    FeedPageBody: {"events": [_PLACED_RECORDED, _PAID_RECORDED], "cursor": "2", "at_end": False},
    RecordedEvent: _PLACED_RECORDED,
    ReplayBody: {"snapshot": _SNAPSHOT, "events": [_PAID_RECORDED], "version": 2, "next_version": None},
}
"""What ``POST`` examples send can be sent to an empty store in the order of the routes."""

PARAMETER_EXAMPLES: Final[dict[str, Any]] = {
    "path.aggregate_type": _ORDER["aggregate_type"],
    "path.aggregate_id": _ORDER["aggregate_id"],
    "path.event_id": _PLACED_ID,
    "path.group": "billing",
    "query.tag": ["customer:ada"],
}
"""Of those parameters that the example of a request should have."""
