"""The classes that a program has for event data: which one an event type is, at which schema version, and how data of
older versions becomes data of today.

The schema version stands in an event's metadata, as ``schema_version``; without it, it is 1. So an event type is one
name for queries whatever its version, event data is what the class says and nothing else, and events of before there
were classes are of the first version. Readers in other languages find it there too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic, Never, TypeAlias, TypeVar, cast
from uuid import UUID

import msgspec

from indelible.errors import EventNotDecoded, InvalidRequest
from indelible.event_codec import MSGSPEC_CODEC, Codec, why_refused
from indelible.events import NewEvent, RecordedEvent, check_name, check_version, is_json
from indelible.json_text import decode_json
from indelible.typed_events import TypedEvent, Unregistered

SCHEMA_VERSION: Final = "schema_version"
"""The member of an event's metadata."""
_IN_METADATA: Final = f"/metadata/{SCHEMA_VERSION}"

Upcaster = Callable[[Any], Any]
"""Given event data of one schema version as JSON, as :attr:`RecordedEvent.event_data` has it: that of the next version.
It may change what it was given, and should do nothing else."""

E = TypeVar("E")
F = TypeVar("F")

TypedEvents: TypeAlias = E | NewEvent | Sequence[E | NewEvent]
"""What is appended: objects of registered classes, or events that :meth:`EventRegistry.new_event` made of them."""


class _Metadata(msgspec.Struct):
    schema_version: int = 1


_metadata: Final = msgspec.json.Decoder(_Metadata)


_no_metadata: Final = msgspec.Raw(b"{}")


def _schema_version(metadata: msgspec.Raw | bytes) -> int:
    try:
        return _metadata.decode(metadata).schema_version
    except msgspec.ValidationError:
        raise InvalidRequest("must be an integer", pointer=_IN_METADATA) from None


class _Registered(msgspec.Struct, frozen=True):
    """A class, and what there is to know of its event type."""

    event_type: str
    kind: type[Any]
    schema_version: int
    upcasters: Mapping[int, Upcaster]
    """By the version that each begins at."""
    decode: Callable[[bytes], Any]

    def read(self, event: RecordedEvent) -> Any:
        """The object that an event's data stands for."""
        schema_version = 1
        try:
            # Most have none, and this is read for every event.
            if event.metadata_raw != _no_metadata:
                schema_version = 0
                schema_version = _schema_version(event.metadata_raw)
            if schema_version == self.schema_version:
                return self.decode(bytes(event.event_data_raw))
            return self.decode(self._upcast(event.event_data_raw, schema_version))
        except Exception as error:  # what an upcaster or a class raises is theirs to choose
            raise self._not_decoded(event, schema_version, why_refused(error)) from error

    def _upcast(self, text: msgspec.Raw, schema_version: int) -> bytes:
        if not 1 <= schema_version < self.schema_version:
            raise InvalidRequest(
                f"this program knows versions 1 to {self.schema_version}: let a newer one read it", pointer=_IN_METADATA
            )
        data = decode_json(text)
        try:
            while schema_version < self.schema_version:
                data = self.upcasters[schema_version](data)
                schema_version += 1
        except Exception as error:
            message = f"cannot be upcast: the upcaster from version {schema_version} raised {error!r}"
            raise InvalidRequest(message) from error
        return msgspec.json.encode(data)

    def _not_decoded(self, event: RecordedEvent, schema_version: int, why: InvalidRequest) -> EventNotDecoded:
        pointer = why.pointer if why.pointer.startswith("/metadata") else f"/event_data{why.pointer}"
        return EventNotDecoded(
            f"{self.event_type} at position {event.position} ({event.key.stream}, version {event.version}), of schema "
            f"version {schema_version or 'unknown'}, is no {self.kind.__qualname__}: {pointer} {why.message}. Mend its "
            "class or its upcasters, or pass over it",
            position=event.position, event_type=self.event_type, schema_version=schema_version, pointer=pointer,
            aggregate_type=event.aggregate_type, aggregate_id=event.aggregate_id, version=event.version,
        )  # fmt: skip

    def check(self, event: NewEvent) -> NewEvent:
        """Refuse a new event that could not be read."""
        if _schema_version(event.metadata_raw) != self.schema_version:
            raise InvalidRequest(
                f"must be {self.schema_version}, of the class that is registered: let new_event() make the event",
                pointer=_IN_METADATA,
            )
        if not is_json(event.content_type):
            raise InvalidRequest(f"must be JSON, because {self.kind.__name__} is registered", pointer="/content_type")
        try:
            self.decode(event.event_data_raw)
        except (ValueError, InvalidRequest) as error:
            raise why_refused(error).under("/event_data") from error
        return event

    def metadata(self, given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """With the schema version, but for version 1."""
        if self.schema_version == 1:
            return given
        return {SCHEMA_VERSION: self.schema_version, **(given or {})}


class EventRegistry(Generic[E]):
    """Event types and their classes: dataclasses, Structs, pydantic models, or what another ``codec`` takes. Immutable;
    ``E`` is the union of the classes. ::

        events = (
            EventRegistry()
            .add(OrderPlaced, schema_version=2, upcast={1: with_currency})
            .add(OrderPaid, event_type="order.paid")
        )
        orders = client.typed(events)
    """

    def __init__(self: "EventRegistry[Never]", *, codec: Codec = MSGSPEC_CODEC) -> None:
        self._codec: Codec = codec
        self._by_type: dict[str, _Registered] = {}
        self._by_class: dict[type[Any], _Registered] = {}

    def add(
        self,
        kind: type[F],
        *,
        event_type: str | None = None,
        schema_version: int = 1,
        upcast: Mapping[int, Upcaster] | None = None,
    ) -> "EventRegistry[E | F]":
        """A registry that also has the class ``kind``, for an event type: the class's name, unless given.

        ``schema_version`` is what the class is now: one more with each change that the class does not take of old data
        by itself. ``upcast`` has an upcaster from every earlier version, by that version. Raises ``InvalidRequest``
        when one is missing, and for a class or an event type that is registered already.
        """
        name = check_name(kind.__name__ if event_type is None else event_type, "/event_type")
        check_version(schema_version, "/schema_version")
        self._check_new(kind, name)
        upcasters = {} if upcast is None else dict(upcast)
        _check_chain(name, schema_version, upcasters)
        registered = _Registered(name, kind, schema_version, upcasters, self._codec.decoder(kind))
        new: EventRegistry[Any] = EventRegistry(codec=self._codec)
        new._by_type = {**self._by_type, name: registered}
        new._by_class = {**self._by_class, kind: registered}
        return new

    def _check_new(self, kind: type[Any], event_type: str) -> None:
        other = self._by_type.get(event_type)
        if other is not None:
            raise InvalidRequest(
                f"{event_type} is registered for {other.kind.__qualname__}: give {kind.__qualname__} another "
                "event_type, or make it a later schema_version with an upcaster",
                pointer="/event_type",
            )
        if kind in self._by_class:
            raise InvalidRequest(
                f"{kind.__qualname__} is registered for {self._by_class[kind].event_type}: which of the two an object "
                "is could not be told",
                pointer="/kind",
            )

    @property
    def event_types(self) -> tuple[str, ...]:
        """In the order in which they were registered; for queries."""
        return tuple(self._by_type)

    def event_type(self, kind: type[Any]) -> str:
        """The event type that a class is registered for. Raises ``InvalidRequest`` when there is none."""
        return self._registered(kind, "/kind").event_type

    def _registered(self, kind: type[Any], pointer: str) -> _Registered:
        registered = self._by_class.get(kind)
        if registered is None:
            known = ", ".join(other.__qualname__ for other in self._by_class)
            raise InvalidRequest(f"{kind.__qualname__} is not registered; these are: {known}", pointer=pointer)
        return registered

    def json_schemas(self) -> dict[str, dict[str, Any]]:
        """JSON Schema (2020-12) of event data by event type, of the versions that are registered."""
        return {name: self._codec.json_schema(one.kind) for name, one in self._by_type.items()}

    # --- Reading -----------------------------------------------------------------------------------------------------

    def read(self, event: RecordedEvent) -> TypedEvent[E]:
        """The event with its data as an object, upcast if it is of an older version; as :class:`Unregistered` where no
        class is registered for its type. Raises ``EventNotDecoded``."""
        registered = self._by_type.get(event.event_type)
        return TypedEvent(event, Unregistered(event) if registered is None else registered.read(event))

    # --- Appending ---------------------------------------------------------------------------------------------------

    def new_event(
        self,
        data: E,
        *,
        event_id: UUID | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
    ) -> NewEvent:
        """An event of an object of a registered class. Raises ``InvalidRequest`` when it is of no such class, or its
        fields are not what the class says; the rest as :class:`NewEvent`."""
        registered = self._registered(type(data), "/event_data")
        event = NewEvent(
            registered.event_type, self._encoded(data), event_id=event_id, metadata=registered.metadata(metadata),
            tags=tags,
        )  # fmt: skip
        return registered.check(event)

    def _encoded(self, data: E) -> msgspec.Raw:
        try:
            return msgspec.Raw(self._codec.encode(data))
        except InvalidRequest as error:
            raise error.under("/event_data") from None

    def new_events(self, given: TypedEvents[E]) -> list[NewEvent]:
        """What is to be appended, as events. Raises ``InvalidRequest`` with the pointer of the first bad field, also of
        a :class:`NewEvent` that is not of a registered type and its version, or does not fit its class."""
        if isinstance(given, NewEvent) or type(given) in self._by_class or not isinstance(given, Iterable):
            given = [cast("E", given)]
        events: list[NewEvent] = []
        for i, one in enumerate(given):
            try:
                events.append(self._checked(one) if isinstance(one, NewEvent) else self.new_event(one))
            except InvalidRequest as error:
                raise error.under(f"/events/{i}") from error
        return events

    def _checked(self, event: NewEvent) -> NewEvent:
        registered = self._by_type.get(event.event_type)
        if registered is None:
            raise InvalidRequest(
                f"{event.event_type} is not registered; these are: {', '.join(self._by_type)}", pointer="/event_type"
            )
        return registered.check(event)


def _check_chain(event_type: str, schema_version: int, upcast: Mapping[int, Upcaster]) -> None:
    """Refuse upcasters unless there is one from each version before ``schema_version``, and no other."""
    older = range(1, schema_version)
    for version in older:
        if version not in upcast:
            raise InvalidRequest(
                f"{event_type} is of schema version {schema_version}, and nothing upcasts version {version}: "
                f"give upcast={{{version}: …}}, which makes data of version {version + 1} of it",
                pointer=f"/upcast/{version}",
            )
    for version in upcast:
        if version not in older:
            raise InvalidRequest(
                f"{event_type} is of schema version {schema_version}, so nothing is to be upcast from {version!r}: "
                "raise schema_version, or take the upcaster away",
                pointer=f"/upcast/{version}",
            )
