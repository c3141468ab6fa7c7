"""Search: what callers ask the query index, and what they hear.

The query index is derived from the log and lags behind it a little: an answer says how far it has come. What it finds
is read from the log, which stays the truth.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from indelible import words
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import AggregateKey, RecordedEvent, decode_events, timestamp_to_us
from indelible.limits import (
    INDEX_FIELD_LENGTH_MAX,
    INDEX_FIELDS_MAX,
    INDEX_VALUE_LENGTH_MAX,
    SEARCH_CONDITIONS_MAX,
    SEARCH_TEXT_LENGTH_MAX,
    SEARCH_VALUES_LENGTH_MAX,
    SEARCH_VALUES_MAX,
    SEARCH_VALUES_TOGETHER_MAX,
    SEARCH_WAIT_MAX_S,
)
from indelible.queries import QueryItem, check_time

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "exists", "prefix"]
Order = Literal["newest", "oldest"]
FieldType = Literal["string", "number", "boolean", "time"]
Value = str | int | float | bool
"""Of a field, as an index keeps it. A time is microseconds since 1970; a number is an int where 64 bits hold it."""

OWN_FIELDS: Final[Mapping[str, FieldType]] = {
    "event_id": "string",
    "event_type": "string",
    "aggregate_type": "string",
    "aggregate_id": "string",
    "version": "number",
    "timestamp": "time",
}
"""Fields that every event has, and that need not be declared."""

_PATH: Final = re.compile(r"(event_data|metadata)(\.[^.\x00-\x1f\x7f]+)+")
_RANGES: Final = ("<", "<=", ">", ">=")


class Where(Struct, frozen=True, forbid_unknown_fields=True):
    """A condition on a field. Of a field with several values one that fits is enough; ``!=`` wants none equal."""

    field: Annotated[
        str, words.meta("A declared path, or a field that every event has.", example="event_data.customer.id")
    ]
    operator: Annotated[
        str, words.meta("exists takes true or false, in takes a list.", {"enum": list(get_args(Operator))}, example="=")
    ]
    value: Annotated[Any, words.meta("Of the field's type; a time as in RFC 3339.", example="c-1")] = True


class SearchQuery(Struct, frozen=True):
    """Which events: those that fit all parts. An empty part does not restrict."""

    query: str = ""
    """Text: all of these words occur; words in quotation marks follow one another."""
    where: tuple[Where, ...] = ()
    event_types: tuple[str, ...] = ()
    aggregate_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """All of them."""
    since: datetime | None = None
    """Only events with this timestamp or a later one."""
    until: datetime | None = None
    """Only events with an earlier timestamp than this."""

    def checked(self, fields: Mapping[str, FieldType]) -> "CheckedQuery":
        """``fields``: those that are declared. Raises ``InvalidRequest`` with the pointer of what is wrong."""
        item = QueryItem.checked(self.event_types, self.aggregate_types, self.tags)
        where = check_where(self.where, {**OWN_FIELDS, **fields})
        text = check_text(self.query)
        since, until = check_time(self.since, "/since"), check_time(self.until, "/until")
        is_narrow = not item.is_unrestricted or text or since or any(is_narrowing(one) for one in where)
        if where and not is_narrow:
            raise InvalidRequest(
                "would look at every event: add a condition that says what to find, not only what not to find",
                pointer="/where",
            )
        return CheckedQuery(text, where, item.event_types, item.aggregate_types, item.tags, since, until)


class ReadableQuery(SearchQuery, frozen=True):
    """One of nothing but what its caller may read."""

    reach: tuple[str, ...] = ()
    """As the grants say it: the aggregate types that they stand for come and go between two pages."""

    def checked(self, fields: Mapping[str, FieldType]) -> "CheckedQuery":
        return replace(super().checked(fields), reach=self.reach)


class CheckedQuery(Struct, frozen=True, omit_defaults=True):
    """What an index is asked: all of it is allowed, and values are as an index keeps them (see ``Value``)."""

    query: str
    where: tuple[Where, ...]
    event_types: tuple[str, ...]
    aggregate_types: tuple[str, ...]
    tags: tuple[str, ...]
    since: datetime | None
    until: datetime | None
    reach: tuple[str, ...] = ()
    """Why it has these aggregate types, where its caller named none. For the cursors of pages, and for no backend."""


class SearchPage(Struct, frozen=True):
    """Some of the events that were found, or of their aggregates, in the order asked for."""

    lines: bytes
    """The events as NDJSON, without a line end after the last; empty where aggregates were asked for."""
    count: int
    aggregates: tuple[AggregateKey, ...]
    cursor: str | None
    """Where the next page begins; None after the last."""
    indexed_cursor: Cursor
    """How far the index had come."""
    lag: int
    """Positions from there to the head."""
    lag_s: float
    """Age of the oldest event that was not indexed; 0 at the head."""
    is_stale: bool
    """Whether the index had not come to ``wait_for``."""

    @property
    def events(self) -> tuple[RecordedEvent, ...]:
        return decode_events(self.lines)


# --- What is allowed -------------------------------------------------------------------------------------------------


def check_fields(fields: Mapping[str, str], pointer: str = "/fields") -> dict[str, FieldType]:
    """Declared fields: path and type. Raises ``InvalidRequest``."""
    if len(fields) > INDEX_FIELDS_MAX:
        raise InvalidRequest(f"at most {INDEX_FIELDS_MAX} fields, not {len(fields)}", pointer=pointer)
    checked: dict[str, FieldType] = {}
    for path, kind in fields.items():
        if len(path) > INDEX_FIELD_LENGTH_MAX or not _PATH.fullmatch(path):
            raise InvalidRequest(
                f"{path!r} must be a path such as event_data.customer.id or metadata.user, of at most "
                f"{INDEX_FIELD_LENGTH_MAX} characters",
                pointer=pointer,
            )
        for known in get_args(FieldType):
            if kind == known:
                checked[path] = known
        if path not in checked:
            raise InvalidRequest(f"must be one of {', '.join(get_args(FieldType))}", pointer=f"{pointer}/{path}")
    return checked


def check_text(text: object) -> str:
    if not isinstance(text, str) or not _is_text(text):
        raise InvalidRequest("must be a string", pointer="/query")
    if len(text) > SEARCH_TEXT_LENGTH_MAX:
        raise InvalidRequest(f"at most {SEARCH_TEXT_LENGTH_MAX} characters, not {len(text)}", pointer="/query")
    if text and not phrases_of(text):
        raise InvalidRequest("has no word to look for", pointer="/query")
    return text


def check_shape(where: Iterable[Where]) -> tuple[Where, ...]:
    """Refuse what can be no conditions, whatever fields there are."""
    if isinstance(where, str) or not isinstance(where, Iterable):
        raise InvalidRequest("must be a list of conditions", pointer="/where")
    conditions = tuple(where)
    for i, one in enumerate(conditions):
        if not isinstance(one, Where):
            raise InvalidRequest(f"must be a Where, not {type(one).__name__}", pointer=f"/where/{i}")
        for name in ("field", "operator"):
            if not _is_text(getattr(one, name)):
                raise InvalidRequest("must be a string", pointer=f"/where/{i}/{name}")
        if isinstance(one.value, str) and not _is_text(one.value):
            raise InvalidRequest("must be text", pointer=f"/where/{i}/value")
    return conditions


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not _SURROGATE.search(value)


def check_where(where: Iterable[Where], fields: Mapping[str, FieldType]) -> tuple[Where, ...]:
    conditions = check_shape(where)
    if len(conditions) > SEARCH_CONDITIONS_MAX:
        raise InvalidRequest(f"at most {SEARCH_CONDITIONS_MAX} conditions, not {len(conditions)}", pointer="/where")
    checked: list[Where] = []
    count = length = 0
    for i, one in enumerate(conditions):
        condition = _check_condition(one, fields, f"/where/{i}")
        values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
        count += len(values)
        length += sum(len(value) for value in values if isinstance(value, str))
        if count > SEARCH_VALUES_TOGETHER_MAX or length > SEARCH_VALUES_LENGTH_MAX:
            raise InvalidRequest(
                f"at most {SEARCH_VALUES_TOGETHER_MAX} values, of {SEARCH_VALUES_LENGTH_MAX} characters, in all "
                "conditions together",
                pointer="/where",
            )
        checked.append(condition)
    return tuple(checked)


def _check_condition(where: Where, fields: Mapping[str, FieldType], pointer: str) -> Where:
    if where.field not in fields:
        raise InvalidRequest(
            f"{where.field} is no field of the index; there are {', '.join(sorted(fields))}", pointer=f"{pointer}/field"
        )
    kind, operator = fields[where.field], where.operator
    if operator not in get_args(Operator):
        raise InvalidRequest(f"must be one of {' '.join(get_args(Operator))}", pointer=f"{pointer}/operator")
    if (operator == "prefix" and kind != "string") or (operator in _RANGES and kind == "boolean"):
        raise InvalidRequest(f"does not go with {where.field}, a {kind}", pointer=f"{pointer}/operator")
    value = where.value
    if operator == "exists":
        if not isinstance(value, bool):
            raise InvalidRequest("must be true or false", pointer=f"{pointer}/value")
    elif operator == "in":
        # Of what has keys, such as a JSON object, they would be the values.
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            raise InvalidRequest("must be a list", pointer=f"{pointer}/value")
        values = list(value)
        if not 1 <= len(values) <= SEARCH_VALUES_MAX:
            raise InvalidRequest(f"must have from 1 to {SEARCH_VALUES_MAX} values", pointer=f"{pointer}/value")
        value = tuple(_check_value(one, kind, f"{pointer}/value/{i}") for i, one in enumerate(values))
    else:
        value = _check_value(value, kind, f"{pointer}/value")
    return Where(where.field, operator, value)


def _check_value(value: object, kind: FieldType, pointer: str) -> Value:
    if isinstance(value, datetime) and kind == "time":
        value = value.isoformat()
    kept = kept_value(value, kind)
    if kept is None or (isinstance(kept, str) and not _is_text(kept)):
        raise InvalidRequest(_ALLOWED[kind], pointer=pointer)
    return kept


_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
"""No character by itself: no event has one."""


_ALLOWED: Final[Mapping[FieldType, str]] = {
    "string": f"must be a string of at most {INDEX_VALUE_LENGTH_MAX} characters",
    "number": "must be a number",
    "boolean": "must be true or false",
    "time": "must be a time with a time zone, such as 2026-01-31T12:00:00Z",
}


def kept_value(value: object, kind: FieldType) -> Value | None:
    """A value as an index keeps it; None for what is none of the field's type."""
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "number":
        return _kept_number(value)
    if not isinstance(value, str) or len(value) > INDEX_VALUE_LENGTH_MAX:
        return None
    return value if kind == "string" else _kept_time(value)


def _kept_number(value: object) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return value
        try:
            value = float(value)
        except OverflowError:
            return None
    if not math.isfinite(value):
        return None
    # 1.0 is the same number as 1.
    return int(value) if value.is_integer() and -(2**63) <= value < 2**63 else value


def _kept_time(value: str) -> int | None:
    try:
        time = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        return None
    if time.tzinfo is None:
        return None
    try:
        return timestamp_to_us(time)
    except OverflowError:
        return None


def is_narrowing(where: Where) -> bool:
    """Whether an index can find what fits, and need not look at all that does not."""
    return where.operator != "!=" and not (where.operator == "exists" and where.value is False)


def check_order(order: object) -> None:
    if order not in get_args(Order):
        raise InvalidRequest(f"must be {' or '.join(get_args(Order))}", pointer="/order")


def check_flag(value: object, pointer: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest("must be true or false", pointer=pointer)
    return value


def check_wait(wait_s: object) -> float:
    if isinstance(wait_s, bool) or not isinstance(wait_s, (int, float)) or not 0 <= wait_s <= SEARCH_WAIT_MAX_S:
        raise InvalidRequest(f"must be a number from 0 to {SEARCH_WAIT_MAX_S:g}", pointer="/wait_s")
    return float(wait_s)


def phrases_of(text: str) -> tuple[str, ...]:
    """What a text query asks for: phrases, all of which must occur. What stands between quotation marks is one; so is
    each other piece between spaces, whose words follow one another in the text if it has several."""
    pieces: list[str] = []
    for number, part in enumerate(text.split('"')):
        pieces += [part] if number % 2 else part.split()
    return tuple(piece for piece in pieces if words_of(piece))


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, without case and diacritics: what a text query compares. Not in lower case: that of a
    Greek sigma depends on what stands behind it. An index of other words has another format."""
    if text.isascii():
        # The same, several times as fast.
        return text.encode().translate(_ASCII_WORDS).decode().split()
    text = "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))
    return _WORD.findall(text.casefold())


_WORD: Final = re.compile(r"[^\W_]+")
_ASCII_WORDS: Final = bytes(ord(chr(code).lower()) if chr(code).isalnum() else ord(" ") for code in range(128)) * 2
"""Of each byte a letter or digit as words have it, or a space."""
