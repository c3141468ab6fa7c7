"""A log in a file: the lines that ``indelible export`` wrote, checked as they are read.

They come as they are, or packed by gzip or zstd, which the first bytes tell. Such files are written here too.

:class:`LineFile` is plain and blocks, so it belongs in a thread; :meth:`LineFile.stop` lets go of a read that waits for
a pipe.
"""

import gzip
import io
import os
import select
import stat
import sys
import threading
import zlib
from typing import IO, Final, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd
import asyncio

from indelible.core.copy import LineDamage, WholeLog
from indelible.core.verify import Chain
from indelible.errors import InvalidRequest
from indelible.events import decode_event, split_hashed_line
from indelible.limits import LINE_SIZE_BYTES_MAX, PAGE_EVENTS_MAX, PAGE_SIZE_BYTES_MAX

# --- Lines of a file -------------------------------------------------------------------------------------------------

_READ_SIZE_BYTES: Final = 256 * 1024
_LOOK_AGAIN_S: Final = 0.2
"""How long a read from a pipe waits before it looks whether it is still wanted."""

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"
"""Behind a first byte of 0x50 to 0x5f: what some programs write before the data."""
_MAGIC_SIZE_BYTES: Final = 4


def packed(output: io.BufferedWriter, suffix: str) -> IO[bytes]:
    """A file to write to; what is written comes to ``output`` packed, whole once the file is closed. ``suffix`` is
    ".gz" for gzip, or that of zstd."""
    if suffix == ".gz":
        # A level that is hardly larger and takes a third of the time of gzip's own.
        return cast("IO[bytes]", gzip.GzipFile(fileobj=output, mode="wb", compresslevel=4, mtime=0))
    options: dict[int, int] = {zstd.CompressionParameter.checksum_flag: 1}
    return cast("IO[bytes]", zstd.ZstdFile(output, "wb", options=options))


class UnreadableLine(ValueError):
    """What follows the lines so far cannot be read. The message says why, to go on after "the file"."""


class LineFile:
    """Reads a file descriptor, which it does not close. One thread at a time."""

    def __init__(self, descriptor: int) -> None:
        self._raw: Final = _Descriptor(descriptor)
        self._lines: IO[bytes] | None = None
        self._kept: list[bytes] = []
        self._problem: UnreadableLine | None = None
        status = os.fstat(descriptor)
        self.size_bytes: Final = status.st_size if stat.S_ISREG(status.st_mode) else None
        """Of the file as it is; None when nobody knows."""
        self.at_end = False
        """Set once there is nothing more."""

    @property
    def read_bytes(self) -> int:
        """How much of the file, as it is, has been read."""
        return self._raw.read_bytes

    def stop(self) -> None:
        """For another thread: let a read that waits, and every later one, raise ``UnreadableLine``."""
        self._raw.stopped.set()

    def peek(self) -> bytes:
        """The next line; nothing at the end. Raises ``UnreadableLine``."""
        self._kept = self.read(1, 1)
        return self._kept[0] if self._kept else b""

    def read(self, lines_max: int, size_bytes_max: int) -> list[bytes]:
        """The next lines with their ends, at least one; the last ends after ``size_bytes_max`` or before. None at the
        end. Raises ``UnreadableLine`` when the very next one cannot be read; what comes before it is given first."""
        lines, self._kept = self._kept, []
        size_bytes = sum(map(len, lines))
        while len(lines) < lines_max and size_bytes < size_bytes_max and self._problem is None and not self.at_end:
            line = self._next_line()
            if line:
                lines.append(line)
                size_bytes += len(line)
        if self._problem is not None and not lines:
            raise self._problem
        return lines

    def _next_line(self) -> bytes:
        try:
            if self._lines is None:
                self._lines = self._unpacked()
            line = self._lines.readline(LINE_SIZE_BYTES_MAX)
        except EOFError:
            self._problem = UnreadableLine("ends in the middle of its packed data")
        except (gzip.BadGzipFile, zlib.error, zstd.ZstdError) as error:
            self._problem = UnreadableLine(f"is damaged, its packed data cannot be read: {error}")
        except UnreadableLine as error:
            self._problem = error
        else:
            if len(line) < LINE_SIZE_BYTES_MAX:
                self.at_end = not line
                return line
            self._problem = UnreadableLine(f"has a line that is longer than {LINE_SIZE_BYTES_MAX} bytes")
        return b""

    def _unpacked(self) -> IO[bytes]:
        packed = io.BufferedReader(self._raw, _READ_SIZE_BYTES)
        start = packed.peek(_MAGIC_SIZE_BYTES)
        if start.startswith(_GZIP):
            return cast("IO[bytes]", gzip.GzipFile(fileobj=packed))
        if start.startswith(_ZSTD) or (start[1:4] == _ZSTD_SKIPPABLE and 0x50 <= start[0] <= 0x5F):
            return cast("IO[bytes]", zstd.ZstdFile(packed))
        return packed


class _Descriptor(io.RawIOBase):
    """A file descriptor that can be given up while a read waits for it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.stopped: Final = threading.Event()
        self.read_bytes = 0
        self._descriptor = descriptor

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the buffer of io.BufferedReader is one
        data = self._read(len(buffer))
        # A pipe may give the first bytes one by one, and they tell what the file is.
        while 0 < self.read_bytes + len(data) < _MAGIC_SIZE_BYTES and (more := self._read(_MAGIC_SIZE_BYTES)):
            data += more
        self.read_bytes += len(data)
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size_bytes: int) -> bytes:
        while not select.select([self._descriptor], [], [], _LOOK_AGAIN_S)[0]:
            if self.stopped.is_set():
                raise UnreadableLine("is not read any further")
        return os.read(self._descriptor, size_bytes)


_SQLITE: Final = b"SQLite format 3\0"


# --- The log in a file -----------------------------------------------------------------------------------------------


class LogFile(WholeLog):
    """The log in a file, from its first event to its last. Call :meth:`begin` once, before anything else.

    Reads in a thread, one page at a time. A reader that gives up calls :meth:`LineFile.stop`.
    """

    name = "file"

    def __init__(self, file: LineFile) -> None:
        super().__init__(Chain())
        self._file: Final = file
        self._damage: LineDamage | None = None

    @property
    def at_end(self) -> bool:
        return self._file.at_end and self._damage is None

    @property
    def progress(self) -> tuple[int, int | None]:
        """As bytes of the file as it is."""
        return self._file.read_bytes, self._file.size_bytes

    async def begin(self) -> None:
        """Raises ``InvalidRequest`` when the file does not start as an export of a whole log does."""
        try:
            line = await asyncio.to_thread(self._file.peek)
        except UnreadableLine:
            # Nobody knows what it is, but it is damaged: the first page will say so.
            return
        if line:
            _check_first(line)

    async def next_lines(self, events_max: int = PAGE_EVENTS_MAX) -> bytes | LineDamage:
        """The events that follow, up to the first damage, which comes next."""
        return await asyncio.to_thread(self._read, events_max)

    def _read(self, events_max: int) -> bytes | LineDamage:
        if self._damage is not None:
            return self._damage
        taken: list[bytes] = []
        try:
            lines = self._file.read(events_max, PAGE_SIZE_BYTES_MAX)
        except UnreadableLine as error:
            return self._damaged(f"cannot be read: the file {error}")
        for line in lines:
            event = line.removesuffix(b"\n")
            problem = self._chains.check(event)
            if problem is not None:
                damage = self._damaged(problem)
                if not taken:
                    return damage
                break
            taken.append(event)
        return b"\n".join(taken)

    def _damaged(self, reason: str) -> LineDamage:
        # Every line before it was the event of its number.
        self._damage = LineDamage(self.position + 1, reason, self.position + 1)
        return self._damage


def _check_first(line: bytes) -> None:
    if line.startswith(_SQLITE):
        raise InvalidRequest("is a database, not an export; a store is named by its URL, such as sqlite:FILE")
    try:
        position = decode_event(line.removesuffix(b"\n")).position
        split_hashed_line(line.removesuffix(b"\n"))
    except ValueError as error:
        raise InvalidRequest(
            f"is not an export: line 1 is not a recorded event ({error}). "
            '"indelible import" takes events of other systems'
        ) from None
    if position != 1:
        raise InvalidRequest(f"starts with the event at position {position}; the export of a whole log starts with 1")
