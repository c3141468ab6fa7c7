"""A store, and a database for read models of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from indelible import AsyncClient
from projections.databases import KINDS, Opened, Place, place


@pytest.fixture(params=KINDS)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A new database, of each kind."""
    return place(request.param, tmp_path, lambda: request.getfixturevalue("postgres").new_database())


@pytest.fixture
async def opened(there: Place) -> AsyncIterator[Opened]:
    async with there.open() as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Place:
    """A new database file, for what is the same with each driver."""
    return Place("sqlite", str(tmp_path / "read.db"))


@pytest.fixture
async def in_file(file: Place) -> AsyncIterator[Opened]:
    async with file.open() as opened:
        yield opened


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with AsyncClient("memory:") as client:
        yield client
