"""Schemathesis makes requests from ``/openapi.json``, good and bad, and holds the server to what the document says.

A longer run, which makes other requests each time::

    INDELIBLE_SCHEMATHESIS_EXAMPLES=500 .venv/bin/pytest tests/openapi/test_schemathesis.py
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indelible.core.open import open_local_store
from openapi.conftest import FIELDS
from rest.calls import connected
from serving import serving_in_a_thread

HERE = Path(__file__).parent
EXAMPLES = int(os.environ.get("INDELIBLE_SCHEMATHESIS_EXAMPLES", "0"))
TIMEOUT_S = 600 + 20 * EXAMPLES


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server on SQLite that holds some events already."""
    with serving_in_a_thread(open_local_store(f"sqlite:{tmp_path}/store.db"), fields=FIELDS) as url:
        events = [{"event_type": "OrderPlaced", "event_data": {"total": 1}, "tags": ["customer:ada"]}] * 5
        with connected(url) as api:
            for aggregate_id in ("o-1", "o-2", "0"):
                api.post(f"/v1/aggregates/order/{aggregate_id}/events", {"events": events})
            api.call("PUT", "/v1/aggregates/order/o-1/snapshot", {"version": 3, "state": None})
            api.call("PUT", "/v1/groups/billing", {})
        yield url


@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing", "stateful"])
def test_the_server_does_what_the_document_says(url: str, tmp_path: Path, phases: str):
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", f"{url}/openapi.json", "--phases", phases, "--no-color", "--max-examples", str(EXAMPLES or 10)]
    command += ["--request-timeout", "60"]
    if not EXAMPLES:
        command += ["--generation-deterministic"]
    # The server is here; what the other process runs is not ours to measure, and it is slow when measured.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment["PYTHONPATH"] = str(HERE.parent)
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "No test cases" not in run.stdout
