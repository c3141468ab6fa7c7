"""What it costs to read events of an old schema version as objects of today's class, beside reading them as they are.

Both go through one client, in turn, over the same feed: of a store in this process, where reading costs least, and of a
server.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import stores
from benchmarks.report import Figure
from benchmarks.server import Server
from benchmarks.stores import Options
from indelible import AsyncClient, EventRegistry, TypedEvent


@dataclass(frozen=True)
class OrderLineAdded:
    """Of schema version 3; the store holds version 1."""

    customer: int
    product: str
    quantity: int
    cents: int
    currency: str
    remark: str
    channel: str


def with_total(data: Any) -> Any:
    data["cents"] = data["quantity"] * data.pop("price_cents")
    return data


def with_channel(data: Any) -> Any:
    data["remark"] = data.pop("note")
    data["channel"] = "shop"
    return data


EVENTS = EventRegistry().add(OrderLineAdded, schema_version=3, upcast={1: with_total, 2: with_channel})


def upcasting(options: Options) -> Iterator[Figure]:
    path = stores.feed(options)
    yield asyncio.run(_compare("in this process", _in_process(path), options))
    with Server(path) as server:
        yield asyncio.run(_compare("over HTTP", server.url, options))


def _in_process(path: Path) -> str:
    return f"sqlite:{path}"


async def _compare(where: str, url: str, options: Options) -> Figure:
    """The fastest of some rounds in either way: whatever else the machine does makes a round slower, never faster."""
    raw_s: list[float] = []
    typed_s: list[float] = []
    async with AsyncClient(url) as client:
        lines = client.typed(EVENTS)
        for _ in range(options.rounds):
            raw_s.append(await _timed(client.iter_feed, options, lambda event: event.version))
            typed_s.append(await _timed(lines.iter_feed, options, _channel))
    ratio = min(typed_s) / min(raw_s)
    us = 1e6 / options.events_feed
    note = f"{min(raw_s) * us:.2f} µs an event raw, {min(typed_s) * us:.2f} µs upcast twice and decoded; rounds: "
    note += ", ".join(f"{typed / raw:.2f}" for raw, typed in zip(raw_s, typed_s, strict=True))
    what = f"{options.events_feed:,} old events upcast, {where}"
    return Figure(what, ratio, "× reading them", "≤ 2 ×", ratio <= 2, note=note)


def _channel(event: TypedEvent[OrderLineAdded]) -> str:
    assert isinstance(event.event_data, OrderLineAdded)
    return event.event_data.channel


async def _timed(iterate: Callable[[], AsyncIterable[Any]], options: Options, look: Callable[[Any], object]) -> float:
    started = time.perf_counter()
    count = 0
    async for event in iterate():
        look(event)
        count += 1
    if count != options.events_feed:
        raise RuntimeError(f"the feed gave {count:,} events, not {options.events_feed:,}")
    return time.perf_counter() - started
