"""TLS on both ports, in this process: who is let in, what of, and what a handshake may hold."""

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.errors import IndelibleError, InvalidRequest, Unavailable
from indelible.events import NewEvent
from indelible.server import accepting
from indelible.server.config import Address
from indelible.server.grpc.connection import Connection as GrpcConnection
from indelible.server.grpc.exchange import Exchange as GrpcExchange
from indelible.server.grpc.site import Site as GrpcSite
from indelible.server.http.connection import serving
from indelible.server.http.exchange import Exchange
from indelible.server.http.messages import Response
from indelible.server.network_settings import TlsSettings
from indelible.server.process import listen
from indelible.server.tls import Certificates
from network.authority import Authority
from rest.raw import get
from serving import serving_in_a_thread


class Served(NamedTuple):
    url: str
    authority: Authority
    settings: TlsSettings

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.partition("://")[2].partition(":")
        return host, int(port)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def settings(authority: Authority) -> TlsSettings:
    certificate, key = authority.certify("server", "127.0.0.1")
    return TlsSettings(str(certificate), str(key), str(authority.ca))


@pytest.fixture(scope="module", params=["http", "grpc"])
def served(request: pytest.FixtureRequest, authority: Authority, settings: TlsSettings) -> Iterator[Served]:
    with serving_in_a_thread(open_local_store("memory:"), request.param, tls=settings) as url:
        yield Served(url, authority, settings)


async def _append(url: str, **settings: object) -> int:
    async with AsyncClient(url, retry_total_s=0, **settings) as client:  # type: ignore[arg-type]  # as they come
        return (await client.append("order", "1", [NewEvent("Placed", {"n": 1})])).version


async def test_everything_goes_over_tls(served: Served):
    assert served.url.startswith(("https://", "grpcs://"))
    async with AsyncClient(served.url, tls_ca=served.authority.ca) as client:
        large = "x" * 900_000
        stored = await client.append("order", "large", [NewEvent("Placed", {"text": large}) for _ in range(4)])
        assert stored.version == 4
        assert [event.event_data["text"] async for event in client.iter_aggregate("order", "large")] == [large] * 4
        subscription = client.subscribe()
        assert (await anext(subscription)).aggregate_id in ("1", "large")
        await subscription.aclose()


@pytest.mark.parametrize("ca", [None, "other"])
async def test_a_server_that_is_not_trusted_is_named_at_once(served: Served, ca: str | None, tmp_path: Path):
    trusted = None if ca is None else Authority(tmp_path).ca
    with pytest.raises(InvalidRequest, match=r"is not trusted: give .* tls_ca") as caught:
        async with AsyncClient(served.url, tls_ca=trusted) as client:
            await client.head()
    assert caught.value.pointer == "/tls_ca"


async def test_a_server_by_a_name_that_is_not_its_own(served: Served):
    url = served.url.replace("127.0.0.1", "localhost")
    with pytest.raises(InvalidRequest, match="is not trusted"):
        await _append(url, tls_ca=served.authority.ca)


@pytest.mark.parametrize("name", ["tls_ca", "tls_certificate", "tls_key"])
async def test_the_client_names_a_file_that_is_missing(served: Served, name: str, tmp_path: Path):
    certificate, _ = served.authority.certify("client", common_name="client")
    files = {"tls_certificate": certificate, name: tmp_path / "none"}
    with pytest.raises(InvalidRequest, match=r"cannot read .*none") as caught:
        await _append(served.url, **files)
    assert caught.value.pointer == f"/{name}"


async def test_a_certificate_of_the_caller_is_taken_if_the_ca_made_it(served: Served, tmp_path: Path):
    certificate, key = served.authority.certify("client", common_name="orders")
    assert await _append(served.url, tls_ca=served.authority.ca, tls_certificate=certificate, tls_key=key) > 0
    strange, strange_key = Authority(tmp_path).certify("strange", common_name="orders")
    with pytest.raises(IndelibleError):
        await _append(served.url, tls_ca=served.authority.ca, tls_certificate=strange, tls_key=strange_key)


async def test_a_caller_without_tls_is_cut_off(served: Served):
    with pytest.raises(IndelibleError):
        await _append(served.url.replace("https:", "http:").replace("grpcs:", "grpc:"))
    assert await _append(served.url, tls_ca=served.authority.ca) > 0


def _shake_hands(served: Served, maximum: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=served.authority.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if maximum is not None:
        context.maximum_version = maximum
    context.set_alpn_protocols(["h2", "http/1.1"])
    connected = socket.create_connection(served.address, timeout=60)
    return context.wrap_socket(connected, server_hostname="127.0.0.1")


def test_what_is_agreed_on(served: Served):
    with _shake_hands(served) as connection:
        assert (connection.version(), connection.compression()) == ("TLSv1.3", None)
        assert connection.selected_alpn_protocol() == ("h2" if served.url.startswith("grpcs") else "http/1.1")
        assert connection.session is None or not connection.session.has_ticket


def test_an_older_version_on_request_alone(served: Served, authority: Authority, settings: TlsSettings):
    with pytest.raises((ssl.SSLError, OSError)):
        _shake_hands(served, ssl.TLSVersion.TLSv1_2)
    older = msgspec.structs.replace(settings, minimum_version="1.2")
    with (
        serving_in_a_thread(open_local_store("memory:"), tls=older) as url,
        _shake_hands(Served(url, authority, older), ssl.TLSVersion.TLSv1_2) as connection,
    ):
        assert connection.version() == "TLSv1.2"


# --- What a connection knows of its caller ---------------------------------------------------------------------------


async def _say_names(exchange: Exchange) -> None:
    exchange.answer(Response(200, json.dumps(exchange.connection.certificate_names).encode()))


def _context(authority: Authority, alpn: str, *certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.ca)
    context.set_alpn_protocols([alpn])
    if certificate:
        context.load_cert_chain(*certificate)
    return context


async def test_the_names_in_the_callers_certificate_are_handed_on(authority: Authority, settings: TlsSettings):
    own = authority.certify("named", "orders.example", "ops@example.org", common_name="orders")
    async with _guarded(settings) as port:
        found = []
        for certificate in (own, ()):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=_context(authority, "http/1.1", *certificate)
            )
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            found.append(json.loads((await reader.read()).partition(b"\r\n\r\n")[2]))
            writer.close()
    assert found == [["orders", "orders.example", "ops@example.org"], []]


async def test_over_grpc_too(authority: Authority, settings: TlsSettings):
    seen: list[tuple[str, ...]] = []

    def begin(exchange: GrpcExchange) -> None:
        seen.append(exchange.connection.certificate_names)

    own = authority.certify("named", common_name="orders")
    site = GrpcSite(begin)
    listener = listen(Address("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = await accepting.accept(listener, lambda: GrpcConnection(site), site, Certificates(settings), "h2")
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=_context(authority, "h2", *own))
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
    # A POST to /x, by HPACK's static table and literals.
    block = b"\x83\x86\x44\x02/x\x41\x01h"
    writer.write(len(block).to_bytes(3, "big") + b"\x01\x05" + (1).to_bytes(4, "big") + block)
    for _ in range(6_000):
        if seen:
            break
        await asyncio.sleep(0.01)
    assert seen == [("orders",)]
    writer.close()
    server.close()
    await site.close()


# --- Handshakes that are not finished --------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _guarded(settings: TlsSettings) -> AsyncIterator[int]:
    async with serving(
        _say_names, Address("127.0.0.1", 0), shutdown_grace_s=1, certificates=Certificates(settings)
    ) as url:
        yield int(url.rpartition(":")[2])


async def _ask(authority: Authority, port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=_context(authority, "http/1.1"))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_handshake_that_does_not_end_is_ended(
    authority: Authority, settings: TlsSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(accepting, "TLS_HANDSHAKE_S", 3.0)
    async with _guarded(settings) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        assert (await _ask(authority, port)).startswith(b"HTTP/1.1 200 ")
        began = time.monotonic()
        for reader, writer in silent:
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 60) == b""
            writer.close()
        assert time.monotonic() - began < 30


async def test_who_is_slow_at_it_gives_way(
    authority: Authority, settings: TlsSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(accepting, "TLS_HANDSHAKES_MAX", 4)
    async with _guarded(settings) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
        for reader, writer in silent[:8]:
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 60) == b""
            writer.close()
        assert (await _ask(authority, port)).startswith(b"HTTP/1.1 200 ")
        for _, writer in silent[8:]:
            writer.close()


async def test_an_open_connection_keeps_its_certificate_and_a_new_one_gets_the_new(tmp_path: Path):
    authority = Authority(tmp_path)
    certificate, key = authority.certify("server", "127.0.0.1")
    certificates = Certificates(TlsSettings(str(certificate), str(key)))
    async with serving(_say_names, Address("127.0.0.1", 0), shutdown_grace_s=1, certificates=certificates) as url:
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=_context(authority, "http/1.1"))
        first = writer.get_extra_info("peercert")["serialNumber"]
        authority.certify("server", "127.0.0.1", days=60)
        keeping_up = asyncio.create_task(certificates.keep_up())
        certificates.look_now()
        expires = certificates.expires
        for _ in range(6_000):
            if certificates.expires != expires:
                break
            await asyncio.sleep(0.01)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        _, other = await asyncio.open_connection("127.0.0.1", port, ssl=_context(authority, "http/1.1"))
        assert other.get_extra_info("peercert")["serialNumber"] != first
        for each in (writer, other):
            each.close()
        keeping_up.cancel()


async def test_a_caller_that_ends_tls_amid_a_request_is_gone(served: Served):
    """The end of TLS is one of both directions; nobody complains of it in the log."""
    if served.url.startswith("grpcs"):
        pytest.skip("a connection of HTTP/1.1")
    context = _context(served.authority, "http/1.1")
    for sent in (b"", get("/v1/events", "Accept: text/event-stream"), b"POST /v1/append HT"):
        _, writer = await asyncio.open_connection(*served.address, ssl=context)
        writer.write(sent)
        await writer.drain()
        writer.close()
        with contextlib.suppress(ssl.SSLError):
            # What was on its way.
            await writer.wait_closed()
    assert await _append(served.url, tls_ca=served.authority.ca) > 0


async def test_a_server_that_is_not_there_is_out_of_reach_as_ever(authority: Authority):
    with pytest.raises(Unavailable):
        await _append("https://127.0.0.1:1", tls_ca=authority.ca)
