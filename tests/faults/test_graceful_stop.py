"""SIGTERM under load: every request is acknowledged and stored, or refused."""

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from faults.ledger import Ledger
from faults.load import Load
from faults.server_process import ServerProcess, server_process
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.errors import OutcomeUnknown, Unavailable
from indelible.events import NewEvent


async def test_nothing_is_lost_when_the_server_is_told_to_stop_under_load(tmp_path: Path) -> None:
    ledger = Ledger()
    load = Load(ledger)
    async with server_process(tmp_path / "store.db") as server:
        for _ in range(2):
            async with AsyncClient(server.url, retry_total_s=0) as client:
                await ledger.settle(client)
                loading = asyncio.create_task(load.run(client))
                await asyncio.sleep(0.3)
                server.terminate()
                errors = await asyncio.wait_for(loading, 60)
                assert await server.exit_code() == 0
                # A request may meet a connection that is being closed; what is refused is known not to be stored.
                assert all(isinstance(error, (Unavailable, OutcomeUnknown)) for error in errors)
            await server.start()
        async with AsyncClient(server.url, retry_total_s=0) as client:
            await ledger.settle(client)
            await ledger.check(client)


async def test_requests_in_flight_are_answered(tmp_path: Path) -> None:
    """Each on a connection of its own: 201 means stored, and without it nothing is."""
    async with server_process(tmp_path / "store.db") as server:
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            posting = [asyncio.create_task(_post(session, server, number)) for number in range(200)]
            await asyncio.wait(posting, return_when=asyncio.FIRST_COMPLETED)
            server.terminate()
            answers = await asyncio.gather(*posting, return_exceptions=True)
        assert await server.exit_code() == 0
    statuses = Counter(answer for answer in answers if isinstance(answer, int))
    # Connections that the server had not taken yet are refused by the operating system.
    refused = [answer for answer in answers if isinstance(answer, aiohttp.ClientConnectionError)]
    assert set(statuses) <= {201, 503}
    assert statuses.total() + len(refused) == 200, answers
    async with open_local_store(f"sqlite:{server.database}", read_only=True) as store:
        assert (await store.head()).position == statuses[201] > 0
        assert (await verify(store)).damage is None


async def _post(session: aiohttp.ClientSession, server: ServerProcess, number: int) -> int:
    body = {"events": [{"event_type": "Counted", "event_data": "x" * 20_000}]}
    async with session.post(f"{server.url}/v1/aggregates/order/{number}/events", json=body) as response:
        return response.status


async def test_a_reader_of_a_long_stream_does_not_keep_the_server_from_stopping(tmp_path: Path) -> None:
    async with server_process(tmp_path / "store.db", flags=("--shutdown-grace-s", "1")) as server:
        async with AsyncClient(server.url) as client:
            for _ in range(40):
                await client.append("order", "1", [NewEvent("Filled", "x" * 900_000)])
        async with (
            aiohttp.ClientSession(headers={"accept": "application/x-ndjson"}) as session,
            session.get(f"{server.url}/v1/events") as response,
        ):
            await response.content.read(1000)
            server.terminate()
            assert await server.exit_code() == 0
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
