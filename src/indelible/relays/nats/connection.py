"""A connection to a NATS server for one who stores many messages and waits for all their answers together.

The client library has that too, but loses answers that are errors. A connection that is lost is not made anew: what was
sent on it must never be sent again by itself.
"""

import asyncio
from typing import Any, Final, NamedTuple, Self

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoServersError
from nats.js import JetStreamContext

from indelible.limits import RELAY_BROKER_TIMEOUT_S
from indelible.relays.sink import SinkUnavailable
from indelible.tasks import first_of, try_for

NOBODY: Final = 503
"""Code of an answer when nobody listens to the subject."""
_CLOSE_TIMEOUT_S: Final = 1.0
_HEADERS_REST: Final = len(b"NATS/1.0\r\n\r\n")
_HEADER_REST: Final = len(b": \r\n")
_HEADERS_BYTES_MAX: Final = 64 * 1024 - 1
"""JetStream's, which no setting changes."""


class Answer(NamedTuple):
    """What became of a message."""

    sequence: int = 0
    """Its place in the stream."""
    is_duplicate: bool = False
    """Whether the place is that of an earlier message with its id."""
    code: int = 0
    """JetStream's error code."""
    problem: str = ""
    """Why it is not stored."""


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Reply(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


_decode: Final = msgspec.json.Decoder(_Reply).decode


class Connection:
    """One connection. Belongs to one caller at a time."""

    def __init__(self, client: Client) -> None:
        self.client: Final = client
        self.jetstream: Final[JetStreamContext] = client.jetstream(timeout=RELAY_BROKER_TIMEOUT_S)
        self._inbox: Final = client.new_inbox()
        self._answers: dict[int, Answer] = {}
        """By the number of the message, of those that were sent since the answers were taken last."""
        self._sent = 0
        self._first = 0
        self._has_all: Final = asyncio.Event()
        self._is_lost: Final = asyncio.Event()
        self._error: Exception | None = None

    @classmethod
    async def made(cls, server: str, user: str | None, password: str | None, name: str) -> Self:
        """A user without a password is a token. Raises ``SinkUnavailable``, and what the library raises."""
        client = Client()
        connection = cls(client)
        try:
            # Two attempts, at once.
            await client.connect(
                server, user=None if password is None else user, password=password,
                token=user if password is None else None, name=name,
                allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0,
                error_cb=connection._note_error, closed_cb=connection._lose, disconnected_cb=connection._lose,
                connect_timeout=int(RELAY_BROKER_TIMEOUT_S / 2), skip_subject_validation=True,
            )  # fmt: skip
        except NoServersError:
            raise SinkUnavailable(f"NATS cannot be reached: {connection._error}") from None
        await client.subscribe(f"{connection._inbox}.*", cb=connection._hear, pending_msgs_limit=-1)
        return connection

    def problem_with(self, data: bytes, headers: dict[str, str]) -> str | None:
        """Why the server does not take a message of this size, which may end the connection. The library does not count
        headers."""
        text = "".join((*headers, *headers.values()))
        headers_bytes = len(text.encode()) + _HEADER_REST * len(headers) + _HEADERS_REST
        if headers_bytes > _HEADERS_BYTES_MAX:
            return f"its headers are larger than {_HEADERS_BYTES_MAX} bytes, the most that NATS stores"
        if len(data) + headers_bytes > self.client.max_payload:
            return f"it is larger than {self.client.max_payload} bytes, the most that NATS takes"
        return None

    async def send(self, subject: str, data: bytes, headers: dict[str, str]) -> None:
        await self.client.publish(subject, data, reply=f"{self._inbox}.{self._sent}", headers=headers)
        self._sent += 1

    async def answers(self) -> list[Answer]:
        """Of all that was sent since, in order. Raises ``SinkUnavailable`` when the connection is lost."""
        if self._sent > self._first:
            await first_of(self._wait(), self._raise_when_lost())
        found = [self._answers[number] for number in range(self._first, self._sent)]
        self._first, self._answers = self._sent, {}
        return found

    async def _wait(self) -> None:
        while len(self._answers) < self._sent - self._first:
            self._has_all.clear()
            await self._has_all.wait()

    async def _raise_when_lost(self) -> None:
        await self._is_lost.wait()
        raise SinkUnavailable("the connection to NATS broke")

    async def _hear(self, message: Msg) -> None:
        number = int(message.subject.rpartition(".")[2])
        self._answers[number] = _answer(message)
        if len(self._answers) == self._sent - self._first:
            self._has_all.set()

    async def _note_error(self, error: Exception) -> None:
        """What becomes of messages is told by the answers."""
        self._error = error

    async def _lose(self) -> None:
        self._is_lost.set()

    async def close(self) -> None:
        """Raises nothing."""
        await try_for(_CLOSE_TIMEOUT_S, self.client.close())


def _answer(message: Msg) -> Answer:
    headers: dict[str, Any] = message.headers or {}
    if headers.get("Status") == str(NOBODY):
        return Answer(code=NOBODY, problem="nobody listens to the subject")
    try:
        reply = _decode(message.data)
    except msgspec.DecodeError as error:
        return Answer(problem=f"not an answer of JetStream: {error}")
    if reply.error is not None:
        return Answer(code=reply.error.err_code, problem=reply.error.description or "it does not say why")
    return Answer(reply.seq, reply.duplicate)
