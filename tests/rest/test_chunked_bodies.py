"""Bodies in chunks: what goes beside them has a bound, and what is no chunk is refused."""

import asyncio
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faults.server_process import server_process
from indelible.limits import HEADER_SIZE_BYTES_MAX
from rest.calls import Api, connected, new_path
from rest.raw import chunked, exchange, get, parse_answers, raw_connection, read_all

BODY = b'{"events":[{"event_type":"E","event_data":1}]}'
MIB = 1024 * 1024
TRAILERS_SIZE_BYTES = 150 * MIB


def _chunks(body: bytes, size: int = 7, extension: bytes = b"") -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("ending", [b"0\r\n\r\n", b"000;last\r\n\r\n", b"0\r\nA: b\r\nC:\r\n\r\n"])
@pytest.mark.parametrize("extension", [b"", b";a=b", b' ; a="x y"'])
def test_a_body_in_chunks(url: str, size: int, ending: bytes, extension: bytes):
    """And the next request begins where it ends."""
    sent = chunked(f"{new_path()}/events", _chunks(BODY, size, extension) + ending)
    found = exchange(url, sent + get("/v1/head", "Connection: close"))
    assert [answer.status for answer in found] == [201, 200]


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\n",
        b"-1\r\n",
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"2 \r\n{}\r\n0\r\n\r\n",
        b" 2\r\n{}\r\n0\r\n\r\n",
        b"\r\n",
        b"2\n{}\n0\n\n",
        b"2\r{}\r\n0\r\n\r\n",
        b"2\r\n{}0\r\n\r\n",
        b"2\r\n{}x\r\n0\r\n\r\n",
        b"1\r\n{}\r\n0\r\n\r\n",
        b"2;a\x00b\r\n{}\r\n0\r\n\r\n",
        b"2;a\nb\r\n{}\r\n0\r\n\r\n",
        b"0" * 17 + b"2\r\n{}\r\n0\r\n\r\n",
        b"f" * 17 + b"\r\n{}",
        b"2\r\n{}\r\n0\r\nno colon\r\n\r\n",
        b"2\r\n{}\r\n0\r\nA : b\r\n\r\n",
        b"2\r\n{}\r\n0\r\n folded\r\n\r\n",
        b"2\r\n{}\r\n0\r\n\n",
    ],
)
def test_what_is_no_chunk(unchanged: Api, url: str, body: bytes):
    (answer,) = exchange(url, chunked("/v1/append", body) + get("/v1/head"))
    answer.problem(400, "invalid_request")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "beside",
    [
        b"2\r\n{}\r\n0\r\nX: " + b"x" * HEADER_SIZE_BYTES_MAX,
        b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * (HEADER_SIZE_BYTES_MAX // 6),
        b"2;" + b"x" * HEADER_SIZE_BYTES_MAX + b"\r\n{}\r\n0\r\n\r\n",
        b"1;xxxxxxxxxxxxx\r\n \r\n" * (HEADER_SIZE_BYTES_MAX // 14) + b"0\r\n\r\n",
    ],
    ids=["one trailer", "many trailers", "one extension", "many extensions"],
)
def test_extensions_and_trailers_count_as_the_head_does(unchanged: Api, url: str, beside: bytes):
    (answer,) = exchange(url, chunked("/v1/append", beside) + get("/v1/head"))
    assert answer.problem(431, "payload_too_large")["size_bytes_max"] == HEADER_SIZE_BYTES_MAX
    assert answer.headers["connection"] == "close"


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def _send_trailers(url: str, piece: bytes) -> bytes:
    """As much as the server lets come; then its answer, if a reset has not taken it away."""
    with raw_connection(url) as connection:
        try:
            connection.sendall(chunked("/v1/append", b"2\r\n{}\r\n0\r\nX: "))
            for _ in range(TRAILERS_SIZE_BYTES // len(piece)):
                connection.sendall(piece)
            return read_all(connection)
        except (ConnectionResetError, BrokenPipeError):
            return b""


def _processor_s(pid: int) -> float:
    """What a process has had of the processors' time."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _watch(url: str, pid: int, piece: bytes) -> tuple[list[bytes], float, int]:
    """Some connections send such trailers at once. Gives their answers, how long the server did other things at most
    before it answered ``/livez`` meanwhile, in seconds of the processor, and by how much its memory grew."""
    with connected(url) as api, ThreadPoolExecutor(4) as executor:
        assert api.get("/livez").status == 200
        before, wait_max_s = _resident_bytes(pid), 0.0
        sending = [executor.submit(_send_trailers, url, piece) for _ in range(4)]
        while not all(one.done() for one in sending):
            started = _processor_s(pid)
            assert api.get("/livez").status == 200
            wait_max_s = max(wait_max_s, _processor_s(pid) - started)
            time.sleep(0.005)
        return [one.result() for one in sending], wait_max_s, _resident_bytes(pid) - before


@pytest.mark.parametrize("piece", [b"x" * MIB, b"x: y\r\n" * 200_000], ids=["one trailer", "many trailers"])
async def test_trailers_without_end_hold_up_nobody_and_take_no_memory(tmp_path: Path, piece: bytes):
    async with server_process(tmp_path / "store.db") as server:
        answers, wait_max_s, growth = await asyncio.to_thread(_watch, server.url, server.pid, piece)
    print(f"/livez {wait_max_s:.3f} s at most, {growth / MIB:.0f} MiB more memory, {answers}")
    assert {answer[:13] for answer in answers} <= {b"", b"HTTP/1.1 431 "}
    assert growth < 40 * MIB
    # Without a bound it took 16 s on an idle machine.
    assert wait_max_s < 3


def test_a_body_that_stops_short_of_its_end_is_no_request(unchanged: Api, url: str):
    for sent in (chunked("/v1/append", b"2\r\n{}\r\n"), chunked("/v1/append", b"5\r\n{}")):
        with raw_connection(url) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert read_all(connection) == b""


def test_a_body_that_nobody_asked_for_is_read_over(url: str):
    sent = chunked("/v1/nope", _chunks(BODY) + b"0\r\n\r\n").replace(b"POST", b"GET", 1)
    found = exchange(url, sent + get("/v1/head", "Connection: close"))
    assert [answer.status for answer in found] == [404, 200]


def test_chunks_that_come_byte_by_byte(url: str):
    sent = chunked(f"{new_path()}/events", _chunks(BODY, 20, b";a") + b"0\r\nA: b\r\n\r\n", "Connection: close")
    with raw_connection(url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(sent)):
            connection.sendall(sent[at : at + 1])
        (answer,) = parse_answers(read_all(connection))
    assert answer.status == 201
