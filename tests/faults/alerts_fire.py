"""Every alert fires when something is really wrong: a real Prometheus and a real Alertmanager watch real servers, which
real faults befall. Run by hand for all of them::

    PYTHONPATH=tests .venv/bin/python -m faults.alerts_fire
    PYTHONPATH=tests .venv/bin/python -m faults.alerts_fire --only "slow disk" "killed"

The rules are those that are deployed, but for times: see ``faults.alert_watch``. Exits with 1 when an alert does not
fire within some minutes.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import programs
from deploy.rules import alert_names
from faults.alert_scenes import SCENES
from faults.alert_watch import alert_watch


async def play(folder: Path, names: Iterable[str]) -> list[str]:
    """Scene after scene; what went wrong."""
    problems = []
    async with alert_watch(folder) as watch:
        for number, name in enumerate(names):
            scene, began = SCENES[name], time.monotonic()
            home = folder / f"scene-{number}"
            home.mkdir()
            try:
                await scene.play(watch, home)
            except Exception as error:  # noqa: BLE001 - the other scenes are played all the same
                missing = [alert for alert in scene.alerts if not watch.fired(alert)]
                problems.append(f"{name}: {type(error).__name__} {error}; did not fire: {', '.join(missing)}")
                print(problems[-1], flush=True)
            else:
                print(
                    f"{name}: {', '.join(scene.alerts) or 'nothing fired'} ({time.monotonic() - began:.0f} s)",
                    flush=True,
                )
    return problems


def main() -> int:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Real faults, and the alerts that they bring about.")
    parser.add_argument("--only", nargs="+", choices=list(SCENES), default=list(SCENES))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="alerts-fire-") as folder:
        problems = asyncio.run(play(Path(folder), arguments.only))
    if arguments.only == list(SCENES):
        never = set(alert_names()) - {alert for scene in SCENES.values() for alert in scene.alerts}
        print(f"without a scene: {', '.join(sorted(never)) or 'none'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
