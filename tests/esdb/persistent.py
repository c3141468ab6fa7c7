"""What tests of persistent subscriptions share: Python's client, told not to wait long before it acknowledges."""

import time
from collections.abc import Callable
from itertools import islice
from typing import Any
from uuid import uuid4

from kurrentdbclient import KurrentDBClient, NewEvent, RecordedEvent, StreamState


def new_group() -> str:
    return f"group-{uuid4()}"


def new_stream() -> str:
    return f"order-{uuid4()}"


def append(client: KurrentDBClient, stream: str, count: int = 1, kind: str = "Placed") -> list[NewEvent]:
    events = [NewEvent(type=kind, data=b'{"number":%d}' % number) for number in range(count)]
    client.append_to_stream(stream, current_version=StreamState.ANY, events=events)
    return events


def next_position(client: KurrentDBClient) -> int:
    """Of what comes next."""
    scratch = [NewEvent(type="Scratch", data=b"{}")]
    position: int = client.append_to_stream(f"scratch-{uuid4()}", current_version=StreamState.ANY, events=scratch)
    return position + 1


def reading(client: KurrentDBClient, group: str, stream: str | None = None, **options: Any) -> Any:
    options = {"max_ack_delay": 0.01, "stopping_grace": 1.0} | options
    if stream is None:
        return client.read_subscription_to_all(group, **options)
    return client.read_subscription_to_stream(group, stream, **options)


def take(
    client: KurrentDBClient,
    group: str,
    stream: str | None,
    count: int,
    action_of: Callable[[RecordedEvent], str] = lambda _: "ack",
) -> list[RecordedEvent]:
    """Reads so many, and says of each what ``action_of`` does: "ack", "none", or what to refuse it with."""
    found = []
    with reading(client, group, stream) as subscription:
        for event in islice(subscription, count):
            found.append(event)
            action = action_of(event)
            if action == "ack":
                subscription.ack(event)
            elif action != "none":
                subscription.nack(event, action)
    return found


def eventually(is_so: Callable[[], bool]) -> bool:
    """Whether it is within 60 s: what a consumer says is not answered."""
    end = time.monotonic() + 60
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    return is_so()


def ids(events: list[Any]) -> list[str]:
    return [str(event.id) for event in events]
