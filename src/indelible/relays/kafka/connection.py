"""A connection to Kafka that publishes a relay's events in transactions. Everything here blocks, and belongs to one
thread; only ``give_up`` is called from others.

The relay's cursor topic holds one record for each transaction that moved it: the owner's epoch, how far the relay has
come, and with which event. It is written within the transaction, so both are there or neither is. The relay has one
``transactional.id``, and Kafka one producer for it: who connects ends the transactions of whoever did before, and only
then looks at the last record. So what one publishes always follows that record, whoever else believes to own the relay.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import Event as Flag
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from indelible.cursors import Cursor
from indelible.events import RecordedEvent
from indelible.limits import LINE_SIZE_BYTES_MAX, RELAY_BROKER_TIMEOUT_S
from indelible.relay_state import RelayLease
from indelible.relays.at_once import AtOnce
from indelible.relays.kafka.calls import Patience
from indelible.relays.kafka.target import KEYS, Target
from indelible.relays.kafka.topics import Topics
from indelible.relays.messages import Message
from indelible.relays.sink import Reached, SinkFenced, SinkRefused, SinkUnavailable

_CLOSE_TIMEOUT_S: Final = 1.0
_POLL_S: Final = 0.1
_RECORDS_FIRST: Final = 64
_RECORDS_FACTOR: Final = 8
"""So many of the cursor topic's last places are looked at, and so many times more when only transactions that came to
nothing stand there."""
_FENCED: Final = (
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
)
_BATCH_BYTES: Final = 1_000_000
"""The library's, where the URL does not say."""
_TOO_LARGE: Final = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)
_LIMIT_MS: Final = int(RELAY_BROKER_TIMEOUT_S * 1_000)


Event = tuple[RecordedEvent, Cursor]
"""And the cursor behind it."""
MessageMaker = Callable[[RecordedEvent, Cursor], Message]


class _Record(msgspec.Struct, frozen=True):
    """Of the cursor topic."""

    relay: str
    epoch: int
    cursor: str | None
    """None: nothing was published since the last reset."""
    event_id: UUID | None = None
    hash: str | None = None
    """Of the last event that was published; earlier versions did not say."""


class _Oversized(NamedTuple):
    """Why a transaction came to nothing."""

    reason: str
    event_index: int | None
    """Of the event; None: of a batch of several, of which there are to be smaller ones."""


class Learned:
    """What is known of a broker once it was tried, and holds for later connections."""

    def __init__(self, target: Target) -> None:
        self.at_once: Final = AtOnce()
        self.batch_bytes = int(target.client.get("batch.size", _BATCH_BYTES))
        """Of messages for one partition that the library sends together, and that the broker takes or refuses together.
        A larger message is alone in its batch."""


_decode: Final = msgspec.json.Decoder(_Record).decode


class Connection:
    """Raises ``SinkUnavailable``, ``SinkRefused`` and ``SinkFenced`` as a sink does, and ``KafkaException`` and
    ``BufferError``, after which it is of no use."""

    def __init__(self, target: Target, lease: RelayLease, learned: Learned) -> None:
        self._target: Final = target
        self._lease: Final = lease
        self._learned: Final = learned
        self._cursor_topic: Final = target.cursor_topic_of(lease.relay)
        self._key_of: Final = KEYS[target.key]
        self._is_given_up: Final = Flag()
        self._producer: Any = None
        self._is_in_transaction = False
        self._last: _Record | None = None
        """Of the cursor topic, as of when it was connected to."""
        self._message_of: MessageMaker
        """Of what is published now."""
        self._topics: dict[str, str] = {}
        """By aggregate type; those that are there."""

    def give_up(self) -> None:
        """Whatever it waits for: that ends soon."""
        self._is_given_up.set()

    # --- Opening -----------------------------------------------------------------------------------------------------

    def open(self) -> Reached | None:
        """Be the one producer of the relay, and learn how far it came. :meth:`take_over` follows."""
        patience = self._patience()
        with Topics(self._target, patience) as topics:
            topics.prepare_cursor_topic(self._cursor_topic)
            if not self._target.has_field:
                topics.prepare(self._target.topic)
        self._connect(patience)
        last = self._last
        if last is None or last.cursor is None or last.epoch < self._lease.reset_epoch:
            return None
        return Reached(Cursor(last.cursor), last.event_id, last.hash)

    def take_over(self) -> Cursor | None:
        """From now on earlier owners find that there is another. Gives how far the relay came."""
        record = self._take_over(self._patience())
        return None if record.cursor is None else Cursor(record.cursor)

    def _connect(self, patience: Patience) -> None:
        self._let_go()
        self._producer = Producer(self._settings())
        try:
            patience.until_done(self._producer.init_transactions)
            self._last = self._last_record(patience)
        except KafkaException as error:
            raise self._reason(error, patience) from error

    def _take_over(self, patience: Patience) -> _Record:
        last, lease = self._last, self._lease
        self._check_epoch(last)
        if last is not None and last.epoch == lease.epoch:
            return last
        record = _Record(lease.relay, lease.epoch, None)
        if last is not None and last.epoch >= lease.reset_epoch:
            record = msgspec.structs.replace(last, epoch=lease.epoch)
        try:
            self._producer.begin_transaction()
            self._is_in_transaction = True
            self._produce_record(record)
            self._commit(patience)
        except KafkaException as error:
            raise self._reason(error, patience) from error
        return record

    def _settings(self) -> dict[str, object]:
        return {
            "partitioner": "murmur2_random",  # that of Kafka's own clients
            "message.max.bytes": 2 * LINE_SIZE_BYTES_MAX,  # the broker decides
            **self._target.client,
            "batch.size": self._learned.batch_bytes,
            "delivery.report.only.error": True,
            "transactional.id": self._cursor_topic,
            "transaction.timeout.ms": _LIMIT_MS,
            "message.timeout.ms": _LIMIT_MS,
            "socket.timeout.ms": _LIMIT_MS,
            # Kafka asks for patience between two transactions of one producer; it grows where it lasts.
            "retry.backoff.ms": 1,
            "acks": "all",
            "enable.idempotence": True,
            "log_level": 0,
        }

    def _check_epoch(self, record: _Record | None) -> None:
        if record is not None and record.epoch > self._lease.epoch:
            raise SinkFenced(f"the topic {self._cursor_topic} has a record of epoch {record.epoch}")

    def _last_record(self, patience: Patience) -> _Record | None:
        consumer = Consumer({
            **self._target.client, "group.id": self._cursor_topic, "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True, "fetch.wait.max.ms": 100,
            "auto.offset.reset": "earliest", "log_level": 0,
        })  # fmt: skip
        place = TopicPartition(self._cursor_topic, 0)
        try:
            start, end = patience.until_done(lambda slice_s: consumer.get_watermark_offsets(place, timeout=slice_s))
            count = _RECORDS_FIRST
            while True:
                begin = max(start, end - count)
                value = _last_value(consumer, TopicPartition(self._cursor_topic, 0, begin), patience)
                if value is not None or begin == start:
                    break
                count *= _RECORDS_FACTOR
        finally:
            consumer.close()
        try:
            record = None if value is None else _decode(value)
        except msgspec.DecodeError:
            raise SinkUnavailable(
                f"the topic {self._cursor_topic} holds what is no relay's; name another for cursor_topic"
            ) from None
        if record is not None and record.relay != self._lease.relay:
            raise SinkUnavailable(
                f"the topic {self._cursor_topic} is that of the relay {record.relay}; name another for cursor_topic"
            )
        return record

    # --- Publishing --------------------------------------------------------------------------------------------------

    def publish(self, events: Sequence[Event], message_of: MessageMaker, cursor: Cursor | None) -> None:
        """``cursor``: how far the relay has come with all of them; None where they tell nothing of that."""
        self._message_of = message_of
        self._prepare_topics(events, self._patience())
        left, refusal = events, None
        while left:
            with self._learned.at_once.of(len(left)) as count:
                part = left[:count]
                end = cursor if cursor is None or len(part) == len(left) else part[-1][1]
                problem = self._transact(part, end, self._patience())
            if problem is None:
                left = left[count:]
                continue
            if problem.event_index is not None:
                bad = part[problem.event_index][0]
                refusal = SinkRefused(f"it is larger than Kafka takes: {problem.reason}", bad.position)
                left = part[: problem.event_index]
                cursor = left[-1][1] if left and cursor is not None else None
            if left:
                # The library takes the messages that it gave up for a gap, which a new producer does not have.
                self._connect(self._patience())
                self._take_over(self._patience())
        if refusal is not None:
            raise refusal

    def _prepare_topics(self, events: Sequence[Event], patience: Patience) -> None:
        kinds = {event.aggregate_type for event, _ in events} - self._topics.keys()
        if not kinds:
            return
        names = {kind: self._target.topic_of(kind) for kind in kinds}
        if self._cursor_topic in names.values():
            raise SinkUnavailable(f"the topic {self._cursor_topic} is to hold events; name another for cursor_topic")
        if self._target.has_field:
            with Topics(self._target, patience) as topics:
                for name in names.values():
                    topics.prepare(name)
        self._topics.update(names)

    def _transact(self, events: Sequence[Event], cursor: Cursor | None, patience: Patience) -> _Oversized | None:
        """All of them, or none: then it says why, if it is for their size, and the transaction is left open."""
        refused: dict[int, str] = {}
        try:
            self._producer.begin_transaction()
            self._is_in_transaction = True
            problem = self._produce(events, refused)
            if problem is not None:
                return problem
            if cursor is not None:
                last = events[-1][0]
                self._produce_record(
                    _Record(self._lease.relay, self._lease.epoch, str(cursor), last.event_id, last.hash)
                )
            self._commit(patience)
        except KafkaException as error:
            # Those of what was refused may come right behind the error.
            self._hear_reports(0.0 if refused else _POLL_S)
            if not refused:
                raise self._reason(error, patience) from error
            return self._oversized(events, refused)
        return None

    def _produce(self, events: Sequence[Event], refused: dict[int, str]) -> _Oversized | None:
        """Kafka prepares its part while the messages are made: so each is made when it is to be sent. ``refused``: gets
        those that the broker refuses for their size, or for that of all in their batch."""
        produce, topics, key_of, message_of = self._producer.produce, self._topics, self._key_of, self._message_of
        for index, (event, cursor) in enumerate(events):
            message = message_of(event, cursor)
            headers = message.headers
            headers["content-type"] = message.content_type
            try:
                produce(
                    topics[event.aggregate_type], message.data, key_of(message),
                    headers=headers, on_delivery=partial(_note_refused, refused, index),
                )  # fmt: skip
            except KafkaException as error:
                if error.args[0].code() not in _TOO_LARGE:
                    raise
                return _Oversized(error.args[0].str(), index)
        return None

    def _oversized(self, events: Sequence[Event], refused: dict[int, str]) -> _Oversized:
        """The first that was alone in its batch. Where none was, later batches are to be smaller than these."""
        learned, sizes = self._learned, {index: self._size_bytes(*events[index]) for index in refused}
        alone = [index for index, size in sizes.items() if size >= learned.batch_bytes]
        if alone:
            return _Oversized(refused[min(alone)], min(alone))
        learned.batch_bytes = max(1, min(learned.batch_bytes, sum(sizes.values())) // 2)
        return _Oversized("", None)

    def _size_bytes(self, event: RecordedEvent, cursor: Cursor) -> int:
        """Of its message, of which the library counts some more."""
        message = self._message_of(event, cursor)
        texts = (self._key_of(message), *message.headers, *message.headers.values())
        return len(message.data) + len("".join(texts).encode())

    def _produce_record(self, record: _Record) -> None:
        self._producer.produce(self._cursor_topic, msgspec.json.encode(record), record.relay, partition=0)

    def _hear_reports(self, wait_s: float) -> None:
        """On messages: all that there are. Waits for some at most so long."""
        with suppress(KafkaException):  # a fatal error, of which the last call has told
            self._producer.poll(wait_s)

    def _commit(self, patience: Patience) -> None:
        patience.until_done(self._producer.commit_transaction)
        self._is_in_transaction = False

    def _reason(self, error: KafkaException, patience: Patience) -> Exception:
        kafka_error = self._cause(error, patience)
        if kafka_error.code() not in _FENCED:
            return SinkUnavailable(f"Kafka cannot be used: {kafka_error.str()}")
        # Only a record tells whether that was a newer owner, or an older one that came late.
        self._is_in_transaction = False
        try:
            self._check_epoch(self._last_record(patience))
        except SinkFenced as fenced:
            return fenced
        return SinkUnavailable("another process has connected to Kafka as this relay")

    def _cause(self, error: KafkaException, patience: Patience) -> KafkaError:
        """Where the library has found it before it was asked, it says only that something was fatal: what ends a
        transaction says what, as soon as the library's own thread has time."""
        found: KafkaError = error.args[0]
        if found.code() == KafkaError._FATAL:
            try:
                patience.until_done(self._producer.abort_transaction)
            except KafkaException as cause:
                return cause.args[0]  # type: ignore[no-any-return]  # the library has no types
        return found

    # --- Closing -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """A transaction that is under way holds up consumers until it is ended."""
        if self._is_in_transaction:
            with suppress(KafkaException, SinkUnavailable):  # the broker ends it in time, or the next owner does
                Patience(_CLOSE_TIMEOUT_S, Flag()).until_done(self._producer.abort_transaction)
        self._let_go()

    def _let_go(self) -> None:
        """The library's own way to close a producer waits for the broker for ever. One that nothing refers to ends at
        once."""
        if self._producer is not None:
            self._producer.purge()
            # Nobody would free those of what was given up.
            self._hear_reports(0.0)
        self._producer, self._is_in_transaction = None, False

    def _patience(self) -> Patience:
        return Patience(RELAY_BROKER_TIMEOUT_S, self._is_given_up)


def _note_refused(refused: dict[int, str], index: int, error: KafkaError, _: object) -> None:
    """A report on a message. Knows nothing of the connection: what refers to itself ends late."""
    if error.code() in _TOO_LARGE:
        refused[index] = error.str()


def _last_value(consumer: Any, begin: TopicPartition, patience: Patience) -> bytes | None:
    """Of the record that is the last one by now."""
    found: bytes | None = None
    consumer.assign([begin])
    while True:
        patience.left_s()
        message = consumer.poll(_POLL_S)
        if message is None:
            continue
        error = message.error()
        if error is None:
            found = message.value()
        elif error.code() == KafkaError._PARTITION_EOF:
            return found
        elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise KafkaException(error)
