"""What the names that consumer groups bring with them mean; the rest of ``openapi_vocabulary``."""

from typing import Final, get_args

from indelible.groups import Start
from indelible.limits import (
    CONDITION_ITEMS_MAX,
    GROUP_ACK_TIMEOUT_MAX_S,
    GROUP_ACK_TIMEOUT_MIN_S,
    GROUP_ATTEMPTS_MAX,
    GROUP_IN_FLIGHT_MAX,
    GROUP_NACK_DELAY_MAX_S,
    GROUP_PULL_MAX,
    GROUP_REASON_LENGTH_MAX,
    GROUP_SETTLE_MAX,
    GROUP_WAIT_MAX_S,
    NAME_LENGTH_MAX,
)
from indelible.server.http.openapi_types import COUNT, NAME, TAG, VERSION, Schema, names

_DELIVERY_ID: Final[Schema] = {"type": "string", "pattern": "^[0-9]{1,18}-[0-9]{1,18}$"}
_UNLESS_LOST: Final = "Empty where the event is so damaged that nobody can tell."
_TIME: Final[Schema] = {"format": "date-time"}
_ACK_TIMEOUT: Final[Schema] = {
    "minimum": GROUP_ACK_TIMEOUT_MIN_S,
    "maximum": GROUP_ACK_TIMEOUT_MAX_S,
    "description": "Seconds that a member may take to acknowledge an event before it is delivered again.",
}
_REASON: Final[Schema] = {
    "minLength": 1,
    "maxLength": GROUP_REASON_LENGTH_MAX,
    "pattern": r"^[^\x00]*$",
    "description": "Why, for people.",
}

GROUP_FIELDS: Final[dict[str, Schema]] = {
    "group": NAME | {"description": "The group's name. No control characters."},
    "groups": {"description": "Ordered by name."},
    "items": {
        "maxItems": CONDITION_ITEMS_MAX,
        "description": "The query: an event is for the group when it matches any of them; all are when there is none.",
    },
    "start": {"enum": list(get_args(Start)), "description": "Which end of the log. Not with after or since."},
    "since": _TIME | {"description": "From the first event of this time, or a later one, on. Not with start or after."},
    "ack_timeout_s": _ACK_TIMEOUT,
    "max_attempts": {
        "minimum": 1,
        "maximum": GROUP_ATTEMPTS_MAX,
        "description": "Deliveries of one event before it is parked.",
    },
    "max_in_flight": {
        "minimum": 1,
        "maximum": GROUP_IN_FLIGHT_MAX,
        "description": "Events that may be with members at once, those of all members together.",
    },
    "created": _TIME | {"description": "When the group was made."},
    "lag": COUNT | {"description": "Positions from the checkpoint to the head, whether their events match or not."},
    "waiting": COUNT | {"description": "Aggregates with an event that was read, or refused, and is to be delivered."},
    "parked_aggregates": COUNT | {"description": "Aggregates that parked events hold up."},
    "unreadable": COUNT
    | {"description": "Of the parked aggregates, those whose event the store cannot read: it is damaged, or gone."},
    "is_stalled": {
        "description": "Whether so much is parked that nothing more is delivered until some is replayed or skipped; or "
        "an event is parked that is so damaged that nobody can tell its aggregate, and nothing after it is delivered."
    },
    "member": {
        "maxLength": NAME_LENGTH_MAX,
        "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$",
        "description": "Who has the event, for people to read: it need not be unique.",
    },
    "limit": {"minimum": 1, "maximum": GROUP_PULL_MAX, "description": "How many at most."},
    "wait_s": {
        "minimum": 0,
        "maximum": GROUP_WAIT_MAX_S,
        "description": "How many seconds to wait for an event when there is none.",
    },
    "deliveries": {"description": "In the order of their positions, as far as each is free to be delivered."},
    "delivery_id": _DELIVERY_ID | {"description": "What to acknowledge or refuse. Opaque, and never given twice."},
    "attempt": COUNT | {"description": "1 at the first delivery of the event."},
    "attempts": COUNT | {"description": "How often it was delivered."},
    "deadline": _TIME | {"description": "When the event goes to another member, unless it is settled before."},
    "event": {"description": "What happened."},
    "delivery_ids": {
        "items": _DELIVERY_ID,
        "minItems": 1,
        "maxItems": GROUP_SETTLE_MAX,
        "description": "Of deliveries of this group.",
    },
    "settled": COUNT | {"description": "How many took effect, or had done so before."},
    "lost": {
        "items": _DELIVERY_ID,
        "description": "Those whose event is no longer with the caller: its time was over and it went to another "
        "member, or the group was reset. Somebody else settles it.",
    },
    "delay_s": {
        "minimum": 0,
        "maximum": GROUP_NACK_DELAY_MAX_S,
        "description": "Seconds before the event is delivered again. Its aggregate waits as long.",
    },
    "reason": _REASON,
    "park": {"description": "Do not deliver it again: park it."},
    "untried": {
        "description": "Nobody has looked at the events: these deliveries do not count as attempts. Not with `park`."
    },
    "parked_at": _TIME | {"description": "When it was parked."},
    "following": COUNT | {"description": "Later events of the aggregate that wait behind it."},
    "parked_reason": {"description": "Why it was parked."},
    "skipped_at": _TIME | {"description": "When it was skipped."},
    "positions": {
        "items": VERSION,
        "minItems": 1,
        "maxItems": GROUP_SETTLE_MAX,
        "description": "Of parked events that hold up their aggregates.",
    },
    "all": {"description": "In place of positions: all that is parked."},
    "Group.cursor": {
        "description": "The checkpoint: every matching event up to here is acknowledged, parked or skipped."
    },
    "Group.position": COUNT | {"description": "The checkpoint's position; 0 before the first event."},
    "Group.in_flight": COUNT | {"description": "Events that are with members."},
    "Group.parked": COUNT | {"description": "Parked events, those that follow in their aggregates included."},
    "GroupQueryItem.tags": names(TAG) | {"description": "All of these; none restricts nothing."},
    "NewGroup.after": {"description": "A cursor: from the first event after it on. Not with start or since."},
    "Reset.after": {"description": "A cursor: from the first event after it on. Not with start or since."},
    "Extend.ack_timeout_s": _ACK_TIMEOUT | {"description": "Seconds from now; the group's own when missing."},
    "Nack.reason": _REASON | {"minLength": 0, "description": "Why, for people; kept with an event that is parked."},
    "InFlightList.in_flight": {"description": "By position."},
    "ParkedList.parked": {"description": "By position."},
    **{
        f"{name}.{field}": words
        for name in ("ParkedEvent", "SkippedEvent")
        for field, words in {
            "aggregate_type": {"description": f"Of its aggregate. {_UNLESS_LOST}"},
            "aggregate_id": {"description": f"Of its aggregate. {_UNLESS_LOST}"},
            "version": COUNT | {"description": "Place in the aggregate; 0 where that is not known."},
        }.items()
    },
    "ParkedEvent.reason": {
        "description": "Why it was refused last, or that its time was over; it begins with `store_corrupted` where the "
        "store cannot read the event."
    },
    "SkippedList.skipped": {"description": "By position."},
    "SkippedEvent.reason": {"description": "Why it was skipped."},
    "Replayed.replayed": COUNT | {"description": "How many aggregates go on."},
    "Skipped.skipped": COUNT | {"description": "How many were skipped."},
}
