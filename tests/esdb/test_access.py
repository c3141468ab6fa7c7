"""Who is let in on the port of these clients, and what their grants let them do; as kurrentdbclient shows it, over TLS:
without it the client keeps its password to itself."""

import asyncio
import threading
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import (
    AccessDeniedError,
    KurrentDBClientError,
    SSLError,
    UnauthenticatedError,
    WrongCurrentVersionError,
)

from authentication.guarded import Guarded, guarded
from authentication.test_audit import entries
from esdb.callers import append_request, status_of
from indelible.access import Principal
from indelible.client import AsyncClient
from indelible.errors import EventIdConflict
from indelible.events import AggregateKey
from indelible.events import NewEvent as NewStoredEvent
from indelible.eventstore import AggregateAppend
from indelible.keys import key_id_of, make_key
from indelible.server.esdb.store_access import store_of
from indelible.server.network_settings import TlsSettings
from network.authority import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("esdb"))


@pytest.fixture
async def server(authority: Authority) -> AsyncIterator[Guarded]:
    certificate, key = authority.certify("server", "127.0.0.1")
    async with guarded(esdb_tls=TlsSettings(str(certificate), str(key))) as found:
        yield found


class Caller:
    """kurrentdbclient, with a token. Its calls block, and the server is on the event loop."""

    def __init__(self, server: Guarded, authority: Authority, token: str, user: str = "admin") -> None:
        self._server, self._ca = server, authority.ca.read_bytes()
        self._url = f"esdb://{user}:{token}@{server.esdb}?tls=true&maxDiscoverAttempts=1"

    async def do(self, calls: Callable[[KurrentDBClient], Any]) -> Any:
        return await asyncio.to_thread(self._do, calls)

    def _do(self, calls: Callable[[KurrentDBClient], Any]) -> Any:
        client = KurrentDBClient(self._url, root_certificates=self._ca)
        try:
            return calls(client)
        finally:
            client.close()

    async def append(self, stream: str, *, events: int = 1, expected: Any = StreamState.ANY) -> Any:
        """One goes by Append, several by BatchAppend."""
        new = [NewEvent("Placed", b"{}") for _ in range(events)]
        return await self.do(lambda client: client.append_to_stream(stream, current_version=expected, events=new))


@pytest.mark.parametrize("user", ["admin", "ops", "x%40y"])
async def test_the_password_is_the_token_whatever_the_name(server: Guarded, authority: Authority, user: str):
    caller = Caller(server, authority, await server.key("append:order"), user)
    assert await caller.append("order-1") < await caller.append("order-1", events=2)


async def test_who_is_not_known_is_told_so(server: Guarded, authority: Authority):
    for token in ("changeit", make_key()):
        caller = Caller(server, authority, token)
        for events in (1, 2):
            with pytest.raises(UnauthenticatedError, match="Not Authenticated"):
                await caller.append("order-1", events=events)
    found = await entries(server, "AuthenticationFailed", 1)
    assert found[0]["address"] == "127.0.0.1"


async def test_a_key_that_is_revoked_is_refused(server: Guarded, authority: Authority):
    key = await server.key("append:*")
    caller = Caller(server, authority, key)
    await caller.append("order-1")
    await server.store.keys.revoke(key_id_of(key))
    with pytest.raises(UnauthenticatedError):
        await _go_on(caller)


async def _go_on(caller: Caller) -> None:
    """Servers hear of it within seconds."""
    async with asyncio.timeout(30):
        while True:
            await caller.append("order-1")


async def test_grants_are_for_the_aggregate_types_of_streams(server: Guarded, authority: Authority):
    caller = Caller(server, authority, await server.key("append:order"))
    for refused in ("cart-1", "orders", "$settings", "$$cart-1", "$$orders"):
        for events in (1, 2):
            with pytest.raises(AccessDeniedError):
                await caller.append(refused, events=events)
    whole = Caller(server, authority, await server.key("append:~"))
    for stream in ("orders", "$settings", "$$orders"):
        await whole.append(stream)
    with pytest.raises(AccessDeniedError):
        await whole.append("order-1")


async def test_metadata_of_a_stream_needs_the_grants_of_the_stream(server: Guarded, authority: Authority):
    appender = Caller(server, authority, await server.key("append:order"))
    await appender.append("order-1", expected=StreamState.NO_STREAM)
    await appender.do(lambda client: client.set_stream_metadata("order-1", metadata={"$maxCount": 5}))
    with pytest.raises(WrongCurrentVersionError):
        await appender.append("order-1", expected=5)
    reader = Caller(server, authority, await server.key("read:order"))
    with pytest.raises(AccessDeniedError):
        await reader.do(lambda client: client.set_stream_metadata("order-1", metadata={}))
    other = Caller(server, authority, await server.key("read:cart", "append:cart"))
    with pytest.raises(AccessDeniedError):
        await other.do(lambda client: client.set_stream_metadata("order-1", metadata={}))


async def test_metadata_takes_every_expected_revision(server: Guarded, authority: Authority):
    for i, grants in enumerate((["append:order"], ["append:order", "read:order"])):
        caller = Caller(server, authority, await server.key(*grants))
        stream = f"$$order-7{i}"
        for events in (1, 2):
            with pytest.raises(WrongCurrentVersionError):
                await caller.append(stream, events=events, expected=StreamState.EXISTS)
        await caller.append(stream, expected=StreamState.NO_STREAM)
        for events in (1, 2):
            with pytest.raises(WrongCurrentVersionError):
                await caller.append(stream, events=events, expected=StreamState.NO_STREAM)
            await caller.append(stream, events=events, expected=StreamState.EXISTS)
        await caller.append(stream, events=2, expected=3)
        for refused in ("$$cart-1", "$$orders"):
            for expected in (StreamState.NO_STREAM, StreamState.EXISTS):
                with pytest.raises(AccessDeniedError):
                    await caller.append(refused, expected=expected)


@pytest.mark.parametrize("grant", ["append:order", "read:order"])
async def test_metadata_can_be_subscribed_to_and_no_other_is_told(server: Guarded, authority: Authority, grant: str):
    whole = Caller(server, authority, await server.key("append:*"))
    for stream in ("$$order-1", "orders", "$$order-1"):
        await whole.append(stream)
    caller = Caller(server, authority, await server.key(grant))

    def follow(client: KurrentDBClient) -> list[tuple[str, int]]:
        with client.subscribe_to_stream("$$order-1") as subscription:
            seen = [next(subscription) for _ in range(2)]
            later.set()
            seen.append(next(subscription))
            return [(event.stream_name, event.stream_position) for event in seen]

    later = threading.Event()
    following = asyncio.create_task(caller.do(follow))
    await asyncio.to_thread(later.wait, 60)
    for stream in ("orders", "$$order-2", "$$order-1"):
        await whole.append(stream)
    assert await following == [("$$order-1", 0), ("$$order-1", 1), ("$$order-1", 2)]


async def test_what_has_an_id_is_not_told_to_who_appends_metadata(server: Guarded):
    event = NewStoredEvent("Hidden", {})
    await server.store.append("secret", "payroll", event)
    services, principal = server.services, Principal.of("somebody", ["append:order"])
    store = store_of(services, principal)
    one = AggregateAppend(AggregateKey("~", "$$order-1"), (event,), "any")
    for appending in (store.append("~", "$$order-1", event), store.append_atomic([one])):
        with pytest.raises(EventIdConflict) as caught:
            await appending
        assert "payroll" not in str(caught.value.fields) + str(caught.value)


async def test_who_may_do_the_same_shares_pages(server: Guarded):
    services = server.services
    one, same = (store_of(services, Principal.of(name, ["read:order", "append:cart"])) for name in ("one", "same"))
    other = store_of(services, Principal.of("one", ["read:order"]))
    assert one == same
    assert hash(one) == hash(same)
    assert one not in (other, services.store)


async def test_who_may_not_read_a_stream_does_not_delete_it_anew_by_its_metadata(server: Guarded, authority: Authority):
    whole = Caller(server, authority, await server.key("append:*", "read:*"))
    await whole.append("order-9", events=2)
    await whole.do(lambda client: client.delete_stream("order-9", current_version=StreamState.ANY))
    await whole.append("order-9")
    caller = Caller(server, authority, await server.key("append:order"))
    metadata, version = await caller.do(lambda client: client.get_stream_metadata("order-9"))
    assert metadata == {"$tb": 2}
    await caller.do(lambda client: client.set_stream_metadata("order-9", metadata=metadata, current_version=version))
    read = await whole.do(lambda client: client.get_stream("order-9"))
    assert [event.stream_position for event in read] == [2]


async def test_who_may_read_a_stream_too_may_expect_anything_and_delete_it(server: Guarded, authority: Authority):
    caller = Caller(server, authority, await server.key("read:order", "append:order"))
    await caller.append("order-2", expected=StreamState.NO_STREAM)
    for events in (1, 2):
        await caller.append("order-2", events=events, expected=StreamState.EXISTS)
        with pytest.raises(WrongCurrentVersionError):
            await caller.append("order-2", events=events, expected=StreamState.NO_STREAM)
    await caller.do(lambda client: client.delete_stream("order-2", current_version=StreamState.ANY))
    with pytest.raises(WrongCurrentVersionError):
        await caller.append("order-2", expected=StreamState.EXISTS)
    assert await caller.append("order-2", expected=StreamState.NO_STREAM)


async def test_reading_takes_grants_too(server: Guarded, authority: Authority):
    appender = Caller(server, authority, await server.key("append:*"))
    for stream in ("order-1", "cart-1", "orders"):
        await appender.append(stream, events=2)
    await appender.do(lambda client: client.set_stream_metadata("order-1", metadata={"$maxCount": 1}))
    reader = Caller(server, authority, await server.key("read:order"))
    read = await reader.do(lambda client: client.get_stream("order-1"))
    assert [event.stream_position for event in read] == [1]
    assert (await reader.do(lambda client: client.get_stream_metadata("order-1")))[0] == {"$maxCount": 1}
    found = await reader.do(lambda client: tuple(client.read_all()))
    assert {event.stream_name for event in found} == {"order-1"}
    for stream in ("cart-1", "orders", "$$cart-1"):
        with pytest.raises(AccessDeniedError):
            await reader.do(lambda client, name=stream: client.get_stream(name))
        with pytest.raises(AccessDeniedError):
            await reader.do(lambda client, name=stream: next(client.subscribe_to_stream(name)))


async def test_a_subscription_ends_when_its_key_is_revoked(server: Guarded, authority: Authority):
    key = await server.key("read:order", "append:order")
    caller = Caller(server, authority, key)
    await caller.append("order-1")

    def follow(client: KurrentDBClient) -> None:
        with client.subscribe_to_stream("order-1") as subscription:
            seen.extend(event.stream_position for event in subscription)

    seen: list[int] = []
    following = asyncio.create_task(caller.do(follow))
    async with asyncio.timeout(60):
        while not seen:  # noqa: ASYNC110 - it is filled in a thread
            await asyncio.sleep(0.02)
        await server.store.keys.revoke(key_id_of(key))
        with pytest.raises(UnauthenticatedError):
            await following


@pytest.fixture
def other(tmp_path: Path) -> bytes:
    """The certificate of another authority."""
    return Authority(tmp_path).ca.read_bytes()


async def test_who_asks_without_tls_gets_an_end_and_who_does_not_trust_says_so(
    server: Guarded, authority: Authority, other: bytes
):
    def append(url: str, ca: bytes | None = None) -> None:
        client = KurrentDBClient(url, root_certificates=ca)
        try:
            client.append_to_stream("order-1", current_version=StreamState.ANY, events=NewEvent("A", b"{}"), timeout=30)
        finally:
            client.close()

    with pytest.raises(KurrentDBClientError):
        await asyncio.to_thread(append, f"esdb://{server.esdb}?tls=false&maxDiscoverAttempts=1")
    with pytest.raises(SSLError):
        await asyncio.to_thread(append, f"esdb://a:b@{server.esdb}?tls=true&maxDiscoverAttempts=1", other)


# --- What only a caller of one's own says ----------------------------------------------------------------------------


@pytest.fixture
async def plain() -> AsyncIterator[Guarded]:
    async with guarded() as found:
        yield found


async def test_both_headers_are_taken_and_others_are_not(plain: Guarded):
    key = await plain.key("append:order")
    for header in (f"Bearer {key}", basic("", key), basic("admin", key), basic("ad:min", key)):
        expected = grpc.StatusCode.UNAUTHENTICATED if "ad:min" in _plain(header) else grpc.StatusCode.OK
        assert (await status_of(plain.esdb, append_request("order-1"), header))[0] is expected, header
    for header in (None, "Basic", "Basic ?", "Basic YWRtaW4=", f"Basic {key}", "Digest a", ""):
        code, trailers = await status_of(plain.esdb, append_request("order-1"), header)
        assert (code, trailers.get("exception")) == (grpc.StatusCode.UNAUTHENTICATED, "not-authenticated"), header


async def test_a_refusal_names_what_is_missing(plain: Guarded):
    key = await plain.key("append:order")
    code, trailers = await status_of(plain.esdb, append_request(f"cart-{uuid4()}"), f"Bearer {key}")
    assert (code, trailers["exception"]) == (grpc.StatusCode.PERMISSION_DENIED, "access-denied")
    assert trailers["indelible-code"] == "forbidden"
    async with AsyncClient(plain.http, token=await plain.key("read:*")) as client:
        assert (await client.head()).position > 0


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _plain(header: str) -> str:
    kind, _, text = header.partition(" ")
    return b64decode(text).decode() if kind == "Basic" else ""
