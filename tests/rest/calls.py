"""Plain HTTP calls on one connection, so that a test sees whether an answer left it usable."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import uuid4

from indelible.core.store import LocalEventStore
from indelible.engines.engine import Engine
from indelible.server.compose import http_app
from indelible.server.config import Address
from indelible.server.uvicorn_server import serving

JSON = {"content-type": "application/json"}


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self, status: int, code: str, pointer: str | None = None) -> dict[str, Any]:
        """The problem document, after checking that it is this one."""
        assert self.headers["content-type"] == "application/problem+json", self
        members: dict[str, Any] = self.json
        assert (self.status, members["status"], members["code"]) == (status, status, code), self
        assert members["type"].endswith(code)
        assert members["title"]
        assert members["detail"]
        if pointer is not None:
            assert members["pointer"] == pointer, self
        return members


class Api:
    """One connection to a server. It is opened once, and never again."""

    def __init__(self, url: str) -> None:
        self.address = url.removeprefix("http://")
        self.connection = http.client.HTTPConnection(self.address, timeout=20)
        self.connection.connect()
        self.connection.auto_open = 0

    def call(self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """``body``: bytes go as they are, anything else as JSON."""
        if body is not None and not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
        sent = {**(JSON if body is not None else {}), **(headers or {})}
        self.connection.request(method, target, body=body, headers=sent)
        response = self.connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def get(self, target: str, **headers: str) -> Answer:
        return self.call("GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, target: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        return self.call("POST", target, body, headers)

    def head_position(self) -> int:
        return int(self.get("/v1/head").json["position"])


@contextmanager
def connected(url: str) -> Iterator[Api]:
    api = Api(url)
    try:
        yield api
    finally:
        api.connection.close()


@contextmanager
def serving_in_a_thread(engine: Engine) -> Iterator[str]:
    """A server with an event loop of its own; gives its URL."""
    ready: Future[str] = Future()
    stop = asyncio.Event()

    async def serve() -> None:
        async with (
            LocalEventStore(engine) as store,
            serving(http_app(store), Address("127.0.0.1", 0), shutdown_grace_s=5) as url,
        ):
            ready.set_result(url)
            await stop.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield ready.result(timeout=30)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def new_path(aggregate_type: str = "account", aggregate_id: str | None = None) -> str:
    """The path of an aggregate, by default one that nobody else uses."""
    return f"/v1/aggregates/{quote(aggregate_type, safe='')}/{quote(aggregate_id or uuid4().hex, safe='')}"


def event(event_type: str = "Deposited", **more: Any) -> dict[str, Any]:
    return {"event_type": event_type, "event_data": {"amount": 1}, **more}


def events(count: int) -> dict[str, Any]:
    return {"events": [event() for _ in range(count)]}
