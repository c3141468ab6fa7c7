"""kill -9 under load: nothing acknowledged is lost, nothing is doubled by retries, nothing is half there."""

from pathlib import Path

from faults.kill_rounds import kill_rounds

ROUNDS = 8


async def test_kill_9_under_load(tmp_path: Path) -> None:
    figures = await kill_rounds(tmp_path, ROUNDS, seed=20)
    print(figures)
    assert figures.kills >= ROUNDS
    assert figures.appends_acknowledged > 100
