"""The topics of a relay to Kafka: looked at before anything is published, and made where the URL says so."""

import contextlib
import time
from typing import Any, Final, Self

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic  # type: ignore[attr-defined] # they are there

from indelible.relays.kafka.calls import Patience, Problems
from indelible.relays.kafka.target import Target
from indelible.relays.sink import SinkUnavailable

_LOOK_AGAIN_S: Final = 0.02
_COMPACTED: Final = {
    "cleanup.policy": "compact",
    # Only full segments are compacted, and each page is a record.
    "segment.bytes": str(4 * 1024 * 1024),
}


class Topics:
    """Belongs to one thread. To be used by ``with``, which lets go of the broker."""

    def __init__(self, target: Target, patience: Patience) -> None:
        self._target: Final = target
        self._patience: Final = patience
        self._problems: Final = Problems()
        settings: dict[str, Any] = {**target.client, "log_level": 0, "error_cb": self._problems.note}
        self._admin: Final = AdminClient(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._admin.__exit__(None, None, None)

    def prepare(self, topic: str) -> None:
        """See that it can be published to. Raises ``SinkUnavailable``."""
        target = self._target
        config = {"partitions": target.partitions or -1, "replicas": target.replication or -1, "config": {}}
        partitions = self._found_or_made(topic, config, "make it")
        self._check_at_least("partitions", topic, len(partitions), target.partitions)
        replicas = min(len(one.replicas) for one in partitions)
        self._check_at_least("replication", topic, replicas, target.replication)

    def prepare_cursor_topic(self, topic: str) -> None:
        target = self._target
        config = {"partitions": 1, "replicas": target.replication or -1, "config": _COMPACTED}
        partitions = self._found_or_made(topic, config, "make it with one partition and cleanup.policy=compact")
        if len(partitions) != 1:
            raise SinkUnavailable(
                f"the topic {topic} must have one partition, not {len(partitions)}: it is the relay's"
            )
        self._check_at_least("replication", topic, len(partitions[0].replicas), target.replication)
        policy = self._cleanup_policy(topic)
        if policy not in (None, "compact"):
            raise SinkUnavailable(
                f"the topic {topic} must have cleanup.policy=compact, not {policy}: what the relay keeps there would "
                "be deleted with time"
            )

    def _found_or_made(self, topic: str, config: dict[str, Any], advice: str) -> list[Any]:
        """Its partitions."""
        found = self._partitions(topic)
        if found is not None and _is_whole(found):
            return found
        if found is None:
            if not self._target.creates:
                raise SinkUnavailable(f"Kafka has no topic {topic}; {advice}, or add create=true to the URL")
            self._make(topic, config)
        while found is None or not _is_whole(found):
            time.sleep(min(_LOOK_AGAIN_S, self._patience.left_s()))
            found = self._partitions(topic)
        return found

    def _partitions(self, topic: str) -> list[Any] | None:
        collection = TopicCollection([topic])
        try:
            futures = self._admin.describe_topics(collection, request_timeout=self._timeout_s())
            return list(self._result(futures[topic]).partitions)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise SinkUnavailable(
                    f"Kafka does not let the relay see the topic {topic}: {error.args[0].str()}"
                ) from None
            raise

    def _make(self, topic: str, config: dict[str, Any]) -> None:
        new = NewTopic(topic, config["partitions"], config["replicas"], config=config["config"])
        try:
            futures = self._admin.create_topics([new], request_timeout=self._timeout_s())
            self._result(futures[topic])
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise SinkUnavailable(f"Kafka does not make the topic {topic}: {error.args[0].str()}") from error

    def _check_at_least(self, what: str, topic: str, count: int, wanted: int | None) -> None:
        if wanted is not None and count < wanted:
            raise SinkUnavailable(
                f"the topic {topic} has {count} for {what}, and the URL asks for {wanted}; change one of them"
            )

    def _cleanup_policy(self, topic: str) -> str | None:
        """None where one may not know."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        with contextlib.suppress(KafkaException):
            futures = self._admin.describe_configs([resource], request_timeout=self._timeout_s())
            return str(self._result(futures[resource])["cleanup.policy"].value)
        return None

    def _timeout_s(self) -> float:
        """Later than its own end, so that it is the one that says so."""
        return self._patience.left_s() + 1

    def _result(self, future: Any) -> Any:
        return self._patience.result(future, self._hear)

    def _hear(self) -> None:
        self._admin.poll(0)
        self._problems.check()


def _is_whole(partitions: list[Any]) -> bool:
    """Right after a topic was made, some have no leader."""
    return bool(partitions) and all(one.leader is not None for one in partitions)
