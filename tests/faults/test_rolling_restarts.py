"""Rolling restarts behind HAProxy that no caller notices; ``faults.rolling_restarts`` does it under more load."""

from pathlib import Path

from faults.paced_load import Load
from faults.rolling_restarts import Run
from postgres.server import PostgresServer


async def test_no_caller_sees_a_rolling_restart_nor_a_kill(tmp_path: Path, postgres: PostgresServer) -> None:
    load = Load(appends_per_s=100, writers=24, subscribers=4, members=4)
    figures = await Run(postgres.new_database(), load, tmp_path, calm_s=0.2).run()
    print(figures)
    assert figures.problems == []
    assert figures.failures == 0
    assert figures.events == figures.acknowledged > 200
