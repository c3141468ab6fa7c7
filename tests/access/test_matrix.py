"""Every operation over every transport for every role: who is let in, by one table, and both APIs agree."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import aiohttp
import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from yarl import URL

from access.servers import Servers, both_servers, headers_of
from indelible import AggregateAppend, AsyncClient, EventQuery, NewEvent, SearchQuery
from indelible.access import EVERYBODY
from indelible.core.authorised_groups import AuthorisedGroups
from indelible.core.authorised_store import PERMISSIONS, AuthorisedStore
from indelible.core.store import LocalEventStore
from indelible.cursors import START
from indelible.engines.memory import MemoryEngine
from indelible.errors import Forbidden, GroupNotFound, IndelibleError, error_from_code
from indelible.eventstore import EventStore
from indelible.groups import ConsumerGroups
from indelible.index_state import SearchIndex
from indelible.keys import Keys
from indelible.operations import OPERATIONS
from indelible.relay_state import Relays
from indelible.schemas import Schemas
from indelible.server.grpc.standard_services import REFLECTION_SERVICES
from indelible.server.http.routes import ROUTES
from indelible.store_around import StoreAround
from indelible.wire.errors import GRPC_CODE_KEY
from indelible.wire.pb.groups_pb2 import ConsumeRequest, ConsumeStart
from over_grpc.calls import Api, connected

Permission = Literal["append", "read", "consume", "admin"]
Of = Literal["type", "some", "group", "all"]
"""For what the permission must be granted. "type": the aggregate type that is named. "some": any, and the answer holds
what is readable. "group": all that the group lets through; who may not see it hears that there is none. "all": every
type."""


class Expected(NamedTuple):
    permission: Permission
    of: Of
    ask: Callable[[AsyncClient], Awaitable[Any]]


ORDERS: Final = EventQuery.of(aggregate_types=["order"])
EVENT: Final = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


def _new() -> list[NewEvent]:
    return [NewEvent("Placed")]


async def _append_batch(client: AsyncClient) -> None:
    for outcome in await client.append_each([AggregateAppend.of("order", "1", _new())]):
        if isinstance(outcome, IndelibleError):
            raise outcome


async def _follow(client: AsyncClient) -> None:
    async with aclosing(client.follow()) as pages:
        await anext(pages)


async def _consume(client: AsyncClient) -> None:
    """The Python client consumes so: a stream of its own, which takes the place of pulls."""
    said = client._make_store.keywords["headers"].get("Authorization")
    async with connected(client.url) as channel:
        metadata = () if said is None else (("authorization", said),)
        call = Api(channel).Consume(metadata=metadata)
        try:
            await call.write(ConsumeRequest(start=ConsumeStart(group="orders")))
            assert (await call.read()).deliveries
        except grpc.aio.AioRpcError as error:
            raise error_from_code(dict(error.trailing_metadata() or ())[GRPC_CODE_KEY], "", {}) from None
        finally:
            call.cancel()


TABLE: Final[dict[str, Expected]] = {
    "append": Expected("append", "type", lambda c: c.append("order", "1", _new())),
    "append_atomic": Expected("append", "type", lambda c: c.append_atomic([AggregateAppend.of("order", "1", _new())])),
    "append_batch": Expected("append", "type", _append_batch),
    "save_snapshot": Expected("append", "type", lambda c: c.save_snapshot("order", "1", version=1, state=1)),
    "read_aggregate": Expected("read", "type", lambda c: c.read_aggregate("order", "1")),
    "replay": Expected("read", "type", lambda c: c.replay("order", "1")),
    "get_aggregate": Expected("read", "type", lambda c: c.get_aggregate("order", "1")),
    "get_snapshot": Expected("read", "type", lambda c: c.get_snapshot("order", "1")),
    "read_feed": Expected("read", "some", lambda c: c.read_feed()),
    "subscribe": Expected("read", "some", _follow),
    "get_event": Expected("read", "some", lambda c: c.get_event(EVENT)),
    "head": Expected("read", "some", lambda c: c.head()),
    "event_types": Expected("read", "some", lambda c: c.event_types()),
    "aggregate_types": Expected("read", "some", lambda c: c.aggregate_types()),
    "list_aggregates": Expected("read", "some", lambda c: c.list_aggregates()),
    "search": Expected("read", "some", lambda c: c.search(SearchQuery(event_types=("Placed",)))),
    "get_index": Expected("read", "all", lambda c: c.index.status()),
    "rebuild_index": Expected("admin", "all", lambda c: c.index.rebuild()),
    "retry_index": Expected("admin", "all", lambda c: c.index.retry()),
    "drop_index": Expected("admin", "all", lambda c: c.index.drop()),
    "create_group": Expected("admin", "type", lambda c: c.groups.create("new", ORDERS)),
    "list_groups": Expected("read", "some", lambda c: c.groups.list()),
    "get_group": Expected("read", "group", lambda c: c.groups.get("orders")),
    "change_group": Expected("admin", "group", lambda c: c.groups.change("orders", max_attempts=3)),
    "reset_group": Expected("admin", "group", lambda c: c.groups.reset("orders", start="beginning")),
    "delete_group": Expected("admin", "group", lambda c: c.groups.delete("orders")),
    "consume": Expected("consume", "group", _consume),
    "pull": Expected("consume", "group", lambda c: c.groups.pull("orders")),
    "ack": Expected("consume", "group", lambda c: c.groups.ack("orders", ["1-1"])),
    "nack": Expected("consume", "group", lambda c: c.groups.nack("orders", ["1-1"])),
    "extend": Expected("consume", "group", lambda c: c.groups.extend("orders", ["1-1"])),
    "list_in_flight": Expected("read", "group", lambda c: c.groups.list_in_flight("orders")),
    "list_parked": Expected("read", "group", lambda c: c.groups.list_parked("orders")),
    "skip_parked": Expected("admin", "group", lambda c: c.groups.skip_parked("orders", [1], reason="no")),
    "redrive_parked": Expected("admin", "group", lambda c: c.groups.redrive_parked("orders")),
    "list_skipped": Expected("read", "group", lambda c: c.groups.list_skipped("orders")),
    "claim_relay": Expected("admin", "all", lambda c: c.relays.claim("relay", "me")),
    "advance_relay": Expected("admin", "all", lambda c: c.relays.advance("relay", 1, START, published=0)),
    "release_relay": Expected("admin", "all", lambda c: c.relays.release("relay", 1)),
    "list_relays": Expected("read", "all", lambda c: c.relays.list()),
    "get_relay": Expected("read", "all", lambda c: c.relays.get("relay")),
    "pause_relay": Expected("admin", "all", lambda c: c.relays.pause("relay")),
    "resume_relay": Expected("admin", "all", lambda c: c.relays.resume("relay")),
    "reset_relay": Expected("admin", "all", lambda c: c.relays.reset("relay", start="beginning")),
    "replay_relay": Expected("admin", "all", lambda c: c.relays.replay("relay", start="beginning")),
    "cancel_replay": Expected("admin", "all", lambda c: c.relays.cancel_replay("relay")),
    "list_set_aside": Expected("read", "all", lambda c: c.relays.list_set_aside("relay")),
    "retry_set_aside": Expected("admin", "all", lambda c: c.relays.retry_set_aside("relay")),
    "dismiss_set_aside": Expected("admin", "all", lambda c: c.relays.dismiss_set_aside("relay")),
    "create_key": Expected("admin", "all", lambda c: c.keys.create("mine", ["read:order"])),
    "list_keys": Expected("admin", "all", lambda c: c.keys.list()),
    "register_schema": Expected("admin", "all", lambda c: c.schemas.register("Placed", {})),
    "get_schema": Expected("read", "some", lambda c: c.schemas.get("Placed")),
    "list_schemas": Expected("read", "some", lambda c: c.schemas.list()),
    "list_schema_versions": Expected("read", "some", lambda c: c.schemas.list_versions("Placed")),
    "set_schema_compatibility": Expected("admin", "all", lambda c: c.schemas.set_compatibility("Placed", "none")),
    "retire_schema": Expected("admin", "all", lambda c: c.schemas.retire("Placed")),
    "revoke_key": Expected("admin", "all", lambda c: c.keys.revoke("0" * 16)),
}  # fmt: skip
OWN_ROUTES: Final[dict[str, str | None]] = {
    "livez": None, "readyz": "nothing", "metrics": "read:*", "openapi": "nothing", "asyncapi": "nothing",
    "docs": "nothing", "overview": "nothing",
}  # fmt: skip
"""What the server itself offers, and what a caller needs for it at least; None: not even credentials."""

COVERING: Final = ("order", "ord*", "*")
PATTERNS: Final = (*COVERING, "orders")
NO_CREDENTIALS: Final = None
ROLES: Final = (
    NO_CREDENTIALS,
    "nothing",
    *(f"{permission}:{pattern}" for permission in ("append", "read", "consume", "admin") for pattern in PATTERNS),
)


def expected_outcome(one: Expected, role: str | None) -> str:
    """The code of the refusal, or that whoever has the role is let in."""
    if role is NO_CREDENTIALS:
        return "unauthenticated"
    permission, _, pattern = role.partition(":")
    is_owner = role == "admin:*"
    """Of the store's own events too, which are some."""
    if one.of == "some":
        sees_groups = one.ask is TABLE["list_groups"].ask and permission == "consume"
        lets_in = is_owner or permission == one.permission or sees_groups
        hides = one.ask is TABLE["get_event"].ask and lets_in and not (permission == "read" and pattern in COVERING)
        return "event_not_found" if hides else "let in" if lets_in else "forbidden"
    if permission == one.permission and pattern in (COVERING if one.of != "all" else ("*",)):
        return "let in"
    if one.of == "group" and one.ask is TABLE["get_group"].ask and permission == "consume":
        return "let in" if pattern in COVERING else "group_not_found"
    looks_first = one.ask is _consume and permission == "read" and pattern not in COVERING
    if one.of == "group" and (is_owner or permission == one.permission or looks_first):
        return "group_not_found"
    return "forbidden"


async def _prepare(servers: Servers) -> None:
    """What every operation needs to be there."""
    with suppress(GroupNotFound):
        await servers.store.groups.delete("orders")
    await servers.store.groups.create("orders", ORDERS)
    await servers.store.relays.claim("relay", "me")


async def _outcome(call: Awaitable[Any]) -> str:
    try:
        await call
    except IndelibleError as error:
        is_refusal = error.code in ("forbidden", "unauthenticated", "group_not_found", "event_not_found")
        # What is wrong with the request is said to those who are let in.
        return error.code if is_refusal else "let in"
    return "let in"


def test_every_operation_is_decided() -> None:
    """A new row fails here, until somebody has said whom it is for."""
    assert {row.name for row in OPERATIONS} == set(TABLE)
    assert {row.name: row.permission for row in OPERATIONS} == {name: one.permission for name, one in TABLE.items()}
    assert {route.operation.name for route in ROUTES} - {row.name for row in OPERATIONS} == set(OWN_ROUTES)
    assert [route.operation.name for route in ROUTES if route.operation.is_open] == ["livez"]


def test_every_method_of_a_store_is_decided() -> None:
    """A new method that is no operation is not passed on."""

    def methods(protocol: type, prefix: str = "") -> set[str]:
        return {f"{prefix}{name}" for name, value in vars(protocol).items() if callable(value) and name[0] != "_"}

    own = methods(EventStore) - {"aclose"}
    assert own <= set(vars(AuthorisedStore))
    assert methods(ConsumerGroups) <= set(vars(AuthorisedGroups))
    protocols = {"groups": ConsumerGroups, "relays": Relays, "index": SearchIndex, "keys": Keys, "schemas": Schemas}
    every = [methods(protocol, f"{name}.") for name, protocol in protocols.items()]
    parts = {name for name in vars(EventStore) if isinstance(vars(EventStore)[name], property)}
    assert parts == set(protocols)
    assert own.union(*every) <= set(PERMISSIONS)
    assert StoreAround not in AuthorisedStore.__mro__
    inner = LocalEventStore(MemoryEngine())
    store = AuthorisedStore(inner, EVERYBODY.grants)
    hidden = ("append_reserved", "append_recorded", "read_lines", "lag_behind", "hash_at")
    assert [name for name in hidden if hasattr(store, name)] == []


async def test_what_is_no_operation_of_a_part_is_nobodys() -> None:
    store: Any = AuthorisedStore(LocalEventStore(MemoryEngine()), EVERYBODY.grants)
    for call in (store.relays.forget_all, store.index.forget_all, store.keys.forget_all, store.schemas.forget_all):
        with pytest.raises(Forbidden, match="it is no operation"):
            await call()


async def test_the_matrix() -> None:
    found: dict[tuple[str, str, str | None], str] = {}
    async with both_servers() as servers:
        await servers.store.append("order", "1", [NewEvent("Placed", event_id=EVENT)])
        await servers.store.append("orders", "1", _new())
        await servers.store.append_reserved("$key", "1", _new())
        await servers.store.save_snapshot("order", "1", version=1, state=0)
        for role in ROLES:
            for transport in servers.urls:
                async with servers.client(transport, role) as client:
                    for row in OPERATIONS:
                        if getattr(row, transport):
                            await _prepare(servers)
                            found[row.name, transport, role] = await _outcome(TABLE[row.name].ask(client))
    expected = {key: expected_outcome(TABLE[key[0]], key[2]) for key in found}
    assert {key: code for key, code in found.items() if code != expected[key]} == {}
    assert {(name, transport) for name, transport, _ in found} == {
        (row.name, transport) for row in OPERATIONS for transport in ("http", "grpc") if getattr(row, transport)
    }


async def test_what_the_server_itself_offers_over_http() -> None:
    found: dict[tuple[str, str | None], int] = {}
    async with both_servers() as servers, aiohttp.ClientSession() as session:
        for route in ROUTES:
            if route.operation.name in OWN_ROUTES:
                for role in ROLES:
                    url = servers.urls["http"] + route.operation.path
                    async with session.get(url, headers=headers_of(role)) as answer:
                        found[route.operation.name, role] = answer.status
                        if answer.status == 401:
                            assert answer.headers["WWW-Authenticate"] == "Bearer"
        for role, status in ((NO_CREDENTIALS, 401), ("nothing", 403), ("admin:order", 403), ("admin:*", 200)):
            async with session.get(servers.urls["http"] + "/readyz?verbose", headers=headers_of(role)) as answer:
                assert (role, answer.status) == (role, status)
        for role, status in ((NO_CREDENTIALS, 401), ("nonsense", 401), ("nothing", 404)):
            for path in ("/v2", "/livez/", "//livez", "/livez/../metrics", "/LIVEZ", "/%6civez"):
                async with session.get(
                    URL(servers.urls["http"] + path, encoded=True), headers=headers_of(role)
                ) as answer:
                    assert (path, role, answer.status) == (path, role, status)
            async with session.delete(servers.urls["http"] + "/v1/head", headers=headers_of(role)) as answer:
                assert answer.status == (405 if status == 404 else 401)

    def expected(name: str, role: str | None) -> int:
        needed = OWN_ROUTES[name]
        if needed is None or role == needed or (needed == "nothing" and role is not NO_CREDENTIALS):
            return 200
        return 401 if role is NO_CREDENTIALS else 403

    assert found == {key: expected(*key) for key in found}


@pytest.mark.parametrize(
    ("path", "message", "is_stream", "status"),
    [
        ("/grpc.health.v1.Health/Check", HealthCheckRequest(), False, None),
        (f"/{REFLECTION_SERVICES[0]}/ServerReflectionInfo", ServerReflectionRequest(list_services=""), True, None),
        (f"/{REFLECTION_SERVICES[1]}/ServerReflectionInfo", ServerReflectionRequest(list_services=""), True, None),
        ("/indelible.v1.Nothing/Here", HealthCheckRequest(), False, grpc.StatusCode.UNIMPLEMENTED),
    ],
)  # fmt: skip
async def test_what_the_server_itself_offers_over_grpc(
    path: str, message: Message, is_stream: bool, status: grpc.StatusCode | None
) -> None:
    """``status``: what a caller is told who is known; None: all is well."""

    async def ask(channel: grpc.aio.Channel, said: str | None) -> grpc.StatusCode | None:
        metadata = [(name.lower(), value) for name, value in headers_of(said).items()]
        try:
            if is_stream:
                call = channel.stream_stream(path)(metadata=metadata)
                await call.write(message.SerializeToString())
                assert await call.read()
                call.cancel()
            else:
                await channel.unary_unary(path)(message.SerializeToString(), metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return None

    async with both_servers() as servers, connected(servers.urls["grpc"]) as channel:
        assert await ask(channel, NO_CREDENTIALS) is grpc.StatusCode.UNAUTHENTICATED
        assert await ask(channel, "nonsense") is grpc.StatusCode.UNAUTHENTICATED
        assert await ask(channel, "nothing") is status
