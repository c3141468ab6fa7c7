"""What relays are compared with: the client of each broker alone, which gives the same guarantees.

One pair of functions a broker. ``publish`` stores messages as the relay has them, in order and each once, as fast as
the client can; it gives how long that took once it was connected. ``receive`` hands on the data of each message as it
comes, and says when it is ready.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import aio_pika
import nats
from confluent_kafka import Consumer, Producer, TopicPartition

from indelible.limits import RELAY_BATCH_EVENTS_MAX
from indelible.relays.messages import Message

# As pytest has it: modules of the tests' brokers import one another so.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from relays.brokers import BrokerServer

TIMEOUT_S = 60
UNANSWERED_MAX = 1_000
"""Messages on their way at once."""


class Client(NamedTuple):
    publish: Callable[[BrokerServer, Sequence[Message]], Awaitable[float]]
    receive: Callable[[BrokerServer, Callable[[bytes], None], asyncio.Event, asyncio.Event], Awaitable[None]]
    """What hears of each message's data; what is set when it is ready; what ends it."""


async def _publish_to_nats(server: BrokerServer, messages: Sequence[Message]) -> float:
    """Ids let the server leave out repeats; each message says behind which it is to stand."""
    client, stream = await nats.connect(server.url), server.stream
    jetstream = client.jetstream(publish_async_max_pending=UNANSWERED_MAX)
    await jetstream.add_stream(name=stream, subjects=[stream])
    began = time.perf_counter()
    answers = []
    for number, message in enumerate(messages):
        headers = {
            **message.headers,
            "content-type": message.content_type,
            "Nats-Msg-Id": str(message.event.event_id),
            "Nats-Expected-Last-Sequence": str(number),
        }
        answers.append(await jetstream.publish_async(stream, message.data, headers=headers))
    await asyncio.gather(*answers)
    took_s = time.perf_counter() - began
    await client.close()
    return took_s


async def _receive_from_nats(
    server: BrokerServer, hear: Callable[[bytes], None], is_ready: asyncio.Event, end: asyncio.Event
) -> None:
    client, stream = await nats.connect(server.url), server.stream
    jetstream = client.jetstream()
    await jetstream.add_stream(name=stream, subjects=[stream])

    async def heard(message: nats.aio.msg.Msg) -> None:
        hear(message.data)

    await jetstream.subscribe(stream, stream=stream, ordered_consumer=True, cb=heard)
    is_ready.set()
    await end.wait()
    await client.close()


async def _publish_to_kafka(server: BrokerServer, messages: Sequence[Message]) -> float:
    """Transactions of an idempotent producer, each as large as a relay's may be."""
    server.make_topic(server.topic)
    return await asyncio.to_thread(_publish_in_transactions, server.address, server.topic, messages)


def _publish_in_transactions(address: str, topic: str, messages: Sequence[Message]) -> float:
    producer = Producer({"bootstrap.servers": address, "transactional.id": f"alone-{topic}", "log_level": 0})
    producer.init_transactions(TIMEOUT_S)
    began = time.perf_counter()
    for first in range(0, len(messages), RELAY_BATCH_EVENTS_MAX):
        producer.begin_transaction()
        for message in messages[first : first + RELAY_BATCH_EVENTS_MAX]:
            headers = [(name, value.encode()) for name, value in message.headers.items()]
            producer.produce(topic, message.data, key=message.key, headers=headers)
        producer.commit_transaction(TIMEOUT_S)
    return time.perf_counter() - began


async def _receive_from_kafka(
    server: BrokerServer, hear: Callable[[bytes], None], is_ready: asyncio.Event, end: asyncio.Event
) -> None:
    server.make_topic(server.topic)
    consumer = Consumer({
        "bootstrap.servers": server.address, "group.id": "benchmark", "auto.offset.reset": "earliest",
        "isolation.level": "read_committed", "fetch.wait.max.ms": 10, "log_level": 0,
    })  # fmt: skip
    consumer.assign([TopicPartition(server.topic, 0, 0)])
    is_ready.set()
    while not end.is_set():
        for message in await asyncio.to_thread(consumer.consume, UNANSWERED_MAX, 0.005):
            if message.error() is None:
                hear(message.value())
    consumer.close()


async def _publish_to_rabbitmq(server: BrokerServer, messages: Sequence[Message]) -> float:
    """Persistent, mandatory and confirmed, into a quorum queue."""
    await server.bind(arguments={"x-queue-type": "quorum"})
    async with await aio_pika.connect(server.amqp()) as connection, connection.channel() as channel:
        exchange = await channel.get_exchange(server.exchange)
        began = time.perf_counter()
        for first in range(0, len(messages), RELAY_BATCH_EVENTS_MAX):
            batch = messages[first : first + RELAY_BATCH_EVENTS_MAX]
            await asyncio.gather(*[
                exchange.publish(
                    aio_pika.Message(
                        one.data, headers=dict(one.headers), content_type=one.content_type,
                        message_id=str(one.event.event_id), delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    ),
                    routing_key="events", mandatory=True,
                )
                for one in batch
            ])  # fmt: skip
        return time.perf_counter() - began


async def _receive_from_rabbitmq(
    server: BrokerServer, hear: Callable[[bytes], None], is_ready: asyncio.Event, end: asyncio.Event
) -> None:
    await server.bind(arguments={"x-queue-type": "quorum"})
    async with await aio_pika.connect(server.amqp()) as connection, connection.channel() as channel:
        await channel.set_qos(UNANSWERED_MAX)
        queue = await channel.get_queue(server.queue)

        async def heard(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            hear(message.body)
            await message.ack()

        await queue.consume(heard)
        is_ready.set()
        await end.wait()


CLIENTS: Mapping[str, Client] = {
    "kafka": Client(_publish_to_kafka, _receive_from_kafka),
    "nats": Client(_publish_to_nats, _receive_from_nats),
    "rabbitmq": Client(_publish_to_rabbitmq, _receive_from_rabbitmq),
}
