"""Two alerts that somebody must be woken by, from a real fault to what Alertmanager sends: all are played by
``python -m faults.alerts_fire``."""

from pathlib import Path

from deploy.rules import alert_names
from faults.alert_scenes import SCENES
from faults.alerts_fire import play


async def test_a_dead_server_and_a_damaged_log_are_told_of(tmp_path: Path) -> None:
    assert await play(tmp_path, ("killed", "damaged")) == []


def test_every_alert_has_a_fault_that_brings_it_about() -> None:
    assert {alert for scene in SCENES.values() for alert in scene.alerts} == set(alert_names())
