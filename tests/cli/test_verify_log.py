"""verify finds whatever happens to stored events, and names the position."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from indelible.core.store import LocalEventStore
from indelible.core.verify import VerifyReport, verify
from indelible.engines.engine import Lines
from indelible.engines.memory import MemoryEngine
from indelible.errors import Overloaded, StoreCorrupted
from indelible.events import HASH_BEFORE_FIRST, NewEvent, event_hash, hashed_line, split_hashed_line
from indelible.queries import EventQuery

EVENTS = 2_300  # three pages


class DamagedEngine(MemoryEngine):
    """Serves pages from lines that a test may change, as an engine renders what stands on a damaged disk."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[bytes | None] = []
        self.unreadable: int | None = None

    def copy_rows(self) -> None:
        self.rows = [stored.line for stored in self._log]

    async def read_feed(self, query: EventQuery, *, after: int, until: int, limit: int, **more: Any) -> Lines:
        if not self.rows:
            return await super().read_feed(query, after=after, until=until, limit=limit, **more)
        reached = min(after + limit, until)
        if self.unreadable is not None and after < self.unreadable <= reached:
            raise StoreCorrupted("the row cannot be decoded", position=self.unreadable)
        lines = [row for row in self.rows[after:reached] if row is not None]
        return Lines(b"\n".join(lines), len(lines), reached, at_end=reached == until)


async def filled() -> tuple[DamagedEngine, LocalEventStore]:
    engine = DamagedEngine()
    store = LocalEventStore(engine)
    for i in range(EVENTS // 100):
        events = [NewEvent("Counted", {"n": n, "text": "żółw"}, tags=["a", "b"]) for n in range(100)]
        await store.append("counter", str(i), events)
    engine.copy_rows()
    return engine, store


def row(engine: DamagedEngine, position: int) -> bytes:
    line = engine.rows[position - 1]
    assert line is not None
    return line


async def test_a_sound_log_verifies_to_its_head() -> None:
    engine, store = await filled()
    seen: list[tuple[int, int]] = []
    report = await verify(store, on_progress=lambda position, head: seen.append((position, head)))
    assert report == VerifyReport(EVENTS, EVENTS, engine._head.hash.hex(), None)
    assert seen == [(1000, EVENTS), (2000, EVENTS), (EVENTS, EVENTS)]


async def test_an_empty_log_is_sound() -> None:
    report = await verify(LocalEventStore(MemoryEngine()))
    assert report == VerifyReport(0, 0, HASH_BEFORE_FIRST.hex(), None)


@pytest.mark.parametrize("position", [1, 2, 999, 1000, 1001, 1500, 2000, EVENTS])
@pytest.mark.parametrize("seed", range(4))
async def test_any_changed_byte_is_found_at_its_position(position: int, seed: int) -> None:
    engine, store = await filled()
    line = bytearray(row(engine, position))
    chance = random.Random(seed * 10_000 + position)
    line[chance.randrange(len(line))] ^= 1 << chance.randrange(8)
    engine.rows[position - 1] = bytes(line)
    report = await verify(store)
    assert report.damage is not None
    assert report.damage.position == position
    assert report.verified == position - 1


Damaging = Callable[[DamagedEngine], None]


def newline_within(engine: DamagedEngine) -> None:
    engine.rows[1499] = row(engine, 1500).replace(b'"n":', b'"n"\n', 1)


def dropped(engine: DamagedEngine) -> None:
    engine.rows[1499] = None


def unreadable(engine: DamagedEngine) -> None:
    engine.unreadable = 1500


def exchanged(engine: DamagedEngine) -> None:
    engine.rows[1499], engine.rows[1500] = engine.rows[1500], engine.rows[1499]


def without_a_hash(engine: DamagedEngine) -> None:
    engine.rows[1499] = split_hashed_line(row(engine, 1500))[0]


@pytest.mark.parametrize(
    ("damaging", "reason"),
    [
        (newline_within, "line end"),
        (dropped, "missing"),
        (unreadable, "cannot be read: the row cannot be decoded"),
        (exchanged, "an event with position 1501 stands in its place"),
        (without_a_hash, "does not end in a hash"),
    ],
)
async def test_damage_that_spoils_the_page_is_narrowed_down(damaging: Damaging, reason: str) -> None:
    engine, store = await filled()
    damaging(engine)
    damage = (await verify(store)).damage
    assert damage is not None
    assert damage.position == 1500
    assert reason in damage.reason


@pytest.mark.parametrize("position", [1000, EVENTS])
async def test_the_last_event_of_a_page_may_be_the_one_that_is_missing(position: int) -> None:
    engine, store = await filled()
    engine.rows[position - 1] = None
    damage = (await verify(store)).damage
    assert damage is not None
    assert (damage.position, "missing" in damage.reason) == (position, True)


async def test_a_timestamp_that_goes_back_is_found_although_the_chain_holds() -> None:
    engine, store = await filled()
    previous = split_hashed_line(row(engine, EVENTS - 1))[1]
    unhashed, _ = split_hashed_line(row(engine, EVENTS))
    year = msgspec.json.decode(unhashed)["timestamp"][:5].encode()
    unhashed = unhashed.replace(b'"timestamp":"' + year, b'"timestamp":"1999-')
    engine.rows[-1] = hashed_line(unhashed, event_hash(previous, unhashed))
    damage = (await verify(store)).damage
    assert damage is not None
    assert (damage.position, "earlier than" in damage.reason) == (EVENTS, True)


async def test_a_store_out_of_reach_is_not_damage() -> None:
    engine, store = await filled()

    async def overloaded(*_: object, **__: object) -> Lines:
        raise Overloaded("too many reads are waiting", retry_after_s=1)

    engine.read_feed = overloaded  # type: ignore[method-assign]  # the fault that this test is about
    with pytest.raises(Overloaded):
        await verify(store)
