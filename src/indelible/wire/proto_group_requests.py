"""What is asked of consumer groups over gRPC, both ways. Values are checked where the store checks them."""

from typing import Any, Final, NamedTuple

from indelible.errors import InvalidRequest
from indelible.groups import (
    GroupSettings,
    Settled,
    Start,
    StartPoint,
    check_ack_timeout,
    check_delivery_ids,
    check_nack,
)
from indelible.queries import Cursor
from indelible.wire.pb import groups_pb2 as groups_pb
from indelible.wire.proto_requests import decode_time, item_messages, set_time

_STARTS: Final[dict[int, Start]] = {
    groups_pb.GROUP_START_UNSPECIFIED: "beginning",
    groups_pb.GROUP_START_BEGINNING: "beginning",
    groups_pb.GROUP_START_END: "end",
}
_VALUE_OF_START: Final = {
    "beginning": groups_pb.GROUP_START_BEGINNING,
    "end": groups_pb.GROUP_START_END,
}
_SETTINGS: Final = ("ack_timeout_s", "max_attempts", "max_in_flight")

# --- Decoding --------------------------------------------------------------------------------------------------------


def decode_start_point(message: groups_pb.CreateGroupRequest | groups_pb.ResetGroupRequest) -> dict[str, Any]:
    """As keyword arguments: the one that is given, if any."""
    match message.WhichOneof("start_point"):
        case "start":
            return {"start": _start(message.start)}
        case "after":
            return {"after": Cursor.parse(message.after)}
        case "since":
            return {"since": decode_time(message.since, "/since")}
        case _:
            return {}


def decode_settings(message: groups_pb.CreateGroupRequest | groups_pb.ChangeGroupRequest) -> dict[str, Any]:
    """As keyword arguments: those that are given."""
    return {name: getattr(message, name) for name in _SETTINGS if message.HasField(name)}


def decode_ack_timeout(message: groups_pb.ExtendRequest | groups_pb.ConsumeExtend) -> float | None:
    return message.ack_timeout_s if message.HasField("ack_timeout_s") else None


def decode_positions(message: groups_pb.ReplayParkedRequest) -> tuple[int, ...] | None:
    """None for all."""
    if not message.all:
        return tuple(message.positions)
    if message.positions:
        raise InvalidRequest("give positions, or all, not both", pointer="/all")
    return None


class Settlement(NamedTuple):
    """What a member says on its stream of some deliveries."""

    method: str
    """Of the store: "ack", "nack" or "extend"."""
    options: dict[str, Any]
    """Its keyword arguments."""
    delivery_ids: tuple[str, ...]

    def is_like(self, other: "Settlement") -> bool:
        """Whether one call of the store can do both."""
        return self[:2] == other[:2]

    def answer(self, lost: frozenset[str]) -> Settled:
        """What became of it, when these ids are lost."""
        own = tuple(one for one in self.delivery_ids if one in lost)
        return Settled(len(self.delivery_ids) - len(own), own)


def decode_settlement(message: groups_pb.ConsumeRequest) -> Settlement:
    """Checked as a whole, so that what it is gathered with does not fail for it."""
    kind = message.WhichOneof("message")
    if kind is None or kind == "start":
        raise InvalidRequest(
            "must be ack, nack or extend; start comes first, and once", pointer=f"/{kind}" if kind else ""
        )
    said = getattr(message, kind)
    settlement = Settlement(kind, _options(kind, said), tuple(said.delivery_ids))
    try:
        check_delivery_ids(settlement.delivery_ids)
        if kind == "nack":
            check_nack(**settlement.options)
        elif kind == "extend":
            check_ack_timeout(settlement.options["ack_timeout_s"])
    except InvalidRequest as error:
        raise error.under(f"/{kind}") from None
    return settlement


def _options(kind: str, said: Any) -> dict[str, Any]:
    if kind == "nack":
        return {"delay_s": said.delay_s, "reason": said.reason, "park": said.park, "untried": said.untried}
    return {"ack_timeout_s": decode_ack_timeout(said)} if kind == "extend" else {}


def _start(value: int) -> Start:
    start = _STARTS.get(value)
    if start is None:
        raise InvalidRequest('must be "beginning" or "end"', pointer="/start")
    return start


# --- Encoding --------------------------------------------------------------------------------------------------------


def create_message(group: str, settings: GroupSettings, start: StartPoint) -> groups_pb.CreateGroupRequest:
    """All must be checked."""
    message = groups_pb.CreateGroupRequest(
        group=group,
        items=item_messages(settings.items),
        ack_timeout_s=settings.ack_timeout_s,
        max_attempts=settings.max_attempts,
        max_in_flight=settings.max_in_flight,
    )
    _set_start_point(message, start)
    return message


def reset_message(group: str, start: StartPoint) -> groups_pb.ResetGroupRequest:
    """Both must be checked."""
    message = groups_pb.ResetGroupRequest(group=group)
    _set_start_point(message, start)
    return message


def _set_start_point(message: groups_pb.CreateGroupRequest | groups_pb.ResetGroupRequest, start: StartPoint) -> None:
    if start.start is not None:
        message.start = _VALUE_OF_START[start.start]
    if start.after is not None:
        message.after = start.after
    if start.since is not None:
        set_time(message.since, start.since)
