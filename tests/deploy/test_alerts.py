"""The alert rules, held to by Prometheus' own promtool."""

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
RULES = HERE.parent.parent / "deploy" / "prometheus" / "alerts.yml"
TIMEOUT_S = 60


def promtool(*arguments: str | Path) -> str:
    command = shutil.which("promtool")
    assert command is not None, "install prometheus, which brings promtool"
    done = subprocess.run(
        [command, *arguments], capture_output=True, text=True, cwd=HERE, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_alert_rules_are_sound() -> None:
    assert "14 rules found" in promtool("check", "rules", RULES)


def test_the_alert_rules_fire_when_they_are_to_and_not_else() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_an_alert_that_is_missed_would_be_seen(tmp_path: Path) -> None:
    wrong = RULES.read_text("utf-8").replace('state="stopped"}) == 1', 'state="stopped"}) == 2')
    (tmp_path / "wrong.yml").write_text(wrong, "utf-8")
    cases = (HERE / "alerts_test.yml").read_text("utf-8").replace("../../deploy/prometheus/alerts.yml", "wrong.yml")
    (tmp_path / "cases.yml").write_text(cases, "utf-8")
    command = shutil.which("promtool")
    assert command is not None
    done = subprocess.run(
        [command, "test", "rules", "cases.yml"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.returncode, "RelayIsStopped" in done.stdout + done.stderr) == (1, True)
