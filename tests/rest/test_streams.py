"""Streams whose reader is slow, goes away, or whose source breaks."""

import asyncio
import http.client
from typing import Any

import aiohttp
import pytest

from indelible.core.store import LocalEventStore
from indelible.engines.engine import Lines
from indelible.engines.memory import MemoryEngine
from indelible.errors import StoreCorrupted
from indelible.events import NewEvent
from indelible.limits import PAGE_EVENTS_MAX
from indelible.server.compose import http_app
from indelible.server.config import Address
from indelible.server.http.connection import serving
from serving import serving_in_a_thread

NDJSON = {"accept": "application/x-ndjson"}
PAGES = 20


class CountingEngine(MemoryEngine):
    """Counts the pages read; from one position on, reading fails."""

    pages = 0
    broken_from: int | None = None

    async def read_feed(self, *args: Any, after: int, **more: Any) -> Lines:
        self.pages += 1
        if self.broken_from is not None and after >= self.broken_from:
            raise StoreCorrupted("the event does not match its hash", position=after)
        return await super().read_feed(*args, after=after, **more)


async def _filled(store: LocalEventStore) -> None:
    """Pages of more than a megabyte, more of them than sockets buffer."""
    for _ in range(PAGES):
        await store.append("a", "1", [NewEvent("E", {"x": "y" * 1000}) for _ in range(PAGE_EVENTS_MAX)])


async def test_a_stream_goes_at_its_readers_pace_and_ends_with_it():
    engine = CountingEngine()
    async with LocalEventStore(engine) as store:
        await _filled(store)
        async with serving(http_app(store), Address("127.0.0.1", 0), shutdown_grace_s=2) as url:
            async with aiohttp.ClientSession() as session, session.get(f"{url}/v1/events", headers=NDJSON) as response:
                assert (await response.read()).count(b"\n") == PAGES * PAGE_EVENTS_MAX
            engine.pages = 0
            async with aiohttp.ClientSession() as session, session.get(f"{url}/v1/events", headers=NDJSON) as response:
                await response.content.readline()
                stalled_at = 0
                while engine.pages != stalled_at:
                    stalled_at = engine.pages
                    await asyncio.sleep(0.3)
                assert stalled_at < PAGES
                response.close()
            await asyncio.sleep(0.2)
            # At most the page that was being read when the reader went.
            assert engine.pages <= stalled_at + 1


def test_a_stream_that_breaks_is_cut_short_and_never_looks_whole():
    engine = CountingEngine()
    with serving_in_a_thread(LocalEventStore(engine)) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        for _ in range(3):
            body = b'{"events":[' + b",".join([b'{"event_type":"E","event_data":1}'] * PAGE_EVENTS_MAX) + b"]}"
            connection.request("POST", "/v1/aggregates/a/1/events", body=body)
            assert connection.getresponse().read()
        engine.broken_from = PAGE_EVENTS_MAX
        connection.request("GET", "/v1/events", headers=NDJSON)
        response = connection.getresponse()
        assert response.status == 200
        with pytest.raises(http.client.IncompleteRead):
            response.read()
        connection.close()
        # The first page itself: nothing is sent yet, so the error is the answer.
        engine.broken_from = 0
        connection.request("GET", "/v1/events", headers=NDJSON)
        response = connection.getresponse()
        assert (response.status, b"store_corrupted" in response.read()) == (500, True)
        connection.close()
