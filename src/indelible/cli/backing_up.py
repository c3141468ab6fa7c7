"""Takes backups: one, or one after another at an interval."""

import asyncio
import time

from indelible.cli.command import Target
from indelible.cli.copying import opened_backup, reporting_damage
from indelible.cli.output import note, print_error, print_fields, print_json, print_line, progress
from indelible.cli.whole_log import open_whole_log
from indelible.core.backup.taking import BackupReport, take_backup
from indelible.errors import IndelibleError, StorageFailure, StoreLocked, Unavailable


async def back_up(target: Target, destination: str, interval_s: int | None, json: bool) -> None:
    """With an interval, until it is cancelled, or until something is wrong that does not pass by itself."""
    with reporting_damage(json):
        if interval_s is None:
            _print(await _take(target, destination), json)
            return
        while True:
            began = time.monotonic()
            await _take_and_tell(target, destination, json)
            await asyncio.sleep(max(0.0, began + interval_s - time.monotonic()))


async def _take(target: Target, destination: str) -> BackupReport:
    async with opened_backup(destination, "/destination", writing=True) as place:
        with progress("backing up") as advance:
            async with open_whole_log(target) as store:
                return await take_backup(store, place, on_progress=advance)


async def _take_and_tell(target: Target, destination: str, json: bool) -> None:
    try:
        report = await _take(target, destination)
    except (Unavailable, StoreLocked, OSError) as error:
        # A server that restarts, a disk that somebody makes room on: the next one may go well.
        told = error if isinstance(error, IndelibleError) else StorageFailure(_of_system(error))
        print_error(told, as_json=json)
        note("the backup that was there before is as it was; the next one is tried in its time")
        return
    if json:
        print_json(report)
    else:
        print_line(f"{report.backed_up} events backed up, up to position {report.position} with {report.hash}")


def _of_system(error: OSError) -> str:
    return f"{error.filename or 'input or output'}: {error.strerror or error}"


def _print(report: BackupReport, json: bool) -> None:
    if json:
        print_json(report)
        return
    print_fields(
        [
            ("result", "ok"),
            ("backed up", report.backed_up),
            ("already there", report.already_there),
            ("position", report.position),
            ("hash", report.hash),
            ("segments", report.segments),
            ("size in bytes", report.size_bytes),
            ("groups", report.groups),
            ("relays", report.relays),
        ]
    )
