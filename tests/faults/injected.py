"""Errors that the kernel seems to return, injected into a running server's system calls by strace."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

ATTACH_TIMEOUT_S = 60.0

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@contextlib.asynccontextmanager
async def failing(
    pids: int | Sequence[int], calls: str, *, path: Path | None = None, when: str = "1+", log: Path | None = None
) -> AsyncIterator[Path]:
    """While the context is open, system calls of processes and all their threads return EIO: those named (separated by
    commas), on one file or on all, from the first of each on or as ``when`` says. Gives strace's log of them."""
    pids = [pids] if isinstance(pids, int) else pids
    log = log or (path or Path("/tmp/injected")).with_suffix(".strace")
    only = [] if path is None else ["-P", str(path)]
    strace = await asyncio.create_subprocess_exec(
        "strace", "-f", *(f"--attach={pid}" for pid in pids), *only, "-o", str(log),
        "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO:when={when}",
        stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        await asyncio.wait_for(_attached(strace, len(pids)), ATTACH_TIMEOUT_S)
        yield log
    finally:
        with contextlib.suppress(ProcessLookupError):
            strace.terminate()  # detaches
        await strace.wait()


async def _attached(strace: asyncio.subprocess.Process, processes: int) -> None:
    """Until strace says that it holds all threads."""
    assert strace.stderr is not None
    for _ in range(processes):
        line = (await strace.stderr.readline()).decode()
        assert "attached" in line, f"strace cannot attach here: {line}"
