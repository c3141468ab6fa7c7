"""The sink for RabbitMQ: at least once, and none without those before it.

An event is a persistent message in CloudEvents' binary mode to a durable exchange. RabbitMQ can neither compare epochs
nor tell how far a relay came. What it can:

- An exclusive queue belongs to one connection. The relay's lock is one, so that an owner publishes only once the broker
  has dropped the connection of the one before, with all that came over it behind it. Heartbeats see to it that this
  takes seconds.
- Publisher confirms say that a message is stored, and ``mandatory`` that no queue takes it. What is sent without
  waiting may be refused in the middle. So the first message of a routing key on a connection, and one that is larger
  than any before, are confirmed before anything else is sent.

Whatever goes otherwise than expected ends the connection, and the relay goes on from its checkpoint.
"""

import asyncio
import hashlib
import re
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, ClassVar, Final, NamedTuple, Self, cast
from urllib.parse import SplitResult, unquote
from uuid import UUID

import aiormq
from pamqp.commands import Basic
from pamqp.common import FieldTable

from indelible.cursors import Cursor
from indelible.eventstore import FeedPage
from indelible.limits import RELAY_BROKER_TIMEOUT_S, RELAY_CAREFUL_MESSAGES, RELAY_ROUTES_MAX
from indelible.relay_state import RelayLease
from indelible.relays.at_once import AtOnce
from indelible.relays.messages import Binding, Message, Mode, messages_of, parse_mode, word
from indelible.relays.rabbitmq.connection import Address, Connection, Outgoing, Tls
from indelible.relays.sink import Check, Replay, SinkRefused, SinkUnavailable, unchecked
from indelible.relays.urls import bad, check_known, host_and_port, is_true, parameters, split
from indelible.tasks import hear_of_failure

_BINDING: Final = Binding("cloudEvents_", is_quoted=False)
_ROUTING_KEY_DEFAULT: Final = "indelible.events"
_FIELD: Final = "{aggregate_type}"
_SHORT_STRING_BYTES_MAX: Final = 255
"""AMQP's, for routing keys and properties."""
_NAME: Final = re.compile(r"[a-zA-Z0-9-_.:@#,/+ ]{1,127}")
"""Of exchanges and queues. RabbitMQ takes others as well, the library does not."""
_VHOST_LENGTH_MAX: Final = 127
_EXCHANGE_TYPES: Final = ("topic", "direct", "fanout")
_QUEUE_TYPES: Final = ("quorum", "stream", "classic")
_PARAMETERS: Final = (
    "exchange", "routing_key", "mode", "strict", "create", "exchange_type", "queue", "queue_type",
    "cacertfile", "certfile", "keyfile",
)  # fmt: skip
_PERSISTENT: Final = 2
_TOO_LARGE: Final = "PRECONDITION_FAILED - message size"
_END_TIMEOUT_S: Final = 1.0


class Target(NamedTuple):
    """What a URL names."""

    address: Address
    exchange: str
    routing_key: str
    mode: Mode
    is_strict: bool
    """Whether each message is confirmed before the next is sent."""
    creates: bool
    """Whether exchange and queue are made when they are not there."""
    exchange_type: str
    queue: str
    """Empty: none."""
    queue_type: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises ``InvalidRequest``."""
        parts = split(url)
        host, port = host_and_port(parts)
        if not host or parts.fragment or "/" in parts.path[1:]:
            raise bad("must be like amqp://USER:PASSWORD@HOST:PORT/VHOST?exchange=NAME, with %2F for a slash in VHOST")
        given = parameters(parts.query)
        check_known(given, _PARAMETERS)
        target = cls(
            _address_of(parts, host, port, given),
            given.get("exchange", ""), given.get("routing_key", _ROUTING_KEY_DEFAULT),
            parse_mode(given.get("mode", "binary")), is_true(given, "strict"), is_true(given, "create"),
            _one_of(given, "exchange_type", _EXCHANGE_TYPES), given.get("queue", ""),
            _one_of(given, "queue_type", _QUEUE_TYPES),
        )  # fmt: skip
        target._check(given)
        return target

    def _check(self, given: dict[str, str]) -> None:
        if not self.exchange:
            raise bad("must name an exchange, such as exchange=events")
        for name in ("exchange", "queue"):
            value = getattr(self, name)
            if value and not _NAME.fullmatch(value):
                raise bad(f"has a bad {name}: at most 127 of a-z, A-Z, 0-9, space and -_.:@#,/+ (as %2B)")
        if len(self.routing_key.encode()) > _SHORT_STRING_BYTES_MAX:
            raise bad(f"has a routing_key of more than {_SHORT_STRING_BYTES_MAX} bytes")
        if re.search(r"[{}]", self.routing_key.replace(_FIELD, "")):
            raise bad(f"has a bad routing_key: of what stands in braces there is {_FIELD} only")
        needless = [name for name in ("exchange_type", "queue", "queue_type") if name in given]
        if needless and not self.creates:
            raise bad(f"has {needless[0]}, which says what is to be made; that needs create=true")
        if "queue_type" in given and not self.queue:
            raise bad("has queue_type without queue, the name of the queue")
        if self.queue and self.exchange_type == "direct" and _FIELD in self.routing_key:
            raise bad(f"cannot bind one queue to a direct exchange for each {_FIELD}; a topic exchange can")

    @property
    def pattern(self) -> str:
        """Of the routing keys of all its messages, for a topic exchange."""
        if _FIELD not in self.routing_key:
            return self.routing_key
        return ".".join("*" if _FIELD in token else token for token in self.routing_key.split("."))


def _address_of(parts: SplitResult, host: str, port: int | None, given: dict[str, str]) -> Address:
    files = [given.get(name) or None for name in ("cacertfile", "certfile", "keyfile")]
    tls = Tls(*files) if parts.scheme.lower() == "amqps" else None
    if tls is None and any(files):
        raise bad("names files for TLS; that needs amqps://")
    if tls is not None:
        if tls.key_file is not None and tls.certificate_file is None:
            raise bad("has keyfile without certfile")
        try:
            tls.context()
        except OSError as error:
            raise bad(f"names files for TLS that cannot be used: {error}") from None
    address = Address(
        host, port or (5672 if tls is None else 5671), unquote(parts.path[1:]) or "/",
        unquote(parts.username or "guest"), unquote(parts.password or "guest"), tls,
    )  # fmt: skip
    if len(address.vhost) > _VHOST_LENGTH_MAX:
        raise bad(f"has a virtual host of more than {_VHOST_LENGTH_MAX} characters")
    return address


def _one_of(given: dict[str, str], name: str, words: Sequence[str]) -> str:
    value = given.get(name, words[0])
    if value not in words:
        raise bad(f"must have one of {', '.join(words)} for {name}")
    return value


class RabbitSink:
    """Implements :class:`indelible.relays.sink.Sink`."""

    remembers: ClassVar = False

    def __init__(self, target: Target) -> None:
        self._target: Final = target
        self._connection: Connection | None = None
        self._lease: RelayLease | None = None
        self._proven: set[str] = set()
        """Routing keys that lead to a queue, as this connection has seen."""
        self._size_proven_bytes = -1
        """Of the largest message that this connection has seen stored."""
        self._careful = 0
        """So many messages more are sent one at a time."""
        self._at_once: Final = AtOnce()
        self._confirmed: tuple[int, str | None, UUID] | None = None
        """The last event that is stored of a page that was interrupted: epoch, replay and id."""
        self._unroutable: UUID | None = None
        """The event that interrupted it because no queue took it, though one was made and bound."""

    @classmethod
    def of(cls, url: str) -> Self:
        """``amqp://[USER:PASSWORD@]HOST[:PORT][/VHOST]?exchange=NAME[&…]``. Raises ``InvalidRequest``."""
        return cls(Target.of(url))

    # --- The connection ----------------------------------------------------------------------------------------------

    async def open(self, lease: RelayLease, check: Check = unchecked) -> Cursor | None:  # noqa: ARG002 - it knows none
        await self.close()
        self._lease, self._proven, self._size_proven_bytes = lease, set(), -1
        self._connection = Connection(self._target.address, f"indelible relay {lease.relay}, epoch {lease.epoch}")
        await self._bounded(self._open(self._connection, lease))
        return None

    async def _open(self, connection: Connection, lease: RelayLease) -> None:
        await connection.connect()
        await connection.lock(_lock_name(lease.relay, self._target.exchange))
        await self._declare(connection)

    async def _declare(self, connection: Connection) -> None:
        target, channel = self._target, await connection.channel()
        try:
            if not target.creates:
                await channel.exchange_declare(target.exchange, passive=True)
                return
            await channel.exchange_declare(target.exchange, exchange_type=target.exchange_type, durable=True)
            if target.queue:
                arguments: dict[str, Any] = {"x-queue-type": target.queue_type}
                await channel.queue_declare(target.queue, durable=True, arguments=arguments)
                await channel.queue_bind(target.queue, target.exchange, target.pattern)
        except aiormq.ChannelNotFoundEntity as error:
            raise SinkUnavailable(
                f"RabbitMQ has no exchange {target.exchange} in the virtual host {target.address.vhost}; make it, "
                f"durable, or add create=true to the URL ({error})"
            ) from error
        except aiormq.ChannelPreconditionFailed as error:
            raise SinkUnavailable(
                f"RabbitMQ has it already, with other properties than create=true makes; name them in the URL, or make "
                f"exchange and queues by other means and leave create=true out ({error})"
            ) from error
        await channel.close()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _bounded(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it within ``RELAY_BROKER_TIMEOUT_S``, whatever the library waits for. Raises ``SinkUnavailable``, and
        ``SinkRefused`` as it comes."""
        connection = self._connected()
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task], timeout=RELAY_BROKER_TIMEOUT_S)
            if not task.done():
                raise SinkUnavailable(await self._why_it_takes_so_long(connection))
        finally:
            if not task.done():
                connection.abort()
                task.cancel()
                await asyncio.wait([task], timeout=_END_TIMEOUT_S)
                task.add_done_callback(hear_of_failure)
        try:
            task.result()
        except (aiormq.AMQPError, OSError, RuntimeError, asyncio.CancelledError) as error:
            # The library cancels what waits on a connection that is lost; whoever cancels this never comes here.
            raise SinkUnavailable(_words_of(error)) from error

    async def _why_it_takes_so_long(self, connection: Connection) -> str:
        if await connection.is_blocked():
            return "RabbitMQ is short of memory or disk space, and blocks whoever publishes until it is not"
        return f"RabbitMQ does not answer within {RELAY_BROKER_TIMEOUT_S:g} s"

    # --- Publishing --------------------------------------------------------------------------------------------------

    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        lease, name = self._owned(), None if replay is None else replay.name
        left = self._left_of(list(messages_of(page, lease, _BINDING, self._target.mode, replay)), name)
        while left:
            with self._at_once.of(len(left)) as count:
                await self._bounded(self._publish(self._connected(), left[:count], name))
            left = left[count:]
        self._confirmed = self._unroutable = None

    def _left_of(self, messages: Sequence[Message], replay: str | None) -> Sequence[Message]:
        """Without those that were stored when the page was interrupted: a queue that is full most of the time would
        get the first of them again and again."""
        found = [
            index
            for index, message in enumerate(messages, 1)
            if self._confirmed == (self._owned().epoch, replay, message.event.event_id)
        ]
        return messages[found[0] :] if found else messages

    async def _publish(self, connection: Connection, messages: Sequence[Message], replay: str | None) -> None:
        epoch = self._owned().epoch
        for run in self._runs(connection, messages):
            left, problem = iter(run), None
            async for outcome in connection.publish(self._target.exchange, run):
                message = next(left)
                if problem is not None:
                    continue
                if isinstance(outcome, BaseException):
                    problem = self._reason(message, outcome, is_alone=len(run) == 1)
                else:
                    self._confirmed = (epoch, replay, message.event_id)
            if problem is not None:
                raise problem

    def _runs(self, connection: Connection, messages: Sequence[Message]) -> Iterator[Sequence[Outgoing]]:
        """What is sent without waiting in between, each when the one before is confirmed. Raises ``SinkRefused`` in the
        place of a message that would be refused."""
        run: list[Outgoing] = []
        for message in messages:
            routing_key = self._target.routing_key.replace(_FIELD, word(message.event.aggregate_type))
            problem = _problem_with(connection, message, routing_key)
            # A message that is too large ends the channel, and with it the confirmations of those before.
            is_alone = problem is not None or len(message.data) > self._size_proven_bytes
            if is_alone and run:
                yield run
                run = []
            if problem is not None:
                raise SinkRefused(problem, message.event.position)
            run.append(_outgoing(message, routing_key))
            if is_alone or self._careful or self._target.is_strict or routing_key not in self._proven:
                yield run
                run = []
                self._prove(routing_key, len(message.data))
        if run:
            yield run

    def _prove(self, routing_key: str, size_bytes: int) -> None:
        if len(self._proven) >= RELAY_ROUTES_MAX:
            self._proven.clear()
        self._proven.add(routing_key)
        self._size_proven_bytes = max(self._size_proven_bytes, size_bytes)
        self._careful = max(0, self._careful - 1)

    def _reason(self, message: Outgoing, outcome: BaseException, *, is_alone: bool) -> Exception:
        exchange = self._target.exchange
        if isinstance(outcome, aiormq.PublishError):
            problem = f"no queue takes the routing key {message.routing_key} from the exchange {exchange}"
            if self._target.queue and self._unroutable != message.event_id:
                # Somebody has removed it since, or its binding: they are made again when this is opened next.
                self._unroutable = message.event_id
                return SinkUnavailable(f"{problem}; {self._target.queue} was taken away")
            return SinkRefused(f"{problem}; bind one", message.position)
        if isinstance(outcome, aiormq.DeliveryError):
            self._careful = RELAY_CAREFUL_MESSAGES
            return SinkUnavailable(
                f"RabbitMQ does not store an event: a queue that the exchange {exchange} leads to is full, and rejects "
                "what is published, or is not available"
            )
        if is_alone and _TOO_LARGE in str(outcome):
            return SinkRefused(f"RabbitMQ refuses it, see max_message_size: {outcome}", message.position)
        return SinkUnavailable(_words_of(outcome))

    def _connected(self) -> Connection:
        assert self._connection is not None, "it is opened first"
        return self._connection

    def _owned(self) -> RelayLease:
        assert self._lease is not None, "it is opened first"
        return self._lease


def _lock_name(relay: str, exchange: str) -> str:
    """Relays of several stores may have the same name, and one virtual host."""
    name = f"indelible.relay.{relay}.{exchange}"
    if _NAME.fullmatch(name):
        return name
    return f"indelible.relay.{hashlib.sha256(name.encode()).hexdigest()}"


def _problem_with(connection: Connection, message: Message, routing_key: str) -> str | None:
    if len(routing_key.encode()) > _SHORT_STRING_BYTES_MAX:
        return f"its routing key would have more than {_SHORT_STRING_BYTES_MAX} bytes, the most that AMQP knows"
    if not connection.takes(message.headers):
        return "its headers are larger than a frame of RabbitMQ's, see frame_max"
    return None


def _outgoing(message: Message, routing_key: str) -> Outgoing:
    event = message.event
    properties = Basic.Properties(
        content_type=message.content_type, delivery_mode=_PERSISTENT, headers=cast("FieldTable", message.headers),
        message_id=str(event.event_id), timestamp=event.timestamp,
        # A longer one is whole in the header.
        message_type=event.event_type if len(event.event_type.encode()) <= _SHORT_STRING_BYTES_MAX else None,
    )  # fmt: skip
    return Outgoing(event.position, event.event_id, routing_key, properties, message.data)


def _words_of(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError) or not str(error):
        return "the connection to RabbitMQ broke"
    if isinstance(error, aiormq.AMQPConnectionError):
        return f"the connection to RabbitMQ broke: {error}"
    return f"RabbitMQ cannot be used: {error}"
