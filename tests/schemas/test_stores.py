"""Schemas of a store in this process: several who change them, several processes, copies, and packages that lack."""

import asyncio
import sys

import pytest

from indelible.core.copy import copy_log
from indelible.core.open import open_local_store
from indelible.core.schemas import compare_process, guard, registry
from indelible.core.schemas.validators import Check
from indelible.core.store import LocalEventStore
from indelible.diagnostics import Capabilities
from indelible.engines.memory import MemoryEngine
from indelible.errors import InvalidRequest, SchemaMismatch, StorageFailure, Unavailable
from indelible.events import NewEvent
from indelible.schemas import SCHEMAS_QUERY
from indelible.server.compose import _check_schemas

SCHEMA = {"type": "object"}
WIDER = {"type": ["object", "null"]}


class _Shared(MemoryEngine):
    """Open in several processes, as far as it says."""

    capabilities = Capabilities(durable=False, many_processes=True)


async def test_of_two_who_register_at_once_each_gets_a_version() -> None:
    async with LocalEventStore(MemoryEngine()) as store:
        both = (store.schemas.register("Placed", one, compatibility="none") for one in (SCHEMA, WIDER))
        found = await asyncio.gather(*both)
        assert sorted(one.version for one in found) == [1, 2]
        assert [one.version for one in await store.schemas.list_versions("Placed")] == [1, 2]
        events = (await store.read_feed(SCHEMAS_QUERY)).events
        assert [(one.aggregate_id, one.event_data["version"]) for one in events] == [("Placed", 1), ("Placed", 2)]


async def test_schemas_are_looked_at_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    under_way: list[object] = []
    at_once: list[int] = []

    def counted(schema: dict[str, object]) -> object:
        under_way.append(schema)
        at_once.append(len(under_way))
        try:
            return Check(schema)
        finally:
            under_way.pop()

    monkeypatch.setattr(registry, "Check", counted)
    schema = {"properties": {f"p{n}": {"type": "string"} for n in range(1_000)}}
    async with LocalEventStore(MemoryEngine()) as store:
        asked = [store.schemas.register(f"Placed{n}", schema, dry_run=True) for n in range(6)]
        await asyncio.gather(*asked)
    assert at_once == [1] * 6


async def test_a_shared_store_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the appends first; and once what is known is too old, before them."""
    engine = _Shared()
    async with LocalEventStore(engine) as store:
        other = guard.SchemaGuard(store, is_shared=True)
        await other.look_if_old()
        assert other.is_clear
        await store.schemas.register("Placed", SCHEMA)
        assert other.is_clear
        monkeypatch.setattr(guard, "monotonic", lambda: other._look_at + 0.1)
        assert not other.is_clear
        await other.look_if_old()
        await other.finish()
        assert set(other.records) == {"Placed"}
        await store.schemas.retire("Placed")
        valid_until = other._valid_until
        monkeypatch.setattr(guard, "monotonic", lambda: valid_until)
        await other.look_if_old()
        assert other.is_clear is other.records["Placed"].is_retired is True


async def test_appends_wait_where_the_store_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with LocalEventStore(_Shared()) as store:
        await store.schemas.register("Placed", SCHEMA)
        read = store.read_feed

        async def fail(*_: object, **__: object) -> None:
            raise Unavailable("the store is out of reach")

        monkeypatch.setattr(store, "read_feed", fail)
        await store.append("order", "1", [NewEvent("Placed", {})])
        store.guard.forget()
        with pytest.raises(Unavailable):
            await store.append("order", "1", [NewEvent("Placed", {})])
        monkeypatch.setattr(store, "read_feed", read)
        with pytest.raises(SchemaMismatch):
            await store.append("order", "1", [NewEvent("Placed", [])])


async def test_copies_are_not_checked_and_bring_the_schemas() -> None:
    async with LocalEventStore(MemoryEngine()) as one, LocalEventStore(MemoryEngine()) as other:
        await one.append("order", "1", [NewEvent("Placed", "what was allowed then")])
        await one.schemas.register("Placed", SCHEMA)
        await copy_log(one, other)
        assert (await other.head()) == (await one.head())
        with pytest.raises(SchemaMismatch):
            await other.append("order", "1", [NewEvent("Placed", "what was allowed then")])


async def test_partitions_have_the_schemas_of_the_store() -> None:
    async with open_local_store("memory:?partitions=3") as store:
        await store.schemas.register("Placed", SCHEMA)
        for number in range(9):
            with pytest.raises(SchemaMismatch):
                await store.append("order", str(number), [NewEvent("Placed", [])])


# --- What is refused -------------------------------------------------------------------------------------------------


async def test_without_the_packages_nothing_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    async with LocalEventStore(MemoryEngine()) as store:
        await _check_schemas(store)
        await store.schemas.register("Placed", SCHEMA)
        monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
        with pytest.raises(Unavailable, match=r'pip install "indelible\[schemas\]"'):
            await store.append("order", "1", [NewEvent("Placed", {})])
        await store.append("order", "1", [NewEvent("Other", {})])
        with pytest.raises(InvalidRequest, match=r'pip install "indelible\[schemas\]"') as caught:
            await store.schemas.register("Other", SCHEMA)
        assert caught.value.pointer == "/schema"
        with pytest.raises(InvalidRequest, match="has schemas of event types") as caught:
            await _check_schemas(store)
        assert caught.value.pointer == "/store"


async def test_damage_is_for_appends_to_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    async with LocalEventStore(MemoryEngine()) as store:

        async def fail(*_: object, **__: object) -> None:
            raise StorageFailure("damaged")

        monkeypatch.setattr(store, "list_aggregates", fail)
        await _check_schemas(store)
        with pytest.raises(StorageFailure):
            await store.append("order", "1", [NewEvent("Placed", {})])


async def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SCHEMAS_MAX", 1)
    monkeypatch.setattr(registry, "SCHEMA_VERSIONS_MAX", 2)
    async with LocalEventStore(MemoryEngine()) as store:
        await store.schemas.register("Placed", SCHEMA, compatibility="none")
        with pytest.raises(InvalidRequest, match="retire some"):
            await store.schemas.register("Other", SCHEMA)
        await store.schemas.register("Placed", WIDER)
        with pytest.raises(InvalidRequest, match="2 versions"):
            await store.schemas.register("Placed", SCHEMA)
        await store.schemas.retire("Placed")
        await store.schemas.register("Other", SCHEMA)


async def test_a_comparison_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_process, "SCHEMA_COMPARE_S", 0.001)
    async with LocalEventStore(MemoryEngine()) as store:
        await store.schemas.register("Placed", SCHEMA)
        with pytest.raises(InvalidRequest, match="cannot be compared") as caught:
            await store.schemas.register("Placed", WIDER)
        assert caught.value.fields == {"pointer": "/schema", "timeout_s": 0.001}
        assert (await store.schemas.get("Placed")).version == 1
