"""The audit log: what is in it, who may read it, and that nobody can fill the store by it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest

from authentication.guarded import Guarded, guarded
from indelible.audit_events import AUDIT_QUERY
from indelible.client import AsyncClient
from indelible.errors import Forbidden, InvalidRequest, RelayNotFound, StorageFull
from indelible.events import NewEvent
from indelible.keys import key_id_of, make_key
from indelible.limits import AUDIT_KINDS_MAX, AUDIT_QUEUE_MAX
from indelible.server.audit import Audit
from indelible.server.callers import Credentials


@pytest.fixture
async def server() -> AsyncIterator[Guarded]:
    async with guarded() as found:
        yield found


async def entries(server: Guarded, event_type: str, count: int) -> list[dict[str, Any]]:
    """Those of a type, once there are so many."""
    async with asyncio.timeout(60):
        while True:
            page = await server.store.read_feed(AUDIT_QUERY)
            found = [json.loads(one.event_data_bytes) for one in page.events if one.event_type == event_type]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


async def test_what_an_admin_does_is_there(server: Guarded):
    admin = await server.key("admin:*", name="root")
    who = f"key:root/{key_id_of(admin)}"
    for url in (server.http, server.grpc):
        async with AsyncClient(url, token=admin) as client:
            made = await client.keys.create("billing", ["read:*"])
            await client.keys.revoke(made.key_id)
            await client.groups.create("g")
            await client.groups.delete("g")
            await client.groups.list()
            await client.schemas.register("Placed", {"type": "object"})
            with pytest.raises(RelayNotFound):
                await client.relays.pause("none")
    found = await entries(server, "Administered", 12)
    told = [(one["principal"], one["operation"], one["outcome"]) for one in found]
    done = [(name, "done") for name in ("create_key", "revoke_key", "create_group", "delete_group", "register_schema")]
    assert told == 2 * [(who, *one) for one in [*done, ("pause_relay", "relay_not_found")]]
    assert found[0]["asked"] == {"name": "billing", "grants": ["read:*"], "expires_in_s": None}
    assert found[4]["asked"] == {
        "event_type": "Placed", "schema": "17 bytes of JSON", "compatibility": None, "dry_run": False,
    }  # fmt: skip
    assert {one["address"] for one in found} == {"127.0.0.1"}
    assert made.key not in json.dumps(found)


async def test_who_may_read_it(server: Guarded):
    reader, admin = await server.key("read:*", "append:*"), await server.key("admin:*")
    await entries(server, "AuthenticationFailed", 0)
    assert await server.status("Bearer nobody") == 401
    await entries(server, "AuthenticationFailed", 1)
    for url in (server.http, server.grpc):
        async with AsyncClient(url, token=reader) as client:
            with pytest.raises(Forbidden):
                await client.read_feed(AUDIT_QUERY)
            assert (await client.read_feed()).count == 0
            with pytest.raises(InvalidRequest):
                await client.append("$audit", "2026-01-01", [NewEvent("Administered", {})])
        async with AsyncClient(url, token=admin) as client:
            assert (await client.read_feed(AUDIT_QUERY)).count > 0


async def test_exports(server: Guarded):
    key = await server.key("read:*", name="reader")
    await server.store.append("order", "1", [NewEvent("OrderPlaced", {})])
    headers = {"Authorization": f"Bearer {key}", "Accept": "application/x-ndjson"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for _ in range(3):
            async with session.get(f"{server.http}/v1/events") as answer:
                assert answer.status == 200
    async with AsyncClient(server.grpc, token=key) as client:
        await client.read_feed()  # a page is no export
        async for _ in client.subscribe():
            break
    found = await entries(server, "Exported", 2)
    assert [(one["principal"], one["operation"], one["times"]) for one in found] == [
        (f"key:reader/{key_id_of(key)}", "read_feed", 1),
        (f"key:reader/{key_id_of(key)}", "subscribe", 1),
    ]


async def test_another_scheme_than_bearer_is_a_failure_too(server: Guarded):
    audit = server.services.audit
    assert audit is not None
    for header in ("Basic YTpi", "Digest a", "Basic YTpi"):
        assert await server.status(header) == 401
    async with grpc.aio.insecure_channel(server.grpc.removeprefix("grpc://")) as channel:
        head = channel.unary_unary("/indelible.v1.EventStore/GetHead")
        with pytest.raises(grpc.aio.AioRpcError):
            await head(b"", metadata=(("authorization", "Basic YTpi"),))
    # Its clients say it with Basic: this one has no token in it.
    async with grpc.aio.insecure_channel(server.esdb) as channel:
        read = channel.unary_stream("/event_store.client.streams.Streams/Read")
        with pytest.raises(grpc.aio.AioRpcError):
            await read(b"", metadata=(("authorization", "Basic YWRtaW4="),)).read()
    assert audit.failures == 5
    audit._end_window()
    found = await entries(server, "AuthenticationFailed", 2)
    assert [(one["reason"], one["address"], one["times"]) for one in found] == [
        ("no bearer token", "127.0.0.1", 1),
        ("no bearer token", "127.0.0.1", 4),
    ]


async def test_a_flood_of_failures_is_few_entries(server: Guarded):
    audit = server.services.audit
    assert audit is not None
    stranger = make_key()[0]
    for _ in range(20):
        assert await server.status("Bearer a.b.c") == 401
    assert await server.status(f"Bearer {stranger}") == 401
    for i in range(5_000):
        audit.refused("a key that is unknown", Credentials(address=f"10.0.{i % 256}.{i // 256}"), "")
    assert audit.failures == 5_021
    audit._end_window()
    found = await entries(server, "AuthenticationFailed", AUDIT_KINDS_MAX + 2)
    assert len(found) <= 2 * (AUDIT_KINDS_MAX + 1)
    assert sum(one["times"] for one in found) == 5_021
    assert {one["key_id"] for one in found if "key_id" in one} == {key_id_of(stranger), "others"}
    assert stranger not in json.dumps(found)


async def test_a_full_store_costs_no_caller_anything_and_loses_no_count(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("indelible.server.audit.AUDIT_RETRY_S", 0.01)
    stored: list[NewEvent] = []
    is_full = True

    async def append(aggregate_type: str, aggregate_id: str, events: list[NewEvent]) -> None:
        assert aggregate_type == "$audit"
        if is_full:
            raise StorageFull("no space is left")
        stored.extend(events)

    audit = Audit(append)
    running = asyncio.create_task(audit.run())
    for i in range(AUDIT_QUEUE_MAX + 500):
        audit._put("Administered", {"number": i})
    await asyncio.sleep(0.05)
    assert audit.part().why_not_ready is not None
    assert audit.part().why_not_ready() is not None
    assert audit.lost == 500
    is_full = False
    async with asyncio.timeout(60):
        while True:
            if len(stored) > AUDIT_QUEUE_MAX:
                break
            await asyncio.sleep(0.01)
    assert [json.loads(one.event_data_raw)["number"] for one in stored[:-1]] == list(range(AUDIT_QUEUE_MAX))
    assert (stored[-1].event_type, json.loads(stored[-1].event_data_raw)) == ("AuditEntriesLost", {"entries": 500})
    assert audit.part().why_not_ready() is None
    # What is told last is written when the server stops.
    audit._put("Administered", {"number": -1})
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert json.loads(stored[-1].event_data_raw) == {"number": -1}
