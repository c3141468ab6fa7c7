"""What users install holds all that runs, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

from house.source import PACKAGE, ROOT, committed_files


def test_the_wheel_holds_the_package(tmp_path: Path):
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        [entry_points] = [archive.read(name) for name in archive.namelist() if name.endswith("entry_points.txt")]
    package = {str(path.relative_to(PACKAGE.parent)) for path in committed_files() if path.is_relative_to(PACKAGE)}
    assert names == package
    assert {"indelible/py.typed", "indelible/engines/sqlite/sql/insert_event.sql"} <= names
    assert b"indelible = indelible.cli.main:main" in entry_points
