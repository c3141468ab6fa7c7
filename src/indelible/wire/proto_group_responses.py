"""What consumer groups answer over gRPC, both ways.

Messages and values have the same fields, so most are copied by name. Deliveries, of which there are many, are put
together from encoded parts: the event comes first in them, as field 1, which is how pages are encoded.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from indelible.groups import (
    Delivery,
    GroupInfo,
    InFlight,
    ParkedEvent,
    ParkedList,
    Settled,
    SkippedEvent,
    SkippedList,
)
from indelible.wire.pb import groups_pb2 as groups_pb
from indelible.wire.proto_requests import decode_items, item_messages, join_members, set_time
from indelible.wire.proto_responses import encode_events, event_line, time_of

T = TypeVar("T", bound=msgspec.Struct)

# --- Encoding --------------------------------------------------------------------------------------------------------


def encode_group(info: GroupInfo) -> bytes:
    """As GetGroupResponse, ChangeGroupResponse and ResetGroupResponse have it."""
    return groups_pb.GetGroupResponse(group=_group_message(info)).SerializeToString()


def encode_created_group(info: GroupInfo, is_new: bool) -> bytes:
    return groups_pb.CreateGroupResponse(group=_group_message(info), is_new=is_new).SerializeToString()


def encode_groups(infos: Iterable[GroupInfo]) -> bytes:
    return groups_pb.ListGroupsResponse(groups=map(_group_message, infos)).SerializeToString()


def encode_deliveries(deliveries: Iterable[Delivery]) -> bytes:
    """As PullResponse and ConsumeResponse have them."""
    return join_members(map(_encode_delivery, deliveries))


def encode_consumed(deliveries: Iterable[Delivery], settled: Iterable[Settled]) -> bytes:
    rest = groups_pb.ConsumeResponse(settled=map(_settled_message, settled))
    return encode_deliveries(deliveries) + rest.SerializeToString()


def encode_settled(settled: Settled) -> bytes:
    return _settled_message(settled).SerializeToString()


def encode_in_flight(found: Iterable[InFlight]) -> bytes:
    in_flight = [groups_pb.InFlight(**msgspec.structs.asdict(one)) for one in found]
    return groups_pb.ListInFlightResponse(in_flight=in_flight).SerializeToString()


def encode_parked(found: ParkedList) -> bytes:
    parked = [groups_pb.ParkedEvent(**msgspec.structs.asdict(one)) for one in found.parked]
    message = groups_pb.ListParkedResponse(parked=parked, cursor=found.cursor, at_end=found.at_end)
    return message.SerializeToString()


def encode_skipped(found: SkippedList) -> bytes:
    skipped = [groups_pb.SkippedEvent(**msgspec.structs.asdict(one)) for one in found.skipped]
    message = groups_pb.ListSkippedResponse(skipped=skipped, cursor=found.cursor, at_end=found.at_end)
    return message.SerializeToString()


def _group_message(info: GroupInfo) -> groups_pb.GroupInfo:
    return groups_pb.GroupInfo(**msgspec.structs.asdict(info) | {"items": item_messages(info.items)})


def _encode_delivery(delivery: Delivery) -> bytes:
    rest = groups_pb.Delivery(delivery_id=delivery.delivery_id, attempt=delivery.attempt)
    set_time(rest.deadline, delivery.deadline)
    return encode_events(delivery.line) + rest.SerializeToString()


def _settled_message(settled: Settled) -> groups_pb.Settled:
    return groups_pb.Settled(settled=settled.settled, lost=settled.lost)


# --- Decoding --------------------------------------------------------------------------------------------------------


def decode_group(
    message: groups_pb.CreateGroupResponse
    | groups_pb.GetGroupResponse
    | groups_pb.ChangeGroupResponse
    | groups_pb.ResetGroupResponse,
) -> GroupInfo:
    return _info(message.group)


def decode_groups(message: groups_pb.ListGroupsResponse) -> tuple[GroupInfo, ...]:
    return tuple(map(_info, message.groups))


def decode_deliveries(message: groups_pb.PullResponse | groups_pb.ConsumeResponse) -> tuple[Delivery, ...]:
    return tuple(
        Delivery(one.delivery_id, one.attempt, time_of(one.deadline), event_line(one.event))
        for one in message.deliveries
    )


def decode_settled(message: groups_pb.Settled) -> Settled:
    return Settled(message.settled, tuple(message.lost))


def decode_in_flight(message: groups_pb.ListInFlightResponse) -> tuple[InFlight, ...]:
    return _all(InFlight, message.in_flight)


def decode_parked(message: groups_pb.ListParkedResponse) -> ParkedList:
    return ParkedList(_all(ParkedEvent, message.parked), message.cursor, message.at_end)


def decode_skipped(message: groups_pb.ListSkippedResponse) -> SkippedList:
    return SkippedList(_all(SkippedEvent, message.skipped), message.cursor, message.at_end)


def _info(message: groups_pb.GroupInfo) -> GroupInfo:
    return _value(GroupInfo, message, items=decode_items(message.items))


def _all(kind: type[T], messages: Sequence[Message]) -> tuple[T, ...]:
    return tuple(_value(kind, message) for message in messages)


def _value(kind: type[T], message: Message, **others: object) -> T:
    """The struct with the message's fields, and ``others`` in place of those that differ."""
    fields = {field.name: getattr(message, field.name) for field in msgspec.structs.fields(kind)} | others
    return kind(**{name: _plain(value) for name, value in fields.items()})


def _plain(value: Any) -> Any:
    return time_of(value) if isinstance(value, Timestamp) else value
