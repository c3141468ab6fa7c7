"""Whether one schema keeps what it must of another: what is told, and that a "yes" is true of data."""

from copy import deepcopy
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from indelible.core.schemas.comparison import Broken, first_broken

Schema = dict[str, Any]
ORDER: Final[Schema] = {
    "type": "object",
    "required": ["order_id", "total"],
    "properties": {
        "order_id": {"type": "string", "maxLength": 20},
        "total": {"type": "number", "minimum": 0},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
    },
    "additionalProperties": False,
    "$defs": {"line": {"type": "object", "properties": {"sku": {"type": "string"}, "n": {"type": "integer"}}}},
}


def _changed(*path: Any, to: Any) -> Schema:
    schema = deepcopy(ORDER)
    *inner, last = path
    place = schema
    for name in inner:
        place = place[name]
    place[last] = to
    return schema


@pytest.mark.parametrize(
    ("newer", "direction", "pointer"),
    [
        (_changed("required", to=["order_id", "total", "lines"]), "backward", "/required"),
        (_changed("properties", "total", to={"type": "integer", "minimum": 0}), "backward", "/properties/total/type"),
        (_changed("properties", "total", "minimum", to=1), "backward", "/properties/total/minimum"),
        (_changed("properties", "order_id", "maxLength", to=10), "backward", "/properties/order_id/maxLength"),
        (_changed("properties", "lines", "maxItems", to=3), "backward", "/properties/lines/maxItems"),
        (
            _changed("$defs", "line", "properties", "n", to={"type": "string"}),
            "backward",
            "/$defs/line/properties/n/type",
        ),
        (_changed("properties", to={"order_id": True, "total": True}), "backward", "/additionalProperties"),
        (_changed("enum", to=[{"order_id": "1", "total": 1}]), "backward", "/enum"),
        (_changed("required", to=["order_id"]), "forward", "/required"),
        (_changed("properties", "note", to={"type": "string"}), "forward", "/additionalProperties"),
        (_changed("properties", "total", "type", to=["number", "null"]), "forward", "/properties/total/type"),
    ],
)
def test_what_is_broken_is_named_with_its_place(newer: Schema, direction: Any, pointer: str):
    broken = first_broken(newer, ORDER, direction)
    assert broken is not None
    assert (broken.direction, broken.pointer) == (direction, pointer)
    assert first_broken(newer, ORDER, "none") is None
    full = first_broken(newer, ORDER, "full")
    assert full is not None


@pytest.mark.parametrize(
    ("newer", "compatibility"),
    [
        (ORDER, "full"),
        (_changed("title", to="An order"), "full"),
        (_changed("properties", "note", to={"type": "string"}), "backward"),
        (_changed("required", to=["order_id"]), "backward"),
        (_changed("properties", "total", "minimum", to=-5), "backward"),
        (_changed("properties", "lines", "items", to=True), "backward"),
        (_changed("properties", "total", "maximum", to=100), "forward"),
        (_changed("properties", "lines", "items", to=ORDER["$defs"]["line"]), "full"),
    ],
)
def test_what_is_kept(newer: Schema, compatibility: Any):
    assert first_broken(newer, ORDER, compatibility) is None


def test_what_nobody_can_tell_is_refused():
    older = {"properties": {"id": {"type": "string", "pattern": "^o-[0-9]+$"}}}
    newer = {"properties": {"id": {"type": "string", "pattern": "^o-[0-9]*$"}}}
    broken = first_broken(newer, older, "backward")
    assert broken == Broken("backward", "/properties/id/pattern", False)


# --- A "yes" is true of data -----------------------------------------------------------------------------------------

_names = st.sampled_from(["a", "b", "c"])
_leaves = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "number", "boolean", "null"])}),
    st.fixed_dictionaries(
        {"type": st.just("integer")}, optional={"minimum": st.integers(-3, 3), "maximum": st.integers(0, 6)}
    ),
    st.fixed_dictionaries(
        {"type": st.just("string")}, optional={"minLength": st.integers(0, 2), "maxLength": st.integers(1, 4)}
    ),
    st.fixed_dictionaries({"enum": st.lists(st.sampled_from(["x", 1, None, True, 2.5]), min_size=1, max_size=3)}),
    st.fixed_dictionaries({"type": st.just("number"), "multipleOf": st.sampled_from([1, 2, 0.5])}),
)


def _objects(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(_names, inner, max_size=3)},
        optional={
            "required": st.lists(_names, unique=True, max_size=2),
            "additionalProperties": st.booleans() | inner,
            "maxProperties": st.integers(1, 3),
        },
    )


_schemas = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        _objects(inner),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"minItems": st.integers(0, 2)}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
    ),
    max_leaves=5,
)


_KEYWORDS: Final[tuple[Schema, ...]] = (
    {"minimum": 1}, {"maximum": 2}, {"multipleOf": 2}, {"minLength": 1}, {"maxLength": 2}, {"minItems": 1},
    {"maxItems": 1}, {"items": False}, {"required": ["a"]}, {"maxProperties": 1}, {"additionalProperties": False},
    {"enum": ["x", 1, None]}, {"type": "integer"}, {"type": ["string", "object"]},
)  # fmt: skip


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Schema, Schema]:
    """A schema, and another that is not far from it: from schemas that have nothing to do with one another nothing
    would follow."""
    older = draw(_schemas)
    newer = deepcopy(older)
    change = draw(st.sampled_from(["alternative", "member", "less", "more", "more"]))
    if change == "alternative":
        newer = {"anyOf": [older, draw(_schemas)]}
    elif change == "member" and "properties" in newer:
        newer["properties"] |= draw(st.dictionaries(_names, _schemas, min_size=1, max_size=1))
    elif change == "less":
        newer.pop(draw(st.sampled_from(sorted(newer))))
    else:
        newer |= draw(st.sampled_from(_KEYWORDS))
    return older, newer


_data = st.recursive(
    st.sampled_from(["", "x", "xy", "xyzzy", 0, 1, 2, 5, -2, 2.5, None, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(pair=_pairs(), values=st.lists(_data, min_size=10, max_size=30))
def test_data_that_fits_the_one_fits_the_other_where_that_was_said(pair: tuple[Schema, Schema], values: list[Any]):
    older, newer = pair
    assume(first_broken(newer, older, "backward") is None)
    fits_older, fits_newer = Draft202012Validator(older).is_valid, Draft202012Validator(newer).is_valid
    assert [value for value in values if fits_older(value) and not fits_newer(value)] == []
