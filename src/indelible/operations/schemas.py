"""The operations on schemas of event types: what each is asked with, and its row."""

from typing import Annotated, Any, Final

import msgspec

from indelible import words
from indelible.operations.operation import Nothing, Operation, Parameters
from indelible.schemas import (
    COMPATIBILITIES,
    Compatibility,
    EventSchema,
    SchemaInfo,
    check_compatibility,
    check_event_type,
    check_schema_version,
    encode_schema,
)

_Compatibility = Annotated[
    Compatibility,
    words.STRING,
    words.meta(
        'What a version must keep of the one before. "backward": data that fits the one before fits it. "forward": '
        'data that fits it fits the one before. "full": both. "none": nothing.',
        {"enum": [*COMPATIBILITIES]},
        example="backward",
    ),
]

# --- What they are asked with ----------------------------------------------------------------------------------------


class OfEventType(Parameters, frozen=True):
    """Of which event type."""

    event_type: words.EventType

    def check(self) -> None:
        check_event_type(self.event_type)


class RegisterSchema(OfEventType, frozen=True):
    """A schema that data is to fit."""

    schema: Annotated[msgspec.Raw, words.JSON_SCHEMA]
    compatibility: _Compatibility | None = None
    dry_run: Annotated[
        bool, words.meta("Whether only to tell what would come of it. Nothing is changed then.", example=False)
    ] = False

    def check(self) -> None:
        super().check()
        encode_schema(self.schema)
        if self.compatibility is not None:
            check_compatibility(self.compatibility)


class GetSchema(OfEventType, frozen=True):
    """Which schema."""

    version: Annotated[int, words.meta("Which version; the newest when missing.", words.VERSION, example=1)] | None = (
        None
    )

    def check(self) -> None:
        super().check()
        if self.version is not None:
            check_schema_version(self.version)


class SetSchemaCompatibility(OfEventType, frozen=True):
    """What the next version must keep."""

    compatibility: _Compatibility

    def check(self) -> None:
        super().check()
        check_compatibility(self.compatibility)


# --- What they answer, where the store gives what is inside ----------------------------------------------------------


class SchemaList(msgspec.Struct, frozen=True):
    """The schemas of a store."""

    schemas: Annotated[tuple[SchemaInfo, ...], words.meta("The newest version of each, by event type.")]


class SchemaVersionList(msgspec.Struct, frozen=True):
    """The versions of a schema."""

    versions: Annotated[tuple[SchemaInfo, ...], words.meta("From the first on.")]


# --- The rows --------------------------------------------------------------------------------------------------------

_CHANGES: Final = ("shutting_down", "outcome_unknown", "storage_full")

REGISTER_SCHEMA: Final = Operation[RegisterSchema, SchemaInfo](
    name="register_schema", store_method="schemas.register", section="Schemas", summary="Register a schema",
    description="Data of this event type must fit it from now on, whoever appends it; every server knows of it within "
    "5 seconds. It is the next version of the event type's schema, and has to keep of the one before what "
    "`compatibility` says: what was said last when that is missing, `backward` at first. The same schema again changes "
    "nothing. With `dry_run` nothing is changed at all: the answer, or the error, is what it would be.",
    parameters=RegisterSchema, answer=SchemaInfo, answers="The version that it is.",
    http="PUT /v1/schemas/{event_type}", grpc="Schemas.RegisterSchema",
    retry="idempotent", permission="admin", errors=("payload_too_large", "schema_incompatible", *_CHANGES),
)  # fmt: skip
GET_SCHEMA: Final = Operation[GetSchema, EventSchema](
    name="get_schema", store_method="schemas.get", section="Schemas", summary="Get a schema",
    description="The newest version, or the one asked for, with the schema itself.",
    parameters=GetSchema, answer=EventSchema, answers="The schema.",
    http="GET /v1/schemas/{event_type}", grpc="Schemas.GetSchema",
    retry="read", permission="read", errors=("schema_not_found",),
)  # fmt: skip
LIST_SCHEMAS: Final = Operation[Nothing, tuple[SchemaInfo, ...]](
    name="list_schemas", store_method="schemas.list", section="Schemas", summary="List schemas",
    description="The newest version of each event type's schema, without the schema itself; retired ones too.",
    parameters=Nothing, answer=SchemaList, answer_field="schemas", answers="All of them.",
    http="GET /v1/schemas", grpc="Schemas.ListSchemas",
    retry="read", permission="read",
)  # fmt: skip
LIST_SCHEMA_VERSIONS: Final = Operation[OfEventType, tuple[SchemaInfo, ...]](
    name="list_schema_versions", store_method="schemas.list_versions", section="Schemas",
    summary="List a schema's versions",
    description="Every version that there ever was, without the schema itself.",
    parameters=OfEventType, answer=SchemaVersionList, answer_field="versions", answers="All of them.",
    http="GET /v1/schemas/{event_type}/versions", grpc="Schemas.ListSchemaVersions",
    retry="read", permission="read", errors=("schema_not_found",),
)  # fmt: skip
SET_SCHEMA_COMPATIBILITY: Final = Operation[SetSchemaCompatibility, SchemaInfo](
    name="set_schema_compatibility", store_method="schemas.set_compatibility", section="Schemas",
    summary="Set what versions of a schema must keep",
    description="It is asked of the next version; those that are there stay.",
    parameters=SetSchemaCompatibility, answer=SchemaInfo, answers="The newest version as it is now.",
    http="POST /v1/schemas/{event_type}/compatibility", grpc="Schemas.SetSchemaCompatibility",
    retry="idempotent", permission="admin", errors=("schema_not_found", *_CHANGES),
)  # fmt: skip
RETIRE_SCHEMA: Final = Operation[OfEventType, SchemaInfo](
    name="retire_schema", store_method="schemas.retire", section="Schemas", summary="Retire a schema",
    description="Data of this event type may be anything from now on; every server knows of it within 5 seconds. The "
    "versions stay, and the next one that is registered is in force again, if it keeps what it must of the last.",
    parameters=OfEventType, answer=SchemaInfo, answers="The newest version as it is now.",
    http="POST /v1/schemas/{event_type}/retire", grpc="Schemas.RetireSchema",
    retry="idempotent", permission="admin", errors=("schema_not_found", *_CHANGES),
)  # fmt: skip

SCHEMA_OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (
    REGISTER_SCHEMA, GET_SCHEMA, LIST_SCHEMAS, LIST_SCHEMA_VERSIONS, SET_SCHEMA_COMPATIBILITY, RETIRE_SCHEMA,
)  # fmt: skip
