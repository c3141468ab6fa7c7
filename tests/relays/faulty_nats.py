"""Sinks for NATS with a fault each, and the check of the suite of sinks that has to find it on a real server."""

from typing import Any, Final

from indelible.relay_state import RelayLease
from indelible.relays.nats.sink import NatsSink, _Outgoing, _Own
from indelible.relays.sink import Check, unchecked


class DoesNotSayWhereAMessageIsToStand(NatsSink):
    def _place(self, event: _Outgoing, expected: int, before: _Outgoing | None) -> None:
        super()._place(event, expected, before)
        for name in [name for name in event.headers if name.startswith("Nats-Expected")]:
            del event.headers[name]


class IgnoresTheEpoch(NatsSink):
    def _check_epoch(self, own: _Own | None) -> None:
        pass


class LooksForNoCursor(NatsSink):
    async def open(self, lease: RelayLease, check: Check = unchecked) -> Any:
        await super().open(lease, check)
        return None


FAULTS: Final[dict[type[NatsSink], str]] = {
    DoesNotSayWhereAMessageIsToStand: "test_an_earlier_epoch_is_refused",
    IgnoresTheEpoch: "test_an_earlier_epoch_is_refused",
    LooksForNoCursor: "test_open_tells_how_far_the_relay_came",
}
