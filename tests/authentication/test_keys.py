"""Keys: made, shown, looked up, expired and revoked, over both transports and on every server of a store."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import grpc
import pytest

from authentication.guarded import Guarded, guarded
from indelible.access import Principal
from indelible.client import AsyncClient
from indelible.errors import Forbidden, IndelibleError, InvalidRequest, KeyNotFound, Unauthenticated, Unavailable
from indelible.events import NewEvent
from indelible.keys import KEY_PATTERN, is_key, key_id_of, make_key, token_digest
from indelible.limits import KEYS_FRESH_S
from indelible.server.callers import Credentials
from postgres.server import PostgresServer

TRANSPORTS = pytest.mark.parametrize("transport", ["http", "grpc"])


@pytest.fixture
async def server() -> AsyncIterator[Guarded]:
    async with guarded() as found:
        yield found


async def until_status(server: Guarded, key: str, status: int) -> None:
    async with asyncio.timeout(60):
        while True:
            if await server.status(f"Bearer {key}") == status:
                return
            await asyncio.sleep(0.1)


@asynccontextmanager
async def held_up() -> AsyncIterator[list[float]]:
    """How long a busy machine has kept servers and callers, which share this event loop, from going on: in seconds,
    each time that it did."""
    lost_s = list[float]()

    async def watch() -> None:
        while True:
            due_at = time.monotonic() + 0.1
            await asyncio.sleep(0.1)
            lost_s.append(max(time.monotonic() - due_at, 0.0))

    watching = asyncio.create_task(watch())
    try:
        yield lost_s
    finally:
        watching.cancel()


def url_of(server: Guarded, transport: str) -> str:
    return server.http if transport == "http" else server.grpc


async def test_a_key_is_found_by_scanners_and_not_by_the_store(server: Guarded):
    made = await server.store.keys.create("billing", ["append:order", "read:*"])
    assert re.fullmatch(KEY_PATTERN, made.key)
    assert is_key(made.key)
    assert key_id_of(made.key) == made.key_id
    assert made.key not in repr(made)
    secret = made.key.rsplit("_", 1)[1]
    lines = (await server.store.read_feed()).lines.decode()
    assert secret not in lines
    assert token_digest(made.key).hex() in lines


def test_a_mistyped_key_is_no_key():
    key, _ = make_key()
    for i in (4, 25, len(key) - 1):
        assert not is_key(key[:i] + ("0" if key[i] != "0" else "1") + key[i + 1 :])
    assert not is_key(key + "\n")
    assert len({make_key()[0] for _ in range(1_000)}) == 1_000


@TRANSPORTS
async def test_who_shows_a_key_is_known(server: Guarded, transport: str):
    key = await server.key("append:order", "read:order")
    async with AsyncClient(url_of(server, transport), token=key) as client:
        await client.append("order", "1", [NewEvent("OrderPlaced", {})])
        assert (await client.read_aggregate("order", "1")).count == 1
        assert key not in repr(client)


@TRANSPORTS
@pytest.mark.parametrize("token", [None, "unknown", "a stranger's", "ind_" + "0" * 66, "a.b.c"])
async def test_who_is_not_known_is_refused_at_once(server: Guarded, transport: str, token: str | None):
    if token == "a stranger's":
        token = make_key()[0]
    async with AsyncClient(url_of(server, transport), token=token, retry_total_s=30) as client:
        began = time.monotonic()
        with pytest.raises(Unauthenticated) as refused:
            await client.append("order", "1", [NewEvent("OrderPlaced", {})])
        with pytest.raises(Unauthenticated):
            await client.head()
        assert time.monotonic() - began < 20
    assert token is None or token not in str(refused.value)
    assert {one.aggregate_type for one in await server.store.aggregate_types()} <= {"$audit"}


async def test_what_is_open_is_liveness_alone(server: Guarded):
    async with aiohttp.ClientSession() as session:
        for path, status in (("/livez", 200), ("/", 401), ("/readyz", 401), ("/metrics", 401), ("/openapi.json", 401)):
            async with session.get(server.http + path) as answer:
                assert answer.status == status, path
                if status == 401:
                    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_keys_are_made_and_revoked_over_both_transports(server: Guarded):
    admin = await server.key("admin:*")
    for url in (server.http, server.grpc):
        async with AsyncClient(url, token=admin) as client:
            made = await client.keys.create("second", ["read:*", "append:order"], expires_in_s=60)
            assert made.grants == ("append:order", "read:*")
            assert await server.status(f"Bearer {made.key}") == 200
            listed = {one.key_id: one for one in await client.keys.list()}
            assert listed[made.key_id].state == "valid"
            revoked = await client.keys.revoke(made.key_id)
            assert revoked.state == "revoked"
            assert await client.keys.revoke(made.key_id) == revoked
            with pytest.raises(KeyNotFound):
                await client.keys.revoke("0" * 16)
            with pytest.raises(InvalidRequest):
                await client.keys.create("bad\r\nname", ["read:*"])
            with pytest.raises(InvalidRequest):
                await client.keys.create("none", [])
            with pytest.raises(InvalidRequest):
                await client.keys.create("bad", ["write:*"])


async def test_who_is_no_admin_makes_no_keys(server: Guarded):
    key = await server.key("append:*", "read:*", "consume:*", "admin:order")
    for url in (server.http, server.grpc):
        async with AsyncClient(url, token=key) as client:
            with pytest.raises(Forbidden):
                await client.keys.create("mine", ["admin:*"])
            with pytest.raises(Forbidden):
                await client.keys.list()


async def test_a_key_expires(server: Guarded):
    key = await server.key("read:*", expires_in_s=6.0)
    assert await server.status(f"Bearer {key}") == 200
    await until_status(server, key, 401)
    assert [one.state for one in await server.store.keys.list()] == ["expired"]


@pytest.mark.parametrize(
    "authorization",
    ["Basic {}", "{}", "Bearer", "Bearer ", "Bearer  ", "Bearer {} {}", "Bearer {},", "Bearer é{}"],
)
async def test_what_is_no_bearer(server: Guarded, authorization: str):
    key = await server.key("read:*")
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": authorization.replace("{}", key)}
        async with session.get(f"{server.http}/v1/head", headers=headers) as answer:
            assert answer.status in (400, 401)
            assert key not in await answer.text()


async def test_two_headers_are_none(server: Guarded):
    key = await server.key("read:*")
    headers = [("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {key}")]
    async with aiohttp.ClientSession() as session, session.get(f"{server.http}/v1/head", headers=headers) as answer:
        assert answer.status == 401
    async with grpc.aio.insecure_channel(server.grpc.removeprefix("grpc://")) as channel:
        call = channel.unary_unary("/indelible.v1.EventStore/GetHead")
        metadata = tuple((name.lower(), value) for name, value in headers)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(b"", metadata=metadata)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
        await call(b"", metadata=metadata[:1])


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "ä", "a" * 9_000])
def test_a_client_takes_no_token_that_is_none(token: str):
    with pytest.raises(InvalidRequest) as refused:
        AsyncClient("http://127.0.0.1:1", token=token)
    assert refused.value.pointer == "/token"
    assert token == "" or token not in str(refused.value)


async def test_revoking_holds_on_every_server_and_ends_streams(postgres: PostgresServer):
    """Two servers of one store: a key that is revoked at one is refused by the other within the bound."""
    url = postgres.new_database()
    async with guarded(store_url=url) as first, guarded(store_url=url) as second:
        admin, key = await first.key("admin:*"), await first.key("read:*", "append:order", "consume:*")
        await first.store.groups.create("g")
        waiting = [(end, transport) for end in (until_stream_ends, until_pull_ends) for transport in ("http", "grpc")]
        ends = [asyncio.create_task(end(second, transport, key)) for end, transport in waiting]
        async with AsyncClient(second.http, token=key) as client:
            await client.append("order", "1", [NewEvent("OrderPlaced", {})])
            async with AsyncClient(first.grpc, token=admin) as administrator:
                await administrator.keys.revoke(key_id_of(key))
            revoked_at = time.monotonic()
            async with asyncio.timeout(60), held_up() as lost_s:
                while True:
                    try:
                        await client.append("order", "1", [NewEvent("OrderPlaced", {})])
                    except Unauthenticated:
                        break
                    await asyncio.sleep(0.05)
                assert time.monotonic() - revoked_at < 5 + sum(lost_s)
                ended_at = [await one for one in ends]
            assert max(ended_at) - revoked_at < 5 + sum(lost_s)


async def until_pull_ends(server: Guarded, transport: str, key: str) -> float:
    """When a member that waits for events is refused."""
    async with AsyncClient(url_of(server, transport), token=key) as client:
        try:
            while True:
                for one in await client.groups.pull("g", wait_s=30):
                    await client.groups.ack("g", [one.delivery_id])
        except Unauthenticated:
            return time.monotonic()


async def until_stream_ends(server: Guarded, transport: str, key: str) -> float:
    """When a subscription that is open is refused."""
    async with AsyncClient(url_of(server, transport), token=key) as client:
        with pytest.raises(Unauthenticated):
            async for _ in client.subscribe():
                pass
    return time.monotonic()


@TRANSPORTS
@pytest.mark.parametrize("ends", [until_stream_ends, until_pull_ends])
async def test_what_ends_as_a_key_does_is_not_left_open(
    server: Guarded, transport: str, ends: Callable[[Guarded, str, str], Awaitable[float]], monkeypatch
):
    """The key ends once the call is let in, and before anybody watches the key."""
    key = await server.key("read:*", "consume:*")
    await server.store.groups.create("g")
    assert await server.status(f"Bearer {key}") == 200
    authenticator = server.authenticator
    ring, principal = authenticator._ring, authenticator.principal
    assert ring is not None

    def the_last_time(credentials: Credentials) -> Principal | Awaitable[Principal]:
        found = principal(credentials)
        ring.known.clear()
        ring._records.clear()
        return found

    monkeypatch.setattr(authenticator, "principal", the_last_time)
    async with asyncio.timeout(20):
        await ends(server, transport, key)


async def test_what_is_done_before_its_end_is_told_of_is_left_alone(server: Guarded):
    ended: list[str] = []
    with server.authenticator.watching(Credentials("gone"), lambda: ended.append("short")):
        pass
    with server.authenticator.watching(Credentials("gone"), lambda: ended.append("long")):
        await asyncio.sleep(0)
    with server.authenticator.watching(Credentials(certificate_names=("a",)), lambda: ended.append("certificate")):
        await asyncio.sleep(0)
    assert ended == ["long"]


async def test_a_server_that_cannot_look_refuses_keys(monkeypatch: pytest.MonkeyPatch):
    """And says so in readiness; a stream that was open ends, and all is well once it can."""
    async with guarded() as server:
        key = await server.key("read:*")
        assert await server.status(f"Bearer {key}") == 200
        read_feed = server.store.read_feed

        async def out_of_reach(*_: object, **__: object) -> None:
            raise Unavailable("the database is out of reach")

        ring = server.authenticator._ring
        assert ring is not None
        monkeypatch.setattr(ring, "_store", type("Store", (), {"read_feed": staticmethod(out_of_reach)})())
        cut_at = time.monotonic()
        async with held_up() as lost_s:
            await until_status(server, key, 503)
        assert time.monotonic() - cut_at < KEYS_FRESH_S + 2 + sum(lost_s)
        status, problem = await server.answer(f"Bearer {key}")
        assert (status, problem["code"]) == (503, "unavailable")
        with pytest.raises(IndelibleError, match="keys is not ready"):
            await server.services.check_ready()
        monkeypatch.setattr(ring, "_store", type("Store", (), {"read_feed": staticmethod(read_feed)})())
        await until_status(server, key, 200)
        await server.services.check_ready()
