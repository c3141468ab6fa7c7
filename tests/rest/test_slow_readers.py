"""Large answers that nobody takes: what they hold is bounded, and who takes his gets it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from indelible.core.open import open_local_store
from indelible.server.http import app
from rest.calls import connected, new_path
from rest.raw import address_of, get
from serving import serving_in_a_thread

PAGE_BYTES = 900_000


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server with room for two such pages of newcomers, of which as many may wait."""
    monkeypatch.setattr(app, "LARGE_ANSWERS_SIZE_BYTES_MAX", 4 * (PAGE_BYTES + 10_000))
    monkeypatch.setattr(app, "LARGE_ANSWER_STALLED_S", 0.5)
    with serving_in_a_thread(open_local_store("memory:")) as url:
        yield url


def _ask(url: str, path: str, stack: ExitStack) -> socket.socket:
    reader = stack.enter_context(socket.socket())
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    reader.settimeout(60)
    reader.connect(address_of(url))
    reader.sendall(get(f"{path}/events"))
    return reader


def test_readers_that_take_nothing_are_given_up_for_those_who_do(url: str):
    path = new_path()
    with connected(url) as api, ExitStack() as stack:
        event = {"event_type": "E", "event_data": "x" * PAGE_BYTES}
        assert api.post(f"{path}/events", {"events": [event]}).status == 201
        stalled = [_ask(url, path, stack) for _ in range(2)]
        for each in stalled:
            assert each.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL) == b"HTTP/1.1 200"
        # This one waits for room, and gets it when they are given up.
        assert api.get(f"{path}/events").json["events"][0]["event_data"] == "x" * PAGE_BYTES
        taken = 0
        try:
            while part := stalled[0].recv(65_536):
                taken += len(part)
        except ConnectionResetError:
            pass
        assert taken < PAGE_BYTES


def test_more_than_may_wait_is_told_to_come_again(url: str):
    path = new_path()
    with connected(url) as api, ExitStack() as stack:
        event = {"event_type": "E", "event_data": "x" * PAGE_BYTES}
        assert api.post(f"{path}/events", {"events": [event]}).status == 201
        readers = [_ask(url, path, stack) for _ in range(12)]
        found = [each.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL) for each in readers]
        assert b"HTTP/1.1 503" in found
        assert b"HTTP/1.1 200" in found
        # What is small needs no room.
        assert api.get("/v1/head").status == 200
