"""The stream of a consumer over gRPC: what a member says on it, and what it gets.

Deliveries, of which there are many, are put together from encoded parts: the event comes first in them, as field 1,
which is how pages are encoded.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from indelible.errors import InvalidRequest
from indelible.groups import Delivery, Settled, check_ack_timeout, check_delivery_ids, check_nack
from indelible.wire.pb import groups_pb2 as groups_pb
from indelible.wire.proto_requests import join_members, set_time
from indelible.wire.proto_responses import encode_events

# --- Said ------------------------------------------------------------------------------------------------------------


class Settlement(NamedTuple):
    """What a member says on its stream of some deliveries."""

    method: str
    """Of the store's groups: "ack", "nack" or "extend"."""
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
    if kind == "extend":
        return {"ack_timeout_s": said.ack_timeout_s if said.HasField("ack_timeout_s") else None}
    return {}


# --- Heard -----------------------------------------------------------------------------------------------------------


def encode_deliveries(deliveries: Iterable[Delivery]) -> bytes:
    """As PullResponse and ConsumeResponse have them."""
    return join_members(map(_encode_delivery, deliveries))


def encode_consumed(deliveries: Iterable[Delivery], settled: Iterable[Settled]) -> bytes:
    rest = groups_pb.ConsumeResponse(settled=map(_settled_message, settled))
    return encode_deliveries(deliveries) + rest.SerializeToString()


def _encode_delivery(delivery: Delivery) -> bytes:
    rest = groups_pb.Delivery(delivery_id=delivery.delivery_id, attempt=delivery.attempt)
    set_time(rest.deadline, delivery.deadline)
    return encode_events(bytes(delivery.line)) + rest.SerializeToString()


def _settled_message(settled: Settled) -> groups_pb.Settled:
    return groups_pb.Settled(settled=settled.settled, lost=settled.lost)
