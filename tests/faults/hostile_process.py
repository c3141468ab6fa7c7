"""The hostile callers of :mod:`faults.hostile_callers`, in a process of their own.

Its one argument is a job in JSON. It says ``ready`` once the subscribers are there, waits for a line, goes on until
its input ends, and then prints in JSON what it met.
"""

import asyncio
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import apsw
import msgspec

from indelible.client import AsyncClient
from indelible.errors import IndelibleError
from indelible.limits import CONDITION_ITEMS_MAX

HALVES = ("half:even", "half:odd")
"""Each is on half of the events, and never both on one."""
FILLED, GROUP = "Filled", "beside-the-damage"
CONDITION_CALLERS = 4
TRAILER_CALLERS = 4
PAUSE_S = 0.05
"""Before what was answered, or broken off, is tried again."""
ANSWER_TIMEOUT_S = 120.0
PULL_LIMIT = 50
LOCK_WAIT_MS = 30_000


KINDS = ("conditions", "trailers", "subscribers", "lock", "group")


class Job(msgspec.Struct, frozen=True):
    url: str
    kinds: tuple[str, ...]
    """Which of KINDS there are."""
    subscribers: int
    database: str | None
    """Path of the SQLite file that is locked now and then; None locks nothing."""
    lock_after_s: float
    """Between two locks, and before the first."""
    lock_s: float


class Met(msgspec.Struct):
    """What the hostile callers met."""

    conditions: dict[str, int]
    """Answers by status, and what broke off by its name."""
    trailers: dict[str, int]
    pulls: dict[str, int]
    """By outcome: "ok", or the error's code."""
    acknowledged: int
    """Events that the group's member was given and that its acknowledgement settled."""
    subscribers_left: int
    """Subscriptions that are still open."""
    locks: list[tuple[float, float]]
    """When each began and ended, by the clock that all processes share (``time.monotonic``)."""


async def spawn(job: Job) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "faults.hostile_process", msgspec.json.encode(job).decode(),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip


# --- Conditions ------------------------------------------------------------------------------------------------------


def _dear_append() -> bytes:
    """No event ever matches, and nothing but a look at half of all events can tell."""
    items = [{"event_types": [FILLED, f"Never{n}"], "tags": HALVES} for n in range(CONDITION_ITEMS_MAX)]
    append = {"aggregate_type": "hostile", "aggregate_id": "1", "events": [{"event_type": "Dear", "event_data": None}]}
    return msgspec.json.encode({"appends": [append], "condition": {"fail_if": items}})


async def _condition(url: str, met: Counter[str]) -> None:
    body, limit = _dear_append(), aiohttp.ClientTimeout(ANSWER_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=limit, headers={"content-type": "application/json"}) as session:
        while True:
            try:
                async with session.post(f"{url}/v1/append", data=body) as answer:
                    await answer.read()
                    met[str(answer.status)] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                met[type(error).__name__] += 1
            except asyncio.CancelledError:
                met["under way"] += 1
                raise
            await asyncio.sleep(PAUSE_S)


# --- Trailers --------------------------------------------------------------------------------------------------------


async def _trailers(url: str, piece: bytes, met: Counter[str]) -> None:
    """A whole chunked append, and then trailers until the server has had enough. ``piece`` is many short ones, or
    belongs to one that does not end."""
    address = urlsplit(url)
    body = b'{"events":[{"event_type":"Trailed","event_data":null}]}'
    head = b"POST /v1/aggregates/hostile/2/events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
    start = head + b"content-type: application/json\r\n\r\n%x\r\n%b\r\n0\r\nx-0: " % (len(body), body)
    while True:
        try:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
        except OSError as error:
            met[type(error).__name__] += 1
        else:
            met[await _send_until_closed(reader, writer, start, piece)] += 1
        await asyncio.sleep(PAUSE_S)


async def _send_until_closed(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, start: bytes, piece: bytes
) -> str:
    answered = asyncio.create_task(reader.readline())
    try:
        # The answer comes before the reset, unless the kernel throws it away.
        with suppress(OSError):
            writer.write(start)
            while not answered.done():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        line = (await answered).split()
    except OSError as error:
        return type(error).__name__
    else:
        return line[1].decode() if line else "closed"
    finally:
        answered.cancel()
        writer.transport.abort()


# --- Subscribers -----------------------------------------------------------------------------------------------------


def _subscribe(url: str, count: int) -> list[socket.socket]:
    """They ask and then take nothing, with small buffers of the kernel, so that its share is soon used up."""
    address, made = urlsplit(url), []
    for number in range(count):
        each = socket.socket()
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        each.settimeout(ANSWER_TIMEOUT_S)
        each.connect((address.hostname, address.port))
        target = f"/v1/events?after={number}&event_type={FILLED}&tag={HALVES[number % 2]}"
        each.sendall(f"GET {target} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n".encode())
        made.append(each)
    return made


def _still_open(subscribers: Sequence[socket.socket]) -> int:
    """Those whose first bytes wait to be read."""
    found = 0
    for each in subscribers:
        each.setblocking(False)
        with suppress(OSError):
            found += bool(each.recv(1, socket.MSG_PEEK))
    return found


# --- The group, and the file's lock ----------------------------------------------------------------------------------


async def _pull(url: str, met: Counter[str], acknowledged: Counter[str]) -> None:
    async with AsyncClient(url, retry_total_s=0) as client:
        while True:
            try:
                found = await client.groups.pull(GROUP, limit=PULL_LIMIT)
                settled = await client.groups.ack(GROUP, [one.delivery_id for one in found]) if found else None
            except IndelibleError as error:
                met[error.code] += 1
            else:
                met["ok"] += 1
                acknowledged["events"] += 0 if settled is None else settled.settled
            await asyncio.sleep(PAUSE_S)


async def _lock(job: Job, locks: list[tuple[float, float]]) -> None:
    assert job.database is not None
    connection = apsw.Connection(job.database)
    connection.set_busy_timeout(LOCK_WAIT_MS)
    while True:
        await asyncio.sleep(job.lock_after_s)
        await asyncio.to_thread(connection.execute, "BEGIN IMMEDIATE")
        began = time.monotonic()
        try:
            await asyncio.sleep(job.lock_s)
        finally:
            connection.execute("ROLLBACK")
            locks.append((began, time.monotonic()))


# --- All together ----------------------------------------------------------------------------------------------------


async def _run(job: Job) -> Met:
    conditions, trailers, pulls, acknowledged = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    locks: list[tuple[float, float]] = []
    count = job.subscribers if "subscribers" in job.kinds else 0
    subscribers = await asyncio.to_thread(_subscribe, job.url, count)
    short, endless = b"x-1: 1\r\n" * 8_192, b"x" * 65_536
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.readline)
    callers = [
        *(("conditions", partial(_condition, job.url, conditions)) for _ in range(CONDITION_CALLERS)),
        *(("trailers", partial(_trailers, job.url, (short, endless)[n % 2], trailers)) for n in range(TRAILER_CALLERS)),
        ("group", partial(_pull, job.url, pulls, acknowledged)),
        *([("lock", partial(_lock, job, locks))] if job.database is not None else []),
    ]
    async with AsyncExitStack() as stack:
        for each in subscribers:
            stack.callback(each.close)
        tasks = [asyncio.create_task(call()) for kind, call in callers if kind in job.kinds]
        await asyncio.to_thread(sys.stdin.buffer.read)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled():
                task.result()
        left = _still_open(subscribers)
    return Met(dict(conditions), dict(trailers), dict(pulls), acknowledged["events"], left, locks)


if __name__ == "__main__":
    print(msgspec.json.encode(asyncio.run(_run(msgspec.json.decode(sys.argv[1], type=Job)))).decode())
