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

import nats

from indelible.relays.messages import Message

# As pytest has it: modules of the tests' brokers import one another so.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from relays.brokers import BrokerServer

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


CLIENTS: Mapping[str, Client] = {"nats": Client(_publish_to_nats, _receive_from_nats)}
