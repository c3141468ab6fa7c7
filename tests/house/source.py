"""The project's own source, parsed once for the house rules."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "indelible"


class Function(NamedTuple):
    where: str
    lines: int


@cache
def committed_files() -> tuple[Path, ...]:
    """Every file that git knows or would take; a copy without git has no such list, and all files stand for it."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return tuple(path for name in listed if name and (path := ROOT / name).is_file())


def python_files() -> tuple[Path, ...]:
    return tuple(path for path in committed_files() if path.suffix == ".py")


def package_files() -> tuple[Path, ...]:
    return tuple(path for path in python_files() if path.is_relative_to(PACKAGE))


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def line_count(path: Path) -> int:
    return path.read_text("utf-8").count("\n")


def functions(path: Path) -> list[Function]:
    """Every function of a file, nested ones too, with its length from ``def`` to its last line."""
    name = path.relative_to(ROOT)
    return [
        Function(f"{name}:{node.lineno} {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(parse(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def median_length(paths: tuple[Path, ...]) -> float:
    return median(function.lines for path in paths for function in functions(path))


def matching_lines(pattern: str, paths: tuple[Path, ...]) -> list[str]:
    """``file:line text`` of every line that matches."""
    compiled = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number} {line.strip()[:100]}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if compiled.search(line)
    ]
