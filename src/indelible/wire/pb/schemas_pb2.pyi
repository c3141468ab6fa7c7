import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Compatibility(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPATIBILITY_UNSPECIFIED: _ClassVar[Compatibility]
    COMPATIBILITY_NONE: _ClassVar[Compatibility]
    COMPATIBILITY_BACKWARD: _ClassVar[Compatibility]
    COMPATIBILITY_FORWARD: _ClassVar[Compatibility]
    COMPATIBILITY_FULL: _ClassVar[Compatibility]

class SchemaState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCHEMA_STATE_UNSPECIFIED: _ClassVar[SchemaState]
    SCHEMA_STATE_ACTIVE: _ClassVar[SchemaState]
    SCHEMA_STATE_SUPERSEDED: _ClassVar[SchemaState]
    SCHEMA_STATE_RETIRED: _ClassVar[SchemaState]
COMPATIBILITY_UNSPECIFIED: Compatibility
COMPATIBILITY_NONE: Compatibility
COMPATIBILITY_BACKWARD: Compatibility
COMPATIBILITY_FORWARD: Compatibility
COMPATIBILITY_FULL: Compatibility
SCHEMA_STATE_UNSPECIFIED: SchemaState
SCHEMA_STATE_ACTIVE: SchemaState
SCHEMA_STATE_SUPERSEDED: SchemaState
SCHEMA_STATE_RETIRED: SchemaState

class SchemaInfo(_message.Message):
    __slots__ = ("event_type", "version", "compatibility", "state", "registered_at")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COMPATIBILITY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    version: int
    compatibility: Compatibility
    state: SchemaState
    registered_at: _timestamp_pb2.Timestamp
    def __init__(self, event_type: _Optional[str] = ..., version: _Optional[int] = ..., compatibility: _Optional[_Union[Compatibility, str]] = ..., state: _Optional[_Union[SchemaState, str]] = ..., registered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EventSchema(_message.Message):
    __slots__ = ("event_type", "version", "compatibility", "state", "registered_at", "schema")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COMPATIBILITY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    version: int
    compatibility: Compatibility
    state: SchemaState
    registered_at: _timestamp_pb2.Timestamp
    schema: str
    def __init__(self, event_type: _Optional[str] = ..., version: _Optional[int] = ..., compatibility: _Optional[_Union[Compatibility, str]] = ..., state: _Optional[_Union[SchemaState, str]] = ..., registered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., schema: _Optional[str] = ...) -> None: ...

class RegisterSchemaRequest(_message.Message):
    __slots__ = ("event_type", "schema", "compatibility", "dry_run")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    COMPATIBILITY_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    schema: str
    compatibility: Compatibility
    dry_run: bool
    def __init__(self, event_type: _Optional[str] = ..., schema: _Optional[str] = ..., compatibility: _Optional[_Union[Compatibility, str]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class GetSchemaRequest(_message.Message):
    __slots__ = ("event_type", "version")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    version: int
    def __init__(self, event_type: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ListSchemasRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSchemasResponse(_message.Message):
    __slots__ = ("schemas",)
    SCHEMAS_FIELD_NUMBER: _ClassVar[int]
    schemas: _containers.RepeatedCompositeFieldContainer[SchemaInfo]
    def __init__(self, schemas: _Optional[_Iterable[_Union[SchemaInfo, _Mapping]]] = ...) -> None: ...

class ListSchemaVersionsRequest(_message.Message):
    __slots__ = ("event_type",)
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    def __init__(self, event_type: _Optional[str] = ...) -> None: ...

class ListSchemaVersionsResponse(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[SchemaInfo]
    def __init__(self, versions: _Optional[_Iterable[_Union[SchemaInfo, _Mapping]]] = ...) -> None: ...

class SetSchemaCompatibilityRequest(_message.Message):
    __slots__ = ("event_type", "compatibility")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    COMPATIBILITY_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    compatibility: Compatibility
    def __init__(self, event_type: _Optional[str] = ..., compatibility: _Optional[_Union[Compatibility, str]] = ...) -> None: ...

class RetireSchemaRequest(_message.Message):
    __slots__ = ("event_type",)
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    def __init__(self, event_type: _Optional[str] = ...) -> None: ...
