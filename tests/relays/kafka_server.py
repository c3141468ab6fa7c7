"""A real Kafka broker that tests start, kill and start again, on jars that ``make .kafka/.fetched`` brings.

A Java machine takes its time to start. So one broker serves a whole module of tests, each with topics of its own.
"""

import asyncio
import contextlib
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
)

from java_server import TIMEOUT_S, JavaServer, fetched, java, prepare
from postgres.server import free_port
from relays.proxy import Proxy

PASSWORD: Final = "right:/+"
"""Of the user "me" on the listener that asks for one."""
_KAFKA: Final = fetched(".kafka")
_CLUSTER: Final = "MkU3OEVBNTcwNTJENDM2Qg"
_LISTENERS: Final = ("DIRECT", "PROXIED", "SASL", "CONTROLLER")
_QUIET: Final = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
_LOGIN: Final = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_me="{PASSWORD}";'


class Received(NamedTuple):
    headers: dict[str, str]
    data: bytes
    place: str
    """Topic and partition."""
    key: str = ""


class KafkaServer(JavaServer):
    """In ``folder``, which is empty; its ports stay whatever is done to it. ``settings`` are the broker's."""

    home = _KAFKA

    def __init__(self, folder: Path, settings: dict[str, object] | None = None) -> None:
        super().__init__(folder)
        self._ports = {name: free_port() for name in _LISTENERS}
        self.proxy = Proxy(self._ports["PROXIED"])
        self.address = f"127.0.0.1:{self._ports['DIRECT']}"
        self.proxied_address = f"127.0.0.1:{self.proxy.port}"
        """Of a way to the broker that can be cut."""
        self.sasl_address = f"127.0.0.1:{self._ports['SASL']}"
        self.topic = ""
        self.begin_anew()
        (folder / "server.properties").write_text(self._properties(settings or {}))

    def _properties(self, settings: dict[str, object]) -> str:
        ports = self._ports
        advertised = {**ports, "PROXIED": self.proxy.port}
        del advertised["CONTROLLER"]
        every = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{ports['CONTROLLER']}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in advertised.items()),
            "listener.security.protocol.map": ",".join(
                f"{name}:{'SASL_PLAINTEXT' if name == 'SASL' else 'PLAINTEXT'}" for name in _LISTENERS
            ),
            "inter.broker.listener.name": "DIRECT",
            "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl.plain.sasl.jaas.config": _LOGIN,
            # Who needs no password may do all; "me" may do what is granted.
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "log.dirs": self.folder / "data",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 2,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # One that was killed is let in again only then.
            "broker.session.timeout.ms": 1_000,
            "broker.heartbeat.interval.ms": 250,
            "num.network.threads": 2,
            "num.io.threads": 4,
            **settings,
        }
        return "".join(f"{name}={value}\n" for name, value in every.items())

    # --- What a relay is told ----------------------------------------------------------------------------------------

    def begin_anew(self) -> None:
        """From now on :meth:`to` and :meth:`received` mean topics that nobody has used."""
        self.topic = f"t{secrets.token_hex(4)}"

    @property
    def cursor_topic(self) -> str:
        return f"{self.topic}_cursor"

    def to(self, more: str = "") -> str:
        return self.url(self.address, f"&create=true{more}")

    def url(self, address: str, more: str = "") -> str:
        """``more`` may name other topics; events' best so that they begin with ``self.topic`` and a dot."""
        own = {"topic": self.topic, "cursor_topic": self.cursor_topic}
        left = "".join(f"&{name}={topic}" for name, topic in own.items() if f"&{name}=" not in more)
        return f"kafka://{address}?{(left + more)[1:]}"

    # --- The process -------------------------------------------------------------------------------------------------

    def arguments(self) -> Sequence[str | Path]:
        data, properties = self.folder / "data", self.folder / "server.properties"
        if not data.exists():
            _format(properties, data)
        return ["-Xmx384M", _QUIET, "kafka.Kafka", properties]

    def answers(self) -> bool:
        address = ("127.0.0.1", self._ports["DIRECT"])
        with contextlib.suppress(OSError, KafkaException), socket.create_connection(address, timeout=1):
            return bool(self.admin().list_topics(timeout=5).brokers)
        return False

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    def close(self) -> None:
        super().close()
        self.proxy.stop()

    # --- What others do ----------------------------------------------------------------------------------------------

    def make_topic(self, name: str, partitions: int = 1, **config: str) -> None:
        admin = self.admin()
        admin.create_topics([NewTopic(name, partitions, 1, config=dict(config))])[name].result(TIMEOUT_S)

    def grant(self, kind: str, name: str, *operations: str) -> None:
        """To "me", on what is named: a "topic", "group" or "transactional_id". Returns when it holds: the broker hears
        of it a little later than the controller, which answers."""
        admin = self.admin()
        grants = [
            AclBinding(
                ResourceType[kind.upper()], name, ResourcePatternType.LITERAL, "User:me", "*",
                AclOperation[operation.upper()], AclPermissionType.ALLOW,
            )
            for operation in operations
        ]  # fmt: skip
        for granted in admin.create_acls(grants).values():
            granted.result(TIMEOUT_S)
        own = AclBindingFilter(
            ResourceType[kind.upper()], name, ResourcePatternType.LITERAL, "User:me", None,
            AclOperation.ANY, AclPermissionType.ALLOW,
        )  # fmt: skip
        give_up_at = time.monotonic() + TIMEOUT_S
        while not set(grants) <= set(admin.describe_acls(own).result(TIMEOUT_S)):
            assert time.monotonic() < give_up_at, "a grant does not hold"
            time.sleep(0.02)

    def partitions(self, name: str) -> int:
        """Of a topic; 0 when it is not there."""
        found = self.admin().list_topics(timeout=TIMEOUT_S).topics.get(name)
        return 0 if found is None else len(found.partitions)

    def config(self, name: str) -> dict[str, str]:
        """Of a topic."""
        admin, resource = self.admin(), ConfigResource(ConfigResource.Type.TOPIC, name)
        found: Any = admin.describe_configs([resource])[resource].result(TIMEOUT_S)
        return {entry.name: entry.value for entry in found.values()}

    async def received(self) -> list[Received]:
        """All that a consumer of the topic, or of those that begin with its name and a dot, gets who reads only what is
        committed; in order within each place."""
        return await asyncio.to_thread(self._received)

    def _received(self) -> list[Received]:
        self.settle()
        return self.read(self._partitions())

    def _partitions(self) -> list[TopicPartition]:
        topics = self.admin().list_topics(timeout=TIMEOUT_S).topics
        own = [name for name in topics if name == self.topic or name.startswith(f"{self.topic}.")]
        return [TopicPartition(name, n, OFFSET_BEGINNING) for name in sorted(own) for n in topics[name].partitions]

    def settle(self) -> None:
        """Return when what is committed can be read. A broker without replicas that is killed in the milliseconds
        between may hide the last transaction for as long as nothing more is published to the partition."""
        partitions, give_up_at = self._partitions(), time.monotonic() + TIMEOUT_S
        while self._ends(partitions, IsolationLevel.READ_COMMITTED) != self._ends(
            partitions, IsolationLevel.READ_UNCOMMITTED
        ):
            assert time.monotonic() < give_up_at, "a transaction does not end"
            time.sleep(0.05)

    def _ends(self, partitions: Sequence[TopicPartition], isolation: IsolationLevel) -> list[int]:
        admin = self.admin()  # answers come for as long as somebody has it
        asked = {TopicPartition(one.topic, one.partition): OffsetSpec.latest() for one in partitions}
        found = admin.list_offsets(asked, isolation_level=isolation) if asked else {}
        return [one.result(TIMEOUT_S).offset for _, one in sorted(found.items())]

    def read(self, partitions: Sequence[TopicPartition]) -> list[Received]:
        """To their ends."""
        if not partitions:
            return []
        consumer = Consumer({
            "bootstrap.servers": self.address, "group.id": f"g{secrets.token_hex(4)}", "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True, "log_level": 0,
        })  # fmt: skip
        found: list[Received] = []
        left, give_up_at = len(partitions), time.monotonic() + TIMEOUT_S
        try:
            consumer.assign(list(partitions))
            while left:
                assert time.monotonic() < give_up_at, f"{left} partitions do not end"
                for message in consumer.consume(1_000, timeout=0.2):
                    error = message.error()
                    if error is None:
                        found.append(_received(message))
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left -= 1
        finally:
            consumer.close()
        return found


def _received(message: Any) -> Received:
    headers = {name: value.decode() for name, value in message.headers() or []}
    assert len(headers) == len(message.headers() or []), "a header comes twice"
    key = (message.key() or b"").decode()
    return Received(headers, message.value(), f"{message.topic()}/{message.partition()}", key)


def _format(properties: Path, data: Path) -> None:
    """Kafka's own tool takes seconds for it, so what it made once is kept."""
    kept = _KAFKA / "formatted"
    if not kept.exists():
        command = [*java(_KAFKA), _QUIET, "kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", properties]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S)
        data.rename(kept)
    shutil.copytree(kept, data)


@contextlib.contextmanager
def kafka_server(folder: Path, **settings: object) -> Iterator[KafkaServer]:
    prepare(_KAFKA, KafkaServer)
    server = KafkaServer(folder, {name.replace("_", "."): value for name, value in settings.items()})
    server.start()
    try:
        yield server
    finally:
        server.close()
