"""A file system, in a process of its own, that forgets what was not synced when its power fails: FUSE over
``faults.unsynced``, which says what it models.

The kernel hands every write on at once, as nothing here asks it to hold writes back. What programs write into shared
memory maps comes when the kernel likes, at the latest when the file is closed.
"""

import errno
import itertools
import os
import random
import select
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec
import pytest

from faults.unsynced import PAGE_BYTES, Directory, Entry, File, Lost, cut

SYNC_MEAN_S: Final = 0.002
"""A sync takes a time as random as a real disk's, so that most cuts fall into one."""
ANSWER_TIMEOUT_S: Final = 60.0


class Job(msgspec.Struct):
    path: str
    seed: int
    ignored: float
    """Share of the syncs that are said to be done and are not: a disk that lies."""


class Done(msgspec.Struct):
    lost: Lost
    syncs: dict[str, int]
    """By name: how often each file was synced. A directory's name ends with a slash."""


class ForgetfulDisk:
    """Mounted at ``path`` while the power is on. Its calls block."""

    def __init__(self, path: Path, seed: int, ignored: float = 0.0) -> None:
        self.path = path
        path.mkdir()
        job = msgspec.json.encode(Job(str(path), seed, ignored)).decode()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.forgetful_disk", job], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )  # fmt: skip
        self.done = Done(Lost(), {})
        """What has become of it, up to the last cut."""
        self.power_on()

    def power_off(self) -> None:
        """From now on nothing gets safe any more; a sync that has not ended fails. Kill what runs on the disk first."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def power_on(self) -> None:
        """What runs on the disk must have ended; what it started may still be about to."""
        give_up_at = time.monotonic() + ANSWER_TIMEOUT_S
        while os.path.ismount(self.path) and not self._unmount():
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"{self.path} is still in use")
            time.sleep(0.01)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the disk's process has ended")
        self.done = msgspec.json.decode(line, type=Done)

    def _unmount(self, *flags: str) -> bool:
        command = ["fusermount3", "-u", *flags, self.path]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def close(self) -> None:
        """Even if something still runs on it."""
        self._unmount("-z")
        self._process.kill()
        self._process.communicate()


@contextmanager
def forgetful_disk(path: Path, seed: int, ignored: float = 0.0) -> Iterator[ForgetfulDisk]:
    """Skips the test where FUSE is not to be had."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip(reason="/dev/fuse cannot be opened here")
    disk = ForgetfulDisk(path, seed, ignored)
    try:
        yield disk
    finally:
        disk.close()


# --- Its process -----------------------------------------------------------------------------------------------------

BLOCKS: Final = 2**21


def _main() -> None:
    """Mount, until it is unmounted; then the power fails and comes back. Again and again, until standard input ends."""
    import mfusepy

    class Operations(_Operations, mfusepy.Operations):
        pass

    job = msgspec.json.decode(sys.argv[1], type=Job)
    chance, root, done = random.Random(job.seed), Directory(), Done(Lost(), {})
    while True:
        operations = Operations(root, chance, job.ignored, done)
        mfusepy.FUSE(
            operations, job.path, foreground=True, nothreads=True, use_ino=True, hard_remove=True, fsname="forgetful",
        )  # fmt: skip
        done.syncs = dict(operations.syncs + Counter(done.syncs))
        if not sys.stdin.buffer.read1(1):
            return
        cut(root, chance, done.lost)


class _Operations:
    """What FUSE calls, one call after another. Handles are numbers of open files; with one, the path is None
    once the file has no name any more."""

    use_ns = True

    def __init__(self, root: Directory, chance: random.Random, ignored: float, done: Done) -> None:
        self._root = root
        self._chance = chance
        self._ignored = ignored
        self._done = done
        self._numbers = itertools.count(1)
        self._open: dict[int, tuple[Entry, str]] = {}
        self.syncs: Counter[str] = Counter()

    def init(self, path: str) -> None:
        """It is mounted now."""
        sys.stdout.buffer.write(msgspec.json.encode(self._done) + b"\n")
        sys.stdout.buffer.flush()

    # --- Syncs -------------------------------------------------------------------------------------------------------

    def fsync(self, path: str | None, datasync: int, handle: int) -> int:
        file, name = self._open[handle]
        return self._sync(file, name)

    def fsyncdir(self, path: str | None, datasync: int, handle: int) -> int:
        directory, name = self._open[handle]
        return self._sync(directory, f"{name.rstrip('/')}/")

    def _sync(self, entry: Entry, name: str) -> int:
        is_power_off, _, _ = select.select([sys.stdin], [], [], self._chance.expovariate(1 / SYNC_MEAN_S))
        if is_power_off:
            raise OSError(errno.EIO, "the power is off")
        self.syncs[name] += 1
        if self._chance.random() >= self._ignored:
            entry.sync()
        return 0

    # --- Files -------------------------------------------------------------------------------------------------------

    def create(self, path: str, mode: int, flags: int) -> int:
        file = File()
        self._link(path, file)
        return self._opened(file, path)

    def open(self, path: str, flags: int) -> int:
        return self._opened(self._file(path), path)

    def read(self, path: str | None, size: int, offset: int, handle: int) -> bytes:
        return bytes(self._opened_file(handle).data[offset : offset + size])

    def write(self, path: str | None, data: bytes, offset: int, handle: int) -> int:
        self._opened_file(handle).write(data, offset)
        return len(data)

    def truncate(self, path: str, length: int) -> int:
        self._file(path).truncate(length)
        return 0

    def flush(self, path: str | None, handle: int) -> int:
        return 0

    def release(self, path: str | None, handle: int) -> int:
        del self._open[handle]
        return 0

    # --- Names -------------------------------------------------------------------------------------------------------

    def mkdir(self, path: str, mode: int) -> int:
        directory, name = self._place(path)
        directory.change({name: Directory()})
        return 0

    def link(self, target: str, source: str) -> int:
        self._link(target, self._file(source))
        return 0

    def unlink(self, path: str) -> int:
        self._file(path).links -= 1
        self._remove(path)
        return 0

    def rmdir(self, path: str) -> int:
        found = self._find(path)
        if isinstance(found, File) or found.entries:
            raise OSError(errno.ENOTDIR if isinstance(found, File) else errno.ENOTEMPTY, path)
        self._remove(path)
        return 0

    def rename(self, old: str, new: str) -> int:
        (directory, old_name), (its_directory, new_name) = self._place(old), self._place(new)
        if directory is not its_directory:
            raise OSError(errno.EXDEV, "a file stays in its directory here")
        directory.change({old_name: None, new_name: self._find(old)})
        return 0

    def opendir(self, path: str) -> int:
        return self._opened(self._find(path), path)

    def readdir(self, path: str | None, handle: int) -> list[tuple[str, dict[str, int], int]]:
        directory = self._open[handle][0]
        assert isinstance(directory, Directory)
        found = {".": directory, "..": directory, **directory.entries}
        return [(name, {"st_ino": entry.number, "st_mode": _mode(entry)}, 0) for name, entry in found.items()]

    def releasedir(self, path: str | None, handle: int) -> int:
        return self.release(path, handle)

    def _link(self, path: str, file: File) -> None:
        directory, name = self._place(path)
        file.links += 1
        directory.change({name: file})

    def _remove(self, path: str) -> None:
        directory, name = self._place(path)
        directory.change({name: None})

    # --- What they are -----------------------------------------------------------------------------------------------

    def getattr(self, path: str | None, handle: int | None = None) -> dict[str, Any]:
        entry = self._open[handle][0] if handle else self._find(path or "")
        length = len(entry.data) if isinstance(entry, File) else 0
        return {
            "st_ino": entry.number,
            "st_mode": _mode(entry),
            "st_nlink": entry.links if isinstance(entry, File) else 2,
            "st_uid": os.getuid(), "st_gid": os.getgid(), "st_size": length, "st_blocks": -(-length // 512),
        }  # fmt: skip

    def chmod(self, path: str, mode: int) -> int:
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        free = {"f_blocks": BLOCKS, "f_bfree": BLOCKS, "f_bavail": BLOCKS}
        return {"f_bsize": PAGE_BYTES, "f_frsize": PAGE_BYTES, "f_namemax": 255, **free}

    # --- Within ------------------------------------------------------------------------------------------------------

    def _opened(self, entry: Entry, path: str) -> int:
        handle = next(self._numbers)
        self._open[handle] = entry, path
        return handle

    def _opened_file(self, handle: int) -> File:
        file = self._open[handle][0]
        assert isinstance(file, File)
        return file

    def _find(self, path: str) -> Entry:
        found: Entry = self._root
        for name in PurePosixPath(path).parts[1:]:
            if isinstance(found, File):
                raise NotADirectoryError(errno.ENOTDIR, path)
            if name not in found.entries:
                raise FileNotFoundError(errno.ENOENT, path)
            found = found.entries[name]
        return found

    def _file(self, path: str) -> File:
        found = self._find(path)
        if isinstance(found, Directory):
            raise IsADirectoryError(errno.EISDIR, path)
        return found

    def _place(self, path: str) -> tuple[Directory, str]:
        """The directory of a name that may not be there."""
        pure = PurePosixPath(path)
        found = self._find(str(pure.parent))
        if isinstance(found, File):
            raise NotADirectoryError(errno.ENOTDIR, path)
        return found, pure.name


def _mode(entry: Entry) -> int:
    return stat.S_IFREG | 0o644 if isinstance(entry, File) else stat.S_IFDIR | 0o755


if __name__ == "__main__":
    _main()
