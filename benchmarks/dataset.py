"""Made-up events of a shop, with names as frequent and as rare as real ones.

The same chunk number gives the same events but for their ids, so that a store that is partly filled can be filled on.
"""

import random
from collections.abc import Callable
from typing import Final, NamedTuple

from indelible import AggregateKey, NewEvent
from indelible.search import FieldType

CHUNK_EVENTS: Final = 4_000
"""Events that are made, and appended, at once."""

EVENT_TYPES: Final = {
    "order": {
        "OrderPlaced": 10.0, "OrderLineAdded": 22.0, "OrderLineRemoved": 4.0, "OrderConfirmed": 8.0,
        "OrderCancelled": 1.0, "OrderReturned": 0.3,
    },
    "payment": {
        "PaymentRequested": 9.0, "PaymentReceived": 8.0, "PaymentFailed": 0.8, "PaymentRefunded": 0.3,
        "ChargebackOpened": 0.02,
    },
    "shipment": {"ShipmentPlanned": 8.0, "ParcelScanned": 18.0, "ShipmentDelivered": 7.0, "ParcelLost": 0.05},
    "customer": {"CustomerRegistered": 1.0, "AddressChanged": 0.6, "CustomerMerged": 0.01},
    "product": {"PriceChanged": 1.2, "StockCounted": 1.0, "ProductWithdrawn": 0.005},
}  # fmt: skip
"""By aggregate type: event types and how frequent each is."""

CUSTOMERS: Final = 100_000
REGIONS: Final = ("de", "fr", "it", "es", "pl", "nl", "se", "pt")
CAMPAIGNS: Final = 50
AGGREGATE_EVENTS: Final = 25
"""Events of one aggregate, on average."""
ACTIVE_AGGREGATES: Final = 4_000
"""Aggregates that get events at about the same time."""

_PAIRS: Final = [(kind, name) for kind, names in EVENT_TYPES.items() for name in names]
_WEIGHTS: Final = [weight for names in EVENT_TYPES.values() for weight in names.values()]


class Generated(NamedTuple):
    key: AggregateKey
    event: NewEvent


Chunk = Callable[[int], list[Generated]]
"""Makes the events of a chunk, by its number from 0."""


def mixed_chunk(number: int) -> list[Generated]:
    """A running shop: many aggregates, each active for a while; frequent and rare event types and tags."""
    rng = random.Random(number)
    oldest = number * CHUNK_EVENTS // AGGREGATE_EVENTS
    kinds = rng.choices(_PAIRS, _WEIGHTS, k=CHUNK_EVENTS)
    return [
        Generated(
            AggregateKey(kind, f"{oldest + rng.randrange(ACTIVE_AGGREGATES):08d}"),
            NewEvent(name, event_data(rng), tags=_tags(rng)),
        )
        for kind, name in kinds
    ]


def even_chunk(aggregates: int) -> Chunk:
    """Chunks that give ``aggregates`` orders one event after another in turn."""

    def chunk(number: int) -> list[Generated]:
        rng = random.Random(number)
        first = number * CHUNK_EVENTS
        return [
            Generated(AggregateKey("order", f"{index % aggregates:08d}"), NewEvent("OrderLineAdded", event_data(rng)))
            for index in range(first, first + CHUNK_EVENTS)
        ]

    return chunk


def event_data(rng: random.Random) -> dict[str, object]:
    """125 bytes of JSON."""
    return {
        "customer": rng.randrange(100_000, 999_999),
        "product": f"{rng.getrandbits(64):016x}",
        "quantity": rng.randrange(1, 10),
        "price_cents": rng.randrange(1_000, 10_000),
        "currency": "EUR",
        "note": "leave it at the door",
    }


# --- Events for searches ---------------------------------------------------------------------------------------------

SEARCH_FIELDS: Final[dict[str, FieldType]] = {
    "event_data.customer": "number",
    "event_data.product": "string",
    "event_data.price_cents": "number",
}
WORDS: Final = 20_000
SEARCHED_AGGREGATES: Final = 10_000


def searched_data(rng: random.Random) -> dict[str, object]:
    return {
        "customer": rng.randrange(CUSTOMERS),
        "product": product(rng),
        "price_cents": rng.randrange(1_000, 10_000),
        "note": f"leave it at the door, {word(rng)} {word(rng)}",
    }


def searched_tags(rng: random.Random) -> list[str]:
    return sorted({customer(rng), f"region:{rng.choice(REGIONS)}"})


def searched_event(rng: random.Random) -> NewEvent:
    """About 250 bytes as it is sent, with its id, and 480 as a line of the log."""
    return NewEvent(rng.choices(_PAIRS, _WEIGHTS)[0][1], searched_data(rng), tags=searched_tags(rng))


def searched_chunk(number: int) -> list[Generated]:
    rng = random.Random(number)
    keys = [AggregateKey("order", f"{rng.randrange(SEARCHED_AGGREGATES):08d}") for _ in range(CHUNK_EVENTS)]
    return [Generated(key, searched_event(rng)) for key in keys]


def product(rng: random.Random) -> str:
    return f"p-{rng.randrange(CUSTOMERS):06d}"


def word(rng: random.Random) -> str:
    """Some are far more frequent than others."""
    return f"word{int(WORDS * rng.random() ** 3)}"


# --- Tags ------------------------------------------------------------------------------------------------------------


def customer(rng: random.Random) -> str:
    """Some customers buy far more than others."""
    return f"customer:{int(CUSTOMERS * rng.random() ** 3)}"


def _tags(rng: random.Random) -> list[str]:
    tags = [customer(rng)]
    if rng.random() < 0.7:
        tags.append(f"region:{rng.choice(REGIONS)}")
    if rng.random() < 0.1:
        tags.append(f"campaign:{rng.randrange(CAMPAIGNS)}")
    elif rng.random() < 0.0005:
        tags.append("flag:fraud")
    return tags
