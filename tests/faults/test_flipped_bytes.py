"""verify finds any changed byte of any stored event, and names the event's position."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest

from faults.btree import Row, columns_of, index_entries_of, rows_of
from indelible.core.open import open_local_store
from indelible.core.verify import VerifyReport, verify
from indelible.engines.sqlite.index_file import index_path
from indelible.errors import StoreCorrupted
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend

BITS = tuple(1 << bit for bit in range(8))
ROWID_TYPE_PLACE = 1
"""Place in a record's header of the type of ``position``. That column is the row id, so SQLite never reads its type:
the one byte of an event's row that says nothing."""


class Sound(NamedTuple):
    """A store that was closed in good order, and what its files hold."""

    data: bytes
    rows: dict[int, Row]
    index: bytes


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    path = tmp_path_factory.mktemp("sound") / "store.db"
    asyncio.run(fill(path))
    return Sound(path.read_bytes(), rows_of(path, "events"), index_path(path).read_bytes())


async def fill(path: Path) -> None:
    async with open_local_store(f"sqlite:{path}") as store:
        for i in range(12):
            events = [
                NewEvent("Opened", {"n": i, "text": "żółw\n", "big": 2**60, "real": 1.0}, tags=["a", "b"] * (i % 2)),
                NewEvent("Scanned", bytes(range(250 - i, 256)), content_type="image/png", metadata={"actor": "ann"}),
                NewEvent("Noted", "x" * (i * 40), metadata={"trace": str(i)}, tags=["ę"]),
            ]
            await store.append(("order", "account")[i % 2], f"id/{i % 5}", events)
        await store.append("archive", "one", [NewEvent("Filled", {"text": "y" * 9_000})])
        both = [AggregateAppend.of("order", name, [NewEvent("Moved", None)]) for name in ("id/0", "id/2")]
        await store.append_atomic(both)
        assert (await verify(store)).damage is None


async def verify_file(path: Path, data: bytes) -> VerifyReport:
    replace(path, data)
    async with open_local_store(f"sqlite:{path}", read_only=True) as store:
        return await verify(store)


def replace(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def put_index(path: Path, sound: Sound) -> Path:
    """The sound index beside the store at ``path``, as if it had been made there."""
    replace(path, sound.data)
    index = index_path(path)
    index.write_bytes(sound.index)
    connection = apsw.Connection(str(index))
    connection.execute("UPDATE state SET log_inode = ?", (path.stat().st_ino,))
    connection.pragma("journal_mode", "delete")
    connection.close()
    return index


def flipped(data: bytes, place: int, mask: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= mask
    return bytes(changed)


async def missed(path: Path, data: bytes, flips: Iterator[tuple[int, int, int]]) -> list[str]:
    """What verify did not name. Flips are (position that must be named, place, mask)."""
    found = []
    for position, place, mask in flips:
        damage = (await verify_file(path, flipped(data, place, mask))).damage
        if damage is None or damage.position != position:
            found.append(f"position {position}, byte {place} ^ {mask:#04x}: {damage}")
    return found


async def test_the_sound_store_is_sound(sound: Sound, tmp_path: Path) -> None:
    report = await verify_file(tmp_path / "store.db", sound.data)
    assert (report.damage, report.verified) == (None, len(sound.rows))


@pytest.mark.parametrize("which", ["first", "json", "bytes", "last"])
async def test_every_byte_of_an_event_is_covered(sound: Sound, tmp_path: Path, which: str) -> None:
    """One bit each of all that the event's columns hold, every bit of the header that gives their types."""
    position = {"first": 1, "json": 18, "bytes": 20, "last": len(sound.rows)}[which]
    row, chance = sound.rows[position], random.Random(position)
    header = [(place, mask) for place in row.record_header for mask in BITS]
    unread = row.record_header.start + ROWID_TYPE_PLACE
    flips = [(place, chance.choice(BITS)) for place in row.record_body] + [one for one in header if one[0] != unread]
    assert await missed(tmp_path / "store.db", sound.data, ((position, *flip) for flip in flips)) == []


async def test_a_byte_of_every_column_of_every_event_is_covered(sound: Sound, tmp_path: Path) -> None:
    original = tmp_path / "original.db"
    replace(original, sound.data)
    chance = random.Random(1)
    flips = [
        (position, chance.choice(column.places), chance.choice(BITS))
        for position, row in sound.rows.items()
        for column in columns_of(original, "events", row)
        if column.places
    ]
    assert len(flips) > 5 * len(sound.rows)
    assert await missed(tmp_path / "store.db", sound.data, iter(flips)) == []


@pytest.mark.parametrize("value", [0x00, 0x0A, 0x22, 0x5C, 0x80, 0xC3, 0xFF])
async def test_bytes_that_break_text_are_found(sound: Sound, tmp_path: Path, value: int) -> None:
    """NUL ends text in C, a line end breaks NDJSON, a quote breaks JSON, and the others are not UTF-8."""
    original = tmp_path / "original.db"
    replace(original, sound.data)
    row = sound.rows[18]
    columns = {column.name: column.places for column in columns_of(original, "events", row)}
    flips = [
        (18, place, sound.data[place] ^ value)
        for name in ("event_data", "metadata", "tags")
        for place in (columns[name][0], columns[name][len(columns[name]) // 2], columns[name][-1])
        if sound.data[place] != value
    ]
    assert await missed(tmp_path / "store.db", sound.data, iter(flips)) == []


@pytest.mark.parametrize("last", [False, True])
async def test_an_event_that_moved_is_found(sound: Sound, tmp_path: Path, last: bool) -> None:
    """The size and the rowid before the record. A rowid that becomes another event's may be named there."""
    position = len(sound.rows) if last else 9
    for place in sound.rows[position].cell_header:
        for mask in BITS:
            data = flipped(sound.data, place, mask)
            damage = (await verify_file(tmp_path / "store.db", data)).damage
            assert damage is not None, f"{place - sound.rows[position].cell_header.start} ^ {mask}"
            assert damage.position in (position, position ^ mask)


@pytest.mark.parametrize(
    ("table", "rowid", "position"),
    [
        ("event_types", 1, 1), ("event_types", 3, 3), ("event_types", 7, 37),
    ],
)  # fmt: skip
async def test_a_name_is_covered_by_the_first_event_that_uses_it(
    sound: Sound, tmp_path: Path, table: str, rowid: int, position: int
) -> None:
    original = tmp_path / "original.db"
    replace(original, sound.data)
    row = rows_of(original, table)[rowid]
    flips = [
        (position, place, mask)
        for column in columns_of(original, table, row)
        for place in column.places
        for mask in BITS
    ]
    assert flips
    assert await missed(tmp_path / "store.db", sound.data, iter(flips)) == []


async def test_a_damaged_index_of_names_is_found(sound: Sound, tmp_path: Path) -> None:
    """Where it does not lead to a name, the next append would give the name a second number."""
    original = tmp_path / "original.db"
    replace(original, sound.data)
    entries = index_entries_of(original, "sqlite_autoindex_event_types_1")
    chance, missed_places = random.Random(1), []
    for place in [place for entry in entries for place in entry][::3]:
        damage = (await verify_file(tmp_path / "store.db", flipped(sound.data, place, chance.choice(BITS)))).damage
        if damage is None or not 1 <= damage.position <= len(sound.rows):
            missed_places.append((place, damage))
    assert len(entries) == 8
    assert missed_places == []


@pytest.mark.parametrize(
    ("table", "stride"),
    [("event_ids", 9), ("versions", 3), ("positions_by_type", 3), ("event_tags", 2), ("aggregates", 1)],
)
async def test_a_damaged_index_is_found(sound: Sound, tmp_path: Path, table: str, stride: int) -> None:
    """No event is changed, but some would be missing from what is looked up."""
    path = tmp_path / "store.db"
    index = put_index(path, sound)
    data, chance = index.read_bytes(), random.Random(stride)
    places = [place for entry in index_entries_of(index, table) for place in entry][::stride]
    missed_places = []
    for place in places:
        replace(index, flipped(data, place, chance.choice(BITS)))
        async with open_local_store(f"sqlite:{path}", read_only=True) as store:
            report = await verify(store)
        if report.damage is None or not 1 <= report.damage.position <= len(sound.rows):
            missed_places.append((place, report.damage))
    assert len(places) > 20
    assert missed_places == []


@pytest.mark.parametrize("mask", [1, 1 << 4])
async def test_nothing_is_appended_to_a_log_whose_end_is_damaged(sound: Sound, tmp_path: Path, mask: int) -> None:
    """The rowid of the last event says that it is an earlier one, or a later one."""
    path = tmp_path / "store.db"
    replace(path, flipped(sound.data, sound.rows[len(sound.rows)].cell_header[-1], mask))
    with pytest.raises(StoreCorrupted):
        async with open_local_store(f"sqlite:{path}"):
            pass


async def test_damage_is_found_beside_a_running_writer_too(sound: Sound, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    replace(path, flipped(sound.data, sound.rows[7].record_body[-1], 1))
    async with open_local_store(f"sqlite:{path}") as store:
        await store.append("order", "id/0", [NewEvent("Moved", None)])
        damage = (await verify(store)).damage
    assert damage is not None
    assert damage.position == 7
