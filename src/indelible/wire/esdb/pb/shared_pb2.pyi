from google.protobuf import any_pb2 as _any_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Empty(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UUID(_message.Message):
    __slots__ = ("structured", "string")
    class Structured(_message.Message):
        __slots__ = ("most_significant_bits", "least_significant_bits")
        MOST_SIGNIFICANT_BITS_FIELD_NUMBER: _ClassVar[int]
        LEAST_SIGNIFICANT_BITS_FIELD_NUMBER: _ClassVar[int]
        most_significant_bits: int
        least_significant_bits: int
        def __init__(self, most_significant_bits: _Optional[int] = ..., least_significant_bits: _Optional[int] = ...) -> None: ...
    STRUCTURED_FIELD_NUMBER: _ClassVar[int]
    STRING_FIELD_NUMBER: _ClassVar[int]
    structured: UUID.Structured
    string: str
    def __init__(self, structured: _Optional[_Union[UUID.Structured, _Mapping]] = ..., string: _Optional[str] = ...) -> None: ...

class UUIDOption(_message.Message):
    __slots__ = ("structured", "string")
    STRUCTURED_FIELD_NUMBER: _ClassVar[int]
    STRING_FIELD_NUMBER: _ClassVar[int]
    structured: Empty
    string: Empty
    def __init__(self, structured: _Optional[_Union[Empty, _Mapping]] = ..., string: _Optional[_Union[Empty, _Mapping]] = ...) -> None: ...

class StreamIdentifier(_message.Message):
    __slots__ = ("stream_name",)
    STREAM_NAME_FIELD_NUMBER: _ClassVar[int]
    stream_name: bytes
    def __init__(self, stream_name: _Optional[bytes] = ...) -> None: ...

class AllStreamPosition(_message.Message):
    __slots__ = ("commit_position", "prepare_position")
    COMMIT_POSITION_FIELD_NUMBER: _ClassVar[int]
    PREPARE_POSITION_FIELD_NUMBER: _ClassVar[int]
    commit_position: int
    prepare_position: int
    def __init__(self, commit_position: _Optional[int] = ..., prepare_position: _Optional[int] = ...) -> None: ...

class RecordedEvent(_message.Message):
    __slots__ = ("id", "stream_identifier", "stream_revision", "prepare_position", "commit_position", "metadata", "custom_metadata", "data")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    STREAM_REVISION_FIELD_NUMBER: _ClassVar[int]
    PREPARE_POSITION_FIELD_NUMBER: _ClassVar[int]
    COMMIT_POSITION_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_METADATA_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    id: UUID
    stream_identifier: StreamIdentifier
    stream_revision: int
    prepare_position: int
    commit_position: int
    metadata: _containers.ScalarMap[str, str]
    custom_metadata: bytes
    data: bytes
    def __init__(self, id: _Optional[_Union[UUID, _Mapping]] = ..., stream_identifier: _Optional[_Union[StreamIdentifier, _Mapping]] = ..., stream_revision: _Optional[int] = ..., prepare_position: _Optional[int] = ..., commit_position: _Optional[int] = ..., metadata: _Optional[_Mapping[str, str]] = ..., custom_metadata: _Optional[bytes] = ..., data: _Optional[bytes] = ...) -> None: ...

class ProposedMessage(_message.Message):
    __slots__ = ("id", "metadata", "custom_metadata", "data")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_METADATA_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    id: UUID
    metadata: _containers.ScalarMap[str, str]
    custom_metadata: bytes
    data: bytes
    def __init__(self, id: _Optional[_Union[UUID, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., custom_metadata: _Optional[bytes] = ..., data: _Optional[bytes] = ...) -> None: ...

class FilterOptions(_message.Message):
    __slots__ = ("stream_identifier", "event_type", "max", "count", "checkpointIntervalMultiplier")
    class Expression(_message.Message):
        __slots__ = ("regex", "prefix")
        REGEX_FIELD_NUMBER: _ClassVar[int]
        PREFIX_FIELD_NUMBER: _ClassVar[int]
        regex: str
        prefix: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, regex: _Optional[str] = ..., prefix: _Optional[_Iterable[str]] = ...) -> None: ...
    STREAM_IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTINTERVALMULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    stream_identifier: FilterOptions.Expression
    event_type: FilterOptions.Expression
    max: int
    count: Empty
    checkpointIntervalMultiplier: int
    def __init__(self, stream_identifier: _Optional[_Union[FilterOptions.Expression, _Mapping]] = ..., event_type: _Optional[_Union[FilterOptions.Expression, _Mapping]] = ..., max: _Optional[int] = ..., count: _Optional[_Union[Empty, _Mapping]] = ..., checkpointIntervalMultiplier: _Optional[int] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("code", "message", "details")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    details: _any_pb2.Any
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., details: _Optional[_Union[_any_pb2.Any, _Mapping]] = ...) -> None: ...

class WrongExpectedVersion(_message.Message):
    __slots__ = ("current_stream_revision", "current_no_stream", "expected_stream_position", "expected_any", "expected_stream_exists", "expected_no_stream")
    CURRENT_STREAM_REVISION_FIELD_NUMBER: _ClassVar[int]
    CURRENT_NO_STREAM_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_STREAM_POSITION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_ANY_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_STREAM_EXISTS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_NO_STREAM_FIELD_NUMBER: _ClassVar[int]
    current_stream_revision: int
    current_no_stream: _empty_pb2.Empty
    expected_stream_position: int
    expected_any: _empty_pb2.Empty
    expected_stream_exists: _empty_pb2.Empty
    expected_no_stream: _empty_pb2.Empty
    def __init__(self, current_stream_revision: _Optional[int] = ..., current_no_stream: _Optional[_Union[_empty_pb2.Empty, _Mapping]] = ..., expected_stream_position: _Optional[int] = ..., expected_any: _Optional[_Union[_empty_pb2.Empty, _Mapping]] = ..., expected_stream_exists: _Optional[_Union[_empty_pb2.Empty, _Mapping]] = ..., expected_no_stream: _Optional[_Union[_empty_pb2.Empty, _Mapping]] = ...) -> None: ...

class AccessDenied(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamDeleted(_message.Message):
    __slots__ = ("stream_identifier",)
    STREAM_IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    stream_identifier: StreamIdentifier
    def __init__(self, stream_identifier: _Optional[_Union[StreamIdentifier, _Mapping]] = ...) -> None: ...

class Timeout(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Unknown(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MaximumAppendSizeExceeded(_message.Message):
    __slots__ = ("maxAppendSize",)
    MAXAPPENDSIZE_FIELD_NUMBER: _ClassVar[int]
    maxAppendSize: int
    def __init__(self, maxAppendSize: _Optional[int] = ...) -> None: ...

class BadRequest(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: str
    def __init__(self, message: _Optional[str] = ...) -> None: ...
