"""indelible export"""

import asyncio
import fcntl
import io
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import IO, Annotated, Final, NamedTuple

import msgspec
import typer

from indelible.cli.command import Json, Target, naming_files, open_named, open_store, run
from indelible.cli.output import Advance, note, print_json, progress
from indelible.cli.whole_log import check_reads_everything, open_whole_log
from indelible.client.iterators import iterate_feed
from indelible.cursors import START, Cursor
from indelible.errors import InvalidRequest, StoreCorrupted
from indelible.events import decode_event
from indelible.eventstore import EventStore
from indelible.limits import PAGE_EVENTS_MAX, PAGE_SIZE_BYTES_MAX
from indelible.queries import EVERYTHING

PACKED_SUFFIXES: Final = (".gz", ".zst")
LINE_START: Final = b'{"event_id":'


class Exported(msgspec.Struct):
    """What an export to a file did."""

    file: str
    events: int
    """Written now."""
    position: int
    """Of the file's last event; 0 when it has none. Of several partitions the sum of theirs."""


class _Reached(NamedTuple):
    """How far a file has come."""

    cursor: Cursor
    position: int
    """Of its last event; in that of a whole log, the number of its events."""


_NOTHING: Final = _Reached(START, 0)


def export_events(
    target: Target,
    file: Annotated[Path | None, typer.Argument(help='Where to write; "-" is stdout.')] = None,
    *,
    destination: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="A server of KurrentDB or EventStoreDB, in place of FILE.")
    ] = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Of --to: do not compare both at the end.")] = False,
    json: Json = False,
) -> None:
    """Write the whole log as NDJSON, one event a line; or send it to a server of KurrentDB or EventStoreDB.

    A file that is there already is continued after its last complete line, so an export that was interrupted, or one
    from yesterday, is just repeated. Lines are the canonical form that the hash chain is made of. A server may have
    the store open.

    A file whose name ends in .gz or .zst is packed by gzip or zstd. It is always written whole, and takes the place of
    an older one once it is complete; so is any file of a store that has several partitions. Every hash is checked on
    the way: when one is wrong, the exit code is 5 and the older file stays. It stays too when it is of another store.
    "restore" brings a store of one partition back from any of these files.

    A server that controls access sends what the caller may read, and nothing tells what is left out. A file that is
    written whole takes read:* and admin:*.

    With --to each event goes to the stream of its aggregate, in the order of the log. Run the same command again, and
    it goes on after what is there. At the end both sides are compared, stream for stream; the exit code is 1 when they
    differ.

    \b
    indelible export events.ndjson --store sqlite:data/indelible.db
    indelible export backup.ndjson.zst --url http://127.0.0.1:8080
    indelible export --to esdb://127.0.0.1:2113?tls=false --store sqlite:data/indelible.db
    """
    if destination is not None:
        if file is not None:
            raise InvalidRequest("must not stand next to --to", pointer="/file")
        from indelible.cli.esdb.export_to import export_to

        run(export_to(target, destination, json, verify=not no_verify))
        return
    if no_verify:
        raise InvalidRequest("is needed by --no-verify", pointer="/to")
    if file is None:
        raise InvalidRequest("give a file, or --to", pointer="/file")
    if str(file) == "-":
        run(_export_to(target, sys.stdout.buffer))
        return
    if file.exists() and not file.is_file():
        # A pipe or a device: there is nothing to continue.
        with file.open("wb") as output:
            run(_export_to(target, output))
        return
    if file.suffix in PACKED_SUFFIXES:
        run(_export_packed(target, file, json))
        return
    # "a+b" would write at the end whatever the offset, but the torn line at the end has to go.
    with naming_files("/file"):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    with open(descriptor, "r+b") as output:  # noqa: PTH123 - a descriptor, not a path
        run(_export_to_file(target, output, file, json))


async def _export_to(target: Target, output: IO[bytes]) -> None:
    with progress("exporting") as advance:
        async with open_store(target, read_only=True, retry_total_s=10) as store:
            await _write(store, _NOTHING, output, advance)


async def _export_to_file(target: Target, output: IO[bytes], file: Path, json: bool) -> None:
    _lock(output, file)
    with progress("exporting") as advance:
        async with open_store(target, read_only=True, retry_total_s=10) as store:
            if (await store.head()).partitions > 1:
                # How they alternate is another matter in each read, so there is no line to go on after.
                if target.is_server:
                    await check_reads_everything(store)
                await _check_last_line(store, output, file)
                start, events = _NOTHING, await _write_anew(store, file, advance, json)
            else:
                start = await _resume(store, output, file)
                events = await _write(store, start, output, advance)
    output.flush()
    os.fsync(output.fileno())
    continued = f", after the {start.position} that were there" if start.position else ""
    _say(file, events, start.position + events, continued, json)


async def _export_packed(target: Target, file: Path, json: bool) -> None:
    """Packed data cannot be continued after its last line."""
    with progress("exporting") as advance:
        async with open_whole_log(target) as store:
            events = await _write_anew(store, file, advance, json)
    _say(file, events, events, "", json)


async def _write_anew(store: EventStore, file: Path, advance: Advance, json: bool) -> int:
    """Everything, into a file that grows beside the one that it is to replace. Nothing but a sound export of the same
    store takes its place."""
    from indelible.cli.copying import reporting_damage
    from indelible.core.log_file import packed

    with _replacing(file) as output, reporting_damage(json):
        if file.suffix in PACKED_SUFFIXES:
            await _check_packed(store, file)
            with packed(output, file.suffix) as lines:
                return await _write_checked(store, lines, advance)
        return await _write_checked(store, output, advance)


@contextmanager
def _replacing(file: Path) -> Iterator[io.BufferedWriter]:
    """An empty file beside this one. It takes its place at the end; when that raises, nothing is left of it."""
    part = file.with_name(f"{file.name}.part")
    with naming_files("/file"):
        # Not emptied yet: another export may be writing to it.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    with open(descriptor, "wb") as output:  # noqa: PTH123 - a descriptor, not a path
        _lock(output, file)
        _check_is_at(output, part, file)
        try:
            output.truncate()
            yield output
            output.flush()
            os.fsync(output.fileno())
        except BaseException:
            # Its lock is held still, so it is nobody else's.
            part.unlink(missing_ok=True)
            raise
        part.replace(file)


async def _write_checked(store: EventStore, output: IO[bytes], advance: Advance) -> int:
    """The whole log, up to the head; how many events that were. Raises ``StoreCorrupted`` where it is not as it was
    written, or has holes."""
    from indelible.core.verify import CheckedLog, Damage

    async with aclosing(CheckedLog(store, await store.head())) as log:
        while not log.at_end:
            lines = await log.next_lines()
            if isinstance(lines, Damage):
                raise StoreCorrupted(
                    f"the store is damaged: the event at position {lines.position} {lines.reason}; nothing is exported",
                    position=lines.position,
                )
            if lines:
                output.write(lines)
                output.write(b"\n")
            advance(*log.progress)
        return log.position


def _say(file: Path, events: int, position: int, more: str, json: bool) -> None:
    if json:
        print_json(Exported(str(file), events, position))
    else:
        note(f"{events} events exported to {file}{more}")


async def _write(store: EventStore, start: _Reached, output: IO[bytes], advance: Advance) -> int:
    """Everything after ``start``, up to the head; how many events that were."""
    head = (await store.head()).position
    pages = iterate_feed(store, EVERYTHING, after=start.cursor, direction="forward", page_size=PAGE_EVENTS_MAX)
    events = 0
    while (page := await pages.next_page()) is not None:
        if page.lines:
            output.write(page.lines)
            output.write(b"\n")
        events += page.count
        advance(start.position + events, max(head, start.position + events))
    return events


# --- Continuing a file -----------------------------------------------------------------------------------------------


def _lock(output: IO[bytes], file: Path) -> None:
    try:
        fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(file) from None


def _check_is_at(output: IO[bytes], part: Path, file: Path) -> None:
    """Until it was locked, another export may have made it the file itself."""
    try:
        is_there = os.path.samestat(part.stat(), os.fstat(output.fileno()))
    except FileNotFoundError:
        is_there = False
    if not is_there:
        raise _busy(file)


def _busy(file: Path) -> InvalidRequest:
    return InvalidRequest(f"another export is writing to {file}", pointer="/file")


async def _resume(store: EventStore, output: IO[bytes], file: Path) -> _Reached:
    """Cut off what follows the file's last complete line, and go to its end."""
    from indelible.core.verify import find_line

    line, end = await _check_last_line(store, output, file)
    reached = _NOTHING
    if line:
        last = decode_event(line)
        cursor = await find_line(store, line)
        if cursor is None:
            raise _of_another_store(file, last.position)
        reached = _Reached(cursor, last.position)
    output.truncate(end)
    output.seek(end)
    return reached


async def _check_last_line(store: EventStore, output: IO[bytes], file: Path) -> tuple[bytes, int]:
    """The last complete line of a file that is an export of this store, and the offset after it."""
    line, end = _last_complete_line(output)
    await _check_is_of(store, file, line, os.pread(output.fileno(), len(LINE_START), 0))
    return line, end


async def _check_packed(store: EventStore, file: Path) -> None:
    """The same of a file that is packed, or is to be replaced by one that is. None there is all right."""
    from indelible.core.log_file import LineFile, UnreadableLine

    try:
        opened = open_named(file, "/file")
    except InvalidRequest:
        return
    last, rest, problem = b"", b"", ""
    with opened:
        lines = LineFile(opened.fileno())
        try:
            # In short steps: a thread cannot be stopped within one.
            while found := await asyncio.to_thread(lines.read, PAGE_EVENTS_MAX, PAGE_SIZE_BYTES_MAX):
                complete = [one for one in found[-2:] if one.endswith(b"\n")]
                last, rest = (complete or [last])[-1], found[-1]
        except UnreadableLine as error:
            problem = str(error)
    if problem and not last:
        raise InvalidRequest(f"{file} is not an export: it {problem}", pointer="/file")
    await _check_is_of(store, file, last.removesuffix(b"\n"), rest)


async def _check_is_of(store: EventStore, file: Path, line: bytes, start: bytes) -> None:
    """Of the last complete line of a file; without one, of what it ``start``s with."""
    from indelible.core.copy import has_line

    if line:
        try:
            last = decode_event(line)
        except ValueError:
            raise InvalidRequest(f"{file} is not an export: its last line is not an event", pointer="/file") from None
        if not await has_line(store, line):
            raise _of_another_store(file, last.position)
    elif not LINE_START.startswith(start := start[: len(LINE_START)]):
        raise InvalidRequest(f"{file} is not an export: it starts with {start!r}", pointer="/file")


def _of_another_store(file: Path, position: int) -> InvalidRequest:
    return InvalidRequest(
        f"{file} is an export of another store: this one has another event at position {position}, or none",
        pointer="/file",
    )


def _last_complete_line(output: IO[bytes]) -> tuple[bytes, int]:
    """The line without its end, and the offset after it; nothing and 0 when there is none."""
    if os.fstat(output.fileno()).st_size == 0:
        return b"", 0
    with mmap.mmap(output.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = content.rfind(b"\n") + 1
        start = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
        return content[start : max(end - 1, 0)], end
