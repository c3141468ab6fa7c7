"""Indelible: an event store for microservices. The names that applications need; see README.md for a tour.

The clients, and what they bring with them, are imported when first asked for: ``import indelible`` stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.cursors import START, Cursor
from indelible.errors import (
    AggregateNotFound,
    ConditionFailed,
    ConditionTooCostly,
    Conflict,
    EventIdConflict,
    EventNotFound,
    GroupExists,
    GroupNotFound,
    IndelibleError,
    IndexBehind,
    IndexBuilding,
    IndexMismatch,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    ParkedEventNotFound,
    PayloadTooLarge,
    SearchTooCostly,
    SearchUnavailable,
    ShuttingDown,
    SnapshotNotFound,
    StorageFull,
    Unavailable,
    VersionConflict,
)
from indelible.events import AggregateKey, NewEvent, RecordedEvent, Snapshot
from indelible.eventstore import AggregateAppend, AppendResult, AtomicAppendResult, EventStore, Head
from indelible.groups import ConsumerGroups, Delivery, GroupInfo, InFlight, ParkedEvent, Settled, SkippedEvent
from indelible.index_state import IndexInfo
from indelible.queries import EVERYTHING, EventQuery, QueryItem
from indelible.search import SearchPage, SearchQuery, Where

if TYPE_CHECKING:
    from indelible.client import AsyncClient, Client, Consumer, Rebuilt, Repository, SyncConsumer, SyncRepository

    __version__: str

__all__ = [
    "EVERYTHING", "START", "AggregateAppend", "AggregateKey", "AggregateNotFound", "AppendCondition", "AppendResult",
    "AsyncClient", "AtomicAppendResult", "Client", "ConditionFailed", "ConditionTooCostly", "Conflict", "Consumer",
    "ConsumerGroups", "Cursor", "Delivery", "EventIdConflict", "EventNotFound", "EventQuery", "EventStore",
    "ExpectedVersion", "GroupExists", "GroupInfo", "GroupNotFound", "Head", "InFlight", "IndelibleError",
    "IndexBehind", "IndexBuilding", "IndexInfo", "IndexMismatch", "InvalidRequest", "NewEvent", "NotFound",
    "OutcomeUnknown", "Overloaded", "ParkedEvent", "ParkedEventNotFound", "PayloadTooLarge", "QueryItem", "Rebuilt",
    "RecordedEvent", "Repository", "SearchPage", "SearchQuery", "SearchTooCostly", "SearchUnavailable", "Settled",
    "ShuttingDown", "SkippedEvent", "Snapshot", "SnapshotNotFound", "StorageFull", "SyncConsumer", "SyncRepository",
    "Unavailable", "VersionConflict", "Where", "__version__",
]  # fmt: skip

_CLIENTS: Final = {"AsyncClient", "Client", "Consumer", "Rebuilt", "Repository", "SyncConsumer", "SyncRepository"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("indelible")
    if name in _CLIENTS:
        return getattr(import_module("indelible.client"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
