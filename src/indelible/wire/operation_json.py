"""Operations as HTTP has them, both ways, by field name: parameters in path, query string and JSON body, JSON answers.

What is read here is only shaped: whether it is allowed is for the store to say, with the same words over every API.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal, NamedTuple, TypeVar, get_origin

import msgspec

from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import plain
from indelible.operations.operation import Operation, Parameters, plain_type
from indelible.wire.paths import segment
from indelible.wire.requests import decode_body, invalid_request
from indelible.wire.responses import decode_answer as _decode

P = TypeVar("P", bound=Parameters)
R = TypeVar("R")
Pairs = list[tuple[str, str]]

_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_encoder: Final = msgspec.json.Encoder(enc_hook=str)
_body_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Field(NamedTuple):
    """How one parameter is read: from JSON, and from text."""

    name: str
    is_required: bool
    from_json: Callable[[msgspec.Raw], Any]
    from_text: Callable[[str], Any]


# --- Parameters ------------------------------------------------------------------------------------------------------


def query_names(operation: Operation[Any, Any]) -> tuple[str, ...]:
    """The parameters that stand in its query string."""
    if operation.has_body:
        return ()
    return tuple(name for name in _fields(operation.parameters) if name not in operation.path_parameters)


def decode_parameters(operation: Operation[P, Any], texts: Mapping[str, str], body: bytes | None) -> P:
    """``texts`` are the values of the path and the query string, all known by name. Raises ``InvalidRequest``."""
    fields = _fields(operation.parameters)
    values = {name: fields[name].from_text(text) for name, text in texts.items()}
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
    """The path, the pairs of the query string, and the body. What is None is left out."""
    given = {name: value for name, value in msgspec.structs.asdict(parameters).items() if value is not None}
    path = re.sub(r"{(\w+)}", lambda found: segment(str(plain(given.pop(found[1])))), operation.path)
    if operation.has_body:
        return path, [], _encoder.encode(given)
    return path, [(name, str(plain(value))) for name, value in given.items()], None


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _find_fields(kind: Any) -> dict[str, _Field]:
    return {one.name: _field(one) for one in msgspec.structs.fields(kind)}


_fields: Final[Callable[[Any], dict[str, _Field]]] = cache(_find_fields)


def _field(field: msgspec.structs.FieldInfo) -> _Field:
    kind = plain_type(field.type)
    return _Field(
        field.encode_name, field.required, _json_reader(field.encode_name, kind), _text_reader(field.encode_name, kind)
    )


def _json_reader(name: str, kind: Any) -> Callable[[msgspec.Raw], Any]:
    if kind is msgspec.Raw:
        return lambda raw: raw
    # Which of some words are allowed is for the store to say, as for all that is text.
    is_text = kind is Cursor or get_origin(kind) is Literal
    decode = msgspec.json.Decoder(str if is_text else kind).decode

    def read(raw: msgspec.Raw) -> Any:
        try:
            value = decode(raw)
        except msgspec.ValidationError as error:
            raise invalid_request(str(error)).under(f"/{name}") from None
        return Cursor.parse(value, f"/{name}") if kind is Cursor else value

    return read


def _text_reader(name: str, kind: Any) -> Callable[[str], Any]:
    pointer = f"/{name}"
    if kind is int:

        def integer(text: str) -> int:
            if not _INTEGER.fullmatch(text):
                raise InvalidRequest("must be an integer", pointer=pointer)
            return int(text)

        return integer
    if kind is datetime:

        def time(text: str) -> datetime:
            try:
                return msgspec.convert(text, datetime)
            except msgspec.ValidationError:
                message = 'must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z; "+" is written %2B here'
                raise InvalidRequest(message, pointer=pointer) from None

        return time
    return lambda text: text


# --- Answers ---------------------------------------------------------------------------------------------------------


def encode_answer(operation: Operation[Any, R], result: R) -> bytes:
    """Nothing, where nothing is answered."""
    return b"" if operation.answer is None else _encoder.encode(operation.wrap(result))


def decode_answer(operation: Operation[Any, R], body: bytes) -> R:
    if operation.answer is None:
        return operation.unwrap(None)
    return operation.unwrap(_decode(_answer_decoder(operation.answer), body))


def _make_answer_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    # Cursors are strings of a class of their own.
    return msgspec.json.Decoder(kind, dec_hook=lambda kind, text: kind(text))


_answer_decoder: Final[Callable[[Any], msgspec.json.Decoder[Any]]] = cache(_make_answer_decoder)
