"""The alert rules as they are deployed, and Prometheus' own promtool."""

import re
import shutil
import subprocess
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
TIMEOUT_S = 300


def alert_names() -> list[str]:
    return re.findall(r"^ +- alert: (\w+)$", RULES.read_text("utf-8"), re.MULTILINE)


def promtool(*arguments: str | Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = shutil.which("promtool")
    assert command is not None, "install prometheus, which brings promtool"
    return subprocess.run(
        [command, *arguments], capture_output=True, text=True, cwd=folder, timeout=TIMEOUT_S, check=False
    )
