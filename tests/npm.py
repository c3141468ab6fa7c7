"""Programs for Node.js that tests run: a folder with its package.json and package-lock.json, installed as locked."""

import shutil
import subprocess
from pathlib import Path

INSTALL_TIMEOUT_S = 600


def installed(folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder, with its packages."""
    copy = Path(shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("node_modules")))
    run("npm", "ci", "--no-audit", "--no-fund", cwd=copy, timeout_s=INSTALL_TIMEOUT_S)
    return copy


def run(*command: str, cwd: Path, timeout_s: float) -> str:
    """What it prints; all that it says when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
