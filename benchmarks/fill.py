"""Fills a store through its own append path, in this process, with large appends."""

import asyncio
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.dataset import CHUNK_EVENTS, Chunk, Generated
from indelible import AggregateAppend, AggregateKey, AsyncClient, NewEvent

APPENDS_AT_ONCE: Final = 2
"""While one is on its way to the disk the next is made."""


def fill(store: Path, events: int, chunk: Chunk) -> None:
    """Fill ``store`` up to ``events`` events; what it holds already stays and counts."""
    store.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(_fill(store, events, chunk))


async def _fill(store: Path, events: int, chunk: Chunk) -> None:
    async with AsyncClient(f"sqlite:{store}") as client:
        held = (await client.head()).position
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task(f"filling {store.name}", completed=held, total=events)
            under_way: set[asyncio.Task[object]] = set()
            chunks = range(held // CHUNK_EVENTS, -(-events // CHUNK_EVENTS)) if held < events else ()
            for number in chunks:
                if len(under_way) >= APPENDS_AT_ONCE:
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    for finished in done:
                        finished.result()
                    bar.advance(task, CHUNK_EVENTS * len(done))
                first = number * CHUNK_EVENTS
                missing = chunk(number)[max(held - first, 0) : events - first]
                under_way.add(asyncio.create_task(client.append_atomic(_appends(missing))))
            await asyncio.gather(*under_way)


def _appends(generated: list[Generated]) -> list[AggregateAppend]:
    events: dict[AggregateKey, list[NewEvent]] = defaultdict(list)
    for key, event in generated:
        events[key].append(event)
    return [AggregateAppend(key, tuple(group)) for key, group in events.items()]
