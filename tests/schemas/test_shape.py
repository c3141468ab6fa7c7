"""What a schema costs, and which schemas are not taken."""

from typing import Any, Final

import pytest

from indelible.core.schemas.shape import shape_of
from indelible.errors import InvalidRequest
from indelible.limits import SCHEMA_COST_MAX

LEAF: Final = {"type": "integer"}
"""Costs 2: itself and a keyword."""


def _cost(schema: dict[str, Any]) -> int:
    return shape_of(schema, lambda pattern: 15 * len(pattern)).cost


@pytest.mark.parametrize(
    ("schema", "cost"),
    [
        ({}, 1),
        (LEAF, 2),
        ({"title": "A", "description": "B", "$defs": {"a": LEAF}}, 1),
        # Each value is for one of them.
        ({"properties": {"a": LEAF, "b": LEAF | {"minimum": 0}}, "additionalProperties": False}, 3),
        ({"prefixItems": [LEAF, LEAF], "items": LEAF}, 3),
        # One value for all of them.
        ({"allOf": [LEAF, LEAF, {"anyOf": [LEAF, LEAF]}]}, 2 + 2 + 2 + (2 + 4)),
        ({"patternProperties": {"a": LEAF, "b": LEAF | {"minimum": 0}}}, 2 + 3 + 2),
        ({"items": LEAF | {"pattern": "ab"}}, 2 + 1 + 2),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"items": LEAF}}}, 2 + 2),
        # A list, and a list of lists: as deep as data may be, and yet the same everywhere.
        ({"type": "array", "items": {"$ref": "#"}}, 3 + 2),
        ({"uniqueItems": True}, 2 + 24),
        ({"enum": [str(n) for n in range(64)]}, 2 + 2),
        # Among others texts are gone through.
        ({"enum": [None, *map(str, range(64))]}, 2 + 32),
        ({"enum": list(range(64))}, 2 + 64 * 48),
        ({"enum": [0.5, True, "a", [], {"a": "b"}]}, 2 + 128 + 0 + 0 + 1 + 1),
        # As large as the data that it is compared with.
        ({"enum": [[1, 2, [3]], {"a": {"b": 4}}]}, 2 + 48 + 48),
        ({"const": 1}, 2 + 48),
        ({"const": "a"}, 2),
        ({"const": 2**63}, 2 + 128),
        ({"const": -1e-31}, 2 + 2_048),
        ({"minimum": 0, "maximum": 9.5, "multipleOf": 2**64}, 4 + 64 + 96),
        ({"multipleOf": 5, "minimum": 1e-31}, 3 + 32 + 64),
        ({"multipleOf": 1e-31}, 2 + 2_048),
        ({"dependentRequired": {"a": ["b"], "c": []}}, 2 + 2),
        ({"dependentSchemas": {"a": True, "b": True}}, 2 + 2),
    ],
)
def test_cost_is_what_one_value_may_take(schema: dict[str, Any], cost: int):
    assert _cost(schema) == cost


def test_branches_that_both_lead_back_are_too_costly():
    again = {"properties": {"x": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}
    with pytest.raises(InvalidRequest) as caught:
        _cost(again)
    assert caught.value.fields == {"pointer": "", "cost_max": SCHEMA_COST_MAX}
    laughter = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(20)}
    with pytest.raises(InvalidRequest, match="more than"):
        _cost({"$ref": "#/$defs/d0", "$defs": {**laughter, "d20": LEAF}})


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"items": {"$ref": "other.json"}}, "/items/$ref"),
        ({"items": {"$ref": "#name"}}, "/items/$ref"),
        ({"$ref": "#/$defs/none"}, "/$ref"),
        ({"$ref": "#/title", "title": "x"}, "/$ref"),
        ({"$ref": "#"}, ""),
        ({"$defs": {"a/b": {"anyOf": [{"$ref": "#/$defs/a~1b"}]}}}, "/$defs/a~1b"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"properties": {"a": {"$id": "https://example.com/a"}}}, "/properties/a/$id"),
        ({"$defs": {"a": {"$dynamicRef": "#a"}}}, "/$defs/a/$dynamicRef"),
        ({"$anchor": "a"}, "/$anchor"),
    ],
)
def test_what_is_not_taken(schema: dict[str, Any], pointer: str):
    with pytest.raises(InvalidRequest) as caught:
        _cost(schema)
    assert caught.value.pointer == pointer


def test_a_name_and_the_dialect_may_be_said():
    assert _cost({"$id": "https://example.com/a", "$schema": "https://json-schema.org/draft/2020-12/schema"}) == 1
