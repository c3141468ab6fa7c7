"""Bodies, heads and connections over their bounds: a clear answer, and a connection that is usable or closed."""

import socket
import time
from collections.abc import Iterator

import pytest

from indelible.core.open import open_local_store
from indelible.limits import (
    DISCARDED_BODY_SIZE_BYTES_MAX,
    HEADER_SIZE_BYTES_MAX,
    REQUEST_SIZE_BYTES_MAX,
    SEARCH_REQUEST_SIZE_BYTES_MAX,
)
from indelible.server import services
from rest.calls import Api, connected, events, new_path
from serving import serving_in_a_thread

MIB = 1024 * 1024


@pytest.fixture
def raw(url: str) -> Iterator[socket.socket]:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        yield connection


def _read_all(connection: socket.socket) -> bytes:
    """Until the server closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("path", ["/v1/aggregates/account/too-large/events", "/v1/append", "/v1/batch"])
def test_a_body_over_16_mib_leaves_the_connection_usable(unchanged: Api, path: str):
    problem = unchanged.post(path, bytes(REQUEST_SIZE_BYTES_MAX + 1)).problem(413, "payload_too_large", "")
    assert problem["size_bytes_max"] == REQUEST_SIZE_BYTES_MAX


def test_a_search_over_1_mib_leaves_the_connection_usable(unchanged: Api):
    problem = unchanged.post("/v1/search", bytes(SEARCH_REQUEST_SIZE_BYTES_MAX + 1)).problem(413, "payload_too_large")
    assert problem["size_bytes_max"] == SEARCH_REQUEST_SIZE_BYTES_MAX
    assert str(SEARCH_REQUEST_SIZE_BYTES_MAX) in problem["detail"]
    body = b'{"query":7' + b" " * (SEARCH_REQUEST_SIZE_BYTES_MAX - 11) + b"}"
    unchanged.post("/v1/search", body).problem(400, "invalid_request", "/query")


def test_a_body_of_16_mib_is_read(unchanged: Api):
    body = b'{"events":[' + b" " * (REQUEST_SIZE_BYTES_MAX - 13) + b"]}"
    unchanged.post(f"{new_path()}/events", body).problem(400, "invalid_request", "/events")


def test_a_chunked_body_without_end_is_answered_and_cut_off(url: str):
    def chunks() -> Iterator[bytes]:
        for _ in range(REQUEST_SIZE_BYTES_MAX // MIB + 2):
            yield bytes(MIB)

    with connected(url) as api:
        api.connection.request("POST", "/v1/append", body=chunks(), encode_chunked=True,
                               headers={"transfer-encoding": "chunked"})  # fmt: skip
        response = api.connection.getresponse()
        assert (response.status, response.headers["connection"]) == (413, "close")
        assert b"payload_too_large" in response.read()


def test_a_body_far_too_long_is_answered_before_it_is_sent(raw: socket.socket):
    length = DISCARDED_BODY_SIZE_BYTES_MAX + 1
    raw.sendall(f"POST /v1/append HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
    answer = raw.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


def test_all_bodies_together_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(services, "BODIES_SIZE_BYTES_MAX", MIB)
    size = MIB * 3 // 4
    with serving_in_a_thread(open_local_store("memory:")) as url, connected(url) as slow, connected(url) as other:
        slow.connection.putrequest("POST", "/v1/append")
        slow.connection.putheader("content-length", str(size))
        slow.connection.endheaders()
        slow.connection.send(bytes(size - 1))
        time.sleep(0.2)
        give_up_at = time.monotonic() + 60
        while (answer := other.post("/v1/append", bytes(size))).status == 400:
            assert time.monotonic() < give_up_at, "the body that is on its way does not count"
        answer.problem(503, "overloaded")
        assert answer.headers["retry-after"] == "1"
        slow.connection.send(b"x")
        assert slow.connection.getresponse().read().startswith(b'{"type":"urn:indelible:error:invalid_request"')
        for _ in range(3):
            other.post("/v1/append", bytes(size)).problem(400, "invalid_request")


def test_a_sender_that_asks_first_is_told_before_it_sends(raw: socket.socket):
    raw.sendall(b"POST /v1/append HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n")
    answer = _read_all(raw)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


def test_a_sender_that_asks_first_may_go_on(raw: socket.socket):
    head = "POST /v1/append HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    raw.sendall(head.encode())
    assert raw.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    raw.sendall(b"{}")
    assert raw.recv(65536).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("pieces", [1, 50])
def test_a_head_over_its_bound(raw: socket.socket, pieces: int):
    head = b"GET /v1/head HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"x" * HEADER_SIZE_BYTES_MAX + b"\r\n\r\n"
    size = len(head) // pieces + 1
    for start in range(0, len(head), size):
        raw.sendall(head[start : start + size])
    answer = raw.recv(65536)
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b'"code":"payload_too_large"' in answer


def test_a_head_without_end(raw: socket.socket):
    raw.sendall(b"GET /v1/head HTTP/1.1\r\nX-Long: " + b"x" * HEADER_SIZE_BYTES_MAX)
    assert _read_all(raw).startswith(b"HTTP/1.1 431 ")


def test_a_long_query_string_within_the_bound(api: Api):
    names = "&".join(f"event_type={'x' * 200}{i}" for i in range(120))
    assert api.get(f"/v1/events?{names}").status == 200


@pytest.mark.parametrize(
    "garbage", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\x16\x03\x01\x02\x00"]
)
def test_what_is_not_http(raw: socket.socket, garbage: bytes):
    raw.sendall(garbage)
    answer = _read_all(raw)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert b'"code":"invalid_request"' in answer


def test_pipelined_requests_are_answered_in_order(raw: socket.socket, api: Api):
    path = new_path()
    assert api.post(f"{path}/events", events(1)).status == 201
    one = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"
    raw.sendall((one + "GET /v1/nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").encode())
    answer = _read_all(raw)
    assert answer.index(b"HTTP/1.1 200 ") < answer.index(b"HTTP/1.1 404 ")
