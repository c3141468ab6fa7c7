"""What a method of the API is made of."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from google.protobuf.message import Message

from indelible.server.services import Services

Handle = Callable[[Services, Any], Awaitable[bytes]]
HandleToStream = Callable[[Services, Any], AsyncGenerator[bytes]]
MakeRoom = Callable[[int], Awaitable[None]]
"""For a message of so many bytes."""
HandleToPacedStream = Callable[[Services, Any, MakeRoom], AsyncGenerator[bytes]]
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


class ToPacedStream(NamedTuple):
    """The same, of messages that are made once there is room for them: ``handle`` awaits it for each."""

    name: str
    request: type[Message]
    handle: HandleToPacedStream


class Streams(NamedTuple):
    """Encoded messages in and out."""

    name: str
    handle: HandleStreams


Method = Unary | ToStream | ToPacedStream | Streams
