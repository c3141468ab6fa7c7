"""The dashboard: held to Grafana's own types by the TypeScript compiler, and its queries to Prometheus' parser. That
the metrics exist is seen to by tests/docs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.rules import DEPLOY, promtool
from npm import installed, run

HERE = Path(__file__).parent
FILE = DEPLOY / "grafana" / "indelible.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
COMPILER_TIMEOUT_S = 600


def panels(kind: str = "") -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if kind in ("", panel["type"])]


def queries() -> Iterator[str]:
    for panel in panels():
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".+")


def test_it_is_what_grafanas_types_say(tmp_path: Path) -> None:
    folder = installed(HERE / "dashboard", tmp_path)
    program = folder / "check.ts"
    text = program.read_text("utf-8")
    for name, value in (
        ("DASHBOARD", DASHBOARD),
        ("OF_STAT", [panel["options"] for panel in panels("stat")]),
        ("OF_TIME_SERIES", [panel["options"] for panel in panels("timeseries")]),
    ):
        text = text.replace(f"= {name};", f"= {json.dumps(value)};")
    program.write_text(text, "utf-8")
    run("npx", "tsc", "--project", ".", cwd=folder, timeout_s=COMPILER_TIMEOUT_S)


def test_prometheus_takes_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries())]
    assert len(rules) > 30
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    done = promtool("check", "rules", "queries.yml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_are_of_known_kinds_have_ids_of_their_own_and_do_not_overlap() -> None:
    assert {panel["type"] for panel in panels()} == {"row", "stat", "timeseries"}
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_every_query_keeps_to_the_chosen_instances() -> None:
    text = FILE.read_text("utf-8")
    selectors = re.findall(r"\b(?:indelible|process)_\w+(\{.*?\}|)", "\n".join(queries()))
    assert [one for one in selectors if "instance=~" not in one] == []
    assert "${datasource}" in text
