"""Indelible: an event store for microservices. The names that applications need; see README.md for a tour.

The clients, and what they bring with them, are imported when first asked for: ``import indelible`` stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.errors import (
    AggregateNotFound,
    ConditionFailed,
    Conflict,
    EventIdConflict,
    EventNotFound,
    IndelibleError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    PayloadTooLarge,
    ShuttingDown,
    SnapshotNotFound,
    StorageFull,
    Unavailable,
    VersionConflict,
)
from indelible.events import AggregateKey, NewEvent, RecordedEvent, Snapshot
from indelible.eventstore import AggregateAppend, AppendResult, AtomicAppendResult, EventStore, Head
from indelible.queries import EVERYTHING, START, Cursor, EventQuery, QueryItem

if TYPE_CHECKING:
    from indelible.client.async_client import AsyncClient
    from indelible.client.rebuild import Rebuilt
    from indelible.client.repository import Repository
    from indelible.client.sync_client import Client, SyncRepository

    __version__: str

__all__ = [
    "EVERYTHING", "START", "AggregateAppend", "AggregateKey", "AggregateNotFound", "AppendCondition", "AppendResult",
    "AsyncClient", "AtomicAppendResult", "Client", "ConditionFailed", "Conflict", "Cursor", "EventIdConflict",
    "EventNotFound", "EventQuery", "EventStore", "ExpectedVersion", "Head", "IndelibleError", "InvalidRequest",
    "NewEvent", "NotFound", "OutcomeUnknown", "Overloaded", "PayloadTooLarge", "QueryItem", "Rebuilt", "RecordedEvent",
    "Repository", "ShuttingDown", "Snapshot", "SnapshotNotFound", "StorageFull", "SyncRepository", "Unavailable",
    "VersionConflict", "__version__",
]  # fmt: skip

_LAZY: Final = {
    "AsyncClient": "indelible.client.async_client",
    "Client": "indelible.client.sync_client",
    "Rebuilt": "indelible.client.rebuild",
    "Repository": "indelible.client.repository",
    "SyncRepository": "indelible.client.sync_client",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("indelible")
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
