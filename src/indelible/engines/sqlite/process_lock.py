"""One writing process at a time for each store: a lock that the kernel releases however the process dies."""

import fcntl
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from indelible.errors import StoreLocked


class ProcessLock:
    """Holds ``PATH.lock``. The file names the owner, for the error that a second process gets; it is never removed,
    because removing a lock file lets two processes lock two files of one name."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises :class:`StoreLocked`, naming the owner."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 4096, 0).decode("utf-8", "replace").strip()
            os.close(descriptor)
            raise _locked(self._path, owner) from None
        owner = json.dumps(
            {"pid": os.getpid(), "command": " ".join(sys.argv)[:1000], "since": datetime.now(UTC).isoformat()}
        )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, owner.encode() + b"\n", 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _locked(path: Path, owner: str) -> StoreLocked:
    try:
        known = json.loads(owner)
        who = f"process {known['pid']} ({known['command']}, since {known['since']})"
    except (ValueError, KeyError, TypeError):
        known, who = {}, "another process"
    return StoreLocked(
        f"{who} has this store open for writing; one process at a time may. Stop it, send requests to it, or open the "
        f"store for reading. Lock file: {path}",
        owner=known,
    )
