"""Server-sent events as they are on the wire, read with the standard library alone."""

import http.client
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

TIMEOUT_S = 60


class Message(NamedTuple):
    """``event`` and ``id`` are empty where the message has none; a comment is all of a message that is nothing else."""

    id: str
    event: str
    data: str
    comment: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class Stream:
    """One subscription. Every step waits until something is there."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self.connection = connection
        self.response = response

    def next_message(self) -> Message | None:
        """The next message, or comment; None at the stream's end."""
        lines: list[str] = []
        while (line := self.response.readline()) not in (b"\n", b""):
            assert line.endswith(b"\n"), line
            lines.append(line.decode().removesuffix("\n"))
        if not lines:
            assert line == b"", "an empty message"
            return None
        fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
        assert len(fields) == len(lines) or lines == [":"], lines
        return Message(fields.get("id", ""), fields.get("event", ""), fields.get("data", ""), comment=lines == [":"])

    def messages(self) -> Iterator[Message]:
        """Without comments."""
        while (message := self.next_message()) is not None:
            if not message.comment:
                yield message

    def take(self, count: int) -> list[Message]:
        """The next messages that are events."""
        found: list[Message] = []
        for message in self.messages():
            if not message.event:
                found.append(message)
            if len(found) == count:
                break
        return found

    def until_caught_up(self) -> list[Message]:
        """Everything up to and with ``caught-up``."""
        found: list[Message] = []
        for message in self.messages():
            found.append(message)
            if message.event == "caught-up":
                break
        return found


@contextmanager
def subscribed(url: str, headers: Mapping[str, str] | None = None, **parameters: object) -> Iterator[Stream]:
    """A subscription, which must begin with 200."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=TIMEOUT_S)
    query = urllib.parse.urlencode(parameters, doseq=True)
    try:
        connection.request("GET", f"/v1/events?{query}", headers={"accept": "text/event-stream", **(headers or {})})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["content-type"] == "text/event-stream"
        yield Stream(connection, response)
    finally:
        connection.close()
