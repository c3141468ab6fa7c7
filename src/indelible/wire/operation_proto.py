"""Operations as gRPC has them: Structs and protobuf messages with the same fields, converted by name; both ways.

How a field is converted follows from the types on both sides, and is worked out once for each pair of them. A field
that a message can leave out is None, or the Struct's default. What is read here is only shaped: whether it is allowed
is for the store to say.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, get_args

import msgspec
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.operations.operation import Operation, Parameters, plain_type
from indelible.wire.pb import event_store_pb2, groups_pb2
from indelible.wire.proto_requests import decode_time
from indelible.wire.proto_responses import encode_events, event_line

P = TypeVar("P", bound=Parameters)
R = TypeVar("R")
Convert = Callable[[Any], Any]

_PACKAGE: Final = event_store_pb2.DESCRIPTOR.package
_METHODS: Final = {
    f"{service.name}.{method.name}": method
    for file in (event_store_pb2.DESCRIPTOR, groups_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
    for method in service.methods
}
_EVENT: Final = f"{_PACKAGE}.Event"


class _Field(NamedTuple):
    attribute: str
    name: str
    """In the message."""
    has_presence: bool
    is_repeated: bool
    is_required: bool
    to_message: Convert
    from_message: Convert


# --- Operations ------------------------------------------------------------------------------------------------------


def request_type(operation: Operation[Any, Any]) -> type[Message]:
    return GetMessageClass(_METHODS[operation.grpc].input_type)


def answer_type(operation: Operation[Any, Any]) -> type[Message]:
    return GetMessageClass(_METHODS[operation.grpc].output_type)


def decode_parameters(operation: Operation[P, Any], message: Message) -> P:
    """Raises ``InvalidRequest``."""
    parameters: P = _to_struct(message, operation.parameters)
    return parameters


def encode_parameters(operation: Operation[P, Any], parameters: P) -> Message:
    return _to_message(parameters, request_type(operation))


def encode_answer(operation: Operation[Any, R], result: R) -> bytes:
    """Nothing, where nothing is answered."""
    if operation.answer is None:
        return b""
    return _to_message(operation.wrap(result), answer_type(operation)).SerializeToString()


def decode_answer(operation: Operation[Any, R], message: Message) -> R:
    return operation.unwrap(None if operation.answer is None else _to_struct(message, operation.answer))


# --- Structs and messages --------------------------------------------------------------------------------------------


def _to_message(value: msgspec.Struct, kind: type[Message]) -> Message:
    given: dict[str, Any] = {}
    for field in _plan(type(value), kind):
        content = getattr(value, field.attribute)
        if content is not None:
            given[field.name] = field.to_message(content)
    return kind(**given)


def _to_struct(message: Message, kind: type[Any]) -> Any:
    given: dict[str, Any] = {}
    for field in _plan(kind, type(message)):
        if field.has_presence and not message.HasField(field.name):
            continue
        content = getattr(message, field.name)
        # A list that is empty and one that is missing look alike in a message: it is missing where it may be.
        if content or not field.is_repeated or field.is_required:
            given[field.attribute] = field.from_message(content)
    return kind(**given)


def _make_plan(kind: Any, message: Any) -> tuple[_Field, ...]:
    fields = message.DESCRIPTOR.fields_by_name
    return tuple(_field(one, fields[one.encode_name]) for one in msgspec.structs.fields(kind))


_plan: Final[Callable[[Any, Any], tuple[_Field, ...]]] = cache(_make_plan)


def _field(field: msgspec.structs.FieldInfo, descriptor: FieldDescriptor) -> _Field:
    kind = plain_type(field.type)
    is_repeated = descriptor.is_repeated
    to_message, from_message = _converters(plain_type(get_args(kind)[0]) if is_repeated else kind, descriptor)
    if is_repeated:
        to_message, from_message = _each(list, to_message), _each(tuple, from_message)
    has_presence = descriptor.has_presence and not is_repeated
    if not has_presence and not is_repeated and not field.required and field.default is None:
        # Such as the text of JSON: empty stands for none.
        from_message = _unless_empty(from_message)
    return _Field(field.name, descriptor.name, has_presence, is_repeated, field.required, to_message, from_message)


def _converters(kind: Any, descriptor: FieldDescriptor) -> tuple[Convert, Convert]:
    pointer = f"/{descriptor.name}"
    if kind is datetime:
        return _same, lambda timestamp: decode_time(timestamp, pointer)
    if kind is msgspec.Raw:
        return _raw_converters(descriptor)
    if kind is Cursor:
        return str, lambda text: Cursor.parse(text, pointer)
    if descriptor.enum_type is not None:
        return _enum_converters(descriptor.enum_type, pointer)
    if descriptor.message_type is not None:
        message = GetMessageClass(descriptor.message_type)
        return (lambda value: _to_message(value, message)), (lambda content: _to_struct(content, kind))
    return _same, _same


def _raw_converters(descriptor: FieldDescriptor) -> tuple[Convert, Convert]:
    """JSON text, which a message has as a string, or as an event."""
    if descriptor.message_type is None:
        return (lambda raw: str(raw, "utf-8")), (lambda text: msgspec.Raw(text.encode()))
    assert descriptor.message_type.full_name == _EVENT, "no other JSON is a message"
    return _event_message, lambda event: msgspec.Raw(event_line(event))


def _event_message(line: msgspec.Raw) -> Message:
    return event_store_pb2.SubscribeResponse.FromString(encode_events(bytes(line))).events[0]


def _enum_converters(enum: EnumDescriptor, pointer: str) -> tuple[Convert, Convert]:
    """Words and the enum's values: GROUP_START_END is "end"."""
    unspecified = enum.values_by_number[0].name
    prefix = unspecified.removesuffix("UNSPECIFIED")
    words = {one.number: one.name.removeprefix(prefix).lower() for one in enum.values if one.number}
    numbers = {word: number for number, word in words.items()}

    def from_message(number: int) -> str:
        word = words.get(number)
        if word is None:
            allowed = " or ".join(f'"{one}"' for one in numbers)
            raise InvalidRequest(f"must be {allowed}", pointer=pointer)
        return word

    return numbers.__getitem__, from_message


def _each(kind: Callable[[Any], Any], convert: Convert) -> Convert:
    return kind if convert is _same else lambda contents: kind(map(convert, contents))


def _unless_empty(convert: Convert) -> Convert:
    return lambda content: convert(content) if content else None


def _same(value: Any) -> Any:
    return value
