"""A short form of :mod:`faults.hostile_connections`."""

from pathlib import Path

from faults.connection_attacks import KINDS as OWN_KINDS
from faults.hostile_connections import attack, faults_in

P99_MAX_MS = 20_000.0
"""Other tests run meanwhile, and as many callers as here are nothing to a server: what is looked for is a hang."""
MEMORY_MAX_MB = 400.0
KINDS = ("idle", "resets", "bombs", "line-ends", "smuggling", "slow-heads", "slow-readers")


async def test_others_do_not_notice_hostile_connections(tmp_path: Path) -> None:
    report = await attack(tmp_path, 1.0, KINDS, connections=200, idle=500)
    print(report)
    assert faults_in(report, P99_MAX_MS, MEMORY_MAX_MB) == []
    assert [one.kind for one in report.kinds] == list(KINDS)
    # slowhttptest says nothing within so short a time.
    assert all(one.met for one in report.kinds if one.kind in OWN_KINDS)
