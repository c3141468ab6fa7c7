"""The example project: its own tests and types, what its files say of one another, and its store's being away."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import npm
from conformance.storages import WITH_SLOW
from faults.orders_away import CALLERS, EXAMPLE, Run
from house.source import ROOT

TIMEOUT_S = 240
PYRIGHT = Path(__file__).with_name("pyright")
PROJECT = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))
SERVICE_LINES_MAX = 70
"""Of all its modules: a service is to be no more work than this."""


def test_its_tests_pass():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=EXAMPLE, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not WITH_SLOW, reason="it takes half a minute of work; make conformance runs it")
def test_its_types_are_strict(tmp_path: Path):
    assert PROJECT["tool"]["pyright"]["typeCheckingMode"] == "strict"
    folder = npm.installed(PYRIGHT, tmp_path)
    command = ("npx", "pyright", "--project", str(EXAMPLE), "--pythonpath", sys.executable)
    assert "0 errors, 0 warnings" in npm.run(*command, cwd=folder, timeout_s=TIMEOUT_S)


async def test_it_rides_over_a_restart_of_its_store(tmp_path: Path):
    figures = await Run(tmp_path, away_s=3.0, calm_s=0.2).run()
    print(figures)
    assert figures.problems == []
    assert figures.orders >= CALLERS


def test_the_service_is_short():
    modules = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert {path.name for path in EXAMPLE.glob("*.py")} == set(modules)
    assert sum((EXAMPLE / name).read_text("utf-8").count("\n") for name in modules) <= SERVICE_LINES_MAX


def test_its_files_fit_together():
    named = {re.split(r"\W", text)[0] for text in PROJECT["project"]["dependencies"]}
    imported = set(re.findall(r"^(?:from|import) (\w+)", (EXAMPLE / "service.py").read_text("utf-8"), re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) <= named
    compose = yaml.safe_load((EXAMPLE / "compose.yaml").read_text("utf-8"))["services"]
    assert (EXAMPLE / compose["store"]["build"]["context"]).resolve() == ROOT
    assert (ROOT / compose["store"]["build"]["dockerfile"]).is_file()
    [url] = [value for name, value in compose["orders"]["environment"].items() if name == "INDELIBLE_URL"]
    assert url == "http://store:8080"
    workflow = (EXAMPLE / ".github" / "workflows" / "test.yaml").read_text("utf-8")
    steps = [step.get("run") for step in yaml.safe_load(workflow)["jobs"]["test"]["steps"]]
    assert steps[-2:] == ["pyright", "pytest"]
