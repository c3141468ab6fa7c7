"""A real NATS server with JetStream that tests start, kill and start again. A wheel among the development dependencies
brings it."""

import contextlib
import json
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from indelible.testing.conformance import Received
from postgres.server import free_port

TIMEOUT_S = 60


class NatsServer:
    """In ``folder``; the port stays whatever is done to it."""

    def __init__(self, folder: Path, *, max_payload_bytes: int = 1024 * 1024, sync_interval: str = "always") -> None:
        self.port = free_port()
        self.monitor_url = f"http://127.0.0.1:{(monitor_port := free_port())}"
        self.stream = "EVENTS"
        self._log = folder / "nats.log"
        self._config = folder / "nats.conf"
        self._process: subprocess.Popen[bytes] | None = None
        self._config.write_text(
            f'listen: "127.0.0.1:{self.port}"\nhttp: "127.0.0.1:{monitor_port}"\nmax_payload: {max_payload_bytes}\n'
            f'jetstream {{ store_dir: "{folder / "data"}", max_mem: 64MB, max_file: 1GB, '
            f"sync_interval: {sync_interval} }}\n"
        )

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def begin_anew(self) -> None:
        """From now on :meth:`to` and :meth:`received` mean a stream that nobody has used."""
        self.stream = f"s{secrets.token_hex(4)}"

    def to(self, more: str = "", port: int = 0) -> str:
        """The URL of a sink that makes its stream. ``port``: of a proxy."""
        return f"nats://127.0.0.1:{port or self.port}?stream={self.stream}&subject={self.stream}&create=true{more}"

    async def received(self) -> list[Received]:
        """All that a consumer of the stream gets; its place is the subject."""
        messages = await messages_of(self, self.stream)
        return [Received(dict(one.headers or {}), one.data, one.subject) for one in messages]

    def start(self) -> None:
        command = shutil.which("nats-server", path=Path(sys.executable).parent)
        assert command is not None, "the development dependencies are not installed"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([command, "-c", self._config], stdout=log, stderr=log)
        give_up_at = time.monotonic() + TIMEOUT_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert time.monotonic() < give_up_at, self._log.read_text()
            time.sleep(0.02)

    def require(self, who: str) -> None:
        """From the next start on: settings of the server's ``authorization``."""
        settings = self._config.read_text()
        self._config.write_text(f"{settings}authorization {{ {who} }}\n")

    def take_messages_up_to(self, max_payload_bytes: int) -> None:
        """From the next start on."""
        settings = re.sub(r"max_payload: \d+", f"max_payload: {max_payload_bytes}", self._config.read_text())
        self._config.write_text(settings)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(TIMEOUT_S)
            self._process = None


@contextlib.contextmanager
def nats_server(folder: Path, **settings: Any) -> Iterator[NatsServer]:
    server = NatsServer(folder, **settings)
    server.start()
    try:
        yield server
    finally:
        server.kill()


async def messages_of(server: NatsServer, stream: str) -> list[Any]:
    """All that a consumer with the broker's own client gets, in order."""
    client = await nats.connect(server.url)
    try:
        jetstream = client.jetstream()
        try:
            count = (await jetstream.stream_info(stream)).state.messages
        except NotFoundError:
            return []
        if not count:
            return []
        config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE)
        consumer = await jetstream.pull_subscribe("", stream=stream, config=config)
        found: list[Any] = []
        while len(found) < count:
            found += await consumer.fetch(min(count - len(found), 1_000), timeout=TIMEOUT_S)
        return found
    finally:
        await client.close()


def data_of(message: Any) -> Any:
    return json.loads(message.data)
