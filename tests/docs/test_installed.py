"""Who installs the wheel, with what is locked to run it and nothing else, can follow the README."""

import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from docs import quickstart, wheels
from docs.pages import ROOT


def locked() -> Iterator[Requirement]:
    text = (ROOT / "requirements" / "runtime.txt").read_text("utf-8")
    for line in re.findall(r"^([a-z].*?)\s*\\$", text, re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            yield requirement


def copy_installed(requirement: Requirement, folder: Path) -> None:
    """As this environment has it, which was installed from the lock: quicker than asking a registry once more."""
    found = distribution(requirement.name)
    assert requirement.specifier.contains(found.version)
    for file in found.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            copy = folder / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file.locate()), copy)


def test_the_quickstart_works_with_the_wheel_alone(tmp_path: Path):
    quickstart.build_wheel(tmp_path)
    programs = tmp_path / "venv" / "bin"
    quickstart.run(sys.executable, "-m", "venv", "--without-pip", programs.parent)
    [packages] = programs.parent.glob("lib/python*/site-packages")
    for requirement in locked():
        copy_installed(requirement, packages)
    quickstart.install(programs, tmp_path)
    quickstart.follow(programs, tmp_path / "reader")


def test_the_wheel_is_tried_on_every_python_that_it_names():
    versions = wheels.named_versions()
    assert versions[0] == "3.11"
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert own in versions
    assert wheels.find_python(own) is not None
    assert wheels.find_python("3.0") is None
