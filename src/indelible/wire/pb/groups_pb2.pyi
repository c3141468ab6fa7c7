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

class GroupStart(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GROUP_START_UNSPECIFIED: _ClassVar[GroupStart]
    GROUP_START_BEGINNING: _ClassVar[GroupStart]
    GROUP_START_END: _ClassVar[GroupStart]
GROUP_START_UNSPECIFIED: GroupStart
GROUP_START_BEGINNING: GroupStart
GROUP_START_END: GroupStart

class GroupInfo(_message.Message):
    __slots__ = ("group", "items", "ack_timeout_s", "max_attempts", "max_in_flight", "created", "cursor", "position", "lag", "in_flight", "waiting", "parked", "parked_aggregates", "is_stalled", "unreadable", "is_new")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ACK_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    PARKED_FIELD_NUMBER: _ClassVar[int]
    PARKED_AGGREGATES_FIELD_NUMBER: _ClassVar[int]
    IS_STALLED_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_FIELD_NUMBER: _ClassVar[int]
    IS_NEW_FIELD_NUMBER: _ClassVar[int]
    group: str
    items: _containers.RepeatedCompositeFieldContainer[_events_pb2.QueryItem]
    ack_timeout_s: float
    max_attempts: int
    max_in_flight: int
    created: _timestamp_pb2.Timestamp
    cursor: str
    position: int
    lag: int
    in_flight: int
    waiting: int
    parked: int
    parked_aggregates: int
    is_stalled: bool
    unreadable: int
    is_new: bool
    def __init__(self, group: _Optional[str] = ..., items: _Optional[_Iterable[_Union[_events_pb2.QueryItem, _Mapping]]] = ..., ack_timeout_s: _Optional[float] = ..., max_attempts: _Optional[int] = ..., max_in_flight: _Optional[int] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cursor: _Optional[str] = ..., position: _Optional[int] = ..., lag: _Optional[int] = ..., in_flight: _Optional[int] = ..., waiting: _Optional[int] = ..., parked: _Optional[int] = ..., parked_aggregates: _Optional[int] = ..., is_stalled: _Optional[bool] = ..., unreadable: _Optional[int] = ..., is_new: _Optional[bool] = ...) -> None: ...

class CreateGroupRequest(_message.Message):
    __slots__ = ("group", "items", "start", "after", "since", "ack_timeout_s", "max_attempts", "max_in_flight")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    ACK_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    group: str
    items: _containers.RepeatedCompositeFieldContainer[_events_pb2.QueryItem]
    start: GroupStart
    after: str
    since: _timestamp_pb2.Timestamp
    ack_timeout_s: float
    max_attempts: int
    max_in_flight: int
    def __init__(self, group: _Optional[str] = ..., items: _Optional[_Iterable[_Union[_events_pb2.QueryItem, _Mapping]]] = ..., start: _Optional[_Union[GroupStart, str]] = ..., after: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ack_timeout_s: _Optional[float] = ..., max_attempts: _Optional[int] = ..., max_in_flight: _Optional[int] = ...) -> None: ...

class ListGroupsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListGroupsResponse(_message.Message):
    __slots__ = ("groups",)
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[GroupInfo]
    def __init__(self, groups: _Optional[_Iterable[_Union[GroupInfo, _Mapping]]] = ...) -> None: ...

class GetGroupRequest(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: str
    def __init__(self, group: _Optional[str] = ...) -> None: ...

class ChangeGroupRequest(_message.Message):
    __slots__ = ("group", "ack_timeout_s", "max_attempts", "max_in_flight")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    ACK_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    group: str
    ack_timeout_s: float
    max_attempts: int
    max_in_flight: int
    def __init__(self, group: _Optional[str] = ..., ack_timeout_s: _Optional[float] = ..., max_attempts: _Optional[int] = ..., max_in_flight: _Optional[int] = ...) -> None: ...

class DeleteGroupRequest(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: str
    def __init__(self, group: _Optional[str] = ...) -> None: ...

class DeleteGroupResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResetGroupRequest(_message.Message):
    __slots__ = ("group", "start", "after", "since")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    group: str
    start: GroupStart
    after: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, group: _Optional[str] = ..., start: _Optional[_Union[GroupStart, str]] = ..., after: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PullRequest(_message.Message):
    __slots__ = ("group", "member", "limit", "wait_s")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    group: str
    member: str
    limit: int
    wait_s: float
    def __init__(self, group: _Optional[str] = ..., member: _Optional[str] = ..., limit: _Optional[int] = ..., wait_s: _Optional[float] = ...) -> None: ...

class PullResponse(_message.Message):
    __slots__ = ("deliveries",)
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("event", "delivery_id", "attempt", "deadline")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    event: _events_pb2.Event
    delivery_id: str
    attempt: int
    deadline: _timestamp_pb2.Timestamp
    def __init__(self, event: _Optional[_Union[_events_pb2.Event, _Mapping]] = ..., delivery_id: _Optional[str] = ..., attempt: _Optional[int] = ..., deadline: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AckRequest(_message.Message):
    __slots__ = ("group", "delivery_ids")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_IDS_FIELD_NUMBER: _ClassVar[int]
    group: str
    delivery_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, group: _Optional[str] = ..., delivery_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class NackRequest(_message.Message):
    __slots__ = ("group", "delivery_ids", "delay_s", "reason", "park", "untried")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_IDS_FIELD_NUMBER: _ClassVar[int]
    DELAY_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PARK_FIELD_NUMBER: _ClassVar[int]
    UNTRIED_FIELD_NUMBER: _ClassVar[int]
    group: str
    delivery_ids: _containers.RepeatedScalarFieldContainer[str]
    delay_s: float
    reason: str
    park: bool
    untried: bool
    def __init__(self, group: _Optional[str] = ..., delivery_ids: _Optional[_Iterable[str]] = ..., delay_s: _Optional[float] = ..., reason: _Optional[str] = ..., park: _Optional[bool] = ..., untried: _Optional[bool] = ...) -> None: ...

class ExtendRequest(_message.Message):
    __slots__ = ("group", "delivery_ids", "ack_timeout_s")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_IDS_FIELD_NUMBER: _ClassVar[int]
    ACK_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    group: str
    delivery_ids: _containers.RepeatedScalarFieldContainer[str]
    ack_timeout_s: float
    def __init__(self, group: _Optional[str] = ..., delivery_ids: _Optional[_Iterable[str]] = ..., ack_timeout_s: _Optional[float] = ...) -> None: ...

class Settled(_message.Message):
    __slots__ = ("settled", "lost")
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    settled: int
    lost: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, settled: _Optional[int] = ..., lost: _Optional[_Iterable[str]] = ...) -> None: ...

class ConsumeRequest(_message.Message):
    __slots__ = ("start", "ack", "nack", "extend")
    START_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    NACK_FIELD_NUMBER: _ClassVar[int]
    EXTEND_FIELD_NUMBER: _ClassVar[int]
    start: ConsumeStart
    ack: ConsumeAck
    nack: ConsumeNack
    extend: ConsumeExtend
    def __init__(self, start: _Optional[_Union[ConsumeStart, _Mapping]] = ..., ack: _Optional[_Union[ConsumeAck, _Mapping]] = ..., nack: _Optional[_Union[ConsumeNack, _Mapping]] = ..., extend: _Optional[_Union[ConsumeExtend, _Mapping]] = ...) -> None: ...

class ConsumeStart(_message.Message):
    __slots__ = ("group", "member", "max_in_flight")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    group: str
    member: str
    max_in_flight: int
    def __init__(self, group: _Optional[str] = ..., member: _Optional[str] = ..., max_in_flight: _Optional[int] = ...) -> None: ...

class ConsumeAck(_message.Message):
    __slots__ = ("delivery_ids",)
    DELIVERY_IDS_FIELD_NUMBER: _ClassVar[int]
    delivery_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, delivery_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ConsumeNack(_message.Message):
    __slots__ = ("delivery_ids", "delay_s", "reason", "park", "untried")
    DELIVERY_IDS_FIELD_NUMBER: _ClassVar[int]
    DELAY_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PARK_FIELD_NUMBER: _ClassVar[int]
    UNTRIED_FIELD_NUMBER: _ClassVar[int]
    delivery_ids: _containers.RepeatedScalarFieldContainer[str]
    delay_s: float
    reason: str
    park: bool
    untried: bool
    def __init__(self, delivery_ids: _Optional[_Iterable[str]] = ..., delay_s: _Optional[float] = ..., reason: _Optional[str] = ..., park: _Optional[bool] = ..., untried: _Optional[bool] = ...) -> None: ...

class ConsumeExtend(_message.Message):
    __slots__ = ("delivery_ids", "ack_timeout_s")
    DELIVERY_IDS_FIELD_NUMBER: _ClassVar[int]
    ACK_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    delivery_ids: _containers.RepeatedScalarFieldContainer[str]
    ack_timeout_s: float
    def __init__(self, delivery_ids: _Optional[_Iterable[str]] = ..., ack_timeout_s: _Optional[float] = ...) -> None: ...

class ConsumeResponse(_message.Message):
    __slots__ = ("deliveries", "settled")
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    settled: _containers.RepeatedCompositeFieldContainer[Settled]
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., settled: _Optional[_Iterable[_Union[Settled, _Mapping]]] = ...) -> None: ...

class ListInFlightRequest(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: str
    def __init__(self, group: _Optional[str] = ...) -> None: ...

class InFlight(_message.Message):
    __slots__ = ("position", "aggregate_type", "aggregate_id", "version", "attempt", "member", "deadline", "partition")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    position: int
    aggregate_type: str
    aggregate_id: str
    version: int
    attempt: int
    member: str
    deadline: _timestamp_pb2.Timestamp
    partition: int
    def __init__(self, position: _Optional[int] = ..., aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., version: _Optional[int] = ..., attempt: _Optional[int] = ..., member: _Optional[str] = ..., deadline: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., partition: _Optional[int] = ...) -> None: ...

class ListInFlightResponse(_message.Message):
    __slots__ = ("in_flight",)
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    in_flight: _containers.RepeatedCompositeFieldContainer[InFlight]
    def __init__(self, in_flight: _Optional[_Iterable[_Union[InFlight, _Mapping]]] = ...) -> None: ...

class ListParkedRequest(_message.Message):
    __slots__ = ("group", "after", "limit")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    group: str
    after: str
    limit: int
    def __init__(self, group: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ParkedEvent(_message.Message):
    __slots__ = ("position", "aggregate_type", "aggregate_id", "version", "attempts", "reason", "parked_at", "following", "partition")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PARKED_AT_FIELD_NUMBER: _ClassVar[int]
    FOLLOWING_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    position: int
    aggregate_type: str
    aggregate_id: str
    version: int
    attempts: int
    reason: str
    parked_at: _timestamp_pb2.Timestamp
    following: int
    partition: int
    def __init__(self, position: _Optional[int] = ..., aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., version: _Optional[int] = ..., attempts: _Optional[int] = ..., reason: _Optional[str] = ..., parked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., following: _Optional[int] = ..., partition: _Optional[int] = ...) -> None: ...

class ListParkedResponse(_message.Message):
    __slots__ = ("parked", "cursor", "at_end")
    PARKED_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    AT_END_FIELD_NUMBER: _ClassVar[int]
    parked: _containers.RepeatedCompositeFieldContainer[ParkedEvent]
    cursor: str
    at_end: bool
    def __init__(self, parked: _Optional[_Iterable[_Union[ParkedEvent, _Mapping]]] = ..., cursor: _Optional[str] = ..., at_end: _Optional[bool] = ...) -> None: ...

class RedriveParkedRequest(_message.Message):
    __slots__ = ("group", "positions", "all", "partition")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    group: str
    positions: _containers.RepeatedScalarFieldContainer[int]
    all: bool
    partition: int
    def __init__(self, group: _Optional[str] = ..., positions: _Optional[_Iterable[int]] = ..., all: _Optional[bool] = ..., partition: _Optional[int] = ...) -> None: ...

class RedriveParkedResponse(_message.Message):
    __slots__ = ("redriven",)
    REDRIVEN_FIELD_NUMBER: _ClassVar[int]
    redriven: int
    def __init__(self, redriven: _Optional[int] = ...) -> None: ...

class SkipParkedRequest(_message.Message):
    __slots__ = ("group", "positions", "reason", "partition")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    group: str
    positions: _containers.RepeatedScalarFieldContainer[int]
    reason: str
    partition: int
    def __init__(self, group: _Optional[str] = ..., positions: _Optional[_Iterable[int]] = ..., reason: _Optional[str] = ..., partition: _Optional[int] = ...) -> None: ...

class SkipParkedResponse(_message.Message):
    __slots__ = ("skipped",)
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    skipped: int
    def __init__(self, skipped: _Optional[int] = ...) -> None: ...

class ListSkippedRequest(_message.Message):
    __slots__ = ("group", "after", "limit")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    group: str
    after: str
    limit: int
    def __init__(self, group: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class SkippedEvent(_message.Message):
    __slots__ = ("position", "aggregate_type", "aggregate_id", "version", "attempts", "parked_reason", "reason", "skipped_at", "partition")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    PARKED_REASON_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_AT_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    position: int
    aggregate_type: str
    aggregate_id: str
    version: int
    attempts: int
    parked_reason: str
    reason: str
    skipped_at: _timestamp_pb2.Timestamp
    partition: int
    def __init__(self, position: _Optional[int] = ..., aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., version: _Optional[int] = ..., attempts: _Optional[int] = ..., parked_reason: _Optional[str] = ..., reason: _Optional[str] = ..., skipped_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., partition: _Optional[int] = ...) -> None: ...

class ListSkippedResponse(_message.Message):
    __slots__ = ("skipped", "cursor", "at_end")
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    AT_END_FIELD_NUMBER: _ClassVar[int]
    skipped: _containers.RepeatedCompositeFieldContainer[SkippedEvent]
    cursor: str
    at_end: bool
    def __init__(self, skipped: _Optional[_Iterable[_Union[SkippedEvent, _Mapping]]] = ..., cursor: _Optional[str] = ..., at_end: _Optional[bool] = ...) -> None: ...
