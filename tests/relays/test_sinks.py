"""The sinks of this package, and of the broker in this process, are put through the suite of sinks."""

from collections.abc import Iterator

import pytest

from indelible.eventstore import EventStore
from indelible.testing.conformance import SinkConformance
from relays import broker as broker_here
from relays.broker import BrokerHere
from relays.brokers import KINDS, Kind, RealBroker, Running


@pytest.mark.parametrize("remembers", [True, False], ids=["remembers", "forgets"])
class TestInThisProcess(SinkConformance):
    @pytest.fixture
    def broker(self, remembers: bool) -> BrokerHere:
        return BrokerHere(remembers=remembers)

    async def test_a_broker_that_hangs_is_told_in_time(
        self, broker: BrokerHere, store: EventStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Here sooner. All else has its time, however busy the machine is."""
        monkeypatch.setattr(broker_here, "RELAY_BROKER_TIMEOUT_S", 1.0)
        await super().test_a_broker_that_hangs_is_told_in_time(broker, store)


@pytest.fixture(scope="module", params=KINDS)
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kind, Running]]:
    kind = KINDS[request.param]
    with kind.serve(tmp_path_factory.mktemp(request.param)) as running:
        yield kind, running


class TestReal(SinkConformance):
    @pytest.fixture
    def broker(self, real: tuple[Kind, Running]) -> RealBroker:
        return RealBroker(*real)
