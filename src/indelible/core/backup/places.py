"""Where a backup is kept: what such a place offers, and a folder. What it has taken is on stable storage."""

import asyncio
import fcntl
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol, Self

from indelible.core.backup.manifest import MANIFEST, SEGMENTS
from indelible.errors import InvalidRequest
from indelible.store_urls import scheme_of

_LOCK: Final = "backup.lock"


class Place(Protocol):
    """Use as an async context manager. Names are paths within it. Methods raise ``OSError``, ``FileNotFoundError`` for
    what is not there, and ``IndelibleError`` where it is far away and says no."""

    async def read(self, name: str) -> bytes: ...

    async def write(self, name: str, data: bytes) -> None:
        """Whole or not at all. What has this name already may stay."""
        ...

    async def read_manifest(self) -> tuple[bytes, str] | None:
        """With what says which one it is; None where there is none."""
        ...

    async def replace_manifest(self, data: bytes, known: str | None) -> str:
        """In one step, and only if it is still the one that is ``known``; None: none. Raises ``InvalidRequest`` when
        another backup was made meanwhile."""
        ...

    async def delete(self, names: Iterable[str]) -> None:
        """What is not there may be named."""
        ...

    async def old_segments(self, age_s: float) -> list[str]:
        """The names of segments that are that old."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


def open_place(where: str, *, writing: bool) -> Place:
    """A folder by its path, or a bucket by its URL. ``writing``: for the only one that writes there; makes the folder.
    Raises ``InvalidRequest``."""
    if is_url(where):
        from indelible.core.backup.bucket import open_bucket  # noqa: PLC0415 - needs packages of an extra

        return open_bucket(where)
    return Folder(Path(where), writing=writing)


def is_url(where: str) -> bool:
    """Whether it names a bucket; nothing is said about the rest of it."""
    return "://" in where and bool(scheme_of(where))


def other_backup_runs() -> InvalidRequest:
    message = "another backup is being made there at the same time; this one has changed nothing"
    return InvalidRequest(message, pointer="/destination")


class Folder:
    """A folder of a file system. Files come in under a name of their own, are synced, and are renamed then."""

    def __init__(self, folder: Path, *, writing: bool) -> None:
        self._folder: Final = folder
        self._writing: Final = writing
        self._lock: int | None = None

    async def __aenter__(self) -> Self:
        if self._writing:
            try:
                self._prepare()
            except BaseException:
                self._unlock()
                raise
        elif not (self._folder / MANIFEST).is_file():
            raise InvalidRequest(f"there is no backup in {self._folder}: {MANIFEST} is not there")
        return self

    def _prepare(self) -> None:
        is_new = not self._folder.exists()
        # Whoever may read a backup reads all events.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_new and not (self._folder / MANIFEST).exists() and self._has_other_things():
            raise InvalidRequest(f"{self._folder} has other things in it and is no backup; name a new or empty folder")
        (self._folder / SEGMENTS).mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise other_backup_runs() from None
        _sync_folder(self._folder)
        _sync_folder(self._folder.parent)

    def _has_other_things(self) -> bool:
        # What a first backup that was interrupted has left is its own.
        ours = (SEGMENTS, _LOCK, f"{MANIFEST}.part")
        return any(path.name not in ours for path in self._folder.iterdir())

    async def __aexit__(self, *_: object) -> None:
        self._unlock()

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    async def read(self, name: str) -> bytes:
        return await asyncio.to_thread((self._folder / name).read_bytes)

    async def write(self, name: str, data: bytes) -> None:
        await asyncio.to_thread(self._write, self._folder / name, data)

    def _write(self, file: Path, data: bytes) -> None:
        part = file.with_name(f"{file.name}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as output:  # noqa: PTH123 - a descriptor, not a path
                output.write(data)
                output.flush()
                os.fsync(output.fileno())
        except OSError:
            # On a full disk it would take the room of the next attempt.
            part.unlink(missing_ok=True)
            raise
        part.replace(file)
        _sync_folder(file.parent)

    async def read_manifest(self) -> tuple[bytes, str] | None:
        try:
            # Who writes holds the lock, so there is nothing to tell one from another by.
            return await self.read(MANIFEST), ""
        except FileNotFoundError:
            return None

    async def replace_manifest(self, data: bytes, known: str | None) -> str:  # noqa: ARG002 - as of read_manifest
        await self.write(MANIFEST, data)
        return ""

    async def delete(self, names: Iterable[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)

    async def old_segments(self, age_s: float) -> list[str]:
        return await asyncio.to_thread(self._old_segments, time.time() - age_s)

    def _old_segments(self, before: float) -> list[str]:
        files = (self._folder / SEGMENTS).iterdir()
        return [f"{SEGMENTS}/{file.name}" for file in files if file.stat().st_mtime < before]


def _sync_folder(folder: Path) -> None:
    """So that the names in it are on stable storage."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
