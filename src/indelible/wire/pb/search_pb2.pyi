import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from indelible.wire.pb import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEARCH_ORDER_UNSPECIFIED: _ClassVar[SearchOrder]
    SEARCH_ORDER_NEWEST: _ClassVar[SearchOrder]
    SEARCH_ORDER_OLDEST: _ClassVar[SearchOrder]

class FieldType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FIELD_TYPE_UNSPECIFIED: _ClassVar[FieldType]
    FIELD_TYPE_STRING: _ClassVar[FieldType]
    FIELD_TYPE_NUMBER: _ClassVar[FieldType]
    FIELD_TYPE_BOOLEAN: _ClassVar[FieldType]
    FIELD_TYPE_TIME: _ClassVar[FieldType]
SEARCH_ORDER_UNSPECIFIED: SearchOrder
SEARCH_ORDER_NEWEST: SearchOrder
SEARCH_ORDER_OLDEST: SearchOrder
FIELD_TYPE_UNSPECIFIED: FieldType
FIELD_TYPE_STRING: FieldType
FIELD_TYPE_NUMBER: FieldType
FIELD_TYPE_BOOLEAN: FieldType
FIELD_TYPE_TIME: FieldType

class Where(_message.Message):
    __slots__ = ("field", "operator", "value")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    field: str
    operator: str
    value: str
    def __init__(self, field: _Optional[str] = ..., operator: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("query", "where", "event_types", "aggregate_types", "tags", "since", "until", "order", "limit", "cursor", "aggregates", "wait_for", "wait_s", "allow_stale")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_TYPES_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    AGGREGATES_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    ALLOW_STALE_FIELD_NUMBER: _ClassVar[int]
    query: str
    where: _containers.RepeatedCompositeFieldContainer[Where]
    event_types: _containers.RepeatedScalarFieldContainer[str]
    aggregate_types: _containers.RepeatedScalarFieldContainer[str]
    tags: _containers.RepeatedScalarFieldContainer[str]
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    order: SearchOrder
    limit: int
    cursor: str
    aggregates: bool
    wait_for: str
    wait_s: float
    allow_stale: bool
    def __init__(self, query: _Optional[str] = ..., where: _Optional[_Iterable[_Union[Where, _Mapping]]] = ..., event_types: _Optional[_Iterable[str]] = ..., aggregate_types: _Optional[_Iterable[str]] = ..., tags: _Optional[_Iterable[str]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., order: _Optional[_Union[SearchOrder, str]] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ..., aggregates: _Optional[bool] = ..., wait_for: _Optional[str] = ..., wait_s: _Optional[float] = ..., allow_stale: _Optional[bool] = ...) -> None: ...

class FoundAggregate(_message.Message):
    __slots__ = ("aggregate_type", "aggregate_id")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregate_id: str
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("events", "aggregates", "cursor", "indexed_cursor", "lag", "lag_s", "is_stale")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATES_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    INDEXED_CURSOR_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    LAG_S_FIELD_NUMBER: _ClassVar[int]
    IS_STALE_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_events_pb2.Event]
    aggregates: _containers.RepeatedCompositeFieldContainer[FoundAggregate]
    cursor: str
    indexed_cursor: str
    lag: int
    lag_s: float
    is_stale: bool
    def __init__(self, events: _Optional[_Iterable[_Union[_events_pb2.Event, _Mapping]]] = ..., aggregates: _Optional[_Iterable[_Union[FoundAggregate, _Mapping]]] = ..., cursor: _Optional[str] = ..., indexed_cursor: _Optional[str] = ..., lag: _Optional[int] = ..., lag_s: _Optional[float] = ..., is_stale: _Optional[bool] = ...) -> None: ...

class IndexField(_message.Message):
    __slots__ = ("field", "type")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    field: str
    type: FieldType
    def __init__(self, field: _Optional[str] = ..., type: _Optional[_Union[FieldType, str]] = ...) -> None: ...

class GenerationInfo(_message.Message):
    __slots__ = ("number", "fields", "cursor", "documents", "lag", "lag_s")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    LAG_S_FIELD_NUMBER: _ClassVar[int]
    number: int
    fields: _containers.RepeatedCompositeFieldContainer[IndexField]
    cursor: str
    documents: int
    lag: int
    lag_s: float
    def __init__(self, number: _Optional[int] = ..., fields: _Optional[_Iterable[_Union[IndexField, _Mapping]]] = ..., cursor: _Optional[str] = ..., documents: _Optional[int] = ..., lag: _Optional[int] = ..., lag_s: _Optional[float] = ...) -> None: ...

class RejectedEvent(_message.Message):
    __slots__ = ("event_id", "position", "reason")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    position: int
    reason: str
    def __init__(self, event_id: _Optional[str] = ..., position: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class GetIndexRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class IndexInfo(_message.Message):
    __slots__ = ("serving", "building", "finds_text", "is_indexing", "problem", "rejected_count", "rejected")
    SERVING_FIELD_NUMBER: _ClassVar[int]
    BUILDING_FIELD_NUMBER: _ClassVar[int]
    FINDS_TEXT_FIELD_NUMBER: _ClassVar[int]
    IS_INDEXING_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    REJECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    serving: GenerationInfo
    building: GenerationInfo
    finds_text: bool
    is_indexing: bool
    problem: str
    rejected_count: int
    rejected: _containers.RepeatedCompositeFieldContainer[RejectedEvent]
    def __init__(self, serving: _Optional[_Union[GenerationInfo, _Mapping]] = ..., building: _Optional[_Union[GenerationInfo, _Mapping]] = ..., finds_text: _Optional[bool] = ..., is_indexing: _Optional[bool] = ..., problem: _Optional[str] = ..., rejected_count: _Optional[int] = ..., rejected: _Optional[_Iterable[_Union[RejectedEvent, _Mapping]]] = ...) -> None: ...

class RebuildIndexRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RetryIndexRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DropIndexRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DropIndexResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
