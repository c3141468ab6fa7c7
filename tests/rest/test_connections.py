"""Connections that stall, and connections that are too many."""

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from indelible.core.open import open_local_store
from indelible.server.http import connection
from rest.calls import connected, new_path
from rest.raw import get, post
from serving import serving_in_a_thread

IDLE_S = 1.5
"""Long against what a busy machine lets a sender sleep too long."""


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
    with socket.create_connection(address, timeout=60) as connection:
        started = time.monotonic()
        connection.sendall(part)
        assert connection.recv(100) == b""
        assert IDLE_S * 0.9 <= time.monotonic() - started < 30


def test_a_sender_that_is_slow_but_goes_on_is_served(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "KEEP_ALIVE_S", 4 * IDLE_S)
    request = b"POST /v1/append HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    step = len(request) // 4
    with socket.create_connection(address, timeout=60) as sender:
        for start in range(0, len(request), step):
            time.sleep(IDLE_S)
            sender.sendall(request[start : start + step])
        assert sender.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        (b"GET /v1/head HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"x" * 10_000, "headers"),
        (b"POST /v1/append HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n" + b" " * 9_999, "body"),
    ],
)
def test_a_sender_that_only_ever_goes_on_is_cut_off(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch, request_: bytes, what: str
):
    """Whoever sends a byte now and then is never silent for long."""
    monkeypatch.setattr(connection, "HEAD_S", 0.6)
    monkeypatch.setattr(connection, "BODY_S", 0.6)
    monkeypatch.setattr(connection, "KEEP_ALIVE_S", 60)
    head_ends = request_.find(b"\r\n\r\n") + 4
    with socket.create_connection(address, timeout=60) as sender:
        sender.sendall(request_[:head_ends] if what == "body" else request_[:20])
        sender.settimeout(0.05)
        for at in range(head_ends if what == "body" else 20, len(request_)):
            try:
                sender.sendall(request_[at : at + 1])
                answer = sender.recv(1000)
            except TimeoutError:
                continue
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert f"the {what}".encode() in answer or f"and {what}".encode() in answer
            return
    raise AssertionError("it was never cut off")


def test_one_connection_too_many_is_told_so(address: tuple[str, int]):
    url = f"http://{address[0]}:{address[1]}"
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(_subscriber(address))
        answer = stack.enter_context(connected(url)).get("/livez")
        answer.problem(503, "overloaded")
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    give_up_at = time.monotonic() + 30
    while True:  # until the server has seen that the others are gone
        with connected(url) as api:
            if api.get("/livez").status == 200:
                break
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


@pytest.mark.parametrize("offer", ["Upgrade: h2c", "upgrade: websocket", "Upgrade: TLS/1.0, h2c"])
def test_an_offer_of_another_protocol_is_passed_over(address: tuple[str, int], offer: str):
    body = b'{"events":[{"event_type":"E","event_data":"\\r\\nUpgrade: x"}]}'
    head = (
        f"POST {new_path()}/events HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n{offer}\r\n"
        f"HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(address, timeout=60) as connection:
        for parts in ([head + body], [head, body]):
            for part in parts:
                connection.sendall(part)
                time.sleep(0.05)
            assert connection.recv(1000).startswith(b"HTTP/1.1 201 ")


def _subscriber(address: tuple[str, int]) -> socket.socket:
    """Somebody who is being answered for as long as the connection is open."""
    subscriber = socket.create_connection(address, timeout=60)
    subscriber.sendall(get("/v1/events", "Accept: text/event-stream"))
    assert subscriber.recv(100).startswith(b"HTTP/1.1 200 ")
    return subscriber


def test_connections_that_are_there_are_served_while_others_are_refused(address: tuple[str, int]):
    with ExitStack() as stack:
        subscribers = [stack.enter_context(_subscriber(address)) for _ in range(3)]
        with connected(f"http://{address[0]}:{address[1]}") as api:
            api.get("/livez").problem(503, "overloaded")
        for each in subscribers:
            # What has come since may be there still, but no end.
            each.setblocking(False)
            with suppress(BlockingIOError):
                assert each.recv(1000) != b""


def test_who_says_nothing_gives_way_first(address: tuple[str, int]):
    url = f"http://{address[0]}:{address[1]}"
    with ExitStack() as stack:
        served = stack.enter_context(connected(url))
        assert served.get("/livez").status == 200
        silent = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(2)]
        silent[1].sendall(b"GET /livez HTTP/1.1\r\n")
        assert stack.enter_context(connected(url)).get("/livez").status == 200
        for each in silent:
            with suppress(ConnectionResetError):
                assert each.recv(100) == b""


def test_a_reader_that_never_takes_its_answer_is_dropped(address: tuple[str, int]):
    """It asks, and the answer is more than its sockets hold; then nothing moves any more."""
    path = new_path()
    url = f"http://{address[0]}:{address[1]}"
    with connected(url) as api:
        big = {"events": [{"event_type": "E", "event_data": "x" * 900_000}] * 12}
        assert api.post(f"{path}/events", big).status == 201
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader.connect(address)
        reader.sendall(get(f"{path}/events") * 20)
        time.sleep(IDLE_S * 8)
        found = bytearray()
        with contextlib.suppress(ConnectionResetError):
            reader.settimeout(60)
            while part := reader.recv(1 << 20):
                found += part
    assert found.count(b"HTTP/1.1 200 OK") < 20


def test_a_caller_that_goes_while_it_is_answered_leaves_no_error_behind(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
):
    path = new_path()
    sent = post(f"{path}/events", b'{"events":[{"event_type":"E","event_data":1}]}')
    for _ in range(20):
        # Of the others some may be there still, and then this one is told that it is too many.
        with socket.create_connection(address, timeout=60) as connection, suppress(ConnectionError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(sent * 20)
    give_up_at = time.monotonic() + 60
    while True:
        with connected(f"http://{address[0]}:{address[1]}") as api:
            if api.get("/livez").status == 200:
                break
        assert time.monotonic() < give_up_at
    assert caplog.records == []
