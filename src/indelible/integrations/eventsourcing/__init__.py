"""Indelible as the persistence module of the library ``eventsourcing``: its applications keep their events in a store.

Chosen by environment, as the library's own modules are::

    PERSISTENCE_MODULE=indelible.integrations.eventsourcing
    INDELIBLE_URL=http://127.0.0.1:8080

============================ ==========================================================================================
``INDELIBLE_URL``            Of the store: a server, or an engine in this process such as ``sqlite:events.db``.
``INDELIBLE_AGGREGATE_TYPE`` Of the application's events; its name, unless this says another.
``INDELIBLE_TOKEN``          What a server is shown to know who asks; ``INDELIBLE_TLS_CA``, ``…_TLS_CERTIFICATE`` and
                             ``…_TLS_KEY`` likewise, as for :class:`indelible.Client`.
``ORIGINATOR_ID_TYPE``       ``uuid``: ids that read as UUIDs are UUIDs, all others are text. ``text``: all are text.
============================ ==========================================================================================

An application's name before any of them, as in ``BANKACCOUNTS_INDELIBLE_URL``, makes it that application's own.

======================== ==============================================================================================
:mod:`.connection`       the client that factories share, and the library's errors in place of the store's
:mod:`.stored_events`    how the library's stored events lie in the store
:mod:`.recorders`        the aggregate recorder, the application recorder and its subscription
:mod:`.snapshots`        the recorder of snapshots
:mod:`.tracking`         the tracking recorder and the process recorder
:mod:`.dcb`              the recorder for dynamic consistency boundaries
======================== ==============================================================================================
"""

from typing import TypeVar

from eventsourcing.dcb.persistence import DCBInfrastructureFactory
from eventsourcing.persistence import AggregateRecorder, InfrastructureFactory, Recorder
from eventsourcing.utils import Environment, EnvType, resolve_topic

from indelible.integrations.eventsourcing.connection import Datastore
from indelible.integrations.eventsourcing.dcb import IndelibleDCBRecorder
from indelible.integrations.eventsourcing.recorders import IndelibleAggregateRecorder, IndelibleApplicationRecorder
from indelible.integrations.eventsourcing.snapshots import IndelibleSnapshotRecorder
from indelible.integrations.eventsourcing.stored_events import EventMapping
from indelible.integrations.eventsourcing.tracking import IndelibleProcessRecorder, IndelibleTrackingRecorder

__all__ = [
    "Factory", "IndelibleAggregateRecorder", "IndelibleApplicationRecorder", "IndelibleDCBRecorder",
    "IndelibleFactory", "IndelibleProcessRecorder", "IndelibleSnapshotRecorder", "IndelibleTrackingRecorder",
]  # fmt: skip

R = TypeVar("R", bound=Recorder)


class IndelibleFactory(
    InfrastructureFactory[IndelibleTrackingRecorder], DCBInfrastructureFactory[IndelibleTrackingRecorder]
):
    """Makes the recorders of one application, of all kinds. They share a client, and so do the factories of a process
    that name the same store (``memory:`` aside: each has an empty one of its own).

    Raises ``OSError`` when the environment names no store or says something that is not allowed, and the library's
    ``PersistenceError`` when the store cannot be opened, or has several partitions: it numbers all events in one order.
    """

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        self._mapping = EventMapping.of(self.env)
        self._datastore = Datastore.of(self.env)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """``purpose``: "events", or "snapshots"."""
        if purpose == "snapshots":
            return IndelibleSnapshotRecorder(self._datastore, self._mapping)
        return IndelibleAggregateRecorder(self._datastore, self._mapping)

    def application_recorder(self) -> IndelibleApplicationRecorder:
        kind = self._chosen(self.APPLICATION_RECORDER_TOPIC, IndelibleApplicationRecorder)
        return kind(self._datastore, self._mapping)

    def tracking_recorder(
        self, tracking_recorder_class: type[IndelibleTrackingRecorder] | None = None
    ) -> IndelibleTrackingRecorder:
        kind = tracking_recorder_class or self._chosen(self.TRACKING_RECORDER_TOPIC, IndelibleTrackingRecorder)
        return kind(self._datastore, self._mapping)

    def process_recorder(self) -> IndelibleProcessRecorder:
        kind = self._chosen(self.PROCESS_RECORDER_TOPIC, IndelibleProcessRecorder)
        return kind(self._datastore, self._mapping)

    def dcb_recorder(self) -> IndelibleDCBRecorder:
        return IndelibleDCBRecorder(self._datastore, self._mapping)

    def _chosen(self, variable: str, default: type[R]) -> type[R]:
        """The class that the environment names, for applications with a recorder of their own."""
        topic = self.env.get(variable)
        kind = resolve_topic(topic) if topic else default
        if not issubclass(kind, default):
            raise OSError(f"{variable} must name a class below {default.__name__}, not {topic}")
        return kind

    def close(self) -> None:
        """Let go of the client, which closes when its last factory does so. May be called twice."""
        self._datastore.close()


Factory = IndelibleFactory
