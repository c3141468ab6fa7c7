"""Grants, what they reach, and who calls."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest

from indelible.access import EVERYBODY, NOBODY, Grant, Principal
from indelible.core.authorised_store import AuthorisedStores
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import Forbidden, InvalidRequest, Unauthenticated
from indelible.limits import PRINCIPALS_KEPT_MAX
from indelible.queries import EventQuery, QueryItem
from indelible.server.callers import Authenticator, Credentials, caller_of


@pytest.mark.parametrize("text", ["read:order", "append:*", "consume:a*", "admin:caf\u00e9", "read:$key"])
def test_grants_are_read_as_they_are_written(text: str):
    assert str(Grant.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "read", "read:", ":order", "Read:order", "write:order", "read:a-b", "read:a*b", "read:**", "read:a\n"]
)
def test_what_is_no_grant_is_refused(text: str):
    with pytest.raises(InvalidRequest) as caught:
        Principal.of("somebody", ["read:order", text])
    assert caught.value.pointer == "/grants/1"


@pytest.mark.parametrize(
    ("grants", "permission", "reached", "not_reached"),
    [
        ([], "read", [], ["order", "$key"]),
        (["read:order"], "read", ["order"], ["orders", "orde", "Order", "o", "$key"]),
        (["read:order*"], "read", ["order", "orders"], ["orde", "Order"]),
        (["read:order", "read:b*"], "read", ["order", "b", "bill"], ["orders", "a"]),
        (["read:*"], "read", ["order", "*", "caf\u00e9"], ["$", "$key"]),
        (["read:*"], "append", [], ["order"]),
        (["read:$*", "admin:$key"], "read", [], ["$key"]),
        (["admin:*"], "read", ["$key"], ["order"]),
        (["admin:*"], "consume", ["$key"], ["order"]),
        (["admin:*", "append:*"], "append", ["order"], ["$key"]),
    ],
)
def test_what_is_reached(grants: list[str], permission, reached: list[str], not_reached: list[str]):
    reach = Principal.of("somebody", grants).reach(permission)
    assert [name for name in (*reached, *not_reached) if reach.covers(name)] == reached
    for name in not_reached:
        with pytest.raises(Forbidden) as caught:
            reach.check(name)
        assert caught.value.fields == {"permission": permission, "aggregate_type": name}


def test_what_all_of_the_log_takes():
    everything = [Principal.of("somebody", [f"read:{one}"]).reach("read").covers_all for one in ("*", "a*", "a")]
    assert everything == [True, False, False]
    assert all(EVERYBODY.reach(permission).covers_everything for permission in ("read", "consume", "admin"))
    assert EVERYBODY.reach("append").covers_all
    assert NOBODY.reach("read").is_nothing


def test_consumers_are_given_the_stores_own_events_by_name_alone():
    named = QueryItem(aggregate_types=("order", "$audit"), event_types=("A",))
    for query, event_type, aggregate_type, expected in (
        (EventQuery(), "A", "$audit", False),
        (EventQuery(), "A", "order", True),
        (EventQuery((QueryItem(event_types=("A",)),)), "A", "$audit", False),
        (EventQuery((QueryItem(), named)), "A", "$audit", True),
        (EventQuery((QueryItem(), named)), "B", "$audit", False),
        (EventQuery((named,)), "A", "$key", False),
    ):
        assert query.is_given(event_type, aggregate_type, ()) is expected


# --- Stores of principals --------------------------------------------------------------------------------------------


def test_who_may_the_same_has_the_same_store():
    stores = AuthorisedStores(LocalEventStore(MemoryEngine()))
    one, same = Principal.of("one", ["read:a", "read:b"]), Principal.of("same", ["read:b", "read:a"])
    other = Principal.of("one", ["read:a"])
    assert stores.of(one) is stores.of(one) is stores.of(same)
    assert stores.of(other) is not stores.of(one)


def test_stores_that_are_kept_are_bounded():
    stores = AuthorisedStores(LocalEventStore(MemoryEngine()))
    many = [Principal.of("somebody", [f"read:a{number}"]) for number in range(PRINCIPALS_KEPT_MAX + 10)]
    first = stores.of(many[0])
    for one in many:
        stores.of(one)
    assert len(stores._of_principal) == PRINCIPALS_KEPT_MAX
    assert stores.of(many[0]) is first, "it is still in use"
    assert stores.of(many[5]) is stores.of(many[5])


# --- Who calls -------------------------------------------------------------------------------------------------------


class _Remembers:
    """Answers at once, or later."""

    def __init__(self, *, at_once: bool) -> None:
        self._at_once = at_once
        self.shown: list[tuple[str | None, tuple[str, ...]]] = []
        self.refused: list[tuple[str, Credentials]] = []

    def principal(self, credentials: Credentials):
        self.shown.append((credentials.bearer, credentials.certificate_names))
        return NOBODY if self._at_once else self._later()

    async def _later(self) -> Principal:
        return NOBODY

    def watching(self, credentials: Credentials, on_withdrawn: Callable[[], object]) -> AbstractContextManager[None]:
        return nullcontext()

    def tell_refused(self, reason: str, credentials: Credentials) -> None:
        self.refused.append((reason, credentials))


class _Peer:
    address = "192.0.2.1"
    certificate_names = ("a",)


@pytest.mark.parametrize("at_once", [True, False])
async def test_what_a_caller_shows(at_once: bool):
    authenticator = _Remembers(at_once=at_once)
    shown: Authenticator = authenticator
    for header in (None, b"Bearer abc", b"bearer abc", b"BEARER abc"):
        caller = await caller_of(shown, header, _Peer())
        assert (caller.principal, caller.credentials.address) == (NOBODY, "192.0.2.1")
    assert authenticator.shown == [(None, ("a",)), *[("abc", ("a",))] * 3]
    for header in (b"", b"Basic abc", b"Bearer", b"Bearerabc"):
        with pytest.raises(Unauthenticated):
            await caller_of(shown, header, _Peer())
    assert authenticator.refused == [("no bearer token", Credentials(None, ("a",), "192.0.2.1"))] * 4
    assert (await caller_of(None, b"Bearer abc", _Peer())).principal is EVERYBODY
