"""indelible import: appends the events of NDJSON lines in the order of the lines: many lines at once, one batch after
another.

A batch is stored whole or not at all, so that what is stored is always a beginning of the file, but for lines that
cannot be stored. Lines keep their event ids, so a repeated import finds what is stored already. A line that cannot be
stored holds back the later lines of its aggregate, because what is stored can never be put in order again.
"""

import asyncio
import os
import stat
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import IO, Annotated, Final

import msgspec
import typer

from indelible.batching import BatchLoop
from indelible.cli.command import FAILED, Json, Target, open_named, open_store, run
from indelible.cli.output import Advance, describe, note, print_error, print_fields, print_json, progress
from indelible.errors import Conflict, IndelibleError, InvalidRequest
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, EventStore
from indelible.limits import LINE_SIZE_BYTES_MAX
from indelible.wire.json_events import decode_event_line

EVENTS_WAITING_MAX: Final = 4_096
"""Lines that are read but not stored yet; bounds memory."""
SIZE_BYTES_WAITING_MAX: Final = 64 * 1024 * 1024
APPEND_EVENTS_MAX: Final = 1_000
"""Lines that become one append. Larger ones gain little and would hold the writer longer."""
APPEND_SIZE_BYTES_MAX: Final = 4 * 1024 * 1024


class ImportCounts(msgspec.Struct):
    imported: int = 0
    already_there: int = 0
    failed: int = 0


class _Line(msgspec.Struct, frozen=True):
    number: int
    key: AggregateKey
    event: NewEvent


class _Named(msgspec.Struct):
    """The least that a line must say for others to go on without it."""

    aggregate_type: str
    aggregate_id: str


class Importer:
    """Give it lines with :meth:`add`, then call :meth:`finish`. ``on_failure`` hears of every line that is not stored,
    with its number."""

    def __init__(self, store: EventStore, on_failure: Callable[[int, IndelibleError], None]) -> None:
        self.counts = ImportCounts()
        self._to = store
        self._on_failure = on_failure
        self._waiting: deque[_Line] = deque()
        self._waiting_size_bytes = 0
        self._took_some = asyncio.Event()
        self._storing: Final = BatchLoop("import", self._take, self._store_batch)
        self._held_back: dict[AggregateKey, int] = {}
        """Aggregates with a line that failed, and its number."""

    async def add(self, number: int, line: bytes) -> bool:
        """Take one line; waits while too many are on their way. Raises what keeps the store from storing anything.

        False says that the import must stop here: the line names no aggregate, so nobody knows which others must wait
        for it.
        """
        try:
            key, event = _decode(line)
        except InvalidRequest as error:
            return self._fail_undecoded(number, line, error)
        if not self._is_held_back(key, number):
            while len(self._waiting) >= EVENTS_WAITING_MAX or self._waiting_size_bytes >= SIZE_BYTES_WAITING_MAX:
                self._took_some.clear()
                self._storing.wake()
                await self._took_some.wait()
            self._enqueue(_Line(number, key, event))
        return True

    def _enqueue(self, line: _Line) -> None:
        self._waiting.append(line)
        self._waiting_size_bytes += line.event.size_bytes
        self._storing.wake()

    def _fail_undecoded(self, number: int, line: bytes, error: InvalidRequest) -> bool:
        try:
            named = msgspec.json.decode(line, type=_Named)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.counts.failed += 1
            message = f"{error.message}; no aggregate is named, so the import stops here to keep every order"
            self._on_failure(number, InvalidRequest(message, pointer=error.pointer))
            return False
        self._fail(AggregateKey(named.aggregate_type, named.aggregate_id), number, error)
        return True

    async def finish(self) -> None:
        """Wait until every line is stored or has failed."""
        await self._storing.finish()

    async def cancel(self) -> None:
        """Let go of what is on its way; it may be stored or not."""
        await self._storing.cancel()

    def _take(self) -> list[_Line]:
        lines: list[_Line] = []
        size_bytes = 0
        while self._waiting and len(lines) < APPEND_EVENTS_MAX and size_bytes < APPEND_SIZE_BYTES_MAX:
            lines.append(self._waiting.popleft())
            size_bytes += lines[-1].event.size_bytes
        self._waiting_size_bytes -= size_bytes
        return lines

    async def _store_batch(self, lines: Sequence[_Line]) -> None:
        try:
            await self._store(lines)
        finally:
            self._took_some.set()

    async def _store(self, lines: Sequence[_Line]) -> None:
        lines = [line for line in lines if not self._is_held_back(line.key, line.number)]
        if not lines:
            return
        try:
            await self._append(lines)
        except (Conflict, InvalidRequest) as error:
            if len(lines) == 1:
                self._fail(lines[0].key, lines[0].number, error)
                return
            # Some are stored already, or one is wrong: halves tell which, and keep the order.
            middle = len(lines) // 2
            await self._store(lines[:middle])
            await self._store(lines[middle:])

    async def _append(self, lines: Sequence[_Line]) -> None:
        runs = groupby(lines, key=lambda line: line.key)
        appends = [AggregateAppend(key, tuple(line.event for line in run)) for key, run in runs]
        if (await self._to.append_atomic(appends)).replayed:
            self.counts.already_there += len(lines)
        else:
            self.counts.imported += len(lines)

    def _is_held_back(self, key: AggregateKey, number: int) -> bool:
        first = self._held_back.get(key)
        if first is None or number < first:
            return False
        self._fail(key, number, InvalidRequest(f"waits for line {first} of the same aggregate"))
        return True

    def _fail(self, key: AggregateKey, number: int, error: IndelibleError) -> None:
        # A line that is wrong in itself fails as it is read, while earlier ones of its aggregate may still wait.
        self._held_back[key] = min(number, self._held_back.get(key, number))
        self.counts.failed += 1
        self._on_failure(number, error)


def _decode(line: bytes) -> tuple[AggregateKey, NewEvent]:
    if len(line) >= LINE_SIZE_BYTES_MAX:
        raise InvalidRequest(f"is longer than {LINE_SIZE_BYTES_MAX} bytes")
    return decode_event_line(line)


# --- The command -----------------------------------------------------------------------------------------------------


def import_events(
    target: Target,
    file: Annotated[Path | None, typer.Argument(help='NDJSON as export writes it; "-" is stdin.')] = None,
    *,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="A server of KurrentDB or EventStoreDB, in place of FILE."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help='Of --from: leave out streams with such names, as "test-*".'),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Of --from: go on with what comes, until interrupted.")
    ] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Of --from: do not compare both at the end.")] = False,
    json: Json = False,
) -> None:
    """Append the events of an NDJSON file, or of a server of KurrentDB or EventStoreDB.

    Every line is an event with event_id, event_type, event_data, aggregate_type and aggregate_id; metadata, tags and
    content_type may be there. version, position, timestamp and hash of an exported event are given anew; to keep them,
    use restore. Events keep their ids, so an import that was interrupted is just repeated: what is there already is
    counted, not stored twice.

    Events are stored in the order of their lines. A line that cannot be stored is reported with its number, and holds
    back the later lines of its aggregate; the exit code is then 1.

    With --from all streams are read, in their order, up to where they end at the start. Run the same command again, and
    it goes on after what was imported. At the end both sides are compared, stream for stream; the exit code is 1 when
    they differ.

    \b
    indelible import events.ndjson --url http://127.0.0.1:8080
    indelible export - --store sqlite:old.db | indelible import - --store sqlite:new.db
    indelible import --from esdb://user:password@old:2113 --store sqlite:data/indelible.db
    """
    if source is not None:
        _check_alone(file)
        from indelible.cli.esdb.import_from import ImportOptions, import_from

        options = ImportOptions(source, exclude or (), follow, verify=not no_verify)
        run(import_from(target, options, json))
        return
    if exclude or follow or no_verify:
        raise InvalidRequest("is needed by --exclude, --follow and --no-verify", pointer="/from")
    if file is None:
        raise InvalidRequest("give a file, or --from", pointer="/file")
    with sys.stdin.buffer if str(file) == "-" else open_named(file, "/file") as lines:
        run(_import(target, lines, json))


def _check_alone(file: Path | None) -> None:
    if file is not None:
        raise InvalidRequest("must not stand next to --from", pointer="/file")


async def _import(target: Target, source: IO[bytes], json: bool) -> None:
    with progress("importing", unit_bytes=True) as advance:
        async with open_store(target, read_only=False, retry_total_s=10) as store:
            importer = Importer(store, partial(_report_failure, json))
            try:
                await _add_all(importer, source, advance)
                await importer.finish()
            except BaseException:
                await importer.cancel()
                raise
    if json:
        print_json(importer.counts)
    else:
        counts = msgspec.structs.asdict(importer.counts)
        print_fields((name.replace("_", " "), count) for name, count in counts.items())
    if importer.counts.failed:
        raise typer.Exit(FAILED)


async def _add_all(importer: Importer, source: IO[bytes], advance: Advance) -> None:
    status = os.fstat(source.fileno())
    size_bytes = status.st_size if stat.S_ISREG(status.st_mode) else None
    read_bytes = number = 0
    async for line in _lines(source):
        number += 1
        read_bytes += len(line)
        if line.strip() and not await importer.add(number, line):
            return
        if number % 200 == 0:
            advance(read_bytes, size_bytes)
            # Reading a file never waits, so the appends get their turn here.
            await asyncio.sleep(0)


async def _lines(source: IO[bytes]) -> AsyncIterator[bytes]:
    """Lines with their ends; one that is too long comes cut off, and is the last."""
    if not stat.S_ISFIFO(os.fstat(source.fileno()).st_mode):
        while line := source.readline(LINE_SIZE_BYTES_MAX):
            yield line
        return
    # A pipe may make its reader wait, and the appends that are on their way must not wait with it.
    reader = asyncio.StreamReader(limit=LINE_SIZE_BYTES_MAX)
    await asyncio.get_running_loop().connect_read_pipe(partial(asyncio.StreamReaderProtocol, reader), source)
    try:
        while True:
            yield await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        yield error.partial
    except asyncio.LimitOverrunError:
        yield await reader.readexactly(LINE_SIZE_BYTES_MAX)


def _report_failure(json: bool, number: int, error: IndelibleError) -> None:
    if json:
        print_error(type(error)(error.message, **{**error.fields, "line": number}), as_json=True)
    else:
        note(f"indelible: line {number}: {describe(error)}")
