"""HAProxy takes its configuration. What it does with it, ``tests/faults/test_rolling_restarts.py`` tries."""

import os
import re
import subprocess

import pytest

from faults.haproxy import CONFIGURATION, program
from indelible.limits import GROUP_WAIT_MAX_S, HEARTBEAT_S, SEARCH_WAIT_MAX_S

SERVERS = {f"INDELIBLE_{number}_{kind}": f"127.0.0.1:{number}" for number in (1, 2, 3) for kind in ("HTTP", "GRPC")}


def check(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [program(), "-c", "-V", "-f", str(CONFIGURATION)]
    return subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_configuration_is_valid_without_a_warning() -> None:
    checked = check(SERVERS)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


def test_nothing_that_a_call_may_wait_for_is_cut_off() -> None:
    from_it = dict(re.findall(r"^    timeout (client|server) (\d+)s$", CONFIGURATION.read_text("utf-8"), re.MULTILINE))
    assert {int(seconds) for seconds in from_it.values()} == {75}
    assert max(GROUP_WAIT_MAX_S, SEARCH_WAIT_MAX_S, HEARTBEAT_S) < 75


@pytest.mark.parametrize("variable", SERVERS)
def test_each_address_is_used(variable: str) -> None:
    assert check({**SERVERS, variable: "127.0.0.1:http"}).returncode != 0
