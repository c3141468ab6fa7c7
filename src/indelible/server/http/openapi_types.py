"""Schemas that many names share."""

from typing import Any, Final

from indelible.limits import NAME_LENGTH_MAX, QUERY_NAMES_MAX, TAG_LENGTH_MAX, VERSION_MAX

Schema = dict[str, Any]

NAME: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": NAME_LENGTH_MAX,
    "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$",
}
AGGREGATE_TYPE: Final[Schema] = NAME | {"pattern": r"^[^\x00-\x1f\x7f-\x9f\-]+$"}
TAG: Final[Schema] = NAME | {"maxLength": TAG_LENGTH_MAX}
VERSION: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": VERSION_MAX}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}


def names(name: Schema) -> Schema:
    return {"type": "array", "items": name, "maxItems": QUERY_NAMES_MAX}
