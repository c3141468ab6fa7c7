"""Answers about consumer groups, both ways, as :mod:`indelible.wire.responses` has those about events.

Delivered events stay text: they come rendered from the engine, and are only joined here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from indelible.groups import Delivery, GroupInfo, InFlight, ParkedList, Settled, SkippedList
from indelible.wire.responses import decode_answer

# --- Forms that only the wire has ------------------------------------------------------------------------------------


class GroupsBody(msgspec.Struct):
    groups: tuple[GroupInfo, ...]


class DeliveryBody(msgspec.Struct):
    """An event that is with a member, to be acknowledged before the deadline."""

    delivery_id: str
    attempt: int
    deadline: datetime
    event: msgspec.Raw


class DeliveriesBody(msgspec.Struct):
    deliveries: list[DeliveryBody]


class InFlightListBody(msgspec.Struct):
    in_flight: tuple[InFlight, ...]


class ReplayedBody(msgspec.Struct):
    replayed: int


class SkippedBody(msgspec.Struct):
    skipped: int


# --- Encoding --------------------------------------------------------------------------------------------------------

# Cursors are strings of a class of their own.
_encoder: Final = msgspec.json.Encoder(enc_hook=str)


def encode_group_info(info: GroupInfo) -> bytes:
    return _encoder.encode(info)


def encode_groups(groups: tuple[GroupInfo, ...]) -> bytes:
    return _encoder.encode(GroupsBody(groups))


def encode_deliveries(deliveries: Sequence[Delivery]) -> bytes:
    return _encoder.encode(
        DeliveriesBody(
            [DeliveryBody(one.delivery_id, one.attempt, one.deadline, msgspec.Raw(one.line)) for one in deliveries]
        )
    )


def encode_settled(settled: Settled) -> bytes:
    return _encoder.encode(settled)


def encode_in_flight(in_flight: tuple[InFlight, ...]) -> bytes:
    return _encoder.encode(InFlightListBody(in_flight))


def encode_parked_list(parked: ParkedList) -> bytes:
    return _encoder.encode(parked)


def encode_replayed(replayed: int) -> bytes:
    return _encoder.encode(ReplayedBody(replayed))


def encode_skipped(skipped: int) -> bytes:
    return _encoder.encode(SkippedBody(skipped))


def encode_skipped_list(skipped: SkippedList) -> bytes:
    return _encoder.encode(skipped)


# --- Decoding --------------------------------------------------------------------------------------------------------

_group_info: Final = msgspec.json.Decoder(GroupInfo)
_groups: Final = msgspec.json.Decoder(GroupsBody)
_deliveries: Final = msgspec.json.Decoder(DeliveriesBody)
_settled: Final = msgspec.json.Decoder(Settled)
_in_flight: Final = msgspec.json.Decoder(InFlightListBody)
_parked_list: Final = msgspec.json.Decoder(ParkedList)
_replayed: Final = msgspec.json.Decoder(ReplayedBody)
_skipped: Final = msgspec.json.Decoder(SkippedBody)
_skipped_list: Final = msgspec.json.Decoder(SkippedList)


def decode_group_info(body: bytes) -> GroupInfo:
    return decode_answer(_group_info, body)


def decode_groups(body: bytes) -> tuple[GroupInfo, ...]:
    return decode_answer(_groups, body).groups


def decode_deliveries(body: bytes) -> tuple[Delivery, ...]:
    return tuple(
        Delivery(one.delivery_id, one.attempt, one.deadline, bytes(one.event))
        for one in decode_answer(_deliveries, body).deliveries
    )


def decode_settled(body: bytes) -> Settled:
    return decode_answer(_settled, body)


def decode_in_flight(body: bytes) -> tuple[InFlight, ...]:
    return decode_answer(_in_flight, body).in_flight


def decode_parked_list(body: bytes) -> ParkedList:
    return decode_answer(_parked_list, body)


def decode_replayed(body: bytes) -> int:
    return decode_answer(_replayed, body).replayed


def decode_skipped(body: bytes) -> int:
    return decode_answer(_skipped, body).skipped


def decode_skipped_list(body: bytes) -> SkippedList:
    return decode_answer(_skipped_list, body)
