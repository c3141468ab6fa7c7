"""Restoring from a file: the log arrives as it was, goes on after what is there, and keeps what comes before damage."""

import asyncio
import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.test_copy import Counting, filled, lines
from indelible.core.copy import CopyReport, copy_whole, verify_copy
from indelible.core.log_file import LineFile, LogFile
from indelible.core.store import LocalEventStore
from indelible.core.verify import verify
from indelible.engines.memory import MemoryEngine
from indelible.errors import InvalidRequest, StorageFull, StoreCorrupted
from indelible.events import HASH_BEFORE_FIRST, NewEvent, decode_events
from indelible.limits import EVENT_SIZE_BYTES_MAX, RECORDED_SIZE_BYTES_MAX

EVENTS = 9_500


@pytest.fixture(scope="module")
def exported() -> list[bytes]:
    async def export() -> list[bytes]:
        return await lines(await filled(EVENTS))

    return asyncio.run(export())


async def restore(path: Path, destination: LocalEventStore, **options: Any) -> CopyReport:
    with path.open("rb") as opened:
        file = LogFile(LineFile(opened.fileno()))
        await file.begin()
        return await copy_whole(file, destination, **options)


def write(path: Path, events: Sequence[bytes]) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in events))
    return path


async def test_a_file_is_restored_and_goes_on(tmp_path: Path, exported: list[bytes]) -> None:
    destination, seen = await filled(0), list[tuple[int, int | None]]()
    part = write(tmp_path / "part", exported[:5_000])
    assert (await restore(part, destination)).head == 5_000
    whole = write(tmp_path / "whole", exported)
    report = await restore(whole, destination, on_progress=lambda *now: seen.append(now))
    last = decode_events(exported[-1])[0].hash
    assert report == CopyReport(EVENTS - 5_000, 5_000, EVENTS, last, 0)
    await verify_copy(destination, report)
    assert await lines(destination) == exported
    size_bytes = whole.stat().st_size
    assert seen == sorted(seen)
    assert seen[-1] == (size_bytes, size_bytes)
    assert await restore(whole, destination) == CopyReport(0, EVENTS, EVENTS, last, 0)


async def test_an_empty_file_holds_an_empty_log(tmp_path: Path) -> None:
    destination = await filled(0)
    report = await restore(write(tmp_path / "empty", []), destination)
    assert report == CopyReport(0, 0, 0, HASH_BEFORE_FIRST.hex(), 0)


async def test_a_restore_that_failed_goes_on_where_it_ended(tmp_path: Path, exported: list[bytes]) -> None:
    whole, engine = write(tmp_path / "whole", exported), Counting(full_after=1)
    with pytest.raises(StorageFull):
        await restore(whole, LocalEventStore(engine))
    engine.full_after = None
    report = await restore(whole, LocalEventStore(engine))
    assert (report.copied, report.already_there) == (EVENTS - 4_000, 4_000)


async def test_large_events_make_smaller_lots(tmp_path: Path) -> None:
    source = await filled(0)
    for n in range(20):
        await source.append("photo", str(n), [NewEvent("Taken", bytes([n]) * (EVENT_SIZE_BYTES_MAX - 10))])
    engine = Counting()
    await restore(write(tmp_path / "large", await lines(source)), LocalEventStore(engine))
    assert sum(map(len, engine.lots)) == 20
    assert max(sum(event.size_bytes for event in lot) for lot in engine.lots) <= RECORDED_SIZE_BYTES_MAX


@pytest.mark.parametrize("position", [1, 700, 1_000, 1_001, 1_234])
async def test_another_log_is_refused_by_the_first_position_that_differs(
    tmp_path: Path, exported: list[bytes], position: int
) -> None:
    destination = await filled(0)
    await destination.append_recorded(decode_events(b"\n".join(exported[: position - 1])))
    await destination.append("counter", "x", [NewEvent("Else") for _ in range(1_500 - position)])
    before = await lines(destination)
    with pytest.raises(InvalidRequest, match="is not a copy of the file") as caught:
        await restore(write(tmp_path / "whole", exported), destination)
    assert (caught.value.pointer, caught.value.fields["position"]) == ("/to", position)
    assert await lines(destination) == before


async def test_a_destination_that_has_more_is_refused(tmp_path: Path, exported: list[bytes]) -> None:
    destination = await filled(0)
    await destination.append_recorded(decode_events(b"\n".join(exported[:1_300])))
    with pytest.raises(InvalidRequest, match="holds 1300 events, more than the file, which has 1200") as caught:
        await restore(write(tmp_path / "short", exported[:1_200]), destination)
    assert caught.value.fields["position"] == 1_201


Spoil = Callable[[list[bytes]], list[bytes]]
SPOILT: dict[str, tuple[str, Spoil]] = {
    "changed": ("has the hash", lambda all_: [*all_[:6_543], all_[6_543].replace(b'"n":', b'"m":'), *all_[6_544:]]),
    "left out": ("is missing", lambda all_: [*all_[:6_543], *all_[6_544:]]),
    "empty": ("is not an event", lambda all_: [*all_[:6_543], b"", *all_[6_543:]]),
    "twice": ("is missing", lambda all_: [*all_[:6_543], *all_[6_542:]]),
    "torn": ("is not an event", lambda all_: [*all_[:6_543], all_[6_543][:100]]),
}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("there", [0, 6_000, 9_000])
async def test_damage_is_named_by_its_line_and_what_comes_before_it_is_stored(
    tmp_path: Path, exported: list[bytes], spoilt: str, there: int
) -> None:
    destination = await filled(0)
    for first in range(0, there, 3_000):
        await destination.append_recorded(decode_events(b"\n".join(exported[first : first + 3_000])))
    reason, spoil = SPOILT[spoilt]
    with pytest.raises(StoreCorrupted, match="the file is damaged at line 6544: ") as caught:
        await restore(write(tmp_path / "spoilt", spoil(exported)), destination)
    assert caught.value.fields == {"position": 6_544, "line": 6_544}
    assert reason in caught.value.message
    found = await verify(destination)
    assert (found.damage, found.head) == (None, max(there, 6_543))
    report = await restore(write(tmp_path / "whole", exported), destination)
    assert (report.copied, report.head) == (EVENTS - max(there, 6_543), EVENTS)


async def test_a_torn_packed_file_is_named_by_the_line_that_cannot_be_read(
    tmp_path: Path, exported: list[bytes]
) -> None:
    packed = gzip.compress(b"\n".join(exported))
    (tmp_path / "torn").write_bytes(packed[: len(packed) // 2])
    destination = LocalEventStore(MemoryEngine())
    with pytest.raises(StoreCorrupted, match="the file ends in the middle of its packed data") as caught:
        await restore(tmp_path / "torn", destination)
    there = (await destination.head()).position
    assert 1_000 < there < EVENTS
    assert caught.value.fields["line"] == there + 1
    assert await lines(destination) == exported[:there]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"notes\n", "is not an export: line 1 is not a recorded event"),
        (b'{"event_id":"00000000-0000-4000-8000-000000000001","event_type":"X"}\n', "takes events of other systems"),
        (b"SQLite format 3\0" + bytes(4_000), "is a database, not an export"),
    ],
)
async def test_what_is_no_export_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InvalidRequest, match=message):
        await restore(tmp_path / "file", await filled(0))


async def test_a_part_of_an_export_is_refused(tmp_path: Path, exported: list[bytes]) -> None:
    with pytest.raises(InvalidRequest, match="starts with the event at position 5;"):
        await restore(write(tmp_path / "part", exported[4:]), await filled(0))
