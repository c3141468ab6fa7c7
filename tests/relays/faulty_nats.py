"""Sinks for NATS with a fault each, and the check of the suite of sinks that has to find it on a real server."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from indelible.relay_state import RelayLease
from indelible.relays.nats import NatsSink, _Outgoing, _Own
from indelible.relays.sink import SinkFenced


class AcknowledgesTooEarly(NatsSink):
    """When an event is with the operating system."""

    async def _send_all(self, events: Iterable[_Outgoing]) -> tuple[int, Sequence[_Outgoing]]:
        sent: list[_Outgoing] = []
        await self._send(self._connected(), iter(events), sent)
        await self._connected().client.flush()
        self._last_sequence += len(sent)
        return len(sent), ()


class DoesNotSayWhereAMessageIsToStand(NatsSink):
    def _place(self, event: _Outgoing, expected: int, before: _Outgoing | None) -> None:
        super()._place(event, expected, before)
        for name in [name for name in event.headers if name.startswith("Nats-Expected")]:
            del event.headers[name]


class IgnoresTheEpoch(NatsSink):
    async def _look(self) -> _Own | None:
        try:
            return await super()._look()
        except SinkFenced:
            return self._own


class LooksForNoCursor(NatsSink):
    async def open(self, lease: RelayLease) -> Any:
        await super().open(lease)
        return None


FAULTS: Final[dict[type[NatsSink], str]] = {
    AcknowledgesTooEarly: "test_what_is_acknowledged_outlives_the_broker",
    DoesNotSayWhereAMessageIsToStand: "test_an_earlier_epoch_is_refused",
    IgnoresTheEpoch: "test_an_earlier_epoch_is_refused",
    LooksForNoCursor: "test_open_tells_how_far_the_relay_came",
}
