"""kill -9 under load: nothing acknowledged is lost, nothing is doubled by retries, nothing is half there."""

from pathlib import Path

from faults.kill_rounds import kill_rounds
from postgres.server import postgres_server

ROUNDS = 8
ACKNOWLEDGED = 101


async def test_kill_9_under_load(tmp_path: Path) -> None:
    figures = await kill_rounds(tmp_path, ROUNDS, seed=20, acknowledged=ACKNOWLEDGED)
    print(figures)
    assert figures.kills >= ROUNDS
    assert figures.appends_acknowledged >= ACKNOWLEDGED


async def test_kill_9_of_servers_and_of_their_database(tmp_path: Path) -> None:
    with postgres_server() as database:
        figures = await kill_rounds(tmp_path, 4, seed=5, database=database, acknowledged=ACKNOWLEDGED)
    print(figures)
    assert min(figures.server_kills, figures.backend_kills, figures.database_kills) > 0
    assert figures.appends_acknowledged >= ACKNOWLEDGED
    assert figures.serving_max_s < 20
