"""The alert rules, held to by Prometheus' own promtool; and what is written for whoever an alert wakes."""

import re
from pathlib import Path

import pytest

from deploy.rules import RULES, alert_names, promtool

HERE = Path(__file__).parent
CASES = (HERE / "alerts_test.yml").read_text("utf-8")
RUNBOOKS = RULES.parents[2] / "docs" / "how-to" / "runbooks.md"


def test_the_alert_rules_are_sound() -> None:
    done = promtool("check", "rules", RULES, folder=HERE)
    assert (done.returncode, f"{len(alert_names())} rules found" in done.stdout) == (0, True), done.stdout + done.stderr


def test_the_alert_rules_fire_when_they_are_to_and_not_else() -> None:
    done = promtool("test", "rules", "alerts_test.yml", folder=HERE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    fires = set(re.findall(r"alertname: (\w+)\n +exp_alerts:", CASES))
    assert set(alert_names()) - fires == set()


def test_an_alert_that_is_missed_would_be_seen(tmp_path: Path) -> None:
    wrong = RULES.read_text("utf-8").replace('state="stopped"}) == 1', 'state="stopped"}) == 2')
    (tmp_path / "wrong.yml").write_text(wrong, "utf-8")
    cases = CASES.replace("../../deploy/prometheus/alerts.yml", "wrong.yml")
    (tmp_path / "cases.yml").write_text(cases, "utf-8")
    done = promtool("test", "rules", "cases.yml", folder=tmp_path)
    assert (done.returncode, "RelayIsStopped" in done.stdout + done.stderr) == (1, True)


@pytest.mark.parametrize("name", alert_names())
def test_an_alert_says_what_is_wrong_and_where_to_read_on(name: str) -> None:
    rule = RULES.read_text("utf-8").split(f"- alert: {name}\n")[1].split("- alert: ")[0]
    assert re.search(r"severity: (critical|warning)\n", rule)
    assert re.search(r'\n +summary: "', rule)
    assert f"runbook: docs/how-to/runbooks.md#{name.lower()}\n" in rule


def test_every_alert_has_its_section_in_the_runbooks_and_they_have_no_other() -> None:
    text = RUNBOOKS.read_text("utf-8")
    sections = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert sorted(sections) == sorted(alert_names())
    parts = ("**Means**", "**Look", "**Do**")
    assert [name for name, section in sections.items() if not all(part in section for part in parts)] == []
    assert set(re.findall(r"\]\(#(\w+)\)", text)) - {name.lower() for name in sections} == set()
