"""What copy and restore have in common: a log is brought into a store of this process, verified, and reported."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec
import typer

from indelible.cli.command import DAMAGED, naming_files, open_named, server_flags
from indelible.cli.output import note, print_error, print_fields, print_json, progress
from indelible.cli.whole_log import check_reads_everything
from indelible.core.backup.places import Place, is_url, open_place
from indelible.core.backup.readers import ReadersReport, restore_readers
from indelible.core.backup.reading import BackedUpLog, read_manifest
from indelible.core.copy import (
    CopyReport,
    LogUpTo,
    WholeLog,
    check_has_one_log,
    copy_log,
    copy_whole,
    verify_copy,
)
from indelible.core.log_file import LineFile, LogFile
from indelible.core.open import open_local_store
from indelible.diagnostics import StoreDiagnostics
from indelible.errors import InvalidRequest, StoreCorrupted
from indelible.eventstore import EventStore, RecordingStore
from indelible.server.config import load_settings
from indelible.store_urls import is_engine_url, is_server_url, scheme_of

STDIN: Final = "-"


async def copy_between(source: str, destination: str, json: bool) -> None:
    """Copy from a store, a server or a file to a store, and print what was done."""
    if _is_file(source):
        _print(await _restore_file(source, destination, json, pointer="/from"), json)
        return
    if source == destination:
        raise InvalidRequest("is the same store as --from", pointer="/to")
    with reporting_damage(json):
        async with _source(source) as store:
            # When it is not there, no destination comes into being.
            if is_server_url(source):
                await check_reads_everything(store)
            check_has_one_log(await store.head())
            async with _destination(destination) as copy:
                with progress("copying") as advance:
                    report = await copy_log(store, copy, on_progress=advance)
                await _verify(copy, report)
            missing = await store.find_missing_end() if isinstance(store, StoreDiagnostics) else None
    _print(report, json)
    if missing is not None:
        note(f"indelible: all that is there was copied, but the source is incomplete: {missing[1]}")
        raise typer.Exit(DAMAGED)


async def restore_from(source: str, destination: str, json: bool, *, up_to: int | None) -> None:
    """Bring a store back from a backup, or from a file that export wrote, and print what was done."""
    if _is_backup(source):
        report, readers = await _restore_backup(source, destination, json, up_to)
        _print(report, json, readers)
    else:
        with _repointed():
            report = await _restore_file(source, destination, json, pointer="/source", up_to=up_to)
        _print(report, json)
    if up_to is not None and report.head < up_to:
        raise InvalidRequest(f"is past the end of {source}: position {report.head} is the last", pointer="/to")


async def _restore_file(
    file: str, destination: str, json: bool, *, pointer: str, up_to: int | None = None
) -> CopyReport:
    """Errors about the file have the ``pointer``."""
    with reporting_damage(json), _opened(file, pointer) as opened:
        lines = LineFile(opened.fileno())
        log = LogFile(lines)
        try:
            with naming(pointer):
                await log.begin()
            async with _destination(destination) as store:
                report = await _restore(log, store, up_to, unit_bytes=True)
        finally:
            # A thread may wait for a pipe.
            lines.stop()
    if not report.head:
        note("the file holds no events")
    return report


async def _restore_backup(
    source: str, destination: str, json: bool, up_to: int | None
) -> tuple[CopyReport, ReadersReport]:
    with reporting_damage(json):
        async with opened_backup(source, "/source") as place:
            with naming("/source"):
                manifest = await read_manifest(place)
            # Before a store comes into being.
            if up_to is not None and up_to > manifest.position:
                message = f"is past the backup's end, which is at position {manifest.position}"
                raise InvalidRequest(message, pointer="/to")
            with _repointed():
                async with _destination(destination) as store:
                    report = await _restore(BackedUpLog(place, manifest), store, up_to)
                    return report, await restore_readers(store, manifest.groups, manifest.relays)


@asynccontextmanager
async def opened_backup(source: str, pointer: str, *, writing: bool = False) -> AsyncIterator[Place]:
    """The place of a backup; errors about it have the ``pointer``."""
    async with AsyncExitStack() as stack:
        with naming(pointer), naming_files(pointer):
            place = await stack.enter_async_context(open_place(source, writing=writing))
        yield place


async def _restore(log: WholeLog, store: RecordingStore, up_to: int | None, *, unit_bytes: bool = False) -> CopyReport:
    log = log if up_to is None else LogUpTo(log, up_to)
    with progress("restoring", unit_bytes=unit_bytes) as advance:
        report = await copy_whole(log, store, on_progress=advance)
    await _verify(store, report)
    return report


async def _verify(store: RecordingStore, report: CopyReport) -> None:
    with progress("verifying") as advance:
        await verify_copy(store, report, on_progress=advance)


# --- From where and to where -----------------------------------------------------------------------------------------


def _is_file(source: str) -> bool:
    """Anything that is no URL."""
    return source == STDIN or not (is_server_url(source) or is_engine_url(source))


def _is_backup(source: str) -> bool:
    return source != STDIN and (is_url(source) or Path(source).is_dir())


@contextmanager
def _opened(file: str, pointer: str) -> Iterator[IO[bytes]]:
    if file == STDIN:
        yield sys.stdin.buffer
        return
    if not Path(file).exists():
        message = f"there is no file {file}"
        if pointer == "/from":
            message += "; a store is named by its URL, such as sqlite:data/indelible.db"
        raise InvalidRequest(message, pointer=pointer)
    with open_named(Path(file), pointer) as opened:
        yield opened


def _source(url: str) -> EventStore:
    with naming("/from"):
        if not is_server_url(url):
            return _local_store(url, read_only=True)
        from indelible.client.async_client import AsyncClient

        return AsyncClient(url, retry_total_s=10, **server_flags(load_settings().settings))


def _destination(url: str) -> RecordingStore:
    with naming("/to"):
        if is_server_url(url):
            raise InvalidRequest(
                "must be a store, not a server, which gives events positions and timestamps of its own. Stop it, and "
                "name its store"
            )
        return _local_store(url, read_only=False)


def _local_store(url: str, *, read_only: bool) -> RecordingStore:
    if scheme_of(url) == "memory":
        raise InvalidRequest("memory: is empty when the command begins, and gone when it ends")
    return open_local_store(url, read_only=read_only, is_copy=not read_only)


@contextmanager
def naming(pointer: str) -> Iterator[None]:
    """Errors name the option, and not what the URL is called elsewhere."""
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(error.message, **{**error.fields, "pointer": pointer}) from None


@contextmanager
def _repointed() -> Iterator[None]:
    """To "restore" the destination is --store."""
    try:
        yield
    except InvalidRequest as error:
        fields = {**error.fields, "pointer": "/store"} if error.pointer == "/to" else error.fields
        raise InvalidRequest(error.message, **fields) from None


# --- What is said about it -------------------------------------------------------------------------------------------


@contextmanager
def reporting_damage(json: bool) -> Iterator[None]:
    try:
        yield
    except StoreCorrupted as error:
        print_error(error, as_json=json)
        raise typer.Exit(DAMAGED) from None


def _print(report: CopyReport, json: bool, readers: ReadersReport | None = None) -> None:
    if json:
        print_json(report if readers is None else msgspec.structs.asdict(report) | msgspec.structs.asdict(readers))
        return
    made = [] if readers is None else [("groups", len(readers.groups)), ("relays", len(readers.relays))]
    print_fields(
        [
            ("result", "ok"),
            ("copied", report.copied),
            ("already there", report.already_there),
            ("head", report.head),
            ("hash", report.hash),
            *made,
        ]
    )
    if report.behind:
        note(f"{report.behind} more events came into the source meanwhile; run the same command again to copy them")
    if readers is not None:
        _print_readers(readers)


def _print_readers(readers: ReadersReport) -> None:
    if readers.left:
        note(f"were there already, and are left as they are: {', '.join(readers.left)}")
    if readers.parked or readers.set_aside:
        note(
            f"{readers.parked} events were parked in groups, and {readers.set_aside} set aside by relays, when the "
            "backup was taken; they are in the log, behind the checkpoints, and are not delivered again"
        )
