"""Operations as gRPC has them: Structs and protobuf messages with the same fields, converted by name; both ways.

How a field is converted follows from the types on both sides, and is worked out once for each pair of them. A field
that a message leaves out, or that is empty where it may be missing, is None, or the Struct's default. What is read here
is only shaped: whether it is allowed is for the store to say.

A query of events, which URLs hold in several parameters, is one field here.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, get_args
from uuid import UUID

import msgspec
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import check_event_id
from indelible.limits import SEARCH_WHERE_PARTS_MAX
from indelible.operations import deliveries as on_deliveries
from indelible.operations import events as on_events
from indelible.operations.operation import Operation, Parameters, elements_max, plain_type
from indelible.wire import proto_events
from indelible.wire.pb import event_store_pb2, groups_pb2, keys_pb2, relays_pb2, schemas_pb2, search_pb2
from indelible.wire.proto_events import decode_time, event_line, event_messages
from indelible.wire.strict_json import check_parts

P = TypeVar("P", bound=Parameters)
R = TypeVar("R")
Convert = Callable[[Any], Any]

_PACKAGE: Final = event_store_pb2.DESCRIPTOR.package
_METHODS: Final[dict[str, MethodDescriptor]] = {
    f"{service.name}.{method.name}": method
    for module in (event_store_pb2, groups_pb2, relays_pb2, search_pb2, keys_pb2, schemas_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
_EVENT: Final = f"{_PACKAGE}.Event"
_QUERY: Final = "query"


class _Field(NamedTuple):
    attribute: str
    name: str
    """In the message."""
    has_presence: bool
    is_required: bool
    to_message: Convert
    from_message: Convert


# --- Operations ------------------------------------------------------------------------------------------------------


def request_type(operation: Operation[Any, Any]) -> type[Message]:
    return GetMessageClass(_METHODS[operation.grpc].input_type)


def answer_type(operation: Operation[Any, Any]) -> type[Message]:
    return GetMessageClass(_METHODS[operation.grpc].output_type)


def method_of(operation: Operation[Any, Any]) -> MethodDescriptor:
    """As the ``.proto`` file declares it."""
    return _METHODS[operation.grpc]


def decode_parameters(operation: Operation[P, Any], message: Message) -> P:
    """Raises ``InvalidRequest``."""
    values = _values_of(message, operation.parameters)
    if _has_query(message):
        values |= proto_events.query_values(getattr(message, _QUERY))
    return operation.parameters(**values)


def encode_parameters(operation: Operation[P, Any], parameters: P) -> Message:
    message = _to_message(parameters, request_type(operation))
    if _has_query(message):
        getattr(message, _QUERY).MergeFrom(proto_events.query_message(getattr(parameters, _QUERY)))
    return message


def _has_query(message: Message) -> bool:
    """Whether a query of events is one field of it."""
    field = message.DESCRIPTOR.fields_by_name.get(_QUERY)
    return field is not None and field.message_type is not None


_ENCODERS: Final[dict[str, Callable[[Any], bytes]]] = {
    on_events.APPEND.name: proto_events.encode_append_result,
    on_events.APPEND_ATOMIC.name: proto_events.encode_atomic_append_result,
    on_events.READ_AGGREGATE.name: proto_events.encode_aggregate_page,
    on_events.READ_FEED.name: proto_events.encode_feed_page,
    on_events.GET_EVENT.name: proto_events.encode_event,
    on_deliveries.PULL.name: proto_events.encode_deliveries,
}
"""Of hot paths: what the general codec gives, but faster; and of the event that has a message around it."""
_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    on_events.GET_EVENT.name: proto_events.decode_recorded_event,
    on_events.SUBSCRIBE.name: proto_events.decode_subscription,
}


def encode_answer(operation: Operation[Any, R], result: R) -> bytes:
    """Nothing, where nothing is answered."""
    encode = _ENCODERS.get(operation.name)
    return encode_any_answer(operation, result) if encode is None else encode(result)


def encode_any_answer(operation: Operation[Any, R], result: R) -> bytes:
    """By the general codec."""
    if operation.answer is None:
        return b""
    return _to_message(operation.wrap(result), answer_type(operation)).SerializeToString()


def decode_answer(operation: Operation[Any, R], message: Message) -> R:
    decode = _DECODERS.get(operation.name)
    if decode is not None:
        result: R = decode(message)
        return result
    return operation.unwrap(None if operation.answer is None else to_struct(message, operation.answer))


# --- Structs and messages --------------------------------------------------------------------------------------------


def _to_message(value: msgspec.Struct, kind: type[Message]) -> Message:
    given: dict[str, Any] = {}
    for field in _plan(type(value), kind):
        content = getattr(value, field.attribute)
        if content is not None:
            given[field.name] = field.to_message(content)
    return kind(**given)


def to_struct(message: Message, kind: type[Any], **more: Any) -> Any:
    """``more``: fields that the message has not."""
    return kind(**_values_of(message, kind), **more)


def _values_of(message: Message, kind: type[Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in _plan(kind, type(message)):
        if field.has_presence and not message.HasField(field.name):
            continue
        content = getattr(message, field.name)
        # What is empty and what is missing look alike where a message cannot tell: it is missing where it may be.
        if content or field.has_presence or field.is_required:
            values[field.attribute] = field.from_message(content)
    return values


def _make_plan(kind: Any, message: Any) -> tuple[_Field, ...]:
    fields = message.DESCRIPTOR.fields_by_name
    # Those that it has not are given in another way: a query as one message, a group when a member begins.
    return tuple(
        _field(one, fields[one.encode_name]) for one in msgspec.structs.fields(kind) if one.encode_name in fields
    )


_plan: Final[Callable[[Any, Any], tuple[_Field, ...]]] = cache(_make_plan)


def _field(field: msgspec.structs.FieldInfo, descriptor: FieldDescriptor) -> _Field:
    kind = plain_type(field.type)
    is_repeated = descriptor.is_repeated
    to_message, from_message = _converters(plain_type(get_args(kind)[0]) if is_repeated else kind, descriptor)
    if is_repeated:
        to_message = _event_messages if to_message is _event_message else _each(list, to_message)
        from_message = (
            _each(tuple, from_message)
            if descriptor.message_type is None
            else _each_named(f"/{descriptor.name}", from_message, elements_max(field.type))
        )
    has_presence = descriptor.has_presence and not is_repeated
    return _Field(field.name, descriptor.name, has_presence, field.required, to_message, from_message)


def _converters(kind: Any, descriptor: FieldDescriptor) -> tuple[Convert, Convert]:
    pointer = f"/{descriptor.name}"
    if kind is msgspec.Raw:
        return _raw_converters(descriptor)
    if kind in _PLAIN_CONVERTERS:
        to_message, from_message = _PLAIN_CONVERTERS[kind]
        return to_message, lambda content: from_message(content, pointer)
    if descriptor.enum_type is not None:
        return _enum_converters(descriptor.enum_type, pointer)
    if descriptor.message_type is not None:
        message = GetMessageClass(descriptor.message_type)
        # Of a list, the one that is wrong is named by who goes through it.
        within = "" if descriptor.is_repeated else pointer
        return (lambda value: _to_message(value, message)), (lambda content: _struct_within(content, kind, within))
    return _same, _same


def _struct_within(message: Message, kind: type[Any], pointer: str) -> Any:
    try:
        return to_struct(message, kind)
    except InvalidRequest as error:
        raise error.under(pointer) from None


_PLAIN_CONVERTERS: Final[dict[Any, tuple[Convert, Callable[[Any, str], Any]]]] = {}
"""Of types that are no messages, nor what messages have themselves."""


def _raw_converters(descriptor: FieldDescriptor) -> tuple[Convert, Convert]:
    """JSON text, which a message has as a string, or as an event."""
    if descriptor.message_type is None:
        return (lambda raw: str(raw, "utf-8")), (lambda text: msgspec.Raw(text.encode()))
    assert descriptor.message_type.full_name == _EVENT, "no other JSON is a message"
    return _event_message, lambda event: msgspec.Raw(event_line(event))


def _event_message(line: msgspec.Raw) -> Message:
    return event_messages(bytes(line))[0]


def _event_messages(lines: Iterable[msgspec.Raw]) -> Sequence[Message]:
    return event_messages(b"\n".join(map(bytes, lines)))


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


def _each_named(pointer: str, convert: Convert, length_max: int | None) -> Convert:
    """Errors lead to the member."""

    def convert_all(contents: Any) -> tuple[Any, ...]:
        if length_max is not None and len(contents) > length_max:
            raise InvalidRequest(f"at most {length_max} items", pointer=pointer)
        converted = []
        for i, content in enumerate(contents):
            try:
                converted.append(convert(content))
            except InvalidRequest as error:
                raise error.under(f"{pointer}/{i}") from None
        return tuple(converted)

    return convert_all


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


def _from_json(text: str, pointer: str) -> Any:
    """Any value, which a message has as JSON text."""
    check_parts(text.encode(), SEARCH_WHERE_PARTS_MAX, pointer)
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"must be JSON text: {error}", pointer=pointer) from None


def _same(value: Any) -> Any:
    return value


_PLAIN_CONVERTERS.update(
    {
        datetime: (_same, decode_time),
        Any: (_to_json, _from_json),
        Cursor: (str, Cursor.parse),
        UUID: (str, lambda text, _: check_event_id(text)),
    }
)
