"""The cursors of pages of a search. One leads on within the search that gave it, and in no other."""

import base64
import binascii
import hashlib
from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace

from indelible.errors import InvalidRequest
from indelible.events import AggregateKey
from indelible.indexes.index import Place
from indelible.search import CheckedQuery, Order

_DIGEST_SIZE_BYTES: Final = 9

Kind = Order | Literal["aggregates"]


class _Kept(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    kind: str
    asked: str
    """Digest of the query."""
    timestamp_us: int = 0
    position: int = 0
    event_id: UUID = UUID(int=0)
    aggregate_type: str = ""
    aggregate_id: str = ""


_decoder: Final = msgspec.json.Decoder(_Kept)


def encode_place(query: CheckedQuery, order: Order, place: Place) -> str:
    """Of the page behind an event."""
    return _encode(_Kept(order, _digest(query), *place))


def encode_aggregate(query: CheckedQuery, key: AggregateKey) -> str:
    """Of the page behind an aggregate."""
    kept = _Kept("aggregates", _digest(query), aggregate_type=key.aggregate_type, aggregate_id=key.aggregate_id)
    return _encode(kept)


def decode_place(cursor: str, query: CheckedQuery, order: Order) -> Place:
    """Raises ``InvalidRequest``."""
    kept = _decode(cursor, query, order)
    return Place(kept.timestamp_us, kept.position, kept.event_id)


def decode_aggregate(cursor: str, query: CheckedQuery) -> AggregateKey:
    """Raises ``InvalidRequest``."""
    kept = _decode(cursor, query, "aggregates")
    return AggregateKey.checked(kept.aggregate_type, kept.aggregate_id, "/cursor")


def _digest(query: CheckedQuery) -> str:
    if query.reach:
        query = replace(query, aggregate_types=())
    asked = hashlib.blake2b(msgspec.json.encode(query), digest_size=_DIGEST_SIZE_BYTES)
    return base64.b64encode(asked.digest()).decode("ascii")


def _encode(kept: _Kept) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(kept)).decode("ascii").rstrip("=")


def _decode(cursor: object, query: CheckedQuery, kind: Kind) -> _Kept:
    if not isinstance(cursor, str):
        raise InvalidRequest("must be a string that an earlier page gave", pointer="/cursor")
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        kept = _decoder.decode(text)
    except (binascii.Error, ValueError, UnicodeError):
        raise InvalidRequest("is not the cursor of a page of this search", pointer="/cursor") from None
    if kept.kind != kind:
        raise InvalidRequest(f"is of a search for {_NAMES.get(kept.kind, kept.kind)}", pointer="/cursor")
    if kept.asked != _digest(query):
        raise InvalidRequest("is of another search; ask for its first page without a cursor", pointer="/cursor")
    return kept


_NAMES: Final = {"newest": "the newest events first", "oldest": "the oldest events first", "aggregates": "aggregates"}
