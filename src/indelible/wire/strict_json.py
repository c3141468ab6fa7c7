"""JSON from outside, strictly: in UTF-8, without unknown fields, and without keys that stand twice in one object,
because JSON's readers do not agree on which of them counts. What is wrong is named with its JSON pointer.

Only objects of the request itself are looked at. What is kept as it was sent, such as event_data, is the sender's own.
"""

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import islice
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import msgspec

from indelible.errors import InternalError, InvalidRequest, PayloadTooLarge
from indelible.json_text import malformed, too_deep
from indelible.limits import ERROR_TEXT_SIZE_BYTES_MAX, REQUEST_KEYS_MAX
from indelible.operations.operation import plain_type
from indelible.wire.errors import cut

_Body = TypeVar("_Body")
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


def decode_body(decoder: msgspec.json.Decoder[_Body], body: bytes) -> _Body:
    """What a body holds, as JSON in UTF-8. Raises ``InvalidRequest`` that points at the bad field."""
    try:
        # msgspec.Raw takes any bytes within strings, so the whole body is checked here.
        if not body.isascii():
            body.decode("utf-8")
        is_counted = _is_counted(body, decoder.type)
        decoded = decoder.decode(body)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"not UTF-8: invalid byte at offset {error.start}") from None
    except RecursionError:
        raise too_deep() from None
    except msgspec.ValidationError as error:
        raise invalid_request(str(error)) from None
    except msgspec.DecodeError as error:
        raise malformed(error, body) if body else InvalidRequest("the body is empty; it must be JSON") from None
    if not is_counted:
        refuse_repeated_keys(body, decoder.type, decoded=decoded)
    return decoded


def decode_part(decoder: msgspec.json.Decoder[_Body], text: bytes, pointer: str) -> _Body:
    """What stands at ``pointer`` of a body that was read over already."""
    is_counted = _is_counted(text, decoder.type, pointer)
    try:
        decoded = decoder.decode(text)
    except msgspec.ValidationError as error:
        raise invalid_request(str(error)).under(pointer) from None
    if not is_counted:
        refuse_repeated_keys(text, decoder.type, pointer, decoded=decoded)
    return decoded


def decode_answer(decoder: msgspec.json.Decoder[_Body], body: bytes) -> _Body:
    """What a server's answer holds."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InternalError(f"the server's answer is not what was asked for: {error}") from None


# What msgspec says, form by form; tests/unit/test_msgspec_messages.py holds it to that.
_AT: Final = " - at `$"
_PATH: Final = re.compile(r"((?:\.\w+|\[\d+\])*)`")
_FIELD: Final = re.compile(r"Object (?:contains (unknown)|missing required) field `(.*)", re.DOTALL)
_EXPECTED: Final = re.compile(r"Expected `(.*?)`, got `(.*?)`")
_WORDS: Final = {
    "Invalid UUID": 'must be a UUID such as "01890a5d-ac96-774b-bcce-b302099a8057"',
    "Invalid enum value": 'must be an integer from 0, "any", "exists" or "none"',
    "Invalid RFC3339": "must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z",
    "Number out of range": "must be a number that a double can hold",
}
_TYPES: Final = {
    "str": "a string", "int": "an integer", "float": "a number", "bool": "true or false", "array": "an array",
    "object": "an object", "uuid": "a UUID", "datetime": "a time as in RFC 3339",
}  # fmt: skip


def invalid_request(message: str) -> InvalidRequest:
    """msgspec's message, such as "Expected `str`, got `int` - at `$.events[0].event_type`", as the caller's error."""
    text, path = _split_path(message)
    # Callers' own megabytes may stand in it: patterns look at its beginning.
    text = cut(text)
    pointer = path.replace("[", "/").replace("]", "").replace(".", "/")
    if field := _FIELD.fullmatch(text):
        name = field[2].removesuffix("`").replace("~", "~0").replace("/", "~1")
        return InvalidRequest("is not a known field" if field[1] else "is missing", pointer=f"{pointer}/{name}")
    if expected := _EXPECTED.fullmatch(text):
        return InvalidRequest(f"must be {_type_words(expected[1])}, not {expected[2]}", pointer=pointer)
    for start, words in _WORDS.items():
        if text.startswith(start):
            return InvalidRequest(words, pointer=pointer)
    return InvalidRequest(text, pointer=pointer)


def _split_path(message: str) -> tuple[str, str]:
    """What is wrong, and where; nothing where that is not said."""
    text, _, rest = message.rpartition(_AT)
    # Paths to fields are short. What looks like a long one is a caller's own name of a field.
    path = _PATH.fullmatch(rest) if text and len(rest) <= ERROR_TEXT_SIZE_BYTES_MAX else None
    return (text, path[1]) if path else (message, "")


def _type_words(names: str) -> str:
    if names == "int | str":
        return 'an integer from 0, "any", "exists" or "none"'
    return _TYPES.get(names, names)


# --- Repeated keys ----------------------------------------------------------------------------------------------------


class _Name:
    """A key, equal to none but itself, so that an object keeps those that it repeats."""

    __slots__ = ()


class _Key(msgspec.Struct, _Name, eq=False, gc=False):
    kind: Any
    text: str


_Members = dict[_Name, msgspec.Raw]
_Hook = Callable[[Any, str], _Key]


class _Unbounded:
    one: Final = msgspec.json.Decoder(_Members, dec_hook=_Key).decode
    many: Final = msgspec.json.Decoder(list[_Members], dec_hook=_Key).decode
    count_texts: Final = None


class _Bounded:
    """Refuses what has too many keys, and texts in lists."""

    def __init__(self) -> None:
        self._left = REQUEST_KEYS_MAX
        self.one: Final = msgspec.json.Decoder(_Members, dec_hook=self._key).decode
        self.many: Final = msgspec.json.Decoder(list[_Members], dec_hook=self._key).decode

    def _key(self, kind: Any, text: str) -> _Key:
        self._take(1)
        return _Key(kind, text)

    def count_texts(self, listed: bytes) -> None:
        """At the least: a quote that ends a text may look as if it stood within, and none that begins one does."""
        self._take((listed.count(b'"') - listed.count(b'\\"')) // 2)

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise PayloadTooLarge(
                f"holds more than {REQUEST_KEYS_MAX} keys, and texts in lists", keys_max=REQUEST_KEYS_MAX
            )


_Decoders = _Unbounded | _Bounded
_unbounded: Final = _Unbounded()


class _Shape(msgspec.Struct, frozen=True):
    """Where objects of a request are: whether here is a list of them, and which members hold others. And which members
    are lists of texts; whether here is one."""

    is_list: bool
    inner: "dict[str, _Shape]"
    texts: frozenset[str] = frozenset()
    is_texts: bool = False


_TEXTS: Final = _Shape(is_list=True, inner={}, is_texts=True)


def refuse_repeated_keys(body: bytes, kind: Any, pointer: str = "", *, decoded: Any = msgspec.UNSET) -> None:
    """``body`` is known to decode as a ``kind``, maybe to ``decoded``. Raises ``InvalidRequest`` that points at the
    first key that stands twice, ``pointer`` being where the body stands."""
    shape = _shape_of(kind)
    # What the encoder writes repeats no key: a body that is the same to the letter, as many are, needs no second look.
    if shape is not None and (decoded is msgspec.UNSET or _encode(decoded) != body):
        _check(_unbounded, body, shape, pointer)


def _is_counted(body: bytes, kind: Any, pointer: str = "") -> bool:
    """Look at a long body before it is decoded: keys and texts of lists become strings of their own then, each of which
    takes time. Whether it was looked at, for repeated keys too; what else is wrong is found when it is decoded."""
    shape = _shape_of(kind)
    # A key takes four bytes at the least.
    if shape is None or len(body) <= 4 * REQUEST_KEYS_MAX:
        return False
    try:
        _check(_Bounded(), body, shape, pointer)
    except msgspec.DecodeError:
        # It was not looked at to its end.
        return False
    return True


def check_length(text: bytes, elements_max: int, pointer: str) -> None:
    """Refuse a list of more objects before it is decoded, which takes long where it has millions of them. What else is
    wrong is found when it is decoded."""
    if has_more_objects(text, elements_max):
        raise InvalidRequest(f"at most {elements_max} items", pointer=pointer)


def has_more_objects(text: bytes, objects_max: int) -> bool:
    """Whether a JSON text is a list of more objects. Nothing is made of what they hold."""
    if text.count(b"{") <= objects_max:
        return False
    left = objects_max

    class Counted(msgspec.Struct, gc=False):
        def __post_init__(self) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise _TooManyError

    try:
        msgspec.json.decode(text, type=list[Counted])
    except _TooManyError:
        return True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # that is told when it is decoded
    return False


# A string that does not end is one too, so that none is looked at twice.
_PARTS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{,]', re.DOTALL)


def check_parts(text: bytes, parts_max: int, pointer: str) -> None:
    """Refuse JSON text of any kind with more strings, commas and opening brackets, before anything is made of them."""
    if len(text) > parts_max and any(True for _ in islice(_PARTS.finditer(text), parts_max, None)):
        raise InvalidRequest(f"has too many values: over {parts_max} strings, commas and brackets", pointer=pointer)


class _TooManyError(Exception):
    """There are more objects than there may be."""


def _find_shape(kind: Any) -> _Shape | None:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _find_shape(arguments[0])
    if origin in (Union, UnionType):
        return next(filter(None, map(_find_shape, arguments)), None)
    if origin in (list, tuple):
        inner = _TEXTS if plain_type(arguments[0]) is str else _find_shape(arguments[0])
        return None if inner is None else msgspec.structs.replace(inner, is_list=True)
    if origin is dict:
        return _Shape(is_list=False, inner={})
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        shapes = [(field.encode_name, _find_shape(field.type)) for field in msgspec.structs.fields(kind)]
        texts = frozenset(name for name, one in shapes if one is not None and one.is_texts)
        within = {name: one for name, one in shapes if one is not None and not one.is_texts}
        return _Shape(is_list=False, inner=within, texts=texts)
    return None


# Of what a decoder decodes; within, what is said of a field cannot be hashed.
_shape_of: Final[Callable[[Any], _Shape | None]] = cache(_find_shape)


def _check(decoders: _Decoders, text: Any, shape: _Shape, pointer: str) -> None:
    if shape.is_texts:
        if decoders.count_texts is not None:
            decoders.count_texts(bytes(text))
        return
    if not shape.is_list:
        _check_object(decoders, decoders.one(text), shape, pointer)
        return
    for i, members in enumerate(decoders.many(text)):
        _check_object(decoders, members, shape, f"{pointer}/{i}")


def _check_object(decoders: _Decoders, members: Any, shape: _Shape, pointer: str) -> None:
    if len({key.text for key in members}) < len(members):
        raise _repeated([key.text for key in members], pointer)
    if shape.inner:
        for key, value in members.items():
            inner = shape.inner.get(key.text)
            if inner is not None:
                _check(decoders, value, inner, f"{pointer}/{key.text}")
    if shape.texts and decoders.count_texts is not None:
        for key, value in members.items():
            if key.text in shape.texts:
                decoders.count_texts(bytes(value))


def _repeated(names: list[str], pointer: str) -> InvalidRequest:
    first, _ = Counter(names).most_common(1)[0]
    token = first.replace("~", "~0").replace("/", "~1")
    return InvalidRequest(f'the key "{first}" stands twice in one object', pointer=f"{pointer}/{token}")
