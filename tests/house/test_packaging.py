"""Dependencies are bounded and pinned; nothing committed names a package registry."""

import json
import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from house.source import ROOT, committed_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
DEPENDENCIES = PROJECT["project"]["dependencies"]
EXTRAS = [text for extra in PROJECT["project"]["optional-dependencies"].values() for text in extra]
GROUPS = PROJECT["dependency-groups"]
# Written in pieces, so that this file does not find itself.
REGISTRIES = re.compile(r"pypi\.(?:org)|python" + r"hosted\.org|deb\.debian\." + r"org|npm" + r"js\.(?:com|org)")


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    entry = r"^([A-Za-z0-9._-]+)(?:\[[a-z0-9, _-]+\])?==([^ ;\\]+)[^\n]*\\\n +--hash=sha256:[0-9a-f]{64}"
    pinned = re.findall(entry, text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)), f"an entry of {name} has no hash"
    return {canonicalize_name(package): version for package, version in pinned}


@pytest.mark.parametrize("text", [*DEPENDENCIES, *EXTRAS, *GROUPS["dev"], *GROUPS["build"], *GROUPS["generators"]])
def test_every_dependency_has_a_lower_bound(text: str):
    operators = {specifier.operator for specifier in Requirement(text).specifier}
    assert operators & {">=", "==", "~="}, text


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("runtime.txt", DEPENDENCIES),
        ("dev.txt", [*DEPENDENCIES, *EXTRAS, *GROUPS["dev"]]),
        ("build.txt", GROUPS["build"]),
        ("generators.txt", GROUPS["generators"]),
        ("release.txt", GROUPS["release"]),
    ],
)
def test_the_lock_files_fit_the_project(lock: str, wanted: list[str]):
    locked = _locked(lock)
    for requirement in map(Requirement, wanted):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {lock}; run make lock"
        assert requirement.specifier.contains(version), f"{requirement} is not {version} of {lock}; run make lock"


def test_development_uses_the_versions_that_run():
    dev = _locked("dev.txt")
    for lock in ("runtime.txt", "container.txt"):
        locked = _locked(lock)
        assert {name: dev.get(name) for name in locked} == locked


@pytest.mark.parametrize("text", EXTRAS)
def test_what_only_an_extra_brings_is_not_installed_to_run(text: str):
    assert canonicalize_name(Requirement(text).name) not in _locked("runtime.txt")


def test_no_file_names_a_package_registry():
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in committed_files()
        if (match := REGISTRIES.search(path.read_bytes().decode("utf-8", errors="replace")))
    ]
    assert found == []


def test_the_ci_runs_what_developers_run():
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_the_metadata_are_complete():
    command = [sys.executable, "-c", "import pyroma; pyroma.main()", "--min", "10", "--directory", str(ROOT)]
    rated = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert rated.returncode == 0, rated.stdout + rated.stderr


def test_a_container_for_development_makes_what_the_makefile_has():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    targets = set(re.findall(r"^(\S+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    [asked] = re.findall(r"^make (\S+)$", container["postCreateCommand"])
    assert asked in targets
