"""Schemas of event types: what callers say and hear of them, and the part of the EventStore protocol that keeps them.

A schema is a JSON Schema (draft 2020-12) that the data of each event of a type must fit. A store refuses data that does
not, whoever appends it, and by whichever API. Versions count from 1; the newest is in force, until it is retired.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Protocol, get_args

import msgspec
from msgspec import Struct

from indelible import words
from indelible.errors import InvalidRequest, PayloadTooLarge, SchemaNotFound
from indelible.events import check_name, check_version
from indelible.json_text import check_bounds, decode_json, encode_json
from indelible.limits import SCHEMA_DEPTH_MAX, SCHEMA_SIZE_BYTES_MAX
from indelible.queries import EventQuery

SCHEMA_AGGREGATE_TYPE: Final = "$schema"
"""Of the events that schemas and their changes are: one aggregate an event type, by its name."""
SCHEMAS_QUERY: Final = EventQuery.of(aggregate_types=(SCHEMA_AGGREGATE_TYPE,))
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Compatibility = Literal["none", "backward", "forward", "full"]
"""What a new version must keep. "backward": data that fits the one before fits it. "forward": data that fits it fits
the one before. "full": both."""
COMPATIBILITIES: Final[tuple[Compatibility, ...]] = get_args(Compatibility)
SchemaState = Literal["active", "superseded", "retired"]

# --- What is told ----------------------------------------------------------------------------------------------------


class SchemaInfo(Struct, frozen=True):
    """A version of an event type's schema, without the schema itself."""

    event_type: words.EventType
    version: words.SchemaVersion
    compatibility: Annotated[
        Compatibility,
        words.STRING,
        words.meta("What the next version must keep; of an older version, what it had to keep.", example="backward"),
    ]
    state: Annotated[
        SchemaState,
        words.STRING,
        words.meta(
            'Whether data must fit it: "active". A newer one supersedes it, or it was retired.', example="active"
        ),
    ]
    registered_at: Annotated[words.Time, words.meta("When it was registered.", example="2026-01-31T12:00:00.000000Z")]


class EventSchema(SchemaInfo, frozen=True):
    """A version of an event type's schema."""

    schema_raw: Annotated[msgspec.Raw, words.JSON_SCHEMA] = msgspec.field(name="schema")

    @property
    def schema(self) -> dict[str, Any]:
        value: dict[str, Any] = decode_json(self.schema_raw)
        return value


# --- The part of the store -------------------------------------------------------------------------------------------


class Schemas(Protocol):
    """The schemas of a store's event types."""

    async def register(
        self,
        event_type: str,
        schema: Mapping[str, Any] | msgspec.Raw,
        *,
        compatibility: Compatibility | None = None,
        dry_run: bool = False,
    ) -> SchemaInfo:
        """Have data of this type fit ``schema`` from now on; other processes know of it within 5 s. The answer is its
        version. ``compatibility`` is what it, and each later one, must keep of the version before; None: what was said
        last, "backward" at first. The same schema again changes nothing. With ``dry_run`` nothing is changed: the
        answer, or the error, is what it would be.

        Raises ``InvalidRequest``, ``PayloadTooLarge`` and ``SchemaIncompatible``."""
        ...

    async def get(self, event_type: str, *, version: int | None = None) -> EventSchema:
        """The newest version, or the one asked for. Raises ``SchemaNotFound``."""
        ...

    async def list(self) -> tuple[SchemaInfo, ...]:
        """The newest version of each schema, by event type; those that are retired too."""
        ...

    async def list_versions(self, event_type: str) -> tuple[SchemaInfo, ...]:
        """From the first on. Raises ``SchemaNotFound``."""
        ...

    async def set_compatibility(self, event_type: str, compatibility: Compatibility) -> SchemaInfo:
        """Say what the next version must keep. Raises ``SchemaNotFound``."""
        ...

    async def retire(self, event_type: str) -> SchemaInfo:
        """Have data of this type fit anything from now on, until a schema is registered again. Raises
        ``SchemaNotFound``."""
        ...


def schema_not_found(event_type: str, version: int | None = None) -> SchemaNotFound:
    if version is None:
        return SchemaNotFound(f"the event type {event_type} has no schema", event_type=event_type)
    message = f"the schema of {event_type} has no version {version}"
    return SchemaNotFound(message, event_type=event_type, version=version)


# --- Checks ----------------------------------------------------------------------------------------------------------


def check_event_type(event_type: object) -> str:
    return check_name(event_type, "/event_type")


def check_compatibility(compatibility: object) -> Compatibility:
    for one in COMPATIBILITIES:
        if compatibility == one:
            return one
    allowed = ", ".join(f'"{one}"' for one in COMPATIBILITIES)
    raise InvalidRequest(f"must be one of {allowed}", pointer="/compatibility")


def check_schema_version(version: object) -> int:
    return check_version(version, "/version")


def encode_schema(schema: Mapping[str, Any] | msgspec.Raw) -> bytes:
    """As compact JSON. Whether it is a schema is not looked at. Raises :class:`InvalidRequest`."""
    try:
        text = encode_json(dict(schema) if isinstance(schema, Mapping) else schema)
        _check_text(text)
    except InvalidRequest as error:
        raise error.under("/schema") from None
    return text


def _check_text(text: bytes) -> None:
    if not text.startswith(b"{"):
        raise InvalidRequest("must be a JSON object")
    if len(text) > SCHEMA_SIZE_BYTES_MAX:
        message = f"takes {len(text)} bytes, more than {SCHEMA_SIZE_BYTES_MAX}"
        raise PayloadTooLarge(message, size_bytes_max=SCHEMA_SIZE_BYTES_MAX)
    check_bounds(text, depth_max=SCHEMA_DEPTH_MAX)
