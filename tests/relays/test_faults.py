"""Relays as processes of their own, to each real broker: killed, stopped and continued, with the broker killed too."""

from pathlib import Path

import pytest

from faults import relay_faults
from relays.brokers import KINDS

TAKEOVERS = 3
"""Of which one has to be in time: a busy machine takes its own time to connect to a broker."""


@pytest.mark.parametrize("name", KINDS)
async def test_each_event_is_published_whatever_breaks(tmp_path: Path, name: str) -> None:
    seen = await relay_faults.run(tmp_path, name, events=4_000, faults=4, seed=1)
    relay_faults.print_seen(seen)
    assert seen.all_violations == []
    assert sorted(fault.kind for fault in seen.faults) == sorted(relay_faults.KINDS_OF_FAULTS)


@pytest.mark.parametrize("name", KINDS)
async def test_one_that_was_stopped_for_long_is_refused(tmp_path: Path, name: str) -> None:
    """The active one is stopped for longer than its lease, and goes on: the other has taken over within 10 s, and
    nothing of the first is seen any more."""
    for n in range(TAKEOVERS):
        folder = tmp_path / str(n)
        folder.mkdir()
        seen = await relay_faults.pause(folder, name, pause_s=7, events_per_s=100, seed=1)
        relay_faults.print_seen(seen)
        assert len(seen.all_violations) == seen.is_late, seen.all_violations
        if not seen.is_late:
            break
    assert not seen.is_late
