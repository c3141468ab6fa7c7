"""Request bodies about consumer groups, both ways, as :mod:`indelible.wire.requests` has those about events.

Numbers, times and names are checked by the store, which says of them what :mod:`indelible.groups` says.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar, cast

import msgspec

from indelible.errors import InvalidRequest
from indelible.groups import GroupSettings, Start, StartPoint
from indelible.limits import (
    GROUP_ACK_TIMEOUT_DEFAULT_S,
    GROUP_ATTEMPTS_DEFAULT,
    GROUP_IN_FLIGHT_DEFAULT,
    GROUP_PULL_DEFAULT,
)
from indelible.queries import Cursor, QueryItem
from indelible.wire.requests import UNSET, Optional, QueryItemBody, decode_body

T = TypeVar("T")


class GroupBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Body of ``PUT /v1/groups/{group}``."""

    items: list[QueryItemBody] = []
    start: str | Optional = UNSET
    after: str | Optional = UNSET
    since: datetime | Optional = UNSET
    ack_timeout_s: float = GROUP_ACK_TIMEOUT_DEFAULT_S
    max_attempts: int = GROUP_ATTEMPTS_DEFAULT
    max_in_flight: int = GROUP_IN_FLIGHT_DEFAULT


class GroupChangeBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Body of ``PATCH /v1/groups/{group}``."""

    ack_timeout_s: float | Optional = UNSET
    max_attempts: int | Optional = UNSET
    max_in_flight: int | Optional = UNSET


class ResetBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Body of ``POST /v1/groups/{group}/reset``."""

    start: str | Optional = UNSET
    after: str | Optional = UNSET
    since: datetime | Optional = UNSET


class PullBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Body of ``POST /v1/groups/{group}/pull``."""

    member: str = ""
    limit: int = GROUP_PULL_DEFAULT
    wait_s: float = 0.0


class AckBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Body of ``POST /v1/groups/{group}/ack``."""

    delivery_ids: list[str]


class NackBody(AckBody, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Body of ``POST /v1/groups/{group}/nack``."""

    delay_s: float = 0.0
    reason: str = ""
    park: bool = False
    untried: bool = False


class ExtendBody(AckBody, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Body of ``POST /v1/groups/{group}/extend``."""

    ack_timeout_s: float | Optional = UNSET


class ReplayParkedBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Body of ``POST /v1/groups/{group}/parked/replay``."""

    positions: list[int] | Optional = UNSET
    all: bool = False


class SkipParkedBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /v1/groups/{group}/parked/skip``."""

    positions: list[int]
    reason: str


def or_none(value: T | Optional) -> T | None:
    return None if value is UNSET else value


def _or_unset(value: T | None) -> T | Optional:
    return UNSET if value is None else value


# --- Decoding --------------------------------------------------------------------------------------------------------

_group: Final = msgspec.json.Decoder(GroupBody)
_group_change: Final = msgspec.json.Decoder(GroupChangeBody)
_reset: Final = msgspec.json.Decoder(ResetBody)
_pull: Final = msgspec.json.Decoder(PullBody)
_ack: Final = msgspec.json.Decoder(AckBody)
_nack: Final = msgspec.json.Decoder(NackBody)
_extend: Final = msgspec.json.Decoder(ExtendBody)
_replay_parked: Final = msgspec.json.Decoder(ReplayParkedBody)
_skip_parked: Final = msgspec.json.Decoder(SkipParkedBody)


def decode_group(body: bytes) -> tuple[GroupSettings, StartPoint]:
    decoded = decode_body(_group, body)
    items = tuple(
        QueryItem(tuple(item.event_types), tuple(item.aggregate_types), tuple(item.tags)) for item in decoded.items
    )
    settings = GroupSettings(items, decoded.ack_timeout_s, decoded.max_attempts, decoded.max_in_flight)
    return settings, _start_point(decoded)


def decode_group_change(body: bytes) -> GroupChangeBody:
    return decode_body(_group_change, body)


def decode_reset(body: bytes) -> StartPoint:
    return _start_point(decode_body(_reset, body))


def decode_pull(body: bytes) -> PullBody:
    return decode_body(_pull, body)


def decode_ack(body: bytes) -> list[str]:
    """The delivery ids."""
    return decode_body(_ack, body).delivery_ids


def decode_nack(body: bytes) -> NackBody:
    return decode_body(_nack, body)


def decode_extend(body: bytes) -> tuple[list[str], float | None]:
    """The delivery ids, and the time."""
    decoded = decode_body(_extend, body)
    return decoded.delivery_ids, or_none(decoded.ack_timeout_s)


def decode_replay_parked(body: bytes) -> list[int] | None:
    """The positions; None for all."""
    decoded = decode_body(_replay_parked, body)
    if decoded.all:
        if decoded.positions is not UNSET:
            raise InvalidRequest("must not stand next to positions", pointer="/all")
        return None
    if decoded.positions is UNSET:
        raise InvalidRequest('is missing; {"all": true} stands for all', pointer="/positions")
    return decoded.positions


def decode_skip_parked(body: bytes) -> SkipParkedBody:
    return decode_body(_skip_parked, body)


def _start_point(body: GroupBody | ResetBody) -> StartPoint:
    """Checked where the group is made or reset: ``start`` may be any text so far."""
    after = or_none(body.after)
    start = cast("Start | None", or_none(body.start))
    return StartPoint(start, None if after is None else Cursor.parse(after), or_none(body.since))


# --- Encoding --------------------------------------------------------------------------------------------------------


def encode_group(settings: GroupSettings, start: StartPoint) -> bytes:
    items = [QueryItemBody(list(one.event_types), list(one.aggregate_types), list(one.tags)) for one in settings.items]
    return msgspec.json.encode(
        GroupBody(
            items,
            *_start_fields(start),
            ack_timeout_s=settings.ack_timeout_s,
            max_attempts=settings.max_attempts,
            max_in_flight=settings.max_in_flight,
        )
    )


def encode_group_change(ack_timeout_s: float | None, max_attempts: int | None, max_in_flight: int | None) -> bytes:
    body = GroupChangeBody(_or_unset(ack_timeout_s), _or_unset(max_attempts), _or_unset(max_in_flight))
    return msgspec.json.encode(body)


def encode_reset(start: StartPoint) -> bytes:
    return msgspec.json.encode(ResetBody(*_start_fields(start)))


def encode_pull(member: str, limit: int, wait_s: float) -> bytes:
    return msgspec.json.encode(PullBody(member, limit, wait_s))


def encode_ack(delivery_ids: Sequence[str]) -> bytes:
    return msgspec.json.encode(AckBody(list(delivery_ids)))


def encode_nack(delivery_ids: Sequence[str], *, delay_s: float, reason: str, park: bool, untried: bool) -> bytes:
    body = NackBody(list(delivery_ids), delay_s=delay_s, reason=reason, park=park, untried=untried)
    return msgspec.json.encode(body)


def encode_extend(delivery_ids: Sequence[str], ack_timeout_s: float | None) -> bytes:
    return msgspec.json.encode(ExtendBody(list(delivery_ids), ack_timeout_s=_or_unset(ack_timeout_s)))


def encode_replay_parked(positions: Sequence[int] | None) -> bytes:
    """None for all."""
    return msgspec.json.encode(ReplayParkedBody(all=True) if positions is None else ReplayParkedBody(list(positions)))


def encode_skip_parked(positions: Sequence[int], reason: str) -> bytes:
    return msgspec.json.encode(SkipParkedBody(list(positions), reason))


def _start_fields(start: StartPoint) -> tuple[str | Optional, str | Optional, datetime | Optional]:
    after = None if start.after is None else str(start.after)
    return _or_unset(start.start), _or_unset(after), _or_unset(start.since)
