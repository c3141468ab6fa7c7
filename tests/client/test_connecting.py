"""What a connection that fails is called, and what is said of a URL that names another protocol."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from indelible import AsyncClient, Client, IndelibleError, InvalidRequest, Unavailable
from indelible.client.connecting import cannot_connect, reason_of, reason_of_grpc
from indelible.core.open import open_local_store
from indelible.server.network_settings import TlsSettings
from network.authority import Authority
from serving import serving_in_a_thread

REFUSED = (
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote host: "
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 8079)"), "connection refused"),
        (OSError(113, "Connect call failed ('10.0.0.1', 8079)"), "no route to host"),
        (socket.gaierror(-2, "Name or service not known"), "no host has this name"),
        (ConnectionResetError(), "the connection was closed"),
        (OSError("Multiple exceptions: one, another"), "Multiple exceptions: one, another"),
    ],
)
def test_what_the_system_says(error: OSError, said: str):
    assert str(cannot_connect("http://user:secret@orders:8079", reason_of(error))) == (
        f"cannot connect to orders:8079: {said}"
    )


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (REFUSED + "Connection refused", "connection refused"),
        (REFUSED + "connect: No route to host (113)", "no route to host"),
        (
            "failed to connect to all addresses; last error: UNAVAILABLE: ipv6:%5B::1%5D:1: Socket closed",
            "the connection was closed",
        ),
        ("errors resolving no.where:1: [field:hostname lookup error:… Domain name not found]", "no host has this name"),
        ("DNS resolution failed for no.where:1: C-ares status is not ARES_SUCCESS", "no host has this name"),
        ("failed to connect to all addresses", "failed to connect to all addresses"),
    ],
)
def test_what_grpc_says(message: str, said: str):
    assert reason_of_grpc(message) == said


@pytest.mark.parametrize("scheme", ["http", "https", "grpc", "grpcs"])
async def test_nobody_there(scheme: str):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        async with AsyncClient(f"{scheme}://{address}", retry_total_s=0) as client:
            with pytest.raises(Unavailable) as caught:
                await client.head()
    assert caught.value.message == f"cannot connect to {address}: connection refused; nothing was changed"


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/events/v1"])
@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_url_of_an_api_instead_of_a_server(scheme: str, path: str):
    with pytest.raises(InvalidRequest, match="must be the address alone, without /v1") as caught:
        AsyncClient(f"{scheme}://127.0.0.1:8080{path}")
    assert caught.value.pointer == "/url"


class Served:
    """The same store's ports by what is spoken there: HTTP and gRPC, and HTTP over TLS."""

    def __init__(self, ports: dict[str, str]) -> None:
        self._addresses = {name: url.partition("://")[2] for name, url in ports.items()}

    async def error_of(self, scheme: str, port: str) -> IndelibleError:
        async with AsyncClient(f"{scheme}://{self._addresses[port]}", retry_total_s=0) as client:
            with pytest.raises(IndelibleError) as caught:
                await client.head()
        return caught.value


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory: Path = tmp_path_factory.mktemp("authority")
    authority = Authority(directory)
    certificate, key = authority.certify("server", "127.0.0.1")
    tls = TlsSettings(str(certificate), str(key))
    with (
        serving_in_a_thread(open_local_store("memory:")) as http,
        serving_in_a_thread(open_local_store("memory:"), "grpc") as grpc,
        serving_in_a_thread(open_local_store("memory:"), tls=tls) as https,
    ):
        yield Served({"http": http, "grpc": grpc, "https": https})


@pytest.mark.parametrize(
    ("scheme", "port", "said"),
    [
        ("https", "http", "does not speak TLS: the URL must begin with http:, or has the wrong port"),
        ("grpcs", "grpc", "does not speak TLS: the URL must begin with grpc:, or has the wrong port"),
        ("grpc", "http", "speaks HTTP and not gRPC: the URL must begin with http:, or has the wrong port"),
        ("http", "grpc", "speaks gRPC and not HTTP: the URL must begin with grpc:, or has the wrong port"),
        ("https", "https", "is not trusted: give the certificate of the CA"),
    ],
)
async def test_another_protocol_is_named_at_once(served: Served, scheme: str, port: str, said: str):
    error = await served.error_of(scheme, port)
    assert isinstance(error, InvalidRequest), error
    assert said in error.message
    assert error.pointer == ("/tls_ca" if port == "https" else "/url")


@pytest.mark.parametrize("scheme", ["http", "grpc"])
async def test_a_server_that_hangs_up_may_speak_tls(served: Served, scheme: str):
    error = await served.error_of(scheme, "https")
    assert f"the connection was closed (if it speaks TLS, the URL begins with {scheme}s:)" in error.message


async def test_the_environment_names_the_store(monkeypatch: pytest.MonkeyPatch):
    for kind in (AsyncClient, Client):
        monkeypatch.delenv("INDELIBLE_URL", raising=False)
        with pytest.raises(InvalidRequest, match="set INDELIBLE_URL in the environment") as caught:
            kind()
        assert caught.value.pointer == "/url"
        monkeypatch.setenv("INDELIBLE_URL", "carrier-pigeon:")
        with pytest.raises(InvalidRequest, match="is not the URL of a store"):
            kind()
        monkeypatch.setenv("INDELIBLE_URL", "memory:")
        assert kind().url == "memory:"
        assert kind("http://127.0.0.1:1").url == "http://127.0.0.1:1"
