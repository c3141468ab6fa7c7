"""The peers that come from PyPI: installed apart, as ``requirements/peers.txt`` says, and never imported here."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
CALLERS: Final = Path(__file__).with_name("callers")
_PROGRAMS: Final = ROOT / ".venv-peers" / "bin"


def program(name: str) -> str:
    path = _PROGRAMS / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; make bench-peers installs it")
    return str(path)


def versions() -> dict[str, str]:
    names = "umadb", "eventsourcing"
    code = f"import importlib.metadata as m, json; print(json.dumps({{one: m.version(one) for one in {names}}}))"
    found: dict[str, str] = _json_of("-c", code)
    return found


def run_caller(name: str, **job: object) -> dict[str, Any]:
    """Run one of the programs in ``callers``; what it prints of its load."""
    printed: dict[str, Any] = _json_of(str(CALLERS / f"{name}.py"), json.dumps(job))
    return printed


def _json_of(*arguments: str) -> Any:
    done = subprocess.run([program("python"), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]} failed:\n{done.stderr}")
    return json.loads(done.stdout)
