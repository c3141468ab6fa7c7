"""What stands between Python values and their JSON text: dataclasses, Structs, pydantic models, decimals, times, UUIDs,
enums and sets, both ways, and the JSON Schema of classes.

Plain JSON values never come here. Pydantic is not imported: its models are known by their methods.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeVar, cast

import msgspec

from indelible.errors import InvalidRequest
from indelible.json_text import compact_json, encode_json, too_deep

T = TypeVar("T")


class Codec(Protocol):
    """Write one to take other classes, or to have values spelled in another way."""

    def encode(self, value: Any) -> bytes:
        """JSON text in UTF-8 of a value that is not JSON by itself, always the same for equal values. Raises
        ``InvalidRequest`` with the JSON pointer within the value."""
        ...

    def decoder(self, kind: type[T]) -> Callable[[bytes], T]:
        """What makes an object of a class of JSON text. Where that does not fit it raises a ``ValueError``, or
        ``InvalidRequest`` with the JSON pointer within the text. Asked for once a class; raises ``InvalidRequest`` for
        one that is not known how to read."""
        ...

    def json_schema(self, kind: type[Any]) -> dict[str, Any]:
        """What text the decoder takes for a class, as JSON Schema (2020-12)."""
        ...


class MsgspecCodec:
    """Implements :class:`Codec` for what msgspec takes (dataclasses, attrs, Structs and what they are made of), and
    for pydantic models of version 2.

    Decimals, times and UUIDs are strings, sets sorted lists, enums their values, bytes base64. Decimals keep every
    digit. Objects within a value that holds a set have their keys sorted too. What comes back is of the classes that
    annotations name; without one it is JSON.
    """

    def encode(self, value: Any) -> bytes:
        try:
            return _encode(value)
        except InvalidRequest as error:
            raise _located(error, value) from None

    def decoder(self, kind: type[T]) -> Callable[[bytes], T]:
        if _is_model(kind):
            return cast("Callable[[bytes], T]", kind.model_validate_json)  # type: ignore[attr-defined]  # pydantic's
        try:
            return msgspec.json.Decoder(kind, dec_hook=_decode_other).decode
        except (TypeError, NameError) as error:
            raise InvalidRequest(f"{kind.__qualname__} cannot be read: {error}", pointer="/kind") from error

    def json_schema(self, kind: type[Any]) -> dict[str, Any]:
        if _is_model(kind):
            return cast("dict[str, Any]", kind.model_json_schema())
        return msgspec.json.schema(kind, schema_hook=_schema_of_other)


MSGSPEC_CODEC: Final = MsgspecCodec()
"""What is used where no other is given."""

# --- Encoding --------------------------------------------------------------------------------------------------------


def encode_other(value: Any, codec: Codec, refused: InvalidRequest, pointer: str) -> bytes:
    """JSON text of a value that was ``refused`` as plain JSON; ``pointer`` is its own in errors."""
    if isinstance(value, msgspec.Raw):
        raise refused.under(pointer) from None
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise InvalidRequest("bytes need a content_type that is not JSON", pointer=pointer) from None
    try:
        return compact_json(codec.encode(value))
    except InvalidRequest as error:
        raise error.under(pointer) from None


_CONTAINERS: Final = (dict, list, tuple, set, frozenset)
_LEAVES: Final = frozenset((str, int, float, bool, type(None)))


def _encode(value: Any) -> bytes:
    """By way of plain values, so that whatever JSON cannot say is refused as it is in these."""
    try:
        order = "deterministic" if _holds_set(value) else None
        # The class says what a key was that stands in the text as a string; of a plain dict nothing does.
        has_class = not isinstance(value, _CONTAINERS)
        plain = msgspec.to_builtins(value, str_keys=has_class, enc_hook=_encode_other, order=order)  # type: ignore[arg-type]  # one of its literals
    except RecursionError:
        raise too_deep() from None
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"not a JSON value: {error}") from None
    return encode_json(plain)


def _encode_other(value: Any) -> Any:
    if _is_model(type(value)):
        return value.model_dump(mode="json", by_alias=True, round_trip=True)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"objects of type {type(value).__name__} need a codec that knows them")


def _is_model(kind: type[Any]) -> bool:
    """Whether a class is a pydantic model."""
    return hasattr(kind, "model_validate_json")


def _holds_set(value: Any) -> bool:
    """Sets have another order in each process."""
    if type(value) in _LEAVES:
        return False
    return isinstance(value, (set, frozenset)) or any(_holds_set(member) for _, member in _members(value))


def _members(value: Any) -> Iterable[tuple[object, Any]]:
    """What a value is made of, each with its name or index; nothing where that has no place in the text."""
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, (list, tuple)):
        return enumerate(value)
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        return [(name, getattr(value, attribute)) for name, attribute in names]
    if hasattr(value, "__dataclass_fields__"):
        return [(name, getattr(value, name)) for name in value.__dataclass_fields__]
    return vars(value).items() if _is_model(type(value)) else ()


def _located(error: InvalidRequest, value: Any) -> InvalidRequest:
    """The error with the place of what it is about: the innermost member that cannot be encoded by itself."""
    if "limit" in error.fields:
        return error
    for name, member in _members(value):
        try:
            _encode(member)
        except InvalidRequest as inner:
            return _located(inner, member).under(pointer_to(name))
    return error


def pointer_to(*names: object) -> str:
    """The JSON pointer (RFC 6901) of a member by its names and indices, from the outermost on."""
    return "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in names)


# --- Decoding --------------------------------------------------------------------------------------------------------


def _decode_other(kind: type[Any], value: Any) -> Any:
    if _is_model(kind):
        return kind.model_validate_json(msgspec.json.encode(value))
    raise TypeError(f"objects of type {kind.__name__} need a codec that knows them")


def _schema_of_other(kind: type[Any]) -> dict[str, Any]:
    """Of a model within another class: its definitions have no place there."""
    if _is_model(kind):
        return {"type": "object", "title": kind.__name__}
    raise NotImplementedError(f"objects of type {kind.__name__} need a codec that knows them")


_PLACE: Final = re.compile(r" - at (?:`key` in )?`\$(?P<path>.*)`$")
_STEP: Final = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>.*)`")


def why_refused(error: Exception) -> InvalidRequest:
    """What a decoder raised, with the place as a JSON pointer where msgspec or pydantic say it."""
    if isinstance(error, InvalidRequest):
        return error
    found = getattr(error, "errors", None)
    if callable(found):
        first = found()[0]
        return InvalidRequest(str(first["msg"]), pointer=pointer_to(*first["loc"]))
    if not isinstance(error, msgspec.DecodeError):
        return InvalidRequest(repr(error))
    message = str(error)
    place = _PLACE.search(message)
    names = [] if place is None else _steps(place["path"])
    message = _PLACE.sub("", message)
    missing = _MISSING.fullmatch(message)
    if missing is not None:
        return InvalidRequest("is missing", pointer=pointer_to(*names, missing["name"]))
    return InvalidRequest(message, pointer=pointer_to(*names))


def _steps(path: str) -> list[str]:
    """The names and indices of a path, as far as it says them: of a dict's members it does not."""
    steps: list[str] = []
    for step in _STEP.finditer(path):
        if step["any"] is not None:
            break
        steps.append(step["name"] or step["index"])
    return steps
