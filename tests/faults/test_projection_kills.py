"""A projection killed under load. For longer, and with other drivers: ``faults.projection_kills``."""

from pathlib import Path

from faults import projection_kills


async def test_read_model_and_checkpoint_agree_whenever_it_is_killed(tmp_path: Path) -> None:
    figures = await projection_kills.run(tmp_path, "sqlite3", str(tmp_path / "read.db"), kills=2, seed=4)
    print(figures)
    assert figures.violations == []
    assert (figures.kills, figures.at_start) == (2, 1)
    assert figures.moved >= 1


async def test_what_saves_them_apart_is_found_out(tmp_path: Path) -> None:
    figures = await projection_kills.run(tmp_path, "without-care", str(tmp_path / "read.db"), kills=30, seed=4)
    assert any("by the log" in one for one in figures.violations), figures
