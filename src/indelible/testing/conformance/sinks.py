"""Every sink: what a relay publishes through it is stored in order, once or more, whatever breaks.

For a sink (anything that has the :class:`indelible.relays.sink.Sink` protocol)::

    from indelible.testing.conformance import SinkBroker, SinkConformance


    class MyBroker(SinkBroker):
        remembers = True

        def make_sink(self): ...
        async def received(self): ...


    class TestMySink(SinkConformance):
        @pytest.fixture
        def broker(self):
            return MyBroker(...)

Each test needs a place of the broker that nobody has used, such as a topic with a new name. The broker itself may be
the same one for all tests.
"""

from collections.abc import AsyncIterator

import pytest_asyncio

from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.eventstore import EventStore
from indelible.testing.conformance.sink_faults import SinkFaultConformance
from indelible.testing.conformance.sink_publishing import SinkPublishingConformance
from indelible.testing.conformance.sink_relays import SinkRelayConformance


class SinkConformance(SinkPublishingConformance, SinkFaultConformance, SinkRelayConformance):
    """All promises of a sink. Fixture: ``broker``, a :class:`SinkBroker`. What it cannot do is not tried, and the tests
    that need it are skipped."""

    @pytest_asyncio.fixture
    async def store(self) -> AsyncIterator[EventStore]:
        """Empty; with leases of relays, and cursors, as a server has them."""
        async with LocalEventStore(MemoryEngine()) as store:
            yield store
