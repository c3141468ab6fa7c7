"""The engine's SQL, one file a statement, read once and made for one schema."""

from functools import cache
from importlib import resources
from typing import Final, LiteralString

from indelible.queries import Direction

_DIRECTIONS: Final[dict[Direction, dict[str, str]]] = {
    "forward": {"order": "ASC", "first": "min", "last": "max", "from": ">=", "up_to": "<="},
    "backward": {"order": "DESC", "first": "max", "last": "min", "from": "<=", "up_to": ">="},
}


class Statements:
    """Statements for one schema. Its name needs no quotes: an :class:`~indelible.engines.postgres.address.Address` has
    seen to that."""

    def __init__(self, schema: str) -> None:
        self._schema: Final = schema
        self._made: Final[dict[tuple[str, Direction], LiteralString]] = {}

    def __call__(self, name: str, direction: Direction = "forward") -> LiteralString:
        """The text of ``sql/{name}.sql``. ``direction`` counts where the statement has one."""
        made = self._made.get((name, direction))
        if made is None:
            made = self._made[name, direction] = self._make(name, direction)
        return made

    def _make(self, name: str, direction: Direction) -> LiteralString:
        parts = {"line": text_of("sql", "line"), "size": text_of("sql", "size"), **_DIRECTIONS[direction]}
        return in_schema(_fill(text_of("sql", name), parts), self._schema)


def in_schema(text: str, schema: str) -> LiteralString:
    """A statement's text for a schema. psycopg takes literal text only, to keep values out: none is in a file."""
    return _fill(text, {"schema": schema})


def _fill(text: str, parts: dict[str, str]) -> str:
    # Not str.format: JSON's braces stand in the statements too.
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text


@cache
def text_of(folder: str, name: str) -> str:
    """The text of a file of this package, without the comments at its beginning."""
    lines = resources.files(__package__).joinpath(folder, f"{name}.sql").read_text(encoding="utf-8").splitlines()
    while lines[0].startswith("--"):
        del lines[0]
    return "\n".join(lines)
