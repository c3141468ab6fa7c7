"""Groups and relays whose answers are lost: what was done comes back as done, and nothing is done twice."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple, cast
from uuid import uuid4

import pytest
from msgspec.structs import replace

from cassandra_sharing import SharedCassandra
from indelible.engines.cassandra import records
from indelible.engines.cassandra.address import parse_address
from indelible.engines.cassandra.failures import InDoubt, NothingDone
from indelible.engines.cassandra.groups import Groups
from indelible.engines.cassandra.relays import Relays
from indelible.engines.cassandra.session import CassandraSession, Statement, acquire
from indelible.engines.group_storage import GroupChange, PendingEvent, StoredGroup
from indelible.engines.relay_storage import StoredRelay
from indelible.errors import InvalidRequest
from indelible.events import AggregateKey
from indelible.groups import GroupSettings

LOST = ("lost", "unheard", "late", "not sent", "none", "none")
"""What becomes of a change: nobody does it and nobody says so; it is done and nobody says so; it is done when the next
has been; it could not be sent at all."""


class Lossy:
    """A session that loses answers. All else it is asked goes to the real one."""

    def __init__(self, session: CassandraSession, seed: int) -> None:
        self._session, self._chance = session, random.Random(seed)
        self._late: list[Sequence[Statement]] = []
        self.lost = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def compare_and_set(self, statements: Sequence[Statement]) -> dict[str, Any] | None:
        becomes = self._chance.choice(LOST)
        self.lost += becomes != "none"
        if becomes == "not sent":
            raise NothingDone(OSError("no node is there"))
        if becomes == "late":
            self._late.append(statements)
        if becomes in {"lost", "late"}:
            raise InDoubt(TimeoutError("lost on the way"))
        answer = await self._session.compare_and_set(statements)
        late, self._late = self._late, []
        for one in late:
            await self._session.compare_and_set(one)
        if becomes == "unheard":
            raise InDoubt(TimeoutError("lost on the way back"))
        return answer


class Logs(NamedTuple):
    """Two sessions with one log."""

    lossy: CassandraSession
    session: CassandraSession
    log: str
    lost: Callable[[], int]


@pytest.fixture
async def logs(cassandra: SharedCassandra, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Logs]:
    """With a log that nobody has used."""
    monkeypatch.setattr(records, "DATABASE_RETRY_WAIT_S", 0.01)
    address = parse_address(cassandra.new_url())
    session = await acquire(address)
    try:
        lossy = Lossy(session, seed=3)
        # It is one in all that matters.
        yield Logs(cast("CassandraSession", lossy), session, address.log(0), lambda: lossy.lost)
    finally:
        await session.release()


def _group(name: str) -> StoredGroup:
    return StoredGroup(name, GroupSettings(), 5, 5, 0, 5, 5, uuid4())


def _event(position: int) -> PendingEvent:
    return PendingEvent(AggregateKey("order", f"o-{position}"), position, 1, 0, "waiting", 7)


async def test_saves_of_a_group_take_effect_once(logs: Logs) -> None:
    groups, others = Groups(logs.lossy, logs.log), Groups(logs.session, logs.log)
    group = _group("orders")
    assert await groups.create(group, 8)
    expected: set[int] = set()
    for n in range(1, 13):
        then = replace(group, revision=group.revision + 1, reached=n, save_id=uuid4())
        dropped = [n - 3] if n > 3 else []
        assert await groups.save(GroupChange(group.revision, then, dropped, [_event(n), _event(n + 100)]))
        expected = expected - set(dropped) | {n, n + 100}
        group = then
        seen = await others.load("orders")
        assert seen is not None
        assert seen.group == group
        assert {one.position for one in seen.pending} == expected
    assert logs.lost() > 5
    # Places of what is done are used again.
    assert others._known["orders"].places < 20


async def test_one_who_lost_to_another_hears_so(logs: Logs) -> None:
    groups, others = Groups(logs.lossy, logs.log), Groups(logs.session, logs.log)
    group = _group("orders")
    assert await groups.create(group, 8)
    for n in range(5):
        ours, theirs = (replace(group, revision=group.revision + 1, reached=n, save_id=uuid4()) for _ in range(2))
        assert await others.save(GroupChange(group.revision, theirs))
        assert not await groups.save(GroupChange(group.revision, ours))
        group = theirs
    assert logs.lost() > 0


async def test_names_are_given_and_taken_away(logs: Logs) -> None:
    groups, others = Groups(logs.lossy, logs.log), Groups(logs.session, logs.log)
    for n in range(4):
        assert await groups.create(_group(f"g{n}"), 4)
        assert not await others.create(_group(f"g{n}"), 4)
    with pytest.raises(InvalidRequest):
        await groups.create(_group("more"), 4)
    assert [one.group.name for one in await others.summaries()] == ["g0", "g1", "g2", "g3"]
    assert await groups.delete("g1")
    assert not await others.delete("g1")
    assert await others.create(_group("more"), 4)
    assert [one.group.name for one in await groups.summaries()] == ["g0", "g2", "g3", "more"]


async def test_relays_too(logs: Logs) -> None:
    relays, others = Relays(logs.lossy, logs.log), Relays(logs.session, logs.log)
    relay = StoredRelay("mail", 1, 1, "one", 5, 0, 0, False, False, None, 0, uuid4())
    assert await relays.save(relay, 2)
    for n in range(2, 8):
        relay = replace(relay, revision=n, position=n, save_id=uuid4())
        assert await relays.save(relay, 2)
        assert await others.load("mail") == relay
        assert not await others.save(replace(relay, save_id=uuid4()), 2)
    assert logs.lost() > 2
