"""The names that applications need, as ``indelible`` gives them on.

The clients, and what they bring with them, are imported when first asked for: the others stay cheap.
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
    EventNotDecoded,
    EventNotFound,
    Forbidden,
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
    Unauthenticated,
    Unavailable,
    VersionConflict,
)
from indelible.event_codec import Codec, MsgspecCodec
from indelible.event_registry import EventRegistry
from indelible.events import AggregateKey, NewEvent, RecordedEvent, Snapshot
from indelible.eventstore import AggregateAppend, AppendResult, AtomicAppendResult, EventStore, Head
from indelible.groups import ConsumerGroups, Delivery, GroupInfo, InFlight, ParkedEvent, Settled, SkippedEvent
from indelible.index_state import IndexInfo
from indelible.queries import EVERYTHING, EventQuery, QueryItem
from indelible.search import SearchPage, SearchQuery, Where
from indelible.typed_events import TypedEvent, Unregistered

if TYPE_CHECKING:
    from indelible.client import (
        AsyncClient,
        AsyncTypedClient,
        Client,
        Consumer,
        LiveStates,
        Rebuilt,
        Repository,
        Supervisor,
        SyncConsumer,
        SyncRepository,
        TypedClient,
        TypedConsumer,
        TypedDelivery,
        TypedRepository,
        TypedSubscription,
    )

__all__ = [
    "EVERYTHING", "START", "AggregateAppend", "AggregateKey", "AggregateNotFound", "AppendCondition", "AppendResult",
    "AsyncClient", "AsyncTypedClient", "AtomicAppendResult", "Client", "Codec", "ConditionFailed",
    "ConditionTooCostly", "Conflict", "Consumer", "ConsumerGroups", "Cursor", "Delivery", "EventIdConflict",
    "EventNotDecoded", "EventNotFound", "EventQuery", "EventRegistry", "EventStore", "ExpectedVersion", "Forbidden",
    "GroupExists", "GroupInfo", "GroupNotFound", "Head", "InFlight", "IndelibleError", "IndexBehind",
    "IndexBuilding", "IndexInfo", "IndexMismatch", "InvalidRequest", "LiveStates", "MsgspecCodec", "NewEvent",
    "NotFound", "OutcomeUnknown", "Overloaded", "ParkedEvent", "ParkedEventNotFound", "PayloadTooLarge", "QueryItem",
    "Rebuilt", "RecordedEvent", "Repository", "SearchPage", "SearchQuery", "SearchTooCostly", "SearchUnavailable",
    "Settled", "ShuttingDown", "SkippedEvent", "Snapshot", "SnapshotNotFound", "StorageFull", "Supervisor",
    "SyncConsumer", "SyncRepository", "TypedClient", "TypedConsumer", "TypedDelivery", "TypedEvent", "TypedRepository",
    "TypedSubscription", "Unauthenticated", "Unavailable", "Unregistered", "VersionConflict", "Where",
]  # fmt: skip

_CLIENTS: Final = {
    "AsyncClient", "AsyncTypedClient", "Client", "Consumer", "LiveStates", "Rebuilt", "Repository", "Supervisor",
    "SyncConsumer", "SyncRepository", "TypedClient", "TypedConsumer", "TypedDelivery", "TypedRepository",
    "TypedSubscription",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _CLIENTS:
        return getattr(import_module("indelible.client"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
