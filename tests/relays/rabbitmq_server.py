"""A real RabbitMQ server that tests start, kill and start again. Debian's package ``rabbitmq-server`` brings it."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from postgres.server import free_port
from programs import environment

TIMEOUT_S = 120
PROGRAMS = Path("/usr/lib/rabbitmq/bin")
RECEIVE_AT_ONCE = 2_000
ACKNOWLEDGE_AT_ONCE = RECEIVE_AT_ONCE // 2
END_OF = "test"
"""Marks a message that says where a reading ends."""


class Received(NamedTuple):
    """One message, as a consumer on aio-pika alone got it."""

    headers: dict[str, str]
    """As on the wire, and the content type as ``content-type``."""
    data: bytes
    place: str
    """The queue."""


class RabbitServer:
    """One node in ``folder``, on loopback alone, with a port mapper of its own; the ports stay whatever is done to it.

    It has one exchange at a time for tests, see :meth:`begin_anew`, and no plugins. ``settings`` are lines of
    ``rabbitmq.conf``.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._node = f"test{self.port}@localhost"
        self._mapper_port, distribution_port = free_port(), free_port()
        self._mapper: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "rabbitmq.out"
        self._pid_file = folder / "rabbitmq.pid"
        config, plugins = folder / "rabbitmq.conf", folder / "enabled_plugins"
        config.write_text("\n".join((f"listeners.tcp.1 = 127.0.0.1:{self.port}", "log.file.level = info", *settings)))
        plugins.write_text("[].")
        self._environment = {
            **environment(), "HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": self._node, "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"), "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins), "RABBITMQ_PID_FILE": str(self._pid_file),
            "RABBITMQ_DIST_PORT": str(distribution_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }  # fmt: skip
        self._numbers = itertools.count(1)
        self._received: defaultdict[str, list[Received]] = defaultdict(list)
        self._queues: dict[str, str] = {}
        """The types of those that a URL named."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """With an exchange and a queue that nobody has used."""
        number = next(self._numbers)
        self.exchange, self.queue = f"exchange-{number}", f"queue-{number}"
        self._received.clear()
        self._queues.clear()

    # --- The process -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """And wait until it can be connected to."""
        if self._mapper is None:
            # Else the node starts one that outlives it.
            command = ["epmd", "-address", "127.0.0.1", "-port", str(self._mapper_port)]
            self._mapper = self._started(command)
        # Or the file is that of the process before.
        self._pid_file.unlink(missing_ok=True)
        self._process = self._started([str(PROGRAMS / "rabbitmq-server")])
        give_up_at = time.monotonic() + TIMEOUT_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < give_up_at, self._log.read_text()
            time.sleep(0.05)

    def _started(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=self._environment, start_new_session=True)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as found:
            found.sendall(b"AMQP\0\0\x09\x01")
            return bool(found.recv(1))
        return False

    def kill(self) -> None:
        self.keep_queues()
        self.kill_at_once()

    def keep_queues(self) -> None:
        """Which takes seconds. A quorum queue that has been made within the last half second RabbitMQ 3.10 would not
        know again, once it was killed."""
        self.control("eval", "[dets:sync(Table) || Table <- dets:all()].")

    def kill_at_once(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait(TIMEOUT_S)
            self._mapper = None

    def send_signal(self, number: signal.Signals) -> None:
        """To the node: ``SIGSTOP`` and ``SIGCONT``."""
        os.kill(int(self._pid_file.read_text()), number)

    def _end(self, number: signal.Signals) -> None:
        """A shell waits for the node, and ends with it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                self.send_signal(number)
            self._process.wait(TIMEOUT_S)
            self._process = None

    def control(self, *arguments: str, text: str = "") -> str:
        """What rabbitmqctl prints."""
        return subprocess.run(
            [PROGRAMS / "rabbitmqctl", "--quiet", *arguments],
            input=text, env=self._environment, check=True, capture_output=True, text=True, timeout=TIMEOUT_S,
        ).stdout  # fmt: skip

    # --- What is in it -----------------------------------------------------------------------------------------------

    def amqp(self, vhost: str = "/") -> str:
        """For aio-pika."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    def to(self, more: str = "", port: int | None = None) -> str:
        """A sink's URL: it makes the exchange and binds the queue. ``more``: further parameters, which begin with ``&``
        and count instead of those of the same name that are there. ``port``: of a proxy."""
        url = f"amqp://127.0.0.1:{port or self.port}?exchange={self.exchange}&create=true&queue={self.queue}{more}"
        given = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        self._queues[given["queue"]] = given.get("queue_type", "quorum")
        return url

    async def received(self) -> list[Received]:
        """All that was received of the queues that a URL named, queue by queue, in order."""
        async with await aio_pika.connect(self.amqp()) as connection:
            for name, kind in self._queues.items():
                if kind == "stream":
                    # It keeps what was received before.
                    self._received[name].clear()
                async with await connection.channel() as channel:
                    self._received[name] += await _received(channel, name, kind)
        return [one for name in self._queues for one in self._received[name]]

    async def bind(self, routing_key: str = "#", arguments: Mapping[str, Any] = {}) -> None:
        """Make the exchange, and the queue with the arguments, and bind it."""
        self._queues[self.queue] = arguments.get("x-queue-type", "classic")
        async with await aio_pika.connect(self.amqp()) as connection, connection.channel() as channel:
            exchange = await channel.declare_exchange(self.exchange, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(self.queue, durable=True, arguments=dict(arguments))
            await queue.bind(exchange, routing_key)


async def _received(channel: AbstractChannel, name: str, kind: str) -> list[Received]:
    """Until a message comes that is sent for it, behind all that are there: RabbitMQ 3.10's count of those in a quorum
    queue may lag, and one who stops in the middle gets those that were on their way again, behind later ones.

    They are acknowledged many at once: where more than 32 acknowledgements are under way, RabbitMQ keeps the others
    back, and forgets them when the channel ends. So these would come again as well."""
    await channel.set_qos(prefetch_count=RECEIVE_AT_ONCE)
    gets: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    queue = await channel.get_queue(name)
    await queue.consume(gets.put, arguments={"x-stream-offset": "first"} if kind == "stream" else None)
    end, found, got = str(uuid4()), list[Received](), 0
    async with asyncio.TaskGroup() as group:
        group.create_task(_send_end(channel, name, end))
        while True:
            async with asyncio.timeout(TIMEOUT_S):
                message = await gets.get()
            got += 1
            is_end = message.message_id == end
            if is_end or got % ACKNOWLEDGE_AT_ONCE == 0:
                await message.ack(multiple=True)
            if message.app_id != END_OF:
                headers = {name: str(value) for name, value in message.headers.items()}
                found.append(Received({**headers, "content-type": message.content_type or ""}, message.body, name))
            elif is_end:
                break
            # A stream keeps those of earlier times.
    # Answered behind what was acknowledged: that would be lost with the channel, if it was still to be sent.
    await queue.declare()
    return found


async def _send_end(channel: AbstractChannel, name: str, end: str) -> None:
    """A queue that is full refuses it until it is read."""
    while True:
        with contextlib.suppress(aio_pika.exceptions.DeliveryError):
            await channel.default_exchange.publish(aio_pika.Message(b"", app_id=END_OF, message_id=end), name)
            return
        await asyncio.sleep(0.01)


@contextlib.contextmanager
def rabbitmq_server(folder: Path, *settings: str) -> Iterator[RabbitServer]:
    server = RabbitServer(folder, *settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def positions(messages: Sequence[Received]) -> list[int]:
    return [int(one.headers["cloudEvents_position"]) for one in messages]
