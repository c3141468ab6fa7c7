"""Plain HTTP calls on one connection, so that a test sees whether an answer left it usable."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import uuid4

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
        self.connection = http.client.HTTPConnection(self.address, timeout=60)
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


def new_path(aggregate_type: str = "account", aggregate_id: str | None = None) -> str:
    """The path of an aggregate, by default one that nobody else uses."""
    return f"/v1/aggregates/{quote(aggregate_type, safe='')}/{quote(aggregate_id or uuid4().hex, safe='')}"


def event(event_type: str = "Deposited", **more: Any) -> dict[str, Any]:
    return {"event_type": event_type, "event_data": {"amount": 1}, **more}


def events(count: int) -> dict[str, Any]:
    return {"events": [event() for _ in range(count)]}
