"""Operations as HTTP has them, both ways, by field name: parameters in path, query string and JSON body, JSON answers.

What is read here is only shaped: whether it is allowed is for the store to say, with the same words over every API.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal, NamedTuple, TypeVar, get_args, get_origin
from uuid import UUID

import msgspec

from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import check_event_id, format_timestamp, plain, recorded_line, timestamp_to_us
from indelible.limits import SEARCH_WHERE_PARTS_MAX
from indelible.operations import events as on_events
from indelible.operations.operation import Operation, Parameters, elements_max, plain_type
from indelible.queries import QueryItem
from indelible.search import Where
from indelible.wire import json_events
from indelible.wire.json_events import segment
from indelible.wire.strict_json import check_length, check_parts, decode_body, decode_part, refuse_repeated_keys
from indelible.wire.strict_json import decode_answer as _decode

P = TypeVar("P", bound=Parameters)
R = TypeVar("R")
Texts = Mapping[str, Sequence[str]]
Pairs = list[tuple[str, str]]

_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_encoder: Final = msgspec.json.Encoder(enc_hook=str)
_body_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONDITIONS: Final = tuple[Where, ...]
"""They hold any JSON."""
_items_decoder: Final = msgspec.json.Decoder(tuple[QueryItem, ...])


class _Field(NamedTuple):
    """How one parameter is read: from JSON, and from the texts that stand for it in a path or a query string."""

    name: str
    default: Any
    is_required: bool
    is_repeatable: bool
    from_json: Callable[[msgspec.Raw], Any]
    from_texts: Callable[[Sequence[str]], Any]


# --- Parameters ------------------------------------------------------------------------------------------------------


class QueryNames(NamedTuple):
    """The parameters that stand in a query string."""

    single: tuple[str, ...] = ()
    """They stand there once."""
    repeatable: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    """Of those that stand there once: they need no value."""


def query_names(operation: Operation[Any, Any]) -> QueryNames:
    return _query_names(operation.http, operation.parameters)


def _find_query_names(http: str, kind: Any) -> QueryNames:
    if not http.startswith(("GET ", "DELETE ")):
        return QueryNames()
    fields = [one for name, one in _fields(kind).items() if f"{{{name}}}" not in http]
    return QueryNames(
        tuple(one.name for one in fields if not one.is_repeatable),
        tuple(one.name for one in fields if one.is_repeatable),
        tuple(one.name for one in fields if isinstance(one.default, bool)),
    )


_query_names: Final[Callable[[str, Any], QueryNames]] = cache(_find_query_names)


def decode_parameters(operation: Operation[P, Any], texts: Texts, body: bytes | None) -> P:
    """``texts`` are the values of the path and the query string, all known by name. Raises ``InvalidRequest``."""
    fields = _fields(operation.parameters)
    values = {name: fields[name].from_texts(said) for name, said in texts.items()}
    if body is not None:
        for name, raw in decode_body(_body_decoder, body).items():
            if name not in fields or name in texts:
                raise InvalidRequest("is not a known field", pointer=f"/{_escaped(name)}")
            values[name] = fields[name].from_json(raw)
    for field in fields.values():
        if field.is_required and field.name not in values:
            raise InvalidRequest("is missing", pointer=f"/{field.name}")
    return operation.parameters(**values)


def encode_parameters(operation: Operation[P, Any], parameters: P) -> tuple[str, Pairs, bytes | None]:
    """The path, the pairs of the query string, and the body. What is missing, or as it would be then, is left out."""
    given = {name: value for name, value in msgspec.structs.asdict(parameters).items() if value is not None}
    path = re.sub(r"{(\w+)}", lambda found: segment(str(plain(given.pop(found[1])))), operation.path)
    if operation.has_body:
        return path, [], _encoder.encode(given)
    fields = _fields(operation.parameters)
    given = {name: value for name, value in given.items() if value != fields[name].default}
    return path, [(name, text) for name, value in given.items() for text in _texts(value)], None


def _texts(value: Any) -> list[str]:
    """How a parameter stands in a query string."""
    if isinstance(value, datetime):
        return [format_timestamp(timestamp_to_us(value))]
    if isinstance(value, tuple):
        is_objects = any(isinstance(one, msgspec.Struct) for one in value)
        return [msgspec.json.encode(value).decode()] if is_objects else [str(plain(one)) for one in value]
    return [str(plain(value))]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _find_fields(kind: Any) -> dict[str, _Field]:
    return {one.name: _field(one) for one in msgspec.structs.fields(kind)}


_fields: Final[Callable[[Any], dict[str, _Field]]] = cache(_find_fields)


def _field(field: msgspec.structs.FieldInfo) -> _Field:
    kind, name = plain_type(field.type), field.encode_name
    is_repeatable = get_origin(kind) is tuple and plain_type(get_args(kind)[0]) is str
    readers = _json_reader(name, kind, elements_max(field.type)), _texts_reader(name, kind)
    return _Field(name, field.default, field.required, is_repeatable, *readers)


def _json_reader(name: str, kind: Any, length_max: int | None) -> Callable[[msgspec.Raw], Any]:
    if kind is msgspec.Raw:
        return lambda raw: raw
    # Which of some words are allowed is for the store to say, as for all that is text.
    is_text = kind is Cursor or get_origin(kind) is Literal
    has_objects = get_origin(kind) is tuple and isinstance(get_args(kind)[0], type(msgspec.Struct))
    decoder = msgspec.json.Decoder(str if is_text else kind, dec_hook=_cursor_within)
    pointer = f"/{name}"

    def read(raw: msgspec.Raw) -> Any:
        if has_objects and length_max is not None:
            check_length(bytes(raw), length_max, pointer)
        if kind == _CONDITIONS:
            check_parts(bytes(raw), SEARCH_WHERE_PARTS_MAX, pointer)
        value = decode_part(decoder, bytes(raw), pointer)
        return Cursor.parse(value, pointer) if kind is Cursor else value

    return read


def _cursor_within(_: Any, text: Any) -> Cursor:
    """Cursors are strings of a class of their own."""
    try:
        return Cursor.parse(text)
    except InvalidRequest as error:
        raise ValueError(error.message) from None


def _texts_reader(name: str, kind: Any) -> Callable[[Sequence[str]], Any]:
    pointer = f"/{name}"
    if get_origin(kind) is tuple:
        return tuple if plain_type(get_args(kind)[0]) is str else lambda texts: _items(texts[0], pointer)
    read = {int: _integer, float: _number, bool: _flag, datetime: _time, Cursor: Cursor.parse, UUID: _uuid}.get(kind)
    return (lambda texts: texts[0]) if read is None else (lambda texts: read(texts[0], pointer))


def _integer(text: str, pointer: str) -> int:
    """Its range is for the store to check."""
    if not _INTEGER.fullmatch(text):
        raise InvalidRequest("must be an integer", pointer=pointer)
    return int(text)


def _number(text: str, pointer: str) -> float:
    """As JSON writes it."""
    try:
        return msgspec.json.decode(text, type=float)
    except msgspec.DecodeError:
        raise InvalidRequest("must be a number", pointer=pointer) from None


def _flag(text: str, pointer: str) -> bool:
    """Given alone, it is true."""
    if text not in ("", "true", "false"):
        raise InvalidRequest("must be true or false, or stand alone", pointer=pointer)
    return text != "false"


def _time(text: str, pointer: str) -> datetime:
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        message = 'must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z; "+" is written %2B here'
        raise InvalidRequest(message, pointer=pointer) from None


def _uuid(text: str, _: str) -> UUID:
    return check_event_id(text)


def _items(text: str, pointer: str) -> tuple[QueryItem, ...]:
    """Names in them are checked with the query that they become part of."""
    try:
        items = _items_decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidRequest(f"must be a JSON array of query items: {error}", pointer=pointer) from None
    refuse_repeated_keys(text.encode(), _items_decoder.type, pointer)
    return items


# --- Answers ---------------------------------------------------------------------------------------------------------

_FAST: Final[dict[str, Callable[[Any], bytes]]] = {
    on_events.READ_AGGREGATE.name: json_events.encode_aggregate_page,
    on_events.READ_FEED.name: json_events.encode_feed_page,
    on_events.REPLAY.name: json_events.encode_replay,
    on_events.GET_EVENT.name: recorded_line,
}
"""Of hot paths: what the general codec gives, but faster."""


def encode_answer(operation: Operation[Any, R], result: R) -> bytes:
    """Nothing, where nothing is answered."""
    fast = _FAST.get(operation.name)
    return encode_any_answer(operation, result) if fast is None else fast(result)


def encode_any_answer(operation: Operation[Any, R], result: R) -> bytes:
    """By the general codec."""
    return b"" if operation.answer is None else _encoder.encode(operation.wrap(result))


def decode_answer(operation: Operation[Any, R], body: bytes) -> R:
    if operation.answer is None:
        return operation.unwrap(None)
    return operation.unwrap(_decode(_answer_decoder(operation.answer), body))


def _make_answer_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    # Cursors are strings of a class of their own.
    return msgspec.json.Decoder(kind, dec_hook=lambda kind, text: kind(text))


_answer_decoder: Final[Callable[[Any], msgspec.json.Decoder[Any]]] = cache(_make_answer_decoder)
