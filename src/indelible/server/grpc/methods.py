"""What a method of the API is made of."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from google.protobuf.message import Message

from indelible.server.services import Services

Handle = Callable[[Services, Any], Awaitable[bytes]]
HandleToStream = Callable[[Services, Any], AsyncGenerator[bytes]]
HandleStreams = Callable[[Services, AsyncIterator[bytes]], AsyncGenerator[bytes]]


class Unary(NamedTuple):
    """One message in, one encoded message out. ``handle`` gets a ``request``."""

    name: str
    request: type[Message]
    handle: Handle


class ToStream(NamedTuple):
    """One message in, encoded messages out."""

    name: str
    request: type[Message]
    handle: HandleToStream


class Streams(NamedTuple):
    """Encoded messages in and out."""

    name: str
    handle: HandleStreams


Method = Unary | ToStream | Streams
