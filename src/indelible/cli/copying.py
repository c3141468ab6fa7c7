"""What copy and restore have in common: a log is brought into a store of this process, verified, and reported."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import typer

from indelible.cli.command import DAMAGED
from indelible.cli.output import note, print_error, print_fields, print_json, progress
from indelible.core.copy import CopyReport, check_has_one_log, copy_file, copy_log, verify_copy
from indelible.core.log_file import LineFile, LogFile
from indelible.core.open import open_local_store
from indelible.diagnostics import StoreDiagnostics
from indelible.errors import InvalidRequest, StoreCorrupted
from indelible.eventstore import EventStore, RecordingStore
from indelible.store_urls import is_engine_url, is_server_url, scheme_of

STDIN: Final = "-"


async def copy_between(source: str, destination: str, json: bool) -> None:
    """Copy from a store, a server or a file to a store, and print what was done."""
    if _is_file(source):
        await restore_from(source, destination, json, pointer="/from")
        return
    if source == destination:
        raise InvalidRequest("is the same store as --from", pointer="/to")
    with _reporting_damage(json):
        async with _source(source) as store:
            # When it is not there, no destination comes into being.
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


async def restore_from(file: str, destination: str, json: bool, *, pointer: str = "/file") -> None:
    """Copy from a file to a store, and print what was done. Errors about the file have the ``pointer``."""
    with _reporting_damage(json), _opened(file, pointer) as opened:
        lines = LineFile(opened.fileno())
        log = LogFile(lines)
        try:
            with _naming(pointer):
                await log.begin()
            async with _destination(destination) as store:
                with progress("restoring", unit_bytes=True) as advance:
                    report = await copy_file(log, store, on_progress=advance)
                await _verify(store, report)
        finally:
            # A thread may wait for a pipe.
            lines.stop()
    _print(report, json)
    if not report.head:
        note("the file holds no events")


async def _verify(store: RecordingStore, report: CopyReport) -> None:
    with progress("verifying") as advance:
        await verify_copy(store, report, on_progress=advance)


# --- From where and to where -----------------------------------------------------------------------------------------


def _is_file(source: str) -> bool:
    """Anything that is no URL."""
    return source == STDIN or not (is_server_url(source) or is_engine_url(source))


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
    with Path(file).open("rb") as opened:
        yield opened


def _source(url: str) -> EventStore:
    with _naming("/from"):
        if not is_server_url(url):
            return _local_store(url, read_only=True)
        from indelible.client.async_client import AsyncClient

        return AsyncClient(url, retry_total_s=10)


def _destination(url: str) -> RecordingStore:
    with _naming("/to"):
        if is_server_url(url):
            raise InvalidRequest(
                "must be a store, not a server, which gives events positions and timestamps of its own. Stop it, and "
                "name its store"
            )
        return _local_store(url, read_only=False)


def _local_store(url: str, *, read_only: bool) -> RecordingStore:
    if scheme_of(url) == "memory":
        raise InvalidRequest("memory: is empty when the command begins, and gone when it ends")
    return open_local_store(url, read_only=read_only)


@contextmanager
def _naming(pointer: str) -> Iterator[None]:
    """Errors name the option, and not what the URL is called elsewhere."""
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(error.message, pointer=pointer) from None


# --- What is said about it -------------------------------------------------------------------------------------------


@contextmanager
def _reporting_damage(json: bool) -> Iterator[None]:
    try:
        yield
    except StoreCorrupted as error:
        print_error(error, as_json=json)
        raise typer.Exit(DAMAGED) from None


def _print(report: CopyReport, json: bool) -> None:
    if json:
        print_json(report)
        return
    print_fields(
        [
            ("result", "ok"),
            ("copied", report.copied),
            ("already there", report.already_there),
            ("head", report.head),
            ("hash", report.hash),
        ]
    )
    if report.behind:
        note(f"{report.behind} more events came into the source meanwhile; run the same command again to copy them")
