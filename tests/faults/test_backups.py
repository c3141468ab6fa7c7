"""A short run of :mod:`faults.backups`; the whole is a command."""

from pathlib import Path

from faults.backups import backups


async def test_backups_that_are_killed_leave_the_last_one_good(tmp_path: Path) -> None:
    figures = await backups(tmp_path, seconds=3, interval_s=0.1, seed=3)
    assert figures.backups > 0
    assert figures.restores >= figures.backups
