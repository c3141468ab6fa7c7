"""Schemas of event types: data that does not fit is refused, however it is appended; versions keep what they must."""

from typing import Any, Final

import pytest

from indelible.errors import InvalidRequest, SchemaIncompatible, SchemaMismatch, SchemaNotFound
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, EventStore
from indelible.testing.conformance.helpers import append_noise, refused, unique

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "number", "minimum": 0}},
    "additionalProperties": False,
}
WIDER: Final[dict[str, Any]] = SCHEMA | {"properties": SCHEMA["properties"] | {"note": {"type": "string"}}}
NARROWER: Final[dict[str, Any]] = SCHEMA | {"required": ["total", "note"]}


@pytest.mark.asyncio
class SchemaConformance:
    async def test_data_that_does_not_fit_is_refused(self, store: EventStore) -> None:
        pytest.importorskip("jsonschema_rs")
        event_type, key = unique("Placed"), (unique("Order"), unique())
        before = NewEvent(event_type, "any")
        await store.append(*key, [before])
        await store.schemas.register(event_type, SCHEMA)
        fits, does_not = NewEvent(event_type, {"total": 1.5}), NewEvent(event_type, {"total": -1})
        told = {"event_type": event_type, "schema_version": 1}
        rule = {"pointer": "/events/1/event_data/total", "rule": "/properties/total/minimum", **told}
        stored = await store.append(*key, [fits, NewEvent("Other", "any")])
        await refused(SchemaMismatch, store.append(*key, [fits, does_not]), **rule)
        one = AggregateAppend.of(*key, [NewEvent("Other"), does_not])
        await refused(SchemaMismatch, store.append_atomic([one]), **rule | {"pointer": f"/appends/0{rule['pointer']}"})
        outcomes = await store.append_each([one, AggregateAppend.of(*key, [NewEvent(event_type, {"total": 2})])])
        assert isinstance(outcomes[0], SchemaMismatch)
        assert outcomes[0].fields == rule
        assert outcomes[1].version == stored.version + 1  # type: ignore[union-attr]  # it is stored
        call = store.append(*key, [NewEvent(event_type, b"bytes")])
        await refused(SchemaMismatch, call, pointer="/events/0/content_type", rule="", **told)
        assert (await store.get_aggregate(*key)).version == stored.version + 1
        # What was stored before is what it is: sent again it is found.
        assert (await store.append(*key, [before])).replayed

    async def test_versions(self, store: EventStore) -> None:
        pytest.importorskip("jsonschema_rs")
        await append_noise(store)
        event_type = unique("Placed")
        first = await store.schemas.register(event_type, SCHEMA)
        assert (first.event_type, first.version, first.compatibility) == (event_type, 1, "backward")
        assert await store.schemas.register(event_type, SCHEMA) == first
        error = await refused(
            SchemaIncompatible, store.schemas.register(event_type, NARROWER, dry_run=True), event_type=event_type,
            version=1, broken="backward", pointer="/required", is_certain=True,
        )  # fmt: skip
        assert "/required" in error.message
        second = await store.schemas.register(event_type, WIDER)
        assert (second.version, second.state) == (2, "active")
        assert (
            await store.schemas.set_compatibility(event_type, "none")
            == (await store.schemas.list_versions(event_type))[-1]
        )
        assert (await store.schemas.register(event_type, NARROWER, dry_run=True)).version == 3
        found = await store.schemas.get(event_type)
        assert (found.version, found.schema, found.compatibility) == (2, WIDER, "none")
        older = await store.schemas.get(event_type, version=1)
        assert (older.version, older.schema, older.state) == (1, SCHEMA, "superseded")
        listed = await store.schemas.list_versions(event_type)
        assert [(one.version, one.state) for one in listed] == [(1, "superseded"), (2, "active")]
        assert [one for one in await store.schemas.list() if one.event_type == event_type] == [listed[1]]
        await store.append(unique("Order"), unique(), [NewEvent(event_type, {"total": 1, "note": "x"})])

    async def test_retired_schemas_hold_nothing_up(self, store: EventStore) -> None:
        pytest.importorskip("jsonschema_rs")
        event_type, key = unique("Placed"), (unique("Order"), unique())
        await refused(SchemaNotFound, store.schemas.get(event_type), event_type=event_type)
        await refused(SchemaNotFound, store.schemas.retire(event_type), event_type=event_type)
        await store.schemas.register(event_type, SCHEMA, compatibility="none")
        await refused(SchemaNotFound, store.schemas.get(event_type, version=2), event_type=event_type, version=2)
        assert (await store.schemas.retire(event_type)).state == "retired"
        assert (await store.schemas.retire(event_type)).state == "retired"
        await store.append(*key, [NewEvent(event_type, "any")])
        assert (await store.schemas.register(event_type, SCHEMA)).version == 2
        with pytest.raises(SchemaMismatch):
            await store.append(*key, [NewEvent(event_type, "any")])

    async def test_what_is_no_schema(self, store: EventStore) -> None:
        pytest.importorskip("jsonschema_rs")
        event_type = unique("Placed")
        for schema, pointer in (
            ({"type": "text"}, "/schema/type"),
            ({"$ref": "https://example.com/order.json"}, "/schema/$ref"),
            ({"properties": {"a": {"pattern": "(?=a)"}}}, "/schema/properties/a/pattern"),
        ):
            with pytest.raises(InvalidRequest) as caught:
                await store.schemas.register(event_type, schema)
            assert caught.value.pointer == pointer
        await refused(SchemaNotFound, store.schemas.get(event_type), event_type=event_type)
