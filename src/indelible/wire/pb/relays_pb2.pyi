import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from indelible.wire.pb import groups_pb2 as _groups_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RelayState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELAY_STATE_UNSPECIFIED: _ClassVar[RelayState]
    RELAY_STATE_RUNNING: _ClassVar[RelayState]
    RELAY_STATE_RETRYING: _ClassVar[RelayState]
    RELAY_STATE_PAUSED: _ClassVar[RelayState]
    RELAY_STATE_STOPPED: _ClassVar[RelayState]
    RELAY_STATE_UNOWNED: _ClassVar[RelayState]
RELAY_STATE_UNSPECIFIED: RelayState
RELAY_STATE_RUNNING: RelayState
RELAY_STATE_RETRYING: RelayState
RELAY_STATE_PAUSED: RelayState
RELAY_STATE_STOPPED: RelayState
RELAY_STATE_UNOWNED: RelayState

class RelayLease(_message.Message):
    __slots__ = ("relay", "epoch", "cursor", "published", "is_paused", "is_stopped", "reset_epoch")
    RELAY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    IS_PAUSED_FIELD_NUMBER: _ClassVar[int]
    IS_STOPPED_FIELD_NUMBER: _ClassVar[int]
    RESET_EPOCH_FIELD_NUMBER: _ClassVar[int]
    relay: str
    epoch: int
    cursor: str
    published: int
    is_paused: bool
    is_stopped: bool
    reset_epoch: int
    def __init__(self, relay: _Optional[str] = ..., epoch: _Optional[int] = ..., cursor: _Optional[str] = ..., published: _Optional[int] = ..., is_paused: _Optional[bool] = ..., is_stopped: _Optional[bool] = ..., reset_epoch: _Optional[int] = ...) -> None: ...

class RelayInfo(_message.Message):
    __slots__ = ("relay", "state", "epoch", "owner", "lease_left_s", "cursor", "position", "lag", "lag_s", "published", "is_paused", "is_stopped", "problem", "replay", "set_aside", "to_retry")
    RELAY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    LEASE_LEFT_S_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    LAG_S_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    IS_PAUSED_FIELD_NUMBER: _ClassVar[int]
    IS_STOPPED_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    SET_ASIDE_FIELD_NUMBER: _ClassVar[int]
    TO_RETRY_FIELD_NUMBER: _ClassVar[int]
    relay: str
    state: RelayState
    epoch: int
    owner: str
    lease_left_s: float
    cursor: str
    position: int
    lag: int
    lag_s: float
    published: int
    is_paused: bool
    is_stopped: bool
    problem: str
    replay: RelayReplay
    set_aside: int
    to_retry: int
    def __init__(self, relay: _Optional[str] = ..., state: _Optional[_Union[RelayState, str]] = ..., epoch: _Optional[int] = ..., owner: _Optional[str] = ..., lease_left_s: _Optional[float] = ..., cursor: _Optional[str] = ..., position: _Optional[int] = ..., lag: _Optional[int] = ..., lag_s: _Optional[float] = ..., published: _Optional[int] = ..., is_paused: _Optional[bool] = ..., is_stopped: _Optional[bool] = ..., problem: _Optional[str] = ..., replay: _Optional[_Union[RelayReplay, _Mapping]] = ..., set_aside: _Optional[int] = ..., to_retry: _Optional[int] = ...) -> None: ...

class RelayReplay(_message.Message):
    __slots__ = ("name", "cursor", "position", "until", "until_position", "published")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    UNTIL_POSITION_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    name: str
    cursor: str
    position: int
    until: str
    until_position: int
    published: int
    def __init__(self, name: _Optional[str] = ..., cursor: _Optional[str] = ..., position: _Optional[int] = ..., until: _Optional[str] = ..., until_position: _Optional[int] = ..., published: _Optional[int] = ...) -> None: ...

class SetAsideEvent(_message.Message):
    __slots__ = ("position", "event_id", "aggregate_type", "aggregate_id", "reason", "set_aside_at", "retry")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SET_ASIDE_AT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    position: int
    event_id: str
    aggregate_type: str
    aggregate_id: str
    reason: str
    set_aside_at: _timestamp_pb2.Timestamp
    retry: str
    def __init__(self, position: _Optional[int] = ..., event_id: _Optional[str] = ..., aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., reason: _Optional[str] = ..., set_aside_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., retry: _Optional[str] = ...) -> None: ...

class ClaimRelayRequest(_message.Message):
    __slots__ = ("relay", "owner", "lease_s", "start", "after", "since")
    RELAY_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    relay: str
    owner: str
    lease_s: float
    start: _groups_pb2.GroupStart
    after: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, relay: _Optional[str] = ..., owner: _Optional[str] = ..., lease_s: _Optional[float] = ..., start: _Optional[_Union[_groups_pb2.GroupStart, str]] = ..., after: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AdvanceRelayRequest(_message.Message):
    __slots__ = ("relay", "epoch", "cursor", "published", "lease_s", "problem", "stop", "replay", "refused", "retried")
    RELAY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FIELD_NUMBER: _ClassVar[int]
    relay: str
    epoch: int
    cursor: str
    published: int
    lease_s: float
    problem: str
    stop: bool
    replay: ReplayProgress
    refused: RefusedEvent
    retried: RetriedEvent
    def __init__(self, relay: _Optional[str] = ..., epoch: _Optional[int] = ..., cursor: _Optional[str] = ..., published: _Optional[int] = ..., lease_s: _Optional[float] = ..., problem: _Optional[str] = ..., stop: _Optional[bool] = ..., replay: _Optional[_Union[ReplayProgress, _Mapping]] = ..., refused: _Optional[_Union[RefusedEvent, _Mapping]] = ..., retried: _Optional[_Union[RetriedEvent, _Mapping]] = ...) -> None: ...

class ReplayProgress(_message.Message):
    __slots__ = ("name", "cursor", "published")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    name: str
    cursor: str
    published: int
    def __init__(self, name: _Optional[str] = ..., cursor: _Optional[str] = ..., published: _Optional[int] = ...) -> None: ...

class RefusedEvent(_message.Message):
    __slots__ = ("position", "reason", "replay")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    position: int
    reason: str
    replay: str
    def __init__(self, position: _Optional[int] = ..., reason: _Optional[str] = ..., replay: _Optional[str] = ...) -> None: ...

class RetriedEvent(_message.Message):
    __slots__ = ("position", "replay")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    position: int
    replay: str
    def __init__(self, position: _Optional[int] = ..., replay: _Optional[str] = ...) -> None: ...

class ReleaseRelayRequest(_message.Message):
    __slots__ = ("relay", "epoch")
    RELAY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    relay: str
    epoch: int
    def __init__(self, relay: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class ListRelaysRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRelaysResponse(_message.Message):
    __slots__ = ("relays",)
    RELAYS_FIELD_NUMBER: _ClassVar[int]
    relays: _containers.RepeatedCompositeFieldContainer[RelayInfo]
    def __init__(self, relays: _Optional[_Iterable[_Union[RelayInfo, _Mapping]]] = ...) -> None: ...

class GetRelayRequest(_message.Message):
    __slots__ = ("relay",)
    RELAY_FIELD_NUMBER: _ClassVar[int]
    relay: str
    def __init__(self, relay: _Optional[str] = ...) -> None: ...

class PauseRelayRequest(_message.Message):
    __slots__ = ("relay",)
    RELAY_FIELD_NUMBER: _ClassVar[int]
    relay: str
    def __init__(self, relay: _Optional[str] = ...) -> None: ...

class ResumeRelayRequest(_message.Message):
    __slots__ = ("relay",)
    RELAY_FIELD_NUMBER: _ClassVar[int]
    relay: str
    def __init__(self, relay: _Optional[str] = ...) -> None: ...

class ResetRelayRequest(_message.Message):
    __slots__ = ("relay", "start", "after", "since")
    RELAY_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    relay: str
    start: _groups_pb2.GroupStart
    after: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, relay: _Optional[str] = ..., start: _Optional[_Union[_groups_pb2.GroupStart, str]] = ..., after: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReplayRelayRequest(_message.Message):
    __slots__ = ("relay", "start", "after", "since", "until")
    RELAY_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    relay: str
    start: _groups_pb2.GroupStart
    after: str
    since: _timestamp_pb2.Timestamp
    until: str
    def __init__(self, relay: _Optional[str] = ..., start: _Optional[_Union[_groups_pb2.GroupStart, str]] = ..., after: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[str] = ...) -> None: ...

class CancelReplayRequest(_message.Message):
    __slots__ = ("relay",)
    RELAY_FIELD_NUMBER: _ClassVar[int]
    relay: str
    def __init__(self, relay: _Optional[str] = ...) -> None: ...

class ListSetAsideRequest(_message.Message):
    __slots__ = ("relay",)
    RELAY_FIELD_NUMBER: _ClassVar[int]
    relay: str
    def __init__(self, relay: _Optional[str] = ...) -> None: ...

class ListSetAsideResponse(_message.Message):
    __slots__ = ("set_aside",)
    SET_ASIDE_FIELD_NUMBER: _ClassVar[int]
    set_aside: _containers.RepeatedCompositeFieldContainer[SetAsideEvent]
    def __init__(self, set_aside: _Optional[_Iterable[_Union[SetAsideEvent, _Mapping]]] = ...) -> None: ...

class RetrySetAsideRequest(_message.Message):
    __slots__ = ("relay", "positions", "all")
    RELAY_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    relay: str
    positions: _containers.RepeatedScalarFieldContainer[int]
    all: bool
    def __init__(self, relay: _Optional[str] = ..., positions: _Optional[_Iterable[int]] = ..., all: _Optional[bool] = ...) -> None: ...

class RetrySetAsideResponse(_message.Message):
    __slots__ = ("retried",)
    RETRIED_FIELD_NUMBER: _ClassVar[int]
    retried: int
    def __init__(self, retried: _Optional[int] = ...) -> None: ...

class DismissSetAsideRequest(_message.Message):
    __slots__ = ("relay", "positions", "all")
    RELAY_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    relay: str
    positions: _containers.RepeatedScalarFieldContainer[int]
    all: bool
    def __init__(self, relay: _Optional[str] = ..., positions: _Optional[_Iterable[int]] = ..., all: _Optional[bool] = ...) -> None: ...

class DismissSetAsideResponse(_message.Message):
    __slots__ = ("dismissed",)
    DISMISSED_FIELD_NUMBER: _ClassVar[int]
    dismissed: int
    def __init__(self, dismissed: _Optional[int] = ...) -> None: ...
