"""Lines of files and pipes, packed or not, and what is said of files that are torn or damaged."""

import gzip
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from indelible.core.log_file import LineFile, UnreadableLine
from indelible.limits import LINE_SIZE_BYTES_MAX

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LINES = [b"%d %s\n" % (n, os.urandom(40).hex().encode()) for n in range(20_000)]
TEXT = b"".join(LINES)
HALF = len(TEXT) // 2
PACKED = {
    "plain": TEXT,
    "no line end": TEXT[:-1],
    "gzip": gzip.compress(TEXT),
    "gzip in members": gzip.compress(TEXT[:HALF]) + gzip.compress(TEXT[HALF:]),
    "zstd": zstd.compress(TEXT),
    "zstd in frames": zstd.compress(TEXT[:HALF]) + zstd.compress(TEXT[HALF:]),
    "zstd after a skippable frame": b"\x51\x2a\x4d\x18\x03\x00\x00\x00abc" + zstd.compress(TEXT),
}


def read_all(file: LineFile, lines_max: int = 700) -> tuple[list[bytes], str]:
    """The lines, and why there are no more."""
    found: list[bytes] = []
    try:
        while lines := file.read(lines_max, 1_000_000):
            assert len(lines) <= lines_max
            found += lines
    except UnreadableLine as error:
        assert not file.at_end
        return found, str(error)
    assert file.at_end
    return found, ""


def read_file(path: Path) -> tuple[list[bytes], str]:
    with path.open("rb") as opened:
        file = LineFile(opened.fileno())
        read = read_all(file)
        assert (file.size_bytes, file.read_bytes <= path.stat().st_size) == (path.stat().st_size, True)
        return read


@pytest.mark.parametrize("kind", PACKED)
def test_first_bytes_tell_what_a_file_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "named.anything"
    path.write_bytes(PACKED[kind])
    lines, problem = read_file(path)
    assert (b"".join(lines).rstrip(), len(lines), problem) == (TEXT.rstrip(), len(LINES), "")


@pytest.mark.parametrize("kind", PACKED)
def test_a_pipe_that_drips(kind: str) -> None:
    read_end, write_end = os.pipe()

    def write() -> None:
        for n in range(6):
            os.write(write_end, PACKED[kind][n : n + 1])
            time.sleep(0.01)
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(PACKED[kind][6:])

    writer = threading.Thread(target=write)
    writer.start()
    file = LineFile(read_end)
    assert file.size_bytes is None
    assert file.peek() == LINES[0]
    lines, problem = read_all(file)
    assert (b"".join(lines).rstrip(), problem, file.read_bytes) == (TEXT.rstrip(), "", len(PACKED[kind]))
    writer.join()
    os.close(read_end)


@pytest.mark.parametrize("kind", ["gzip", "zstd", "gzip in members", "zstd in frames"])
def test_all_lines_before_a_torn_end_are_given(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "torn"
    path.write_bytes(PACKED[kind][: len(PACKED[kind]) * 3 // 4])
    lines, problem = read_file(path)
    assert problem == "ends in the middle of its packed data"
    assert lines == LINES[: len(lines)]
    assert len(LINES) // 2 < len(lines) < len(LINES)


def test_gzip_itself_finds_no_more_lines_before_a_torn_end(tmp_path: Path) -> None:
    path = tmp_path / "torn.gz"
    path.write_bytes(PACKED["gzip"][:300_000])
    unpacked = subprocess.run(["gzip", "-dc", path], capture_output=True, check=False).stdout
    assert len(read_file(path)[0]) == unpacked.count(b"\n")


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("at", [0.3, 0.7, 1])
def test_damage_is_found_and_lines_before_it_are_whole(tmp_path: Path, kind: str, at: float) -> None:
    packed = bytearray(PACKED[kind])
    packed[int(at * (len(packed) - 6))] ^= 0x10
    path = tmp_path / "damaged"
    path.write_bytes(packed)
    lines, problem = read_file(path)
    if kind == "gzip":
        # zstd keeps a checksum only where it is asked to, and gzip's comes at the end: the chain finds what they pass.
        assert problem
    assert b"".join(lines) != TEXT or problem


def test_a_line_without_an_end_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"short\n" + b"x" * (LINE_SIZE_BYTES_MAX + 1))
    assert read_file(path) == ([b"short\n"], f"has a line that is longer than {LINE_SIZE_BYTES_MAX} bytes")


def test_a_read_that_waits_is_let_go() -> None:
    read_end, write_end = os.pipe()
    file = LineFile(read_end)
    os.write(write_end, b"one\ntwo")
    threading.Timer(0.3, file.stop).start()
    assert read_all(file) == ([b"one\n"], "is not read any further")
    os.close(read_end)
    os.close(write_end)
