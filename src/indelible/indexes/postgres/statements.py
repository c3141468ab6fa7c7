"""The statements of the index, one file each, made for one schema; and the few that are made of names and numbers."""

from functools import cache
from importlib import resources
from typing import Final

from indelible.indexes.postgres.plan import SQL_TYPES
from indelible.indexes.postgres.stored import KEY_LENGTH
from indelible.search import FieldType

PENDING_BUILDING_KIB: Final = 16 * 1024
PENDING_SERVING_KIB: Final = 512
"""Of terms that are gathered before they are sorted in. Each search looks through them."""


class Statements:
    """For one schema, whose name needs no quotes."""

    def __init__(self, schema: str) -> None:
        self.schema: Final = schema

    def __call__(self, name: str, **parts: object) -> str:
        """The text of ``{name}.sql``, with names and numbers of ours in their places."""
        text = _text_of(name).replace("{schema}", self.schema)
        for part, value in parts.items():
            text = text.replace(f"{{{part}}}", str(value))
        return text

    def table(self, number: int) -> str:
        """Of a generation."""
        return f"{self.schema}.documents_{number}"

    def make_generation(self, number: int, kinds: list[FieldType]) -> str:
        """All statements that make one, whose fields are of these types."""
        made = [self("generation", number=number, pending_building_kib=PENDING_BUILDING_KIB)]
        made += [self._field(number, field, kind) for field, kind in enumerate(kinds, start=1)]
        return "\n".join(made)

    def _field(self, number: int, field: int, kind: FieldType) -> str:
        type_, column = SQL_TYPES[kind], f"f{field}"
        collation = ' COLLATE "C"' if kind == "string" else ""
        keys = [f"left({one}, {KEY_LENGTH})" if kind == "string" else one for one in (column, f"{column}_high")]
        return self(
            "field", number=number, field=field, key_high=keys[1], key=keys[0], array_type=f"{type_}[]{collation}",
            type=f"{type_}{collation}",
        )  # fmt: skip


@cache
def _text_of(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
