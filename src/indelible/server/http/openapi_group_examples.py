"""The part of ``openapi_examples`` that tells of a consumer group: billing gets what happens to orders and payments."""

from typing import Any, Final

from indelible.groups import GroupInfo, ParkedList, Settled, SkippedList
from indelible.wire.group_requests import (
    AckBody,
    ExtendBody,
    GroupBody,
    GroupChangeBody,
    NackBody,
    PullBody,
    ReplayParkedBody,
    ResetBody,
    SkipParkedBody,
)
from indelible.wire.group_responses import (
    DeliveriesBody,
    GroupsBody,
    InFlightListBody,
    ReplayedBody,
    SkippedBody,
)

GROUP_NAME: Final = "billing"

_AT: Final = "2026-01-31T12:10:00.000000Z"
_TYPES: Final = ["OrderPlaced", "PaymentTaken"]
_DELIVERY_ID: Final = "1-1769861400000001"
_PLACE: Final = {"position": 1, "aggregate_type": "order", "aggregate_id": "o-1", "version": 1}
_GROUP: Final = {
    "group": GROUP_NAME,
    "items": [{"event_types": _TYPES, "aggregate_types": [], "tags": []}],
    "ack_timeout_s": 60.0,
    "max_attempts": 5,
    "max_in_flight": 1000,
    "created": _AT,
    "cursor": "0",
    "position": 0,
    "lag": 3,
    "in_flight": 0,
    "waiting": 0,
    "parked": 0,
    "parked_aggregates": 0,
    "unreadable": 0,
    "is_stalled": False,
}


def group_examples(recorded: dict[str, Any]) -> dict[Any, Any]:
    """``recorded`` is the event at position 1."""
    return {
        GroupBody: {"items": [{"event_types": _TYPES}], "start": "beginning", "ack_timeout_s": 60},
        GroupInfo: _GROUP,
        GroupsBody: {"groups": [_GROUP]},
        GroupChangeBody: {"ack_timeout_s": 90},
        ResetBody: {"start": "beginning"},
        PullBody: {"member": "billing-7f9c", "limit": 100, "wait_s": 20},
        DeliveriesBody: {
            "deliveries": [{"delivery_id": _DELIVERY_ID, "attempt": 1, "deadline": _AT, "event": recorded}]
        },
        AckBody: {"delivery_ids": [_DELIVERY_ID]},
        NackBody: {"delivery_ids": [_DELIVERY_ID], "delay_s": 5, "reason": "the bank does not answer"},
        ExtendBody: {"delivery_ids": [_DELIVERY_ID], "ack_timeout_s": 300},
        Settled: {"settled": 1, "lost": []},
        InFlightListBody: {"in_flight": [{**_PLACE, "attempt": 1, "member": "billing-7f9c", "deadline": _AT}]},
        ParkedList: {
            "parked": [{**_PLACE, "attempts": 5, "reason": "the card is unknown", "parked_at": _AT, "following": 1}],
            "cursor": "1",
            "at_end": True,
        },
        SkipParkedBody: {"positions": [1], "reason": "paid in cash, see ticket 4711"},
        SkippedBody: {"skipped": 1},
        ReplayParkedBody: {"all": True},
        ReplayedBody: {"replayed": 1},
        SkippedList: {
            "skipped": [
                {
                    **_PLACE,
                    "attempts": 5,
                    "parked_reason": "the card is unknown",
                    "reason": "paid in cash, see ticket 4711",
                    "skipped_at": _AT,
                }
            ],
            "cursor": "1",
            "at_end": True,
        },
    }
