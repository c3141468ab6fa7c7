"""A consumer group whose members and servers are killed loses nothing. For longer, see ``faults.group_members``."""

from pathlib import Path

from msgspec.structs import replace

from faults.group_members import Figures, Settings, group_members
from postgres.server import PostgresServer

# What takes longer than its time, again and again, would be parked as if it were poisoned.
SETTINGS = Settings(
    events=2_000, aggregates=50, ack_timeout_s=5.0, late_max_s=15.0, standstill_max_s=20.0, events_per_s=400,
    handle_s=0.003, seed=1,
)  # fmt: skip


def _check(figures: Figures) -> None:
    print(figures)
    assert figures.events == SETTINGS.events
    # Of the member that hung: whether they still count is for the others to decide.
    assert figures.late_acks + figures.lost_acks > 0
    assert figures.refusals > 0
    assert figures.parked > figures.redriven > 0
    assert 0 < figures.server_kill_at_position < figures.events
    assert figures.stood_still_s > 0


async def test_members_of_one_server(tmp_path: Path) -> None:
    _check(await group_members(SETTINGS, f"sqlite:{tmp_path}/store.db", tmp_path))


async def test_members_over_grpc(tmp_path: Path) -> None:
    settings = replace(SETTINGS, over_grpc=True)
    _check(await group_members(settings, f"sqlite:{tmp_path}/store.db", tmp_path))


async def test_members_of_several_servers(tmp_path: Path, postgres: PostgresServer) -> None:
    # What is said well in time must be heard in time, by servers that may get a tenth of a core.
    settings = replace(SETTINGS, servers=3, ack_timeout_s=12.0, events_per_s=150)
    figures = await group_members(settings, postgres.new_database(), tmp_path)
    _check(figures)
    assert figures.unheard_acks == 0
