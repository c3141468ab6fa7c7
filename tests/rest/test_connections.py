"""Connections that stall, and connections that are too many."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from indelible.core.open import open_local_store
from indelible.server.http import connection
from rest.calls import connected, new_path
from serving import serving_in_a_thread

IDLE_S = 0.4


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Of a server with bounds small enough to reach."""
    monkeypatch.setattr(connection, "KEEP_ALIVE_S", IDLE_S)
    monkeypatch.setattr(connection, "CONNECTIONS_MAX", 3)
    with serving_in_a_thread(open_local_store("memory:")) as url:
        host, port = url.removeprefix("http://").split(":")
        yield host, int(port)


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"GET /v1/head HTT",
        b"GET /v1/head HTTP/1.1\r\nHost: x\r\n",
        b"POST /v1/append HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"POST /v1/append HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_the_rest_of_a_request_may_not_stay_away(address: tuple[str, int], part: bytes):
    with socket.create_connection(address, timeout=10) as connection:
        started = time.monotonic()
        connection.sendall(part)
        assert connection.recv(100) == b""
        assert IDLE_S * 0.9 <= time.monotonic() - started < 5


def test_a_sender_that_is_slow_but_goes_on_is_served(address: tuple[str, int]):
    request = b"POST /v1/append HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    step = len(request) // 4
    with socket.create_connection(address, timeout=10) as connection:
        for start in range(0, len(request), step):
            time.sleep(IDLE_S / 2)
            connection.sendall(request[start : start + step])
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_one_connection_too_many_is_told_so(address: tuple[str, int]):
    url = f"http://{address[0]}:{address[1]}"
    with ExitStack() as stack:
        for _ in range(3):
            assert stack.enter_context(connected(url)).get("/livez").status == 200
        answer = stack.enter_context(connected(url)).get("/livez")
        answer.problem(503, "overloaded")
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    time.sleep(0.1)
    with connected(url) as api:
        assert api.get("/livez").status == 200


@pytest.mark.parametrize("offer", ["Upgrade: h2c", "upgrade: websocket", "Upgrade: TLS/1.0, h2c"])
def test_an_offer_of_another_protocol_is_passed_over(address: tuple[str, int], offer: str):
    body = b'{"events":[{"event_type":"E","event_data":"\\r\\nUpgrade: x"}]}'
    head = (
        f"POST {new_path()}/events HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n{offer}\r\n"
        f"HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(address, timeout=10) as connection:
        for parts in ([head + body], [head, body]):
            for part in parts:
                connection.sendall(part)
                time.sleep(0.05)
            assert connection.recv(1000).startswith(b"HTTP/1.1 201 ")
