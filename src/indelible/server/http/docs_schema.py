"""A JSON Schema in a few words of HTML: what type a value has, and what bounds it."""

from collections.abc import Iterator
from html import escape
from typing import Any

from indelible.server.http.openapi_types import Schema


def schema_link(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return f'<a href="#schema-{name}">{name}</a>'


def type_words(schema: Schema) -> str:
    """What a value may be. Names of schemas are links."""
    if "$ref" in schema:
        return schema_link(schema["$ref"])
    if alternatives := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(type_words(inner) for inner in alternatives)
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return " or ".join(map(_literal, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {type_words(schema.get('items', {}))}"
    kind = escape(str(schema.get("type", "any JSON value")))
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def constraints(schema: Schema) -> Iterator[str]:
    """Its bounds. Patterns are left to descriptions, which say them in words."""
    inner = schema.get("items", {})
    for one in (schema, inner, *schema.get("anyOf", ())):
        yield from _range(one, "minLength", "maxLength", " characters")
        yield from _range(one, "minimum", "maximum", "")
    yield from _range(schema, "minItems", "maxItems", " elements")
    if "default" in schema:
        yield f"default {_literal(schema['default'])}"


def _range(schema: Schema, least: str, most: str, unit: str) -> Iterator[str]:
    if most in schema:
        yield f"{schema.get(least, 0):,} to {_number(schema[most])}{unit}"
    elif least in schema:
        yield f"at least {schema[least]:,}{unit}"


def _number(value: int) -> str:
    return "2<sup>53</sup> − 1" if value == 2**53 - 1 else f"{value:,}"


def _literal(value: Any) -> str:
    return f"<code>{escape(str(value))}</code>" if value != [] else "none"
