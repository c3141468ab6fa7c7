"""systemd takes the units, and finds little that the service could do beyond its work."""

import subprocess
from pathlib import Path

from indelible.limits import BACKGROUND_STOP_S, SHUTDOWN_GRACE_S

UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
UNIT = UNITS / "indelible.service"
PROGRAM = "/opt/indelible/bin/indelible"
EXPOSURE_MAX = 15
"""In tenths: of what systemd itself gives a service that is shut in, it says 1.5 and less; 9.6 of one that is not."""


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_the_units_are_valid(tmp_path: Path) -> None:
    units = sorted(UNITS.iterdir())
    for unit in units:
        (tmp_path / unit.name).write_text(unit.read_text("utf-8").replace(PROGRAM, "/bin/true"), "utf-8")
    verified = analyze("verify", "--man=no", *(str(tmp_path / unit.name) for unit in units))
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_service_is_shut_in() -> None:
    judged = analyze("security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", str(UNIT))
    assert judged.returncode == 0, judged.stdout


def test_systemd_waits_for_as_long_as_the_server_may_take() -> None:
    [line] = [line for line in UNIT.read_text("utf-8").splitlines() if line.startswith("TimeoutStopSec=")]
    assert float(line.removeprefix("TimeoutStopSec=").removesuffix("s")) > SHUTDOWN_GRACE_S + BACKGROUND_STOP_S
