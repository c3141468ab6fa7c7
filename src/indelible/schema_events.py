"""What the events of schemas hold, and what follows from them: pure, for the store that writes and follows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Raw, Struct, convert, json
from msgspec.structs import replace

from indelible.events import NewEvent, RecordedEvent
from indelible.schemas import Compatibility, EventSchema, SchemaInfo, SchemaState

SCHEMA_REGISTERED: Final = "SchemaRegistered"
SCHEMA_COMPATIBILITY_CHANGED: Final = "SchemaCompatibilityChanged"
SCHEMA_RETIRED: Final = "SchemaRetired"


class SchemaRecord(Struct, frozen=True):
    """What is known of an event type's schema: its newest version."""

    event_type: str
    version: int
    compatibility: Compatibility
    schema: bytes
    """JSON text."""
    registered_at: datetime
    is_retired: bool = False

    @property
    def state(self) -> SchemaState:
        return "retired" if self.is_retired else "active"

    def info(self, state: SchemaState | None = None) -> SchemaInfo:
        return SchemaInfo(self.event_type, self.version, self.compatibility, state or self.state, self.registered_at)

    def told(self, state: SchemaState | None = None) -> EventSchema:
        """With the schema itself."""
        return EventSchema(
            self.event_type, self.version, self.compatibility, state or self.state, self.registered_at, Raw(self.schema)
        )


class _Registered(Struct, frozen=True):
    """The data of a ``SchemaRegistered``."""

    version: int
    compatibility: Compatibility
    schema: Raw


class _CompatibilityChanged(Struct, frozen=True):
    compatibility: Compatibility


def registered_event(version: int, compatibility: Compatibility, schema: bytes) -> NewEvent:
    return NewEvent(SCHEMA_REGISTERED, Raw(json.encode(_Registered(version, compatibility, Raw(schema)))))


def compatibility_changed_event(compatibility: Compatibility) -> NewEvent:
    return NewEvent(SCHEMA_COMPATIBILITY_CHANGED, {"compatibility": compatibility})


def retired_event() -> NewEvent:
    return NewEvent(SCHEMA_RETIRED, {})


def changed(records: Mapping[str, SchemaRecord], event: RecordedEvent) -> SchemaRecord | None:
    """What a schema is after an event of it; None where that says nothing, as an event of a newer version may."""
    if event.event_type == SCHEMA_REGISTERED:
        data = json.decode(event.event_data_bytes, type=_Registered)
        return SchemaRecord(event.aggregate_id, data.version, data.compatibility, bytes(data.schema), event.timestamp)
    known = records.get(event.aggregate_id)
    if known is None:
        return None
    if event.event_type == SCHEMA_COMPATIBILITY_CHANGED:
        return replace(known, compatibility=convert(event.event_data, _CompatibilityChanged).compatibility)
    return replace(known, is_retired=True) if event.event_type == SCHEMA_RETIRED else None
