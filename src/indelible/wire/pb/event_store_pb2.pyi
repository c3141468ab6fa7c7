import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from indelible.wire.pb import errors_pb2 as _errors_pb2
from indelible.wire.pb import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExpectedState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPECTED_STATE_UNSPECIFIED: _ClassVar[ExpectedState]
    EXPECTED_STATE_ANY: _ClassVar[ExpectedState]
    EXPECTED_STATE_EXISTS: _ClassVar[ExpectedState]
    EXPECTED_STATE_NONE: _ClassVar[ExpectedState]
EXPECTED_STATE_UNSPECIFIED: ExpectedState
EXPECTED_STATE_ANY: ExpectedState
EXPECTED_STATE_EXISTS: ExpectedState
EXPECTED_STATE_NONE: ExpectedState

class AggregateAppend(_message.Message):
    __slots__ = ("aggregate_type", "aggregate_id", "events", "expected_version", "expected_state")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_STATE_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregate_id: str
    events: _containers.RepeatedCompositeFieldContainer[_events_pb2.NewEvent]
    expected_version: int
    expected_state: ExpectedState
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., events: _Optional[_Iterable[_Union[_events_pb2.NewEvent, _Mapping]]] = ..., expected_version: _Optional[int] = ..., expected_state: _Optional[_Union[ExpectedState, str]] = ...) -> None: ...

class AppendedEvent(_message.Message):
    __slots__ = ("event_id", "version", "position")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    version: int
    position: int
    def __init__(self, event_id: _Optional[str] = ..., version: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class AppendResult(_message.Message):
    __slots__ = ("aggregate_type", "aggregate_id", "version", "position", "events", "replayed")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregate_id: str
    version: int
    position: int
    events: _containers.RepeatedCompositeFieldContainer[AppendedEvent]
    replayed: bool
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., version: _Optional[int] = ..., position: _Optional[int] = ..., events: _Optional[_Iterable[_Union[AppendedEvent, _Mapping]]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class AppendCondition(_message.Message):
    __slots__ = ("fail_if", "after")
    FAIL_IF_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    fail_if: _containers.RepeatedCompositeFieldContainer[_events_pb2.QueryItem]
    after: str
    def __init__(self, fail_if: _Optional[_Iterable[_Union[_events_pb2.QueryItem, _Mapping]]] = ..., after: _Optional[str] = ...) -> None: ...

class AppendAtomicRequest(_message.Message):
    __slots__ = ("appends", "condition")
    APPENDS_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    appends: _containers.RepeatedCompositeFieldContainer[AggregateAppend]
    condition: AppendCondition
    def __init__(self, appends: _Optional[_Iterable[_Union[AggregateAppend, _Mapping]]] = ..., condition: _Optional[_Union[AppendCondition, _Mapping]] = ...) -> None: ...

class AppendAtomicResponse(_message.Message):
    __slots__ = ("position", "results", "replayed")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    position: int
    results: _containers.RepeatedCompositeFieldContainer[AppendResult]
    replayed: bool
    def __init__(self, position: _Optional[int] = ..., results: _Optional[_Iterable[_Union[AppendResult, _Mapping]]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class AppendBatchRequest(_message.Message):
    __slots__ = ("appends",)
    APPENDS_FIELD_NUMBER: _ClassVar[int]
    appends: _containers.RepeatedCompositeFieldContainer[AggregateAppend]
    def __init__(self, appends: _Optional[_Iterable[_Union[AggregateAppend, _Mapping]]] = ...) -> None: ...

class AppendOutcome(_message.Message):
    __slots__ = ("result", "error")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    result: AppendResult
    error: _errors_pb2.Error
    def __init__(self, result: _Optional[_Union[AppendResult, _Mapping]] = ..., error: _Optional[_Union[_errors_pb2.Error, _Mapping]] = ...) -> None: ...

class AppendBatchResponse(_message.Message):
    __slots__ = ("outcomes",)
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[AppendOutcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[AppendOutcome, _Mapping]]] = ...) -> None: ...

class ReadAggregateRequest(_message.Message):
    __slots__ = ("aggregate_type", "aggregate_id", "from_version", "to_version", "direction", "limit", "pages_max")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_VERSION_FIELD_NUMBER: _ClassVar[int]
    TO_VERSION_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PAGES_MAX_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregate_id: str
    from_version: int
    to_version: int
    direction: _events_pb2.Direction
    limit: int
    pages_max: int
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., from_version: _Optional[int] = ..., to_version: _Optional[int] = ..., direction: _Optional[_Union[_events_pb2.Direction, str]] = ..., limit: _Optional[int] = ..., pages_max: _Optional[int] = ...) -> None: ...

class ReadAggregateResponse(_message.Message):
    __slots__ = ("events", "version", "next_version")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NEXT_VERSION_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_events_pb2.Event]
    version: int
    next_version: int
    def __init__(self, events: _Optional[_Iterable[_Union[_events_pb2.Event, _Mapping]]] = ..., version: _Optional[int] = ..., next_version: _Optional[int] = ...) -> None: ...

class ReadFeedRequest(_message.Message):
    __slots__ = ("query", "after", "direction", "limit", "pages_max")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PAGES_MAX_FIELD_NUMBER: _ClassVar[int]
    query: _events_pb2.EventQuery
    after: str
    direction: _events_pb2.Direction
    limit: int
    pages_max: int
    def __init__(self, query: _Optional[_Union[_events_pb2.EventQuery, _Mapping]] = ..., after: _Optional[str] = ..., direction: _Optional[_Union[_events_pb2.Direction, str]] = ..., limit: _Optional[int] = ..., pages_max: _Optional[int] = ...) -> None: ...

class ReadFeedResponse(_message.Message):
    __slots__ = ("events", "cursor", "at_end")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    AT_END_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_events_pb2.Event]
    cursor: str
    at_end: bool
    def __init__(self, events: _Optional[_Iterable[_Union[_events_pb2.Event, _Mapping]]] = ..., cursor: _Optional[str] = ..., at_end: _Optional[bool] = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("query", "after", "gather_s")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    GATHER_S_FIELD_NUMBER: _ClassVar[int]
    query: _events_pb2.EventQuery
    after: str
    gather_s: float
    def __init__(self, query: _Optional[_Union[_events_pb2.EventQuery, _Mapping]] = ..., after: _Optional[str] = ..., gather_s: _Optional[float] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("events", "cursor", "caught_up", "cursors")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    CURSORS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_events_pb2.Event]
    cursor: str
    caught_up: bool
    cursors: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, events: _Optional[_Iterable[_Union[_events_pb2.Event, _Mapping]]] = ..., cursor: _Optional[str] = ..., caught_up: _Optional[bool] = ..., cursors: _Optional[_Iterable[str]] = ...) -> None: ...

class GetEventRequest(_message.Message):
    __slots__ = ("event_id",)
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    def __init__(self, event_id: _Optional[str] = ...) -> None: ...

class GetEventResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _events_pb2.Event
    def __init__(self, event: _Optional[_Union[_events_pb2.Event, _Mapping]] = ...) -> None: ...

class GetAggregateRequest(_message.Message):
    __slots__ = ("aggregate_type", "aggregate_id")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregate_id: str
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ...) -> None: ...

class AggregateInfo(_message.Message):
    __slots__ = ("aggregate_type", "aggregate_id", "version", "first_timestamp", "last_timestamp")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    LAST_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregate_id: str
    version: int
    first_timestamp: _timestamp_pb2.Timestamp
    last_timestamp: _timestamp_pb2.Timestamp
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., version: _Optional[int] = ..., first_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReplayRequest(_message.Message):
    __slots__ = ("aggregate_type", "aggregate_id", "at_version")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    AT_VERSION_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregate_id: str
    at_version: int
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., at_version: _Optional[int] = ...) -> None: ...

class ReplayResponse(_message.Message):
    __slots__ = ("snapshot", "events", "version", "next_version")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NEXT_VERSION_FIELD_NUMBER: _ClassVar[int]
    snapshot: _events_pb2.Snapshot
    events: _containers.RepeatedCompositeFieldContainer[_events_pb2.Event]
    version: int
    next_version: int
    def __init__(self, snapshot: _Optional[_Union[_events_pb2.Snapshot, _Mapping]] = ..., events: _Optional[_Iterable[_Union[_events_pb2.Event, _Mapping]]] = ..., version: _Optional[int] = ..., next_version: _Optional[int] = ...) -> None: ...

class SaveSnapshotRequest(_message.Message):
    __slots__ = ("aggregate_type", "aggregate_id", "version", "state", "metadata")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregate_id: str
    version: int
    state: str
    metadata: str
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[str] = ..., metadata: _Optional[str] = ...) -> None: ...

class GetSnapshotRequest(_message.Message):
    __slots__ = ("aggregate_type", "aggregate_id", "at_version")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    AT_VERSION_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregate_id: str
    at_version: int
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., at_version: _Optional[int] = ...) -> None: ...

class GetHeadRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetHeadResponse(_message.Message):
    __slots__ = ("position", "cursor", "partitions")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    position: int
    cursor: str
    partitions: int
    def __init__(self, position: _Optional[int] = ..., cursor: _Optional[str] = ..., partitions: _Optional[int] = ...) -> None: ...

class ListEventTypesRequest(_message.Message):
    __slots__ = ("prefix",)
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    def __init__(self, prefix: _Optional[str] = ...) -> None: ...

class EventTypeInfo(_message.Message):
    __slots__ = ("event_type", "aggregate_type", "events")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    aggregate_type: str
    events: int
    def __init__(self, event_type: _Optional[str] = ..., aggregate_type: _Optional[str] = ..., events: _Optional[int] = ...) -> None: ...

class ListEventTypesResponse(_message.Message):
    __slots__ = ("event_types",)
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    event_types: _containers.RepeatedCompositeFieldContainer[EventTypeInfo]
    def __init__(self, event_types: _Optional[_Iterable[_Union[EventTypeInfo, _Mapping]]] = ...) -> None: ...

class ListAggregateTypesRequest(_message.Message):
    __slots__ = ("prefix",)
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    def __init__(self, prefix: _Optional[str] = ...) -> None: ...

class AggregateTypeInfo(_message.Message):
    __slots__ = ("aggregate_type", "aggregates", "events")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregates: int
    events: int
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregates: _Optional[int] = ..., events: _Optional[int] = ...) -> None: ...

class ListAggregateTypesResponse(_message.Message):
    __slots__ = ("aggregate_types",)
    AGGREGATE_TYPES_FIELD_NUMBER: _ClassVar[int]
    aggregate_types: _containers.RepeatedCompositeFieldContainer[AggregateTypeInfo]
    def __init__(self, aggregate_types: _Optional[_Iterable[_Union[AggregateTypeInfo, _Mapping]]] = ...) -> None: ...

class ListAggregatesRequest(_message.Message):
    __slots__ = ("aggregate_type", "after", "limit", "prefix")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    after: str
    limit: int
    prefix: str
    def __init__(self, aggregate_type: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ..., prefix: _Optional[str] = ...) -> None: ...

class ListAggregatesResponse(_message.Message):
    __slots__ = ("aggregates", "cursor", "at_end")
    AGGREGATES_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    AT_END_FIELD_NUMBER: _ClassVar[int]
    aggregates: _containers.RepeatedCompositeFieldContainer[AggregateInfo]
    cursor: str
    at_end: bool
    def __init__(self, aggregates: _Optional[_Iterable[_Union[AggregateInfo, _Mapping]]] = ..., cursor: _Optional[str] = ..., at_end: _Optional[bool] = ...) -> None: ...
