"""A file system of its own, small enough to fill."""

import errno
import io
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A tmpfs. Needs the right to mount."""

    def __init__(self, path: Path, size_mib: int) -> None:
        self.path = path
        self._mount("-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(path))

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self, leave_kib: int = 0) -> None:
        """Take all space that is left, but for some."""
        with self._ballast.open("ab", buffering=0) as file:
            with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
                _write_for_ever(file)
            file.truncate(max(file.tell() - leave_kib * 1024, 0))

    def free(self) -> None:
        self._ballast.unlink()

    def grow(self, size_mib: int) -> None:
        """As when an operator enlarges the volume."""
        self._mount("-o", f"remount,size={size_mib}m", str(self.path))

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)

    @staticmethod
    def _mount(*arguments: str) -> None:
        subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)


def _write_for_ever(file: io.FileIO) -> None:
    while True:
        file.write(bytes(4096))


@contextmanager
def small_disk(path: Path, size_mib: int) -> Iterator[SmallDisk]:
    """Mounted at ``path`` while the context is open. Skips the test where mounting is not allowed."""
    path.mkdir()
    try:
        disk = SmallDisk(path, size_mib)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        if os.geteuid() == 0 and not os.environ.get("INDELIBLE_TESTS_WITHOUT_MOUNT"):
            raise  # where tests run as root this must work, or the fault is never tested
        pytest.skip(reason=f"cannot mount a tmpfs here: {getattr(error, 'stderr', error)}")
    try:
        yield disk
    finally:
        disk.unmount()
