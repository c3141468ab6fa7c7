"""A server with a query index, and what serves the index, killed under load. For longer, and for the backends whose
servers take long to start: ``faults.index_faults``."""

from pathlib import Path

import pytest

from faults import broken_index_process, index_faults

RUNS = 10


@pytest.mark.parametrize("name", ["postgres", "sqlite"])
async def test_what_a_search_says_is_so_whatever_dies(tmp_path: Path, name: str) -> None:
    figures = await index_faults.run(tmp_path, name, events=2_000, kills=4, seed=1)
    index_faults.print_figures(figures)
    assert figures.violations == []
    assert figures.events == 2_000
    assert sorted(one.moment for one in figures.kills) == sorted(index_faults.MOMENTS)
    assert figures.seen > 20
    assert figures.generations > 2


async def test_a_cursor_that_is_committed_first_is_found(tmp_path: Path) -> None:
    """As soon as a kill meets the moment between both, which is long, but on a busy machine all else is, too."""
    for seed in range(1, RUNS + 1):
        (folder := tmp_path / str(seed)).mkdir()
        figures = await index_faults.run(
            folder, "sqlite", events=600, kills=2, seed=seed, command=broken_index_process.COMMAND
        )
        if any(one.startswith("missing: ") for one in figures.violations):
            return
    pytest.fail(f"{RUNS} runs of a broken index looked sound")
