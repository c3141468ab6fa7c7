"""A connection to a RabbitMQ server for one who publishes many messages and hears of each what became of it.

The layers below aio-pika are used, at a fraction of the CPU. A connection that is lost is not made anew: what was
sent on it must never be sent again by itself.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

import aiormq
from aiormq.abc import AbstractChannel, ChannelFrame, DeliveredMessage
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.frame import marshal
from pamqp.header import ContentHeader
from yarl import URL

from indelible.limits import RELAY_HEARTBEAT_S, RELAY_LOCK_RETRY_S, RELAY_LOCK_WAIT_S, RELAY_ROUTES_MAX
from indelible.relays.sink import SinkUnavailable
from indelible.tasks import try_for

_CLOSE_TIMEOUT_S: Final = 1.0
_FRAME_BYTES_DEFAULT: Final = 128 * 1024
_FRAME_REST_BYTES: Final = 1_024
"""Of a frame with a message's headers: all but the headers, and more."""
_NAME_REST_BYTES: Final = 6
"""Of a header, beside its name and its value."""

_is_relays: Final[ContextVar[bool]] = ContextVar("_is_relays", default=False)


def _is_not_relays(_: logging.LogRecord) -> bool:
    """What goes wrong with a relay is told by what is raised; the library would log it once more, with a traceback."""
    return not _is_relays.get()


for _logger in ("aiormq.connection", "aiormq.channel"):
    logging.getLogger(_logger).addFilter(_is_not_relays)


class Tls(NamedTuple):
    """What TLS is spoken with. Files of PEM, or None."""

    ca_file: str | None
    """Who may have signed the server's certificate; else whom the system trusts."""
    certificate_file: str | None
    key_file: str | None

    def context(self) -> ssl.SSLContext:
        """Raises ``OSError``, of which ``ssl.SSLError`` is one."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context


class Address(NamedTuple):
    host: str
    port: int
    vhost: str
    user: str
    password: str
    tls: Tls | None


class Outgoing(NamedTuple):
    position: int
    event_id: UUID
    routing_key: str
    properties: Basic.Properties
    data: bytes


class _Transport(aiormq.TransportFactory):
    """Has the socket at hand, so that it can be closed whatever the library waits for."""

    def __init__(self, tls: Tls | None) -> None:
        self._tls: Final = tls
        self._writer: asyncio.StreamWriter | None = None

    async def create(self, url: URL, **_: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            tls = None if self._tls is None else self._tls.context()
            reader, self._writer = await asyncio.open_connection(url.host, url.port, ssl=tls)
        except OSError as error:
            raise SinkUnavailable(f"RabbitMQ cannot be reached at {url.host}:{url.port}: {error}") from error
        return reader, self._writer

    def abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()


class Connection:
    """One connection, with one channel to publish on. Belongs to one caller at a time. Raises ``SinkUnavailable`` and
    what the library raises: ``AMQPError``, ``OSError``, ``RuntimeError``, and ``CancelledError`` when it is lost."""

    def __init__(self, address: Address, name: str) -> None:
        self._address: Final = address
        self._transport: Final = _Transport(address.tls)
        self._amqp: Final = aiormq.Connection(
            URL.build(
                scheme="amqp", host=address.host, port=address.port, query={"heartbeat": str(RELAY_HEARTBEAT_S)},
                user=quote(address.user, safe=""), password=quote(address.password, safe=""), encoded=True,
            ),
            transport_factory=self._transport,
            client_properties={"connection_name": name},
        )  # fmt: skip
        self._amqp.vhost = address.vhost
        self._channel: aiormq.Channel | None = None
        self._commands: dict[str, bytes] = {}
        self._loss: str | None = None

    async def connect(self) -> None:
        address = self._address
        _is_relays.set(True)
        try:
            await self._amqp.connect()
        except aiormq.ProbableAuthenticationError as error:
            raise SinkUnavailable(f"RabbitMQ does not let the user {address.user} in: {error}") from error
        except aiormq.InvalidFrameError as error:
            # The library does not tell what the broker says here.
            raise SinkUnavailable(
                f"RabbitMQ does not open the virtual host {address.vhost}: there is none, or the user {address.user} "
                "may not use it, or it has too many connections"
            ) from error
        # Zero means that there is no limit, which the library does not know.
        self._amqp.connection_tune.frame_max = self._amqp.connection_tune.frame_max or _FRAME_BYTES_DEFAULT

    async def lock(self, name: str) -> None:
        """Be the only connection that has this lock, until it ends: wait until the broker has dropped any other. The
        lock is a queue that is exclusive."""
        give_up_at = time.monotonic() + RELAY_LOCK_WAIT_S
        while True:
            channel = await self._amqp.channel()
            try:
                await channel.queue_declare(name, exclusive=True, arguments={"x-queue-type": "classic"})
                break
            except aiormq.ChannelLockedResource as error:
                if time.monotonic() > give_up_at:
                    raise SinkUnavailable(
                        f"another connection has the relay's lock, the queue {name}; RabbitMQ lists it by the relay's "
                        "name, and drops it within seconds when it is silent, unless it has blocked it for want of "
                        "memory or disk space"
                    ) from error
            await asyncio.sleep(RELAY_LOCK_RETRY_S)
        # The consumer keeps rules on unused queues from removing it, and hears when somebody does.
        channel.on_consumer_cancel_callbacks.add(self._lose)
        await channel.basic_consume(name, _ignore, no_ack=True)
        assert isinstance(channel, aiormq.Channel)
        self._channel = channel

    def _lose(self, _: object) -> None:
        self._loss = "somebody has removed the relay's lock, a queue of RabbitMQ"

    async def channel(self) -> AbstractChannel:
        """One more, that the broker closes at the first thing that it refuses."""
        return await self._amqp.channel(publisher_confirms=False)

    def takes(self, headers: dict[str, str]) -> bool:
        """Whether they fit into one frame, as they must; the broker would end the connection."""
        most = self._amqp.connection_tune.frame_max - _FRAME_REST_BYTES
        characters = sum(map(len, headers.values())) + sum(map(len, headers))
        if 4 * characters + _NAME_REST_BYTES * len(headers) <= most:
            return True
        size_bytes = sum(len(f"{name}{value}".encode()) + _NAME_REST_BYTES for name, value in headers.items())
        return size_bytes <= most

    async def publish(self, exchange: str, messages: Sequence[Outgoing]) -> AsyncIterator[object]:
        """All of them without waiting in between, in their order; what became of each, as soon as it and those before
        it are known: an exception, or that it is confirmed."""
        channel = self._channel
        assert channel is not None, "it is locked first"
        if self._loss is not None:
            raise SinkUnavailable(self._loss)
        # What the library's basic_publish does, for all of them at once: a task, a lock and a system call for each
        # would cost half of the relay's CPU. Nobody else uses the channel, and who gives up ends the connection.
        frames: list[bytes] = []
        confirmations: list[asyncio.Future[object]] = []
        for one in messages:
            channel.delivery_tag += 1
            confirmation = channel.create_future()
            confirmations.append(confirmation)
            channel.confirmations[channel.delivery_tag] = confirmation
            # By it the library knows what is returned.
            channel.message_id_delivery_tag[str(one.event_id)] = channel.delivery_tag
            frames += self._frames_of(channel, exchange, one)
        await channel.write_queue.put(ChannelFrame(b"".join(frames), should_close=False))
        for confirmation in confirmations:
            yield await _outcome(confirmation)
        channel.message_id_delivery_tag.clear()

    def _frames_of(self, channel: aiormq.Channel, exchange: str, message: Outgoing) -> Iterator[bytes]:
        data, most = message.data, channel.max_content_size
        yield self._command(channel, exchange, message.routing_key)
        yield marshal(ContentHeader(body_size=len(data), properties=message.properties), channel.number)
        for start in range(0, len(data), most):
            yield marshal(ContentBody(data[start : start + most]), channel.number)

    def _command(self, channel: aiormq.Channel, exchange: str, routing_key: str) -> bytes:
        """The same for all messages of a routing key."""
        found = self._commands.get(routing_key)
        if found is None:
            if len(self._commands) >= RELAY_ROUTES_MAX:
                self._commands.clear()
            command = Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=True)
            found = self._commands[routing_key] = marshal(command, channel.number)
        return found

    async def is_blocked(self) -> bool:
        """Whether the broker has told that it takes nothing from who publishes."""
        try:
            async with asyncio.timeout(0):
                await self._amqp.ready()
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        """Raises nothing."""
        try:
            await try_for(_CLOSE_TIMEOUT_S, self._amqp.close())
        finally:
            self.abort()

    def abort(self) -> None:
        """At once, whatever is still to be sent."""
        self._transport.abort()


async def _outcome(confirmation: "asyncio.Future[object]") -> object:
    """What it ends with, be it an exception. The caller's own cancellation comes through: the future is not done."""
    try:
        return await confirmation
    except (Exception, asyncio.CancelledError) as error:
        if not confirmation.done() or confirmation.cancelled():
            raise
        return error


async def _ignore(_: DeliveredMessage) -> None:
    """What somebody sent to the lock."""
