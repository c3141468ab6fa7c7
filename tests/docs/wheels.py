"""Whether the wheel works on every Python that it is for: ``python -m docs.wheels [VERSION ...]`` (``make wheels``).

Each version that the package names and that is on this machine gets an environment with what is locked, and the wheel;
there the README is followed. Exit code 1 if one fails, or if there is none. What is missing is named, and fails with
``--all``.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import programs
from docs import quickstart
from docs.pages import ROOT

_OWN = Path(sys.base_prefix) / "bin"
_FOLDERS = ("~/.pyenv/versions/{version}.*/bin", "~/.local/share/uv/python/cpython-{version}*/bin")
"""Where pyenv and uv keep them, who need not have them on PATH."""


def named_versions() -> list[str]:
    """Those of the package's metadata."""
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
    found = [text.removeprefix("Programming Language :: Python :: ") for text in classifiers]
    return [text for text in found if text.startswith("3.")]


def find_python(version: str) -> Path | None:
    for path in _candidates(version):
        command = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        # A shim of pyenv may stand for nothing.
        if asked.returncode == 0 and asked.stdout.strip() == version:
            return path
    return None


def _candidates(version: str) -> Iterator[Path]:
    name = f"python{version}"
    if (_OWN / name).exists():
        yield _OWN / name
    on_path = shutil.which(name)
    if on_path is not None:
        yield Path(on_path)
    for folder in _FOLDERS:
        yield from sorted(Path("~").expanduser().glob(f"{folder.format(version=version).removeprefix('~/')}/{name}"))


def try_on(python: Path, folder: Path) -> None:
    """Raises AssertionError with what a command said that failed."""
    environment = folder / "venv"
    quickstart.run(python, "-m", "venv", environment)
    bin_folder = environment / "bin"
    lock = ROOT / "requirements" / "runtime.txt"
    quickstart.run(bin_folder / "python", "-m", "pip", "install", "--quiet", "-r", lock)
    quickstart.install(bin_folder, folder.parent)
    quickstart.follow(bin_folder, folder / "reader")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("versions", nargs="*", default=named_versions())
    parser.add_argument("--all", action="store_true", help="one that is missing fails too")
    arguments = parser.parse_args()
    programs.take_charge()
    results = []
    with tempfile.TemporaryDirectory() as name:
        quickstart.build_wheel(Path(name))
        for version in arguments.versions:
            results.append(_result(version, Path(name) / version))
            print(f"{version}  {results[-1]}", flush=True)
    bad = {"failed", "missing"} if arguments.all else {"failed"}
    was_tried = any(result.startswith("ok") for result in results)
    return 0 if was_tried and bad.isdisjoint(results) else 1


def _result(version: str, folder: Path) -> str:
    python = find_python(version)
    if python is None:
        return "missing"
    folder.mkdir()
    began = time.monotonic()
    try:
        try_on(python, folder)
    except AssertionError as error:
        print(error, file=sys.stderr)
        return "failed"
    return f"ok  {time.monotonic() - began:.0f} s  {python}"


if __name__ == "__main__":
    sys.exit(main())
