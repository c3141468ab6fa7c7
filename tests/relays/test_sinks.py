"""The sinks of this package, and of the broker in this process, are put through the suite of sinks."""

from collections.abc import Iterator

import pytest

from indelible.testing.conformance import SinkConformance
from relays import broker as broker_here
from relays.broker import BrokerHere
from relays.brokers import KINDS, RealBroker, Running, running_broker


@pytest.mark.parametrize("remembers", [True, False], ids=["remembers", "forgets"])
class TestInThisProcess(SinkConformance):
    @pytest.fixture
    def broker(self, remembers: bool, monkeypatch: pytest.MonkeyPatch) -> BrokerHere:
        monkeypatch.setattr(broker_here, "RELAY_BROKER_TIMEOUT_S", 1.0)
        return BrokerHere(remembers=remembers)


@pytest.fixture(scope="module", params=KINDS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_broker(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running


class TestReal(SinkConformance):
    @pytest.fixture
    def broker(self, running: Running) -> RealBroker:
        return RealBroker(running)
