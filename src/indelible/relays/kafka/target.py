"""What the URL of a relay to Kafka says, and the names that follow from it."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Self
from urllib.parse import unquote

from indelible.relays.messages import Message, Mode, parse_mode
from indelible.relays.urls import bad, is_true, parameters, split

_FIELD: Final = "{aggregate_type}"
_HOSTS: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s,:/@\[\]]+):[0-9]{1,5}")
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]+")
_TOPIC_LENGTH_MAX: Final = 249
"""Kafka's."""
_DIGEST_LENGTH: Final = 32
_COUNT_MAX: Final = 10_000
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_OWN: Final[Sequence[str]] = (
    "topic", "create", "partitions", "replication", "key", "mode", "cursor_topic", "tls", "sasl",
)  # fmt: skip
KEYS: Final[Mapping[str, Callable[[Message], str]]] = {
    "stream": lambda message: message.key,
    "aggregate_id": lambda message: message.event.aggregate_id,
    "aggregate_type": lambda message: message.event.aggregate_type,
    "event_type": lambda message: message.event.event_type,
}
"""What a message's key may be. Kafka keeps the order of messages with the same one."""
_SETTINGS: Final = frozenset((
    "batch.num.messages", "batch.size", "broker.address.family", "broker.address.ttl", "client.dns.lookup", "client.id",
    "client.rack", "compression.codec", "compression.level", "compression.type", "connections.max.idle.ms", "linger.ms",
    "message.max.bytes", "metadata.max.age.ms", "partitioner", "queue.buffering.max.ms", "reconnect.backoff.max.ms",
    "reconnect.backoff.ms", "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.extensions", "sasl.oauthbearer.method", "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url", "socket.keepalive.enable", "socket.nagle.disable",
    "socket.receive.buffer.bytes", "socket.send.buffer.bytes", "ssl.ca.location", "ssl.ca.pem",
    "ssl.certificate.location", "ssl.certificate.pem", "ssl.cipher.suites", "ssl.crl.location", "ssl.curves.list",
    "ssl.endpoint.identification.algorithm", "ssl.key.location", "ssl.key.password", "ssl.key.pem",
    "ssl.keystore.location", "ssl.keystore.password", "ssl.sigalgs.list",
))  # fmt: skip
"""Of librdkafka, that change neither what is stored nor what this process runs."""
_GUARDED: Final = frozenset((
    "acks", "auto.offset.reset", "delivery.timeout.ms", "enable.auto.commit", "enable.gapless.guarantee",
    "enable.idempotence", "group.id", "isolation.level", "max.in.flight", "max.in.flight.requests.per.connection",
    "message.send.max.retries", "message.timeout.ms", "queue.buffering.backpressure.threshold",
    "queue.buffering.max.kbytes", "queue.buffering.max.messages", "queuing.strategy", "request.required.acks",
    "request.timeout.ms", "retries", "retry.backoff.max.ms", "retry.backoff.ms", "socket.timeout.ms",
    "transaction.timeout.ms", "transactional.id",
))  # fmt: skip
"""Those that the sink's promises rest on."""


class Target(NamedTuple):
    """What a URL names."""

    topic: str
    cursor_topic: str
    """Of the relay's own; empty: it follows from the relay's name."""
    creates: bool
    """Whether topics are made when they are not there."""
    partitions: int | None
    replication: int | None
    """How many a topic has at least; None: as the broker makes them."""
    key: str
    mode: Mode
    client: dict[str, str]
    """Settings of librdkafka: how to reach the broker, and further ones."""

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises ``InvalidRequest``."""
        parts = split(url)
        given = parameters(parts.query)
        own = {name: given.pop(name) for name in _OWN if name in given}
        for name in given:
            _check_setting(name)
        userinfo, _, servers = parts.netloc.rpartition("@")
        if (
            not all(_HOSTS.fullmatch(one) for one in servers.split(","))
            or parts.path not in ("", "/")
            or parts.fragment
        ):
            raise bad("must be like kafka://HOST:PORT,HOST:PORT?topic=NAME")
        topic, key = own.get("topic", ""), own.get("key", "stream")
        cursor_topic = own.get("cursor_topic", "")
        _check_topics(topic, cursor_topic)
        if key not in KEYS:
            raise bad(f"must have one of {', '.join(KEYS)} for key")
        client = {"bootstrap.servers": servers, **_security(userinfo, own), **given}
        return cls(
            topic, cursor_topic, is_true(own, "create"), _count(own, "partitions"),
            _count(own, "replication"), key, parse_mode(own.get("mode", "binary")), client,
        )  # fmt: skip

    @property
    def has_field(self) -> bool:
        return _FIELD in self.topic

    def topic_of(self, aggregate_type: str) -> str:
        """A type has no "-", so what begins with one can stand for other characters. Of types that are too long, a
        digest stands for the end."""
        parts = self.topic.split(_FIELD)
        room = (_TOPIC_LENGTH_MAX - sum(map(len, parts))) // max(len(parts) - 1, 1)
        return _shortened(_escaped(aggregate_type, r"[^a-zA-Z0-9_]", "-"), "-", room).join(parts)

    def cursor_topic_of(self, relay: str) -> str:
        if self.cursor_topic:
            return self.cursor_topic
        prefix = "indelible-relay-"
        return prefix + _shortened(_escaped(relay, r"[^a-zA-Z0-9_-]", "."), ".", _TOPIC_LENGTH_MAX - len(prefix))


def _check_setting(name: str) -> None:
    if name in _GUARDED:
        raise bad(f"must not set {name}: that each event comes once, or in time, rests on it")
    if name not in _SETTINGS:
        raise bad(f"has an unknown parameter, {name}; there are {', '.join(_OWN)}, and some settings of librdkafka")


def _check_topics(topic: str, cursor_topic: str) -> None:
    if (
        not _is_topic(topic.replace(_FIELD, "x"))
        or len(topic.replace(_FIELD, "x" * (_DIGEST_LENGTH + 2))) > _TOPIC_LENGTH_MAX
    ):
        raise bad(
            f"must name a topic, such as topic=events: at most {_TOPIC_LENGTH_MAX} letters, digits, dots, _ and -, "
            f"among which {_FIELD} may be"
        )
    if cursor_topic and (not _is_topic(cursor_topic) or cursor_topic == topic):
        raise bad("must name another topic for cursor_topic, the relay's own, of letters, digits, dots, _ and -")


def _is_topic(name: str) -> bool:
    return bool(_TOPIC.fullmatch(name)) and len(name) <= _TOPIC_LENGTH_MAX and name not in (".", "..")


def _security(userinfo: str, own: Mapping[str, str]) -> dict[str, str]:
    mechanism = own.get("sasl", "PLAIN" if userinfo else "")
    protocol = "SSL" if is_true(own, "tls") else "PLAINTEXT"
    if not mechanism:
        return {"security.protocol": protocol}
    if mechanism not in _MECHANISMS:
        raise bad(f"must have one of {', '.join(_MECHANISMS)} for sasl")
    settings = {"security.protocol": f"SASL_{protocol}", "sasl.mechanism": mechanism}
    if mechanism == "OAUTHBEARER":
        return settings
    user, colon, password = userinfo.partition(":")
    if not user or not colon:
        raise bad("must name user and password, as in kafka://USER:PASSWORD@HOST:PORT, percent-encoded")
    return {**settings, "sasl.username": unquote(user), "sasl.password": unquote(password)}


def _count(own: Mapping[str, str], name: str) -> int | None:
    text = own.get(name)
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= _COUNT_MAX:
        raise bad(f"must have a number from 1 to {_COUNT_MAX} for {name}")
    return int(text)


def _escaped(name: str, others: str, mark: str) -> str:
    return re.sub(others, lambda found: "".join(f"{mark}{byte:02X}" for byte in found[0].encode()), name)


def _shortened(escaped: str, mark: str, room: int) -> str:
    """Two marks in a row stand in no name that is whole."""
    if len(escaped) <= room:
        return escaped
    digest = hashlib.sha256(escaped.encode()).hexdigest()[:_DIGEST_LENGTH]
    return escaped[: room - _DIGEST_LENGTH - 2] + 2 * mark + digest
