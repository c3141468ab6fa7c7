"""What every event store does, as tests that any store can be put through.

For a store (anything that has the :class:`indelible.eventstore.EventStore` protocol)::

    from indelible.testing.conformance import EventStoreConformance


    class TestMyStore(EventStoreConformance):
        @pytest_asyncio.fixture
        async def store(self):
            async with MyStore(...) as store:
                yield store

A store of several partitions is put through :class:`LogConformance` and :class:`SchemaConformance`, and through
:class:`GroupConformance` and :class:`ParkingConformance` if it takes consumer groups; through
:class:`ConditionConformance` where all aggregates lie in one of its partitions, or where it can look at all of them.
What a store refuses before an engine is asked is in :class:`BadInputConformance`: once for each way to a store is
enough. For a storage engine, also :class:`EngineConformance`; for a store whose events outlive it,
:class:`ReopenConformance`; for a store of which several may be open on one storage, :class:`SharedConformance`. Each
says which fixtures it needs. A sink, through which relays publish to a broker, is put through
:class:`SinkConformance`; a backend of the query index through :class:`IndexConformance`, one that is durable through
:class:`ReopenIndexConformance`, and one that refuses some documents through :class:`IndexRefusalConformance`.
Needs pytest and pytest-asyncio.

The store may hold any events before: the tests use names that are new each time and start mid-log. Nobody else may
append to it meanwhile.
"""

import pytest

pytest.register_assert_rewrite("indelible.testing.conformance")

from indelible.testing.conformance.appending import AppendConformance  # noqa: E402 - asserts are rewritten on import
from indelible.testing.conformance.bad_input import BadInputConformance  # noqa: E402
from indelible.testing.conformance.catalogue import CatalogueConformance  # noqa: E402
from indelible.testing.conformance.conditions import ConditionConformance  # noqa: E402
from indelible.testing.conformance.engine import EngineConformance  # noqa: E402
from indelible.testing.conformance.expected_versions import ExpectedVersionConformance  # noqa: E402
from indelible.testing.conformance.faithfulness import FaithfulnessConformance  # noqa: E402
from indelible.testing.conformance.feed import FeedConformance  # noqa: E402
from indelible.testing.conformance.following import FollowConformance  # noqa: E402
from indelible.testing.conformance.groups import GroupConformance  # noqa: E402
from indelible.testing.conformance.hash_chain import HashChainConformance  # noqa: E402
from indelible.testing.conformance.idempotency import IdempotencyConformance  # noqa: E402
from indelible.testing.conformance.index_generations import IndexGenerationConformance  # noqa: E402
from indelible.testing.conformance.index_pages import IndexPageConformance  # noqa: E402
from indelible.testing.conformance.index_refusals import IndexRefusalConformance  # noqa: E402
from indelible.testing.conformance.index_reopen import ReopenIndexConformance  # noqa: E402
from indelible.testing.conformance.index_searches import IndexSearchConformance  # noqa: E402
from indelible.testing.conformance.index_text import IndexTextConformance  # noqa: E402
from indelible.testing.conformance.isolation import IsolationConformance  # noqa: E402
from indelible.testing.conformance.parking import ParkingConformance  # noqa: E402
from indelible.testing.conformance.reading import ReadConformance  # noqa: E402
from indelible.testing.conformance.relays import RelayConformance  # noqa: E402
from indelible.testing.conformance.relays_beside import RelayBesideConformance  # noqa: E402
from indelible.testing.conformance.reopen import ReopenConformance  # noqa: E402
from indelible.testing.conformance.schemas import SchemaConformance  # noqa: E402
from indelible.testing.conformance.shared import SharedConformance  # noqa: E402
from indelible.testing.conformance.sink_broker import Received, SinkBroker  # noqa: E402
from indelible.testing.conformance.sinks import SinkConformance  # noqa: E402
from indelible.testing.conformance.snapshots import SnapshotConformance  # noqa: E402

__all__ = [
    "BadInputConformance",
    "ConditionConformance",
    "EngineConformance",
    "EventStoreConformance",
    "GroupConformance",
    "IndexConformance",
    "IndexRefusalConformance",
    "LogConformance",
    "ParkingConformance",
    "Received",
    "ReopenConformance",
    "ReopenIndexConformance",
    "SchemaConformance",
    "SharedConformance",
    "SinkBroker",
    "SinkConformance",
]


class LogConformance(
    AppendConformance,
    ExpectedVersionConformance,
    IdempotencyConformance,
    FaithfulnessConformance,
    ReadConformance,
    FeedConformance,
    FollowConformance,
    IsolationConformance,
    HashChainConformance,
    CatalogueConformance,
    SnapshotConformance,
):
    """The promises that any store keeps of its log. Fixture: ``store``, an open event store."""


class EventStoreConformance(
    LogConformance,
    ConditionConformance,
    GroupConformance,
    ParkingConformance,
    RelayConformance,
    RelayBesideConformance,
    SchemaConformance,
):
    """All promises of the protocol to those who ask what may be asked. Fixture: ``store``, an open event store."""


class IndexConformance(IndexGenerationConformance, IndexSearchConformance, IndexPageConformance, IndexTextConformance):
    """All promises of a backend of the query index. Fixture: ``make_index``, which gives a new one, not yet open; a
    durable one over the same storage each time. What it holds is dropped."""
