"""Requests that are sent ahead: each gets its answer, in order, and none costs memory that is not bounded."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

from indelible.core.open import open_local_store
from indelible.limits import HEADER_SIZE_BYTES_MAX
from rest.calls import Api, events, new_path
from rest.group_calls import Group
from rest.raw import chunked, exchange, get, parse_answers, post, raw_connection, read_all
from serving import serving_in_a_thread

ONE_EVENT = b'{"events":[{"event_type":"E","event_data":1}]}'


def _send_and_read_all(url: str, data: bytes) -> bytes:
    """Reading while sending: nobody need hold what the other has not taken."""
    with raw_connection(url) as connection, ThreadPoolExecutor(1) as executor:
        reading = executor.submit(read_all, connection)
        connection.sendall(data)
        return reading.result()


def test_an_error_overtakes_no_answer(url: str, api: Api):
    path = new_path()
    cut_off = b"GET /v1/head HTTP/1.1\r\nX-Long: " + b"x" * HEADER_SIZE_BYTES_MAX
    sent = post(f"{path}/events", ONE_EVENT) + get(path) * 1_000 + cut_off
    found = parse_answers(_send_and_read_all(url, sent))
    assert [answer.status for answer in found] == [201] + [200] * 1_000 + [431]
    assert api.get(path).json["version"] == 1


def test_10_000_appends_sent_at_once():
    with serving_in_a_thread(open_local_store("memory:")) as url:
        path = new_path()
        sent = post(f"{path}/events", ONE_EVENT) * 10_000 + get(path, "Connection: close")
        found = parse_answers(_send_and_read_all(url, sent))
    assert [answer.status for answer in found] == [201] * 10_000 + [200]
    assert [answer.json["version"] for answer in found] == [*range(1, 10_001), 10_000]


def test_each_head_has_its_own_limit(url: str):
    long = get("/v1/head", "X-Long: " + "x" * (HEADER_SIZE_BYTES_MAX * 3 // 4))
    found = parse_answers(_send_and_read_all(url, long * 20 + get("/v1/head", "Connection: close")))
    assert [answer.status for answer in found] == [200] * 21


def test_what_is_no_request_is_told_after_the_answers_before_it(url: str):
    path = new_path()
    garbage = [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (chunked("/v1/append", b"x\r\n"), 400),
        (chunked("/v1/append", b"0\r\nX: " + b"x" * HEADER_SIZE_BYTES_MAX), 431),
    ]
    for bad, status in garbage:
        found = exchange(url, post(f"{path}/events", ONE_EVENT) + get(path) + bad + get(path))
        assert [answer.status for answer in found] == [201, 200, status]


def test_bodies_of_all_kinds_one_after_the_other(url: str):
    path = f"{new_path()}/events"
    in_chunks = chunked(path, b"%x\r\n%b\r\n0\r\n\r\n" % (len(ONE_EVENT), ONE_EVENT))
    nope = post("/v1/nope", b"GET / HTTP/1.1\r\n\r\n" * 1_000)
    sent = (post(path, ONE_EVENT) + in_chunks + nope + get(path) + b"\r\n") * 50
    found = parse_answers(_send_and_read_all(url, sent + get("/livez", "Connection: close")))
    assert [answer.status for answer in found] == [201, 201, 404, 200] * 50 + [200]


def test_a_head_request_has_no_body_and_the_next_answer_follows(url: str):
    with raw_connection(url) as connection:
        connection.sendall(get("/v1/head").replace(b"GET", b"HEAD") + get("/livez", "Connection: close"))
        head, _, rest = read_all(connection).partition(b"\r\n\r\n")
    assert b"content-length: " in head
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")


def test_who_asks_and_does_not_read_is_not_listened_to(url: str, api: Api):
    """Answers of 100 kB each: those that wait are bounded by what the connection holds, and no request is lost."""
    path = new_path()
    big = {"events": [{"event_type": "E", "event_data": "x" * 1_000} for _ in range(100)]}
    assert api.post(f"{path}/events", big).status == 201
    one = get(f"{path}/events", "X-Padding: " + "x" * 1_000)
    with raw_connection(url) as connection:
        connection.settimeout(3)
        sent = 0
        try:
            while sent < 200_000_000:
                sent += connection.send(one * 100)
        except TimeoutError:
            pass
        # What the sockets and the connection hold, and no more.
        assert sent < 30_000_000
        # Others do not notice.
        assert api.get("/livez").status == 200
        connection.settimeout(60)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_the_connection_ends_with_the_answer_that_says_so(url: str):
    found = exchange(url, get("/v1/head") + get("/v1/head", "Connection: close") + get("/v1/head") * 100)
    assert [answer.headers.get("connection") for answer in found] == [None, "close"]


def test_an_early_answer_leaves_the_connection_usable(url: str):
    """The body comes after its answer."""
    path = new_path()
    with raw_connection(url) as connection:
        connection.sendall(post("/v1/nope", b"")[:-2].replace(b": 0", b": 1000") + b"\r\n")
        assert connection.recv(10_000).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"x" * 1_000 + post(f"{path}/events", ONE_EVENT, "Connection: close"))
        (answer,) = parse_answers(read_all(connection))
    assert answer.status == 201


def test_pipelined_requests_wait_for_a_slow_one(url: str, api: Api):
    """A pull that waits is answered before what is behind it."""
    pull = post(f"{Group(api).path}/pull", b'{"wait_s":0.5}')
    started = time.monotonic()
    with raw_connection(url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(pull)
        connection.sendall(get("/livez", "Connection: close"))
        first, second = parse_answers(read_all(connection))
    assert time.monotonic() - started >= 0.45
    assert (first.json, second.status) == ({"deliveries": []}, 200)


def test_many_events_in_one_answer_after_another(url: str, api: Api):
    path = new_path()
    assert api.post(f"{path}/events", events(500)).status == 201
    found = parse_answers(_send_and_read_all(url, get(f"{path}/events") * 200 + get("/livez", "Connection: close")))
    assert [len(answer.json["events"]) for answer in found[:-1]] == [100] * 200
