"""Two minutes of even load: nothing grows, nothing fails. ``make soak`` does it for an hour, under more load.

On PostgreSQL, as a server has all of its memory there within seconds: with an embedded store SQLite's caches grow with
the log until they are full, which takes minutes.
"""

from pathlib import Path

from faults.paced_load import Load
from faults.soak import Settings, soak
from postgres.server import PostgresServer


async def test_nothing_grows_in_two_minutes(tmp_path: Path, postgres: PostgresServer) -> None:
    load = Load(appends_per_s=20, writers=8, subscribers=50, first_events=5_000)
    settings = Settings(load, intervals=12, interval_s=10.0, warm_up=2)
    intervals, problems = await soak(postgres.new_database(), settings, tmp_path)
    # How quick appends are is no matter for a test: others share the machine.
    assert [problem for problem in problems if "p99" not in problem] == []
    assert sum(interval.appends for interval in intervals) > 500
