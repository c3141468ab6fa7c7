"""A member of a consumer group in a process of its own, which writes down what it gets and says.

Its one argument is a job in JSON. It goes on until it is killed, or told by SIGTERM that all is done.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from indelible.client import AsyncClient
from indelible.client.async_client import AsyncGroups
from indelible.errors import OutcomeUnknown, Unavailable
from indelible.groups import Delivery, Settled

PULL_LIMIT = 20
PULL_WAIT_S = 2.0
PAUSE_S = 0.05
"""Before the next server is asked."""

T = TypeVar("T")


class Job(msgspec.Struct, frozen=True):
    urls: tuple[str, ...]
    """Servers; the first is asked until it does not answer, then the next."""
    group: str
    name: str
    history: str
    """Path of the file to write to."""
    cured: str
    """Path of a file: once it is there, no event is poisoned any more."""
    refused: float = 0.0
    """The share of events that are refused at random."""
    handle_s: float = 0.0
    """How long it takes to handle an event."""


class Got(msgspec.Struct, frozen=True, tag="got"):
    """A delivery has come. Times count seconds since 1970."""

    at: float
    delivery_id: str
    position: int
    aggregate_id: str
    version: int
    attempt: int
    deadline: datetime


class Said(msgspec.Struct, frozen=True, tag="said"):
    """A delivery is about to be acknowledged or refused."""

    at: float
    delivery_id: str
    is_ack: bool


class Heard(msgspec.Struct, frozen=True, tag="heard"):
    """What was said is settled, or the delivery was lost."""

    at: float
    delivery_id: str
    is_ack: bool
    is_lost: bool


Record = Got | Said | Heard


class Member:
    def __init__(self, job: Job, stores: Sequence[AsyncClient], history: int) -> None:
        self._job, self._stores, self._history = job, stores, history
        self._at = 0
        self._chance = random.Random(job.name)

    async def run(self) -> None:
        while True:
            found = await self._ask(
                lambda groups: groups.pull(self._job.group, member=self._job.name, limit=PULL_LIMIT, wait_s=PULL_WAIT_S)
            )
            self._write([_got(one) for one in found])
            refused = [one.delivery_id for one in found if await self._fails(one)]
            nack = partial(AsyncGroups.nack, delay_s=self._chance.choice((0.0, 0.1)), reason="it failed")
            await self._say([one.delivery_id for one in found if one.delivery_id not in refused], True, AsyncGroups.ack)
            await self._say(refused, False, nack)

    async def _fails(self, delivery: Delivery) -> bool:
        await asyncio.sleep(self._job.handle_s)
        if delivery.event.event_data["is_poisoned"]:
            return not os.path.exists(self._job.cured)  # noqa: ASYNC240, PTH110 - this process has nothing else to do
        return self._chance.random() < self._job.refused

    async def _say(
        self,
        delivery_ids: Sequence[str],
        is_ack: bool,
        call: Callable[[AsyncGroups, str, Sequence[str]], Awaitable[Settled]],
    ) -> None:
        if not delivery_ids:
            return
        now = time.time()
        self._write([Said(now, one, is_ack) for one in delivery_ids])
        settled = await self._ask(lambda groups: call(groups, self._job.group, delivery_ids))
        now, lost = time.time(), set(settled.lost)
        self._write([Heard(now, one, is_ack, one in lost) for one in delivery_ids])

    async def _ask(self, call: Callable[[AsyncGroups], Awaitable[T]]) -> T:
        """Ask one server after another, until one answers."""
        while True:
            try:
                return await call(self._stores[self._at].groups)
            except (Unavailable, OutcomeUnknown):
                self._at = (self._at + 1) % len(self._stores)
                await asyncio.sleep(PAUSE_S)

    def _write(self, records: Sequence[Record]) -> None:
        """At once: what a process has written outlives it."""
        if records:
            os.write(self._history, b"".join(msgspec.json.encode(record) + b"\n" for record in records))


def _got(one: Delivery) -> Got:
    event = one.event
    return Got(
        time.time(), one.delivery_id, event.position, event.aggregate_id, event.version, one.attempt, one.deadline
    )


def read_records(history: Path) -> Iterator[Record]:
    """All but a last one that was cut off."""
    decoder = msgspec.json.Decoder(Record)
    for line in history.read_bytes().split(b"\n")[:-1]:
        yield decoder.decode(line)


async def spawn(job: Job) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    text = msgspec.json.encode(job).decode()
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "faults.group_member", text, env=environment)


async def _run(job: Job) -> None:
    history = os.open(job.history, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    async with AsyncExitStack() as stack:
        # Each attempt is for the next server, so the client must not make any of its own.
        stores = [await stack.enter_async_context(AsyncClient(url, retry_total_s=0)) for url in job.urls]
        running = asyncio.create_task(Member(job, stores, history).run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        await asyncio.wait([running])
        if not running.cancelled():
            running.result()


if __name__ == "__main__":
    asyncio.run(_run(msgspec.json.decode(sys.argv[1], type=Job)))
