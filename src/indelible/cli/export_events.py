"""indelible export"""

import fcntl
import mmap
import os
import sys
from pathlib import Path
from typing import IO, Annotated, Final, NamedTuple

import msgspec
import typer

from indelible.cli.command import Json, Target, naming_files, open_store, run
from indelible.cli.output import Advance, note, print_json, progress
from indelible.client.iterators import iterate_feed
from indelible.cursors import START, Cursor
from indelible.errors import InvalidRequest
from indelible.events import decode_event
from indelible.eventstore import EventStore
from indelible.limits import PAGE_EVENTS_MAX
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
    an older one once it is complete; so is any file of a store that has several partitions. "restore" brings a store of
    one partition back from any of these files.

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
                await _check_last_line(store, output, file)
                start, events = _NOTHING, await _write_anew(store, file, advance)
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
        async with open_store(target, read_only=True, retry_total_s=10) as store:
            events = await _write_anew(store, file, advance)
    _say(file, events, events, "", json)


async def _write_anew(store: EventStore, file: Path, advance: Advance) -> int:
    """Everything, into a file that grows beside the one that it is to replace."""
    from indelible.core.log_file import packed

    part = file.with_name(f"{file.name}.part")
    with naming_files("/file"):
        part.touch()
    with part.open("wb") as output:
        _lock(output, file)
        if file.suffix in PACKED_SUFFIXES:
            with packed(output, file.suffix) as lines:
                events = await _write(store, _NOTHING, lines, advance)
        else:
            events = await _write(store, _NOTHING, output, advance)
        output.flush()
        os.fsync(output.fileno())
        part.replace(file)
    return events


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
        raise InvalidRequest(f"another export is writing to {file}", pointer="/file") from None


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
    from indelible.core.copy import has_line

    line, end = _last_complete_line(output)
    if line:
        try:
            last = decode_event(line)
        except ValueError:
            raise InvalidRequest(f"{file} is not an export: its last line is not an event", pointer="/file") from None
        if not await has_line(store, line):
            raise _of_another_store(file, last.position)
    elif not LINE_START.startswith(start := os.pread(output.fileno(), len(LINE_START), 0)):
        raise InvalidRequest(f"{file} is not an export: it starts with {start!r}", pointer="/file")
    return line, end


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
