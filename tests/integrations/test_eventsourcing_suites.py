"""The suites that ``eventsourcing`` ships for persistence modules, each on several stores.

Those that measure, and those with very many threads or events, are run with ``INDELIBLE_SLOW_SUITES=1``, and so is
everything over gRPC, and over HTTP what is no suite of a recorder.
"""

import os
from threading import Event
from types import SimpleNamespace
from typing import Any
from unittest import TestCase
from unittest.mock import patch

from indelible import AggregateAppend, AggregateNotFound, NewEvent
from indelible.integrations.eventsourcing import (
    IndelibleAggregateRecorder,
    IndelibleApplicationRecorder,
    IndelibleFactory,
    IndelibleProcessRecorder,
    IndelibleTrackingRecorder,
)
from integrations.eventsourcing_storages import (
    MODULE,
    OnMemory,
    OnSqlite,
    OnStore,
    OverGrpc,
    OverHttp,
    application,
    dcb,
    persistence,
    projection,
)  # fmt: skip

PATIENCE_S = 60.0
WITH_SLOW = os.environ.get("INDELIBLE_SLOW_SUITES") == "1"
IN_PROCESS: tuple[type[OnStore], ...] = (OnMemory, OnSqlite)
STORES: tuple[type[OnStore], ...] = (*IN_PROCESS, OverHttp, *((OverGrpc,) if WITH_SLOW else ()))
SLOW = {
    "test_check_aggregate_fastforwarding_blocking",
    "test_check_aggregate_fastforwarding_nonblocking",
    "test_concurrent_no_conflicts",
    "test_concurrent_throughput",
    "test_performance",
}


class AggregateRecorder(persistence.AggregateRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.factory.aggregate_recorder()


class ApplicationRecorder(persistence.ApplicationRecorderTestCase[Any]):
    def create_recorder(self) -> Any:
        return self.factory.application_recorder()

    def test_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class ApplicationRecorderThatProcesses(ApplicationRecorder):
    def create_recorder(self) -> Any:
        return self.factory.process_recorder()


class NonInterleaving(persistence.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> Any:
        return self.factory.application_recorder()


class TrackingRecorder(persistence.TrackingRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.factory.tracking_recorder()


class ProcessRecorder(persistence.ProcessRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.factory.process_recorder()


class PatientEvent(Event):
    """The suite gives what comes a second, which may be too little on a busy machine."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(PATIENCE_S if timeout == 1 else timeout)


class DCBRecorder(dcb.DCBRecorderTestCase):
    def test_append_read(self) -> None:
        self._test_append_read(self.factory.dcb_recorder())

    def test_append_read_on_a_shared_store(self) -> None:
        """Where the log holds others' events."""
        self.factory.application_recorder().insert_events([persistence.StoredEvent("1", 1, "X", b"{}")])
        recorder = self.factory.dcb_recorder()
        assert [event.position for event in recorder.read()] == [1]

    def test_append_subscribe(self) -> None:
        with patch.object(dcb, "threading", SimpleNamespace(Event=PatientEvent)):
            self._test_append_subscribe(self.factory.dcb_recorder())


class SubclassOfTheTrackingRecorder(IndelibleTrackingRecorder):
    pass


class InfrastructureFactory(persistence.InfrastructureFactoryTestCase[IndelibleFactory]):
    def expected_factory_class(self) -> Any:
        return IndelibleFactory

    def expected_aggregate_recorder_class(self) -> Any:
        return IndelibleAggregateRecorder

    def expected_application_recorder_class(self) -> Any:
        return IndelibleApplicationRecorder

    def expected_tracking_recorder_class(self) -> Any:
        return IndelibleTrackingRecorder

    def tracking_recorder_subclass(self) -> Any:
        return SubclassOfTheTrackingRecorder

    def expected_process_recorder_class(self) -> Any:
        return IndelibleProcessRecorder


class ExampleApplication(application.ExampleApplicationTestCase):
    expected_factory_topic = f"{MODULE}:IndelibleFactory"


class Application(application.ApplicationTestCase):
    pass


class CountersView(IndelibleTrackingRecorder, projection.EventCountersView):
    """Counts in the store itself: the version of an aggregate is how often an event was appended to it."""

    def get_created_event_counter(self) -> int:
        return self._count("created")

    def get_subsequent_event_counter(self) -> int:
        return self._count("subsequent")

    def incr_created_event_counter(self, tracking: persistence.Tracking) -> None:
        self._increment("created", tracking)

    def incr_subsequent_event_counter(self, tracking: persistence.Tracking) -> None:
        self._increment("subsequent", tracking)

    def _count(self, name: str) -> int:
        try:
            return self.datastore.client.get_aggregate("counter", name).version
        except AggregateNotFound:
            return 0

    def _increment(self, name: str, tracking: persistence.Tracking) -> None:
        self.append_tracked(tracking, [AggregateAppend.of("counter", name, [NewEvent("Counted")])])


class View(projection.EventCountersViewTestCase):
    def construct_event_counters_view(self) -> Any:
        return self.factory.tracking_recorder(CountersView)


class PatientProjection(TestCase):
    """Beside a suite, which gives what comes a second here, too."""

    def test_event_counters_projection(self) -> None:
        with patch.object(persistence.TrackingRecorder.wait, "__defaults__", (PATIENCE_S, None)):
            super().test_event_counters_projection()  # type: ignore[misc]  # the suite's


class AggregatesProjection(PatientProjection, projection.AggregateEventCountersProjectionTestCase):
    view_class = CountersView


class DecisionsProjection(PatientProjection, projection.TaggedDecisionCountersProjectionTestCase):
    view_class = CountersView
    env = {"MAPPER_TOPIC": "eventsourcing.dcb.msgpack:MessagePackMapper"}  # noqa: RUF012 - as the suite has it


class EventSourcedProjection(projection.EventSourcedProjectionTestCase):
    def test_event_sourced_projection(self) -> None:
        with patch.object(projection.EventSourcedProjectionRunner.wait, "__defaults__", (PATIENCE_S,)):
            super().test_event_sourced_projection()


RECORDERS: tuple[type[TestCase], ...] = (
    AggregateRecorder, ApplicationRecorder, ApplicationRecorderThatProcesses, NonInterleaving, TrackingRecorder,
    ProcessRecorder, DCBRecorder, ExampleApplication,
)  # fmt: skip
OTHERS: tuple[type[TestCase], ...] = (
    InfrastructureFactory, Application, View, AggregatesProjection, DecisionsProjection, EventSourcedProjection
)  # fmt: skip
"""Of what stands above the recorders. Most of their time they wait."""


# Only these are collected: a suite by itself has no store. What is no function is no test.
del PatientProjection
for suite in (*RECORDERS, *OTHERS):
    del globals()[suite.__name__]
    left_out = {} if WITH_SLOW else dict.fromkeys(SLOW)
    for store in STORES if WITH_SLOW or suite in RECORDERS else IN_PROCESS:
        name = f"{suite.__name__}{store.__name__}"
        globals()[name] = type(name, (store, suite), left_out)
