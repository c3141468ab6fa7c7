"""Servers under contention for a few seconds; ``faults.many_servers`` runs the same by hand for as long as you like."""

from pathlib import Path

from msgspec.structs import replace

from faults.history.report import shown
from faults.many_servers import Figures, Settings, run
from postgres.server import PostgresServer

ACKNOWLEDGED = 100


async def checked(settings: Settings, folder: Path) -> Figures:
    figures, violations = await run(replace(settings, acknowledged=ACKNOWLEDGED), folder)
    print(figures)
    assert list(shown(violations)) == []
    assert figures.acknowledged >= ACKNOWLEDGED
    assert figures.version_conflicts > 5
    return figures


async def test_one_server(tmp_path: Path) -> None:
    figures = await checked(
        Settings(f"sqlite:{tmp_path / 'store.db'}", servers=1, writers=24, seconds=3.0, seed=1), tmp_path
    )
    assert figures.unknown == figures.unserved == 0


async def test_servers_that_share_a_database(tmp_path: Path, postgres: PostgresServer) -> None:
    figures = await checked(
        Settings(postgres.new_database(), servers=3, writers=12, seconds=5.0, seed=2, delay_max_s=0.02), tmp_path
    )
    assert figures.unknown == figures.unserved == 0


async def test_servers_that_come_and_go(tmp_path: Path, postgres: PostgresServer) -> None:
    """Killed or stopped under load, and started again while the others go on."""
    figures = await checked(
        Settings(postgres.new_database(), servers=3, writers=12, seconds=8.0, seed=3, restart_every_s=1.0), tmp_path
    )
    assert figures.restarts > 0
    assert figures.unserved > 0
