"""The suite of sinks finds what it is for: each of its tests fails with a sink that has that fault."""

from collections.abc import Iterator

import pytest

from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.relays.nats.sink import NatsSink
from indelible.relays.sink import Sink
from indelible.testing.conformance import (
    SinkBroker,
    SinkConformance,
    sink_faults,
    sink_publisher,
    sink_publishing,
    sink_relays,
)
from relays import broker as broker_here
from relays import faulty_nats
from relays.broker import BrokerHere
from relays.brokers import KINDS, RealBroker, Running
from relays.faulty_sinks import FAULTS

CHECKS = sorted(name for name in dir(SinkConformance) if name.startswith("test_"))


@pytest.mark.parametrize(
    ("fault", "check"), [(fault, check) for fault, (_, checks) in FAULTS.items() for check in checks]
)
async def test_a_fault_is_found(fault: str, check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (broker_here, sink_faults):
        monkeypatch.setattr(module, "RELAY_BROKER_TIMEOUT_S", 0.2)
    monkeypatch.setattr(sink_faults, "_SLACK_S", 0.2)
    for module in (sink_publisher, sink_publishing, sink_relays):
        monkeypatch.setattr(module, "PATIENCE_S", 2.0)
    await _is_found(check, BrokerHere(FAULTS[fault][0]))


async def _is_found(check: str, broker: SinkBroker) -> None:
    async with LocalEventStore(MemoryEngine()) as store:
        with pytest.raises((Exception, pytest.fail.Exception)) as caught:
            await getattr(SinkConformance(), check)(broker, store)
    assert not isinstance(caught.value, pytest.skip.Exception)
    print(f"{caught.type.__name__}: {caught.value}")


def test_every_check_finds_a_fault() -> None:
    assert sorted({check for _, checks in FAULTS.values() for check in checks}) == CHECKS


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with KINDS["nats"].serve(tmp_path_factory.mktemp("nats")) as nats:
        yield nats


@pytest.mark.parametrize("sink", faulty_nats.FAULTS)
async def test_a_fault_is_found_on_a_real_server(sink: type[NatsSink], nats: Running) -> None:
    class Faulty(RealBroker):
        def make_sink(self) -> Sink:
            return sink.of(nats.to())

    await _is_found(faulty_nats.FAULTS[sink], Faulty(KINDS["nats"], nats))
