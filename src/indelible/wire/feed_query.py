"""An EventQuery as parameters of a URL.

One item reads as repeatable ``event_type``, ``aggregate_type`` and ``tag``. A query of several items needs ``items``: a
JSON array of ``{"event_types": [], "aggregate_types": [], "tags": []}``, in the form that append conditions have.
"""

from typing import Final

import msgspec

from indelible.errors import InvalidRequest
from indelible.events import format_timestamp, timestamp_to_us
from indelible.queries import EventQuery, QueryItem
from indelible.wire.repeated_keys import refuse_repeated_keys

_items: Final = msgspec.json.Decoder(tuple[QueryItem, ...])


def query_parameters(query: EventQuery) -> list[tuple[str, str]]:
    parameters: list[tuple[str, str]] = []
    if len(query.items) == 1:
        item = query.items[0]
        parameters += [("event_type", name) for name in item.event_types]
        parameters += [("aggregate_type", name) for name in item.aggregate_types]
        parameters += [("tag", name) for name in item.tags]
    elif query.items:
        parameters.append(("items", msgspec.json.encode(query.items).decode()))
    if query.since is not None:
        parameters.append(("since", format_timestamp(timestamp_to_us(query.since))))
    if query.until is not None:
        parameters.append(("until", format_timestamp(timestamp_to_us(query.until))))
    return parameters


def decode_items(text: str) -> tuple[QueryItem, ...]:
    """The parameter ``items``. Names are checked with the query that they become part of."""
    try:
        items = _items.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidRequest(f"must be a JSON array of query items: {error}", pointer="/items") from None
    refuse_repeated_keys(text.encode(), _items.type, "/items")
    return items
