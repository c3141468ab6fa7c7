"""The engine's SQL, one file a statement, read once."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from string import Template
from typing import Any, Final

import apsw

from indelible.queries import Direction

_DIRECTIONS: Final = {
    "forward": {"order": "ASC", "first": "min", "last": "max", "beyond": ">"},
    "backward": {"order": "DESC", "first": "max", "last": "min", "beyond": "<"},
}


@cache
def statement(name: str) -> str:
    """The text of ``sql/{name}.sql``."""
    return resources.files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


@cache
def directed(name: str, direction: Direction, **parts: str) -> str:
    """A statement with ``$`` parts, for one direction of reading."""
    return Template(statement(name)).substitute(_DIRECTIONS[direction], **parts)


def fetch(
    connection: apsw.Connection, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
) -> list[tuple[Any, ...]]:
    """Run a statement to its end and give all its rows."""
    rows: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
    return rows
