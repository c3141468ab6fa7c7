"""Bytes on a connection, where a library for HTTP would not send or show them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httptools

from rest.calls import Answer


def address_of(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


@contextmanager
def raw_connection(url: str) -> Iterator[socket.socket]:
    with socket.create_connection(address_of(url), timeout=60) as connection:
        yield connection


def exchange(url: str, data: bytes, *, half_close: bool = False) -> list[Answer]:
    """All answers to these bytes, once the server has closed the connection."""
    with raw_connection(url) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return parse_answers(read_all(connection))


def read_all(connection: socket.socket) -> bytes:
    """Until the server closes."""
    parts = []
    while part := connection.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def parse_answers(data: bytes) -> list[Answer]:
    """Answers that are whole, each with its length or in chunks."""
    found = _Found()
    found.parser = httptools.HttpResponseParser(found)
    found.parser.feed_data(data)
    return found.answers


class _Found:
    parser: httptools.HttpResponseParser

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def on_message_begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        self.answers.append(Answer(self.parser.get_status_code(), self._headers, self._body))


def get(target: str, *headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"GET {target} HTTP/{version}", "Host: x", *headers, "", ""]).encode()


def post(target: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(target: str, body: bytes, *headers: str) -> bytes:
    """``body`` as it goes over the wire."""
    lines = [f"POST {target} HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
