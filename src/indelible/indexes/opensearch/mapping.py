"""How documents stand in an index: the mapping, which is ours to the last field, and what each document gives for it.

A declared field has a number, its place among the sorted paths: ``v0``, ``v1`` …. So there are never more fields than
are declared, and a path may be the beginning of another. Numbers take two: whole ones as ``long`` and all others as
``double``, neither of which could hold both exactly. So do strings: a bound of more than some hundred characters is too
much for the service, so that of long strings there are tails too. Words are those that
:func:`indelible.search.words_of` finds, with spaces between them, so that no tokenizer has another opinion.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from indelible.indexes.index import Document
from indelible.search import FieldType, Value, words_of

KEYWORD: Final[Mapping[str, Any]] = {"type": "keyword"}
LONG: Final[Mapping[str, Any]] = {"type": "long", "coerce": False}
_TYPES: Final[Mapping[FieldType, Mapping[str, Any]]] = {
    "string": KEYWORD, "number": LONG, "boolean": {"type": "boolean"}, "time": LONG,
}  # fmt: skip
OWN_STRINGS: Final = ("event_type", "aggregate_type", "aggregate_id")
"""Event ids are never long."""
_SEARCHED: Final[Mapping[str, Any]] = {"doc_values": False}
"""Not sorted by, nor grouped by."""
_OWN: Final[Mapping[str, Mapping[str, Any]]] = {
    "step": {**LONG, **_SEARCHED},
    "event_id": KEYWORD,
    "event_type": {**KEYWORD, **_SEARCHED},
    "aggregate_type": KEYWORD,
    "aggregate_id": KEYWORD,
    "version": {**LONG, **_SEARCHED},
    "position": {**LONG, "index": False},
    "timestamp_us": LONG,
    "tags": {**KEYWORD, **_SEARCHED},
    "words": {"type": "text", "analyzer": "whitespace", "norms": False},
}
PART_LENGTH: Final = 200
"""Characters of a bound, at most: there is a limit of 1,000 bytes. Of longer strings each such part is a tail."""

_WORD_SIZE_BYTES_MAX: Final = 200
"""Analyzers cut words of more than 255 characters, and terms have a greatest length."""


def names_of(fields: Mapping[str, FieldType]) -> dict[str, str]:
    """What each declared field is called in an index."""
    return {path: f"v{number}" for number, path in enumerate(sorted(fields))}


def doubles_of(name: str) -> str:
    """Where the numbers of a field are that are not whole, or beyond 64 bits."""
    return f"{name}_double"


def tails_of(name: str) -> str:
    """Where the tails of a field's long strings are."""
    return f"{name}_tail"


def tails(value: str) -> list[str]:
    """Of each further part of a string the part, behind a digest of all before it."""
    return [digest(value[:at]) + value[at : at + PART_LENGTH] for at in range(PART_LENGTH, len(value), PART_LENGTH)]


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def mapping_of(fields: Mapping[str, FieldType]) -> dict[str, Any]:
    properties = {**_OWN, **{tails_of(name): KEYWORD for name in OWN_STRINGS}}
    names = names_of(fields)
    for path, name in names.items():
        properties[name] = _TYPES[fields[path]]
        if fields[path] == "number":
            properties[doubles_of(name)] = {"type": "double", "coerce": False}
        if fields[path] == "string":
            properties[tails_of(name)] = KEYWORD
    described = {name: path for path, name in names.items()}
    return {
        "dynamic": "strict",
        # The log has all events. To keep documents once more takes room, and a quarter of the time.
        "_source": {"enabled": False},
        "_meta": {"made_by": "indelible", "fields": described},
        "properties": properties,
    }


def line_of(document: Document, step: int, names: Mapping[str, str]) -> bytes:
    """The two lines of a document in a bulk request."""
    time_us, position, event_id = document.place
    # A later step may have been here already, if this writer was held up.
    action = {"index": {"_id": f"{event_id}.{position:x}.{time_us:x}", "version": step, "version_type": "external_gte"}}
    source: dict[str, Any] = {
        "step": step,
        "event_id": str(event_id),
        "event_type": document.event_type,
        "aggregate_type": document.aggregate.aggregate_type,
        "aggregate_id": document.aggregate.aggregate_id,
        "version": document.version,
        "position": position,
        "timestamp_us": time_us,
        "tags": document.tags,
        "words": " ".join(tokens_of(document.text)),
    }
    for name in OWN_STRINGS:
        _add_tails(source, name, [source[name]])
    for path, values in document.values.items():
        _add(source, names[path], values)
    return b"%b\n%b\n" % (msgspec.json.encode(action), msgspec.json.encode(source))


def _add(source: dict[str, Any], name: str, values: tuple[Value, ...]) -> None:
    doubles = [one for one in values if isinstance(one, float)]
    if doubles:
        source[doubles_of(name)] = doubles
        values = tuple(one for one in values if not isinstance(one, float))
    if values:
        source[name] = values
    _add_tails(source, name, values)


def _add_tails(source: dict[str, Any], name: str, values: Sequence[Value]) -> None:
    long = [one for one in values if isinstance(one, str) and len(one) > PART_LENGTH]
    if long:
        source[tails_of(name)] = sorted({tail for one in long for tail in tails(one)})


def tokens_of(text: str) -> list[str]:
    """The words of a text as an index has them."""
    return [one if len(one) * 4 <= _WORD_SIZE_BYTES_MAX else _token(one) for one in words_of(text)]


def _token(word: str) -> str:
    """Of a word that is too long a digest, which no word is: none has a "_"."""
    return f"_{digest(word)}" if len(word.encode()) > _WORD_SIZE_BYTES_MAX else word
