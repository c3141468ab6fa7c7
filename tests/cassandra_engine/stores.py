"""Stores on real nodes whose answers get lost, and what is to be true of them whatever happened."""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Final

import pytest

from indelible.engines.cassandra import engine as engine_module
from indelible.engines.cassandra import proposer
from indelible.engines.cassandra.address import parse_address
from indelible.engines.cassandra.commits import BucketSize
from indelible.engines.cassandra.engine import CassandraEngine
from indelible.engines.cassandra.failures import InDoubt
from indelible.engines.cassandra.session import CassandraSession, Statement, acquire
from indelible.engines.engine import AppendOutcome
from indelible.errors import Unavailable
from indelible.events import HASH_BEFORE_FIRST, AggregateKey, NewEvent, RecordedEvent, decode_event, split_hashed_line
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.limits import VERSION_MAX
from indelible.queries import EVERYTHING, EventQuery

Fault = Callable[[], str | None]
"""What becomes of the next commit: "lost" (nobody does it, nobody says so), "unheard" (it is done, and nobody says so),
"late" (nobody says so, and it is done when the next has been); None: nothing is wrong."""


class FaultySession:
    """A session between whose ends things get lost."""

    def __init__(self, session: CassandraSession) -> None:
        self._session: Final = session
        self.fault: Fault = lambda: None
        self.may_write: Callable[[str], bool] = lambda _: True
        """Whether an index row that a statement of this name writes gets there."""
        self.cannot_write = False
        """Nothing of the index gets there, and that is known."""
        self.before_write: Callable[[], Awaitable[object]] = at_once
        """What each write of the index has to wait for."""
        self.written: list[str] = []
        """The names of the statements that wrote it."""
        self.faults = 0
        self.commits = 0
        self._late: list[Sequence[Statement]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def compare_and_set(self, statements: Sequence[Statement]) -> dict[str, Any] | None:
        self.commits += 1
        fault = self.fault()
        if fault is None or len(statements) == 1:
            answer = await _to_its_end(self._session.compare_and_set(statements))
            await self._do_late()
            return answer
        self.faults += 1
        if fault == "unheard":
            await _to_its_end(self._session.compare_and_set(statements))
        elif fault == "late":
            self._late.append(statements)
        raise InDoubt(TimeoutError(f"injected: {fault}"))

    async def _do_late(self) -> None:
        late, self._late = self._late, []
        for statements in late:
            await self._session.compare_and_set(statements)

    async def write(self, statements: Sequence[Statement], *, timeout_s: float = 8.0) -> None:
        if self.cannot_write:
            raise Unavailable("injected: no node takes it", retry_after_s=1)
        left = [statement for statement in statements if self.may_write(statement[0])]
        await self.before_write()
        if left:
            await self._session.write(left, timeout_s=timeout_s)
        self.written += [name for name, _ in left]


async def at_once() -> None:
    pass


async def _to_its_end(request: Coroutine[Any, Any, Any]) -> Any:
    """Also where its caller gives up before: what became of it is settled then, however busy the nodes are."""
    task = asyncio.create_task(request)
    try:
        return await asyncio.shield(task)
    finally:
        await asyncio.wait({task})


@contextmanager
def impatient(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    """Appends are given so long, also behind one that failed."""
    with monkeypatch.context() as patched:
        for name in ("DATABASE_RETRY_TOTAL_S", "DATABASE_LATE_TIMEOUT_S"):
            patched.setattr(proposer, name, seconds)
        yield


def in_turns(seed: int, faults: Sequence[str], share: float) -> Fault:
    """Some of them, at random but the same each time."""
    chosen = random.Random(seed)
    return lambda: chosen.choice(faults) if chosen.random() < share else None


class FaultyEngine(CassandraEngine):
    @property
    def session(self) -> Any:
        """A :class:`FaultySession`."""
        return self.opened.session


OpenFaulty = Callable[..., AbstractAsyncContextManager[FaultyEngine]]


def opener(monkeypatch: pytest.MonkeyPatch) -> OpenFaulty:
    """What opens an engine with a session of its own in which things may get lost, and waits shortly when they did."""
    for module in ("commits", "proposer", "session"):
        monkeypatch.setattr(f"indelible.engines.cassandra.{module}.DATABASE_RETRY_WAIT_S", 0.01)

    @asynccontextmanager
    async def open_faulty(url: str, bucket_events: int = 100_000):
        async def acquire_faulty(address: Any) -> FaultySession:
            return FaultySession(await acquire(address))

        monkeypatch.setattr(engine_module, "acquire", acquire_faulty)
        engine = FaultyEngine(parse_address(url), bucket_size=BucketSize(bucket_events, 2**26))
        await engine.open()
        try:
            yield engine
        finally:
            await engine.close()

    return open_faulty


def request_of(name: str, *events: NewEvent) -> AppendRequest:
    return AppendRequest((AggregateAppend(AggregateKey("Order", name), events),))


async def append_until_sent(engine: CassandraEngine, request: AppendRequest) -> AppendOutcome:
    """Again where the time was over before anything was sent, as it may be on a busy machine."""
    while True:
        try:
            (outcome,) = await engine.append([request])
        except Unavailable:
            continue
        return outcome


async def read_log(engine: CassandraEngine) -> list[bytes]:
    head, after, lines = (await engine.head()).position, 0, list[bytes]()
    while after < head:
        page = await engine.read_feed(EVERYTHING, after=after, until=head, direction="forward", limit=100)
        lines += page.lines.split(b"\n")
        after = page.reached
    return lines


class Ledger:
    """What callers were told of the events that they appended."""

    def __init__(self) -> None:
        self.outcomes: Final[list[tuple[NewEvent, AppendOutcome | Exception]]] = []

    async def append(self, engine: CassandraEngine, name: str, count: int) -> None:
        events = [NewEvent(f"Happened{number % 3}", {"n": number}, tags=[name]) for number in range(count)]
        try:
            outcomes: Sequence[AppendOutcome | Exception] = await engine.append(
                [request_of(name, event) for event in events]
            )
        except Unavailable as error:
            outcomes = [error] * count
        self.outcomes += zip(events, outcomes, strict=True)

    def told(self, kind: type[object]) -> list[NewEvent]:
        return [event for event, outcome in self.outcomes if isinstance(outcome, kind)]


async def violations(engine: CassandraEngine, ledger: Ledger) -> list[str]:
    """What is not as it was told, or not whole."""
    lines = await read_log(engine)
    events = [decode_event(line) for line in lines]
    found = _chain_violations(lines) + _ledger_violations(events, ledger)
    lost = await engine.find_unindexed(1, len(events))
    if lost is not None:
        found.append(f"no index leads to position {lost[0]} by its {lost[1]}")
    counted = {(one.aggregate_type, one.event_type): one.events for one in await engine.list_event_types()}
    for names in {(event.aggregate_type, event.event_type) for event in events}:
        there = sum((event.aggregate_type, event.event_type) == names for event in events)
        if counted.get(names) != there:
            found.append(f"{names} are {there}, but {counted.get(names)} are counted")
    for key in {event.key for event in events}:
        found += await _aggregate_violations(engine, key, [event for event in events if event.key == key])
    return found


def _chain_violations(lines: Sequence[bytes]) -> list[str]:
    found, before = [], HASH_BEFORE_FIRST
    for position, line in enumerate(lines, 1):
        unhashed, digest = split_hashed_line(line)
        if decode_event(line).position != position or hashlib.sha256(before + unhashed).digest() != digest:
            found.append(f"position {position} does not follow the one before")
        before = digest
    return found


def _ledger_violations(events: Sequence[RecordedEvent], ledger: Ledger) -> list[str]:
    found = []
    times: dict[object, int] = {}
    for event in events:
        times[event.event_id] = times.get(event.event_id, 0) + 1
    for event, outcome in ledger.outcomes:
        stored = times.get(event.event_id, 0)
        if stored > 1:
            found.append(f"{event.event_id} is stored {stored} times")
        if isinstance(outcome, Unavailable) and stored:
            found.append(f"{event.event_id} is stored, though its caller was told that it is not")
        if not isinstance(outcome, Exception):
            if not stored:
                found.append(f"{event.event_id} is not stored, though its caller was told that it is")
            if outcome.replayed:
                found.append(f"{event.event_id} was told to be a repeat, but its caller asked once")
    return found


async def _aggregate_violations(
    engine: CassandraEngine, key: AggregateKey, events: Sequence[RecordedEvent]
) -> list[str]:
    version, lines = await engine.read_aggregate(
        key, from_version=1, to_version=VERSION_MAX, direction="forward", limit=1_000
    )
    page = await engine.read_feed(
        EventQuery.of(tags=[key.aggregate_id]), after=0, until=(await engine.head()).position, direction="forward",
        limit=1_000,
    )  # fmt: skip
    by_version = [decode_event(line) for line in lines.lines.split(b"\n")]
    by_tag = [decode_event(line) for line in page.lines.split(b"\n")] if page.count else []
    if version != len(events) or by_version != list(events) or by_tag != list(events):
        return [f"{key.stream} has {len(events)} events, but {len(by_version)} by version, {len(by_tag)} by tag"]
    return []


async def append_at_once(
    engines: Sequence[CassandraEngine], ledger: Ledger, rounds: int, *, each: int, names: int
) -> None:
    """Every engine appends so many batches, beside the others."""

    async def append(number: int, engine: CassandraEngine) -> None:
        for count in range(rounds):
            await ledger.append(engine, f"{(count + number) % names}", 1 + count % each)

    await asyncio.gather(*(append(number, engine) for number, engine in enumerate(engines)))
