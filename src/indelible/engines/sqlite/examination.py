"""What a database file stands on: its disk, its file system, its rights, the version of SQLite."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from indelible.diagnostics import Finding
from indelible.limits import DISK_FREE_SHARE_MIN, DISK_FREE_SIZE_BYTES_MIN

_SQLITE_LEAST: Final = (3, 51, 3)
"""Older ones may corrupt a write-ahead log when it is begun anew."""
_MIB: Final = 1024 * 1024

_IN_MEMORY: Final = ("tmpfs", "ramfs", "devtmpfs")
_OVER_THE_NETWORK: Final = (
    "9p", "afs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "glusterfs", "lustre",
    "nfs", "nfs4", "smb3", "smbfs", "virtiofs",
)  # fmt: skip
_LAYERED: Final = ("aufs", "overlay", "fuse.overlayfs")


def examine(path: Path) -> list[Finding]:
    """Blocks for as long as the file system takes."""
    folder = next(one for one in path.parents if one.exists())
    return [_sqlite(), *_rights(path, folder), _file_system(path if path.exists() else folder), _disk(folder)]


def _sqlite() -> Finding:
    version = apsw.sqlite_lib_version()
    message = f"SQLite {version}"
    if tuple(map(int, version.split("."))) < _SQLITE_LEAST:
        least = ".".join(map(str, _SQLITE_LEAST))
        return Finding("sqlite", "problem", message, f"Use {least} or newer: older ones may corrupt a store.")
    return Finding("sqlite", "ok", message)


# --- Rights ----------------------------------------------------------------------------------------------------------


def _rights(path: Path, folder: Path) -> Iterator[Finding]:
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("rights", "problem", f"{folder} may not be written to by this user", _run_as(folder))
    if not path.exists():
        yield Finding("store", "notice", f"there is no store at {path} yet", "A server makes it when it starts.")
        return
    files = [one for one in (path, path.with_name(f"{path.name}-wal")) if one.exists()]
    for file in files:
        if not os.access(file, os.R_OK | os.W_OK):
            yield Finding("rights", "problem", f"{file} may not be read and written by this user", _run_as(file))
    others = {file: stat.S_IMODE(file.stat().st_mode) for file in (*files, path.parent)}
    writable = [str(file) for file, mode in others.items() if mode & stat.S_IWOTH and not mode & stat.S_ISVTX]
    if writable:
        advice = "chmod o-w: whoever may write there can change or delete every event."
        yield Finding("rights", "problem", f"anybody may write to {' and '.join(writable)}", advice)
    elif all(mode & stat.S_IROTH for mode in others.values()) and others[path.parent] & stat.S_IXOTH:
        advice = f"chmod o-rwx {path.parent}, if others on this machine are not to read the events."
        yield Finding("rights", "notice", f"anybody on this machine may read {path}", advice)
    else:
        yield Finding("rights", "ok", f"{path} is its owner's, and its group's")


def _run_as(path: Path) -> str:
    status = path.stat()
    return f"Run as its owner (uid {status.st_uid}), or change the owner; this is uid {os.geteuid()}."


# --- The disk --------------------------------------------------------------------------------------------------------


def _file_system(path: Path) -> Finding:
    kind = file_system_of(path)
    message = f"{path} lies on {kind or 'a file system that is not known'}"
    if kind in _IN_MEMORY:
        return Finding("file system", "problem", f"{message}: it is gone when the machine stops", "Use a disk.")
    if kind in _OVER_THE_NETWORK:
        advice = "Use a local disk, or PostgreSQL: SQLite's locks and syncs do not hold over a network."
        return Finding("file system", "problem", message, advice)
    if kind in _LAYERED:
        advice = "Mount a volume there: what lies in a container's own layer is deleted with the container."
        return Finding("file system", "notice", message, advice)
    return Finding("file system", "ok", message)


def file_system_of(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The kind of file system that a file that is there lies on; None where the system does not tell."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    found = [line.partition(" - ")[2].split(" ")[0] for line in lines if line.split(" ")[2] == wanted]
    return found[-1] if found else None


def _disk(folder: Path) -> Finding:
    usage = shutil.disk_usage(folder)
    message = f"{usage.free // _MIB:,} MiB of {usage.total // _MIB:,} MiB are free at {folder}"
    advice = "Make room, or move the store to a larger disk: on a full disk appends are refused."
    if usage.free < DISK_FREE_SIZE_BYTES_MIN:
        return Finding("disk", "problem", message, advice)
    if usage.free < DISK_FREE_SHARE_MIN * usage.total:
        return Finding("disk", "notice", message, advice)
    return Finding("disk", "ok", message)
