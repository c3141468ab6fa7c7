"""Subscribers that are cut off: nothing is missed, nothing is out of order. For longer, see ``faults.subscribers``."""

from pathlib import Path

from faults.subscribers import cut_subscribers
from postgres.server import postgres_server

CUTS = 12


async def test_cut_subscribers_miss_nothing(tmp_path: Path) -> None:
    figures = await cut_subscribers(f"sqlite:{tmp_path}/store.db", tmp_path / "log", CUTS, 4, None)
    print(figures)
    assert figures.kills > 0
    assert figures.connections_closed > 0
    assert figures.received == figures.events > 0
    assert figures.rare_received > 0


async def test_cut_subscribers_miss_nothing_over_grpc(tmp_path: Path) -> None:
    figures = await cut_subscribers(f"sqlite:{tmp_path}/store.db", tmp_path / "log", CUTS, 4, None, over_grpc=True)
    print(figures)
    assert figures.kills > 0
    assert figures.connections_closed > 0
    assert figures.received == figures.events > 0


async def test_cut_subscribers_miss_nothing_on_postgresql(tmp_path: Path) -> None:
    with postgres_server() as database:
        figures = await cut_subscribers(database.new_database(), tmp_path / "log", CUTS, 3, database)
    print(figures)
    assert figures.restarts > 0
    assert figures.received == figures.events > 0
