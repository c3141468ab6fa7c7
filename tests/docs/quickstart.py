"""The README's way from nothing to an appended event, with a wheel of this tree in place of a published one."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from docs.pages import ROOT, blocks
from docs.test_pages import SHOWN_URL, Reader

README = ROOT / "README.md"
TIMEOUT_S = 600
_FIRST = [line.partition("#")[0].strip() for line in blocks(README)[0].text.splitlines()]
INSTALL, SERVE = _FIRST[:2]
"""The README's first two commands."""


def run(*command: str | Path, **environ: str) -> str:
    """What it prints; all that it says when it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_wheel(folder: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)


def install(programs: Path, wheels: Path) -> None:
    """Into the environment whose folder of programs that is, and which has what is locked already: this package, from a
    folder, as a registry would give it."""
    own = Path(sys.executable).parent
    run(
        "bash", "-euc", INSTALL, PATH=f"{programs}:{own}:{os.environ['PATH']}",
        PIP_PYTHON=str(programs / "python"), PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels), PIP_NO_DEPS="1",
    )  # fmt: skip
    where = run(programs / "python", "-I", "-c", "import indelible; print(indelible.__file__)")
    assert Path(where.strip()).is_relative_to(programs.parent)


def follow(programs: Path, folder: Path) -> None:
    """Start the server and go through the README, in an empty folder."""
    folder.mkdir()
    with contextlib.ExitStack() as exits:
        reader = Reader(folder, exits, programs)
        reader.serve(f"{SERVE} --http {SHOWN_URL}")
        # What the quickstart ends with takes longer, and test_pages runs it.
        reader.follow(README, before="Real input: the history of a repository")
