"""An event of the log with its data as an object of a class."""

from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from indelible.events import AggregateKey, RecordedEvent

D_co = TypeVar("D_co", covariant=True)


class Unregistered(msgspec.Struct, frozen=True):
    """In place of an object, where no class is registered for the event's type: the event's data as it is stored."""

    recorded: RecordedEvent

    @property
    def event_data(self) -> Any:
        """The JSON value; bytes where content_type is not JSON."""
        return self.recorded.event_data


class TypedEvent(msgspec.Struct, Generic[D_co], frozen=True):
    """A :class:`RecordedEvent` whose ``event_data`` is an object of the class that is registered for its type, or
    :class:`Unregistered`. Immutable, as far as that object is."""

    recorded: RecordedEvent
    """As the log has it."""
    event_data: D_co | Unregistered

    @property
    def event_id(self) -> UUID:
        return self.recorded.event_id

    @property
    def event_type(self) -> str:
        return self.recorded.event_type

    @property
    def key(self) -> AggregateKey:
        return self.recorded.key

    @property
    def aggregate_type(self) -> str:
        return self.recorded.aggregate_type

    @property
    def aggregate_id(self) -> str:
        return self.recorded.aggregate_id

    @property
    def version(self) -> int:
        """Place in the aggregate; the schema version is another."""
        return self.recorded.version

    @property
    def position(self) -> int:
        return self.recorded.position

    @property
    def timestamp(self) -> datetime:
        return self.recorded.timestamp

    @property
    def metadata(self) -> dict[str, Any]:
        return self.recorded.metadata

    @property
    def tags(self) -> tuple[str, ...]:
        return self.recorded.tags
