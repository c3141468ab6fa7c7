"""indelible import"""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import IO, Annotated

import msgspec
import typer

from indelible.cli.exit_codes import FAILED
from indelible.cli.importing import Importer
from indelible.cli.options import ConfigFile, Json, Store, Url
from indelible.cli.output import describe, note, print_error, print_fields, print_json
from indelible.cli.progress import Advance, progress
from indelible.cli.running import run
from indelible.cli.target import Target, open_store
from indelible.errors import IndelibleError
from indelible.limits import LINE_SIZE_BYTES_MAX


def import_events(
    file: Annotated[Path, typer.Argument(help='NDJSON as export writes it; "-" is stdin.')],
    *,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Append the events of an NDJSON file.

    Every line is an event with event_id, event_type, event_data, aggregate_type and aggregate_id; metadata, tags and
    content_type may be there. version, position, timestamp and hash of an exported event are given anew; to keep them,
    use restore. Events keep their ids, so an import that was interrupted is just repeated: what is there already is
    counted, not stored twice.

    Events are stored in the order of their lines. A line that cannot be stored is reported with its number, and holds
    back the later lines of its aggregate; the exit code is then 1.

    \b
    indelible import events.ndjson --url http://127.0.0.1:8080
    indelible export - --store sqlite:old.db | indelible import - --store sqlite:new.db
    """
    target = Target.chosen(url, store, config)
    with sys.stdin.buffer if str(file) == "-" else file.open("rb") as source:
        run(_import(target, source, json))


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
