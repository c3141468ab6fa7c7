"""What stands in the table for an event: its document, and an entry in each list that it is found by.

========  =======================================  =========================================
list      partition key                            sort key
========  =======================================  =========================================
all       generation, ``t``                        place, step
types     generation, ``e``                        event type, place, step
…         ``k`` aggregate types, ``a`` aggregate ids, ``g`` tags, ``f`` and a number declared fields, likewise
refused   generation, ``r``                        place, step
document  generation, ``d``, event id              step, the rest of the place: each partition may have such an event
hint      generation, ``d``, event id              0: there may be documents of the event
journal   generation, ``j``                        step: the ids of the events written in it
state     ``state``                                see :mod:`indelible.indexes.dynamodb.state`
========  =======================================  =========================================

An entry holds the whole document too, if that is small, so that further conditions cost no second look.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from indelible.events import AggregateKey
from indelible.indexes.dynamodb.encoding import (
    LEAST,
    decode_suffix,
    encode_place,
    encode_step,
    encode_string,
    encode_value,
    encode_version,
)
from indelible.indexes.index import Document, Place
from indelible.search import FieldType

ALL: Final = b"t"
EVENT_TYPES: Final = b"e"
AGGREGATE_TYPES: Final = b"k"
AGGREGATE_IDS: Final = b"a"
TAGS: Final = b"g"
REFUSED: Final = b"r"
JOURNALS: Final = b"j"
_DOCUMENTS: Final = b"d"

PARTITION: Final = "p"
SORT: Final = "s"
BODY: Final = "b"
"""The document, as bytes."""
UNTIL: Final = "u"
"""The step in which another document of the same event took this one's place."""

BODY_IN_ENTRY_SIZE_BYTES_MAX: Final = 640
"""An item of up to 1 KB costs one unit to write, however small."""
_HINT_SORT: Final = bytes(8)

Item = Mapping[str, Mapping[str, Any]]
"""As DynamoDB's API has them."""


class Key(NamedTuple):
    partition: bytes
    sort: bytes

    @property
    def attributes(self) -> dict[str, Mapping[str, Any]]:
        return {PARTITION: {"B": self.partition}, SORT: {"B": self.sort}}


STATE_KEY: Final = Key(b"state", LEAST)


class Body(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A document, without its text."""

    timestamp_us: int
    position: int
    event_id: UUID
    event_type: str
    aggregate_type: str
    aggregate_id: str
    version: int
    tags: tuple[str, ...]
    values: dict[str, tuple[bool | int | float | str, ...]]
    reason: str = ""
    """Why it is refused; then it stands in the list of those, and in no other."""

    @property
    def place(self) -> Place:
        return Place(self.timestamp_us, self.position, self.event_id)

    def document(self) -> Document:
        key = AggregateKey(self.aggregate_type, self.aggregate_id)
        return Document(self.place, self.event_type, key, self.version, self.tags, self.values, "")


encode_body: Final = msgspec.msgpack.Encoder(uuid_format="bytes").encode
decode_body: Final = msgspec.msgpack.Decoder(Body).decode


def body_of(document: Document) -> Body:
    key = document.aggregate
    return Body(
        *document.place, document.event_type, key.aggregate_type, key.aggregate_id, document.version, document.tags,
        dict(document.values),
    )  # fmt: skip


def refused_body(document: Document, reason: str) -> Body:
    return Body(*document.place, "", "", "", document.version, (), {}, reason)


# --- Keys ------------------------------------------------------------------------------------------------------------


def list_partition(generation: int, name: bytes) -> bytes:
    return generation.to_bytes(8) + name


def field_list(fields: Sequence[str], field: str) -> bytes:
    """``fields``: all that are declared, sorted."""
    return b"f" + fields.index(field).to_bytes(2)


def list_names(fields: int) -> Sequence[bytes]:
    """Of all lists of documents in a generation with so many fields. The last two have each document once."""
    declared = [b"f" + number.to_bytes(2) for number in range(fields)]
    return [EVENT_TYPES, AGGREGATE_TYPES, AGGREGATE_IDS, TAGS, *declared, REFUSED, ALL]


def documents_partition(generation: int, event_id: UUID) -> bytes:
    return list_partition(generation, _DOCUMENTS) + event_id.bytes


def document_key(generation: int, place: Place, step: int) -> Key:
    return Key(documents_partition(generation, place.event_id), encode_version(place, step))


def old_document_key(generation: int, place: Place, step: int) -> Key:
    """As it was in format 1."""
    return Key(documents_partition(generation, place.event_id), encode_step(step))


def hint_key(generation: int, event_id: UUID) -> Key:
    return Key(documents_partition(generation, event_id), _HINT_SORT)


def journal_key(generation: int, step: int) -> Key:
    return Key(list_partition(generation, JOURNALS), encode_step(step))


def entry_keys(generation: int, fields: Mapping[str, FieldType], body: Body, step: int) -> Iterator[Key]:
    """Of its entries in all lists, each once."""
    suffix = encode_place(body.place) + encode_step(step)
    for name, beginnings in _found_by(fields, body):
        partition = list_partition(generation, name)
        for start in beginnings:
            yield Key(partition, start + suffix)


def _found_by(fields: Mapping[str, FieldType], body: Body) -> Iterator[tuple[bytes, set[bytes]]]:
    if body.reason:
        yield REFUSED, {b""}
        return
    yield ALL, {b""}
    yield EVENT_TYPES, {encode_string(body.event_type)}
    yield AGGREGATE_TYPES, {encode_string(body.aggregate_type)}
    yield AGGREGATE_IDS, {encode_string(body.aggregate_id)}
    yield TAGS, {encode_string(tag) for tag in body.tags}
    declared = sorted(fields)
    for field, values in body.values.items():
        yield field_list(declared, field), {encode_value(one, fields[field]) for one in values}


# --- Items -----------------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """One of a list."""

    place: Place
    step: int
    until: int | None
    body: Body | None


def entry_of(item: Item) -> Entry:
    place, step = decode_suffix(item[SORT]["B"])
    return Entry(place, step, until_of(item), decode_body(item[BODY]["B"]) if BODY in item else None)


def until_of(item: Item) -> int | None:
    return int(item[UNTIL]["N"]) if UNTIL in item else None


def items_of(generation: int, fields: Mapping[str, FieldType], body: Body, step: int) -> tuple[Item, list[Item]]:
    """The document, which is written first, with a hint; and the entries."""
    data = encode_body(body)
    document = document_key(generation, body.place, step).attributes
    document[BODY] = {"B": data}
    extra = {BODY: document[BODY]} if len(data) <= BODY_IN_ENTRY_SIZE_BYTES_MAX or body.reason else {}
    entries: list[Item] = [{**key.attributes, **extra} for key in entry_keys(generation, fields, body, step)]
    return document, entries
