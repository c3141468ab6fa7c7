"""``indelible`` in a process that kills itself with SIGKILL at a step of what it does to a store's files.

``INDELIBLE_KILL_AT`` names the step and which time it counts: ``index-wal.write:7``. The files are ``log`` and
``index``, their ``-wal``, and ``index-new``, an index that is being made; what is done to them is ``write`` (half of it
is written), ``sync``, ``unlink`` and ``rename`` (it is not done). Everything happens in small portions, so that all of
it happens soon.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any, Final
from unittest import mock

import apsw

from indelible.cli.main import main
from indelible.engines.sqlite import engine, index_file, indexing

STEPS: Final = tuple(
    f"{file}.{step}"
    for file, steps in {
        "log": ("write", "sync"),
        "log-wal": ("write", "sync"),
        "index": ("write", "sync", "unlink"),
        "index-wal": ("write", "sync", "unlink"),
        "index-new": ("write", "sync", "rename"),
    }.items()
    for step in steps
)

VARIABLE: Final = "INDELIBLE_KILL_AT"


def _kind_of(name: str) -> str:
    for suffix, kind in (("-index-new", "index-new"), ("-index-wal", "index-wal"), ("-index", "index")):
        if name.endswith(suffix):
            return kind
    return "log-wal" if name.endswith("-wal") else "log" if name.endswith(".db") else "other"


class _Plan:
    def __init__(self, text: str) -> None:
        self._step, _, number = text.partition(":")
        self._left = int(number or 0)

    def is_at(self, name: str, step: str) -> bool:
        if f"{_kind_of(name)}.{step}" != self._step:
            return False
        self._left -= 1
        return self._left == 0


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def install(plan: _Plan) -> apsw.VFS:
    class File(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            super().__init__("unix", name, flags)
            self._name = name.filename() if isinstance(name, apsw.URIFilename) else name or ""

        def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
            if plan.is_at(self._name, "write"):
                super().xWrite(data[: len(data) // 2], offset)
                _die()
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
            if plan.is_at(self._name, "sync"):
                _die()
            super().xSync(flags)

    class Files(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("killing", "unix", makedefault=True)

        def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
            return File(name, flags)

    unlink, sync, rename = index_file._unlink, index_file._sync, Path.rename

    def do(step: str, path: Path) -> None:
        if plan.is_at(str(path), step):
            _die()

    def unlink_or_die(path: Path) -> None:
        do("unlink", path)
        unlink(path)

    def sync_or_die(path: Path) -> None:
        do("sync", path)
        sync(path)

    def rename_or_die(path: Path, target: Path) -> Path:
        do("rename", path)
        return rename(path, target)

    index_file._unlink, index_file._sync = unlink_or_die, sync_or_die
    mock.patch.object(Path, "rename", rename_or_die).start()
    return Files()


def in_small_portions() -> None:
    for module, name, value in (
        (indexing, "INDEX_ROUND_EVENTS", 40), (indexing, "INDEX_PAUSE_S", 0.05),
        (index_file, "INDEX_REBUILD_EVENTS", 300), (index_file, "WAL_FRAMES", 24), (engine, "CHECKPOINT_FRAMES", 48),
    ):  # fmt: skip
        assert hasattr(module, name)
        setattr(module, name, value)


if __name__ == "__main__":
    in_small_portions()
    files = install(_Plan(os.environ.get(VARIABLE, "")))
    sys.exit(main(sys.argv[1:]))
