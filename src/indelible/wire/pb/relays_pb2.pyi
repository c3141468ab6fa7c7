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
    __slots__ = ("relay", "state", "epoch", "owner", "lease_left_s", "cursor", "position", "lag", "lag_s", "published", "is_paused", "is_stopped", "problem")
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
    def __init__(self, relay: _Optional[str] = ..., state: _Optional[_Union[RelayState, str]] = ..., epoch: _Optional[int] = ..., owner: _Optional[str] = ..., lease_left_s: _Optional[float] = ..., cursor: _Optional[str] = ..., position: _Optional[int] = ..., lag: _Optional[int] = ..., lag_s: _Optional[float] = ..., published: _Optional[int] = ..., is_paused: _Optional[bool] = ..., is_stopped: _Optional[bool] = ..., problem: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("relay", "epoch", "cursor", "published", "lease_s", "problem", "stop")
    RELAY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    relay: str
    epoch: int
    cursor: str
    published: int
    lease_s: float
    problem: str
    stop: bool
    def __init__(self, relay: _Optional[str] = ..., epoch: _Optional[int] = ..., cursor: _Optional[str] = ..., published: _Optional[int] = ..., lease_s: _Optional[float] = ..., problem: _Optional[str] = ..., stop: _Optional[bool] = ...) -> None: ...

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
