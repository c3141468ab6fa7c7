"""Errors that the kernel seems to return, injected into a running server's system calls by strace."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

ATTACH_TIMEOUT_S = 10.0

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@contextlib.asynccontextmanager
async def failing(pid: int, calls: str, *, path: Path | None = None, when: str = "1+") -> AsyncIterator[Path]:
    """While the context is open, system calls of a process and all its threads return EIO: those named (separated by
    commas), on one file or on all, from the first on or as ``when`` says. Gives strace's log of them."""
    log = (path or Path("/tmp/injected")).with_suffix(".strace")
    only = [] if path is None else ["-P", str(path)]
    strace = await asyncio.create_subprocess_exec(
        "strace", "-f", "-p", str(pid), *only, "-o", str(log),
        "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO:when={when}",
        stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        await asyncio.wait_for(_attached(strace), ATTACH_TIMEOUT_S)
        yield log
    finally:
        with contextlib.suppress(ProcessLookupError):
            strace.terminate()  # detaches
        await strace.wait()


async def _attached(strace: asyncio.subprocess.Process) -> None:
    """Until strace says that it holds all threads."""
    assert strace.stderr is not None
    line = (await strace.stderr.readline()).decode()
    assert "attached" in line, f"strace cannot attach here: {line}"
