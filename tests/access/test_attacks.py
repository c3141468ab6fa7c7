"""Ways around the grants, over the wire: each finds what may be known, and no more."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import pytest
from yarl import URL

from access.servers import Servers, both_servers, headers_of
from indelible import AggregateAppend, AppendCondition, EventQuery, NewEvent, QueryItem, SearchQuery, Where
from indelible.access import Principal
from indelible.core.authorised_store import AuthorisedStore
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.errors import ConditionFailed, EventIdConflict, Forbidden, GroupNotFound, InvalidRequest


async def _append(store: LocalEventStore, aggregate_type: str, aggregate_id: str = "1", **fields: Any) -> NewEvent:
    event = NewEvent("Happened", **{"event_data": None, **fields})
    append = store.append_reserved if aggregate_type[0] == "$" else store.append
    await append(aggregate_type, aggregate_id, [event])
    return event


class Web:
    """Plain requests of one caller, whose paths go as they are."""

    def __init__(self, session: aiohttp.ClientSession, url: str, said: str) -> None:
        self._session = session
        self._url = url
        self._headers = headers_of(said)

    async def get(self, path: str) -> tuple[int, Any]:
        async with self._session.get(URL(self._url + path, encoded=True), headers=self._headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        async with self._session.post(self._url + path, json=body, headers=self._headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def statuses(self, *paths: str) -> list[int]:
        return [(await self.get(path))[0] for path in paths]


@asynccontextmanager
async def web(servers: Servers, said: str) -> AsyncIterator[Web]:
    async with aiohttp.ClientSession() as session:
        yield Web(session, servers.urls["http"], said)


# --- Names -----------------------------------------------------------------------------------------------------------

CAFE_COMPOSED, CAFE_DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    ("granted", "others"),
    [
        ("order", ["orders", "orde", "Order", "ORDER", "\u043erder", "order ", " order", "order\u200b", "order*", "*"]),
        ("order*", ["Order", "orde", "\u043erder", " order", "*"]),
        (CAFE_COMPOSED, [CAFE_DECOMPOSED, "cafe", "CAF\u00c9"]),
        (CAFE_DECOMPOSED, [CAFE_COMPOSED]),
        ("stra\u00dfe", ["strasse", "STRASSE"]),
        ("\ufb01le", ["file"]),
    ],
)
async def test_names_are_compared_character_by_character(granted: str, others: list[str]) -> None:
    own = granted.removesuffix("*")
    async with both_servers() as servers, web(servers, f"read:{quote(granted, safe='*')}") as caller:
        for name in (own, *others):
            await _append(servers.store, name)
        assert await caller.statuses(f"/v1/aggregates/{quote(own)}/1/events") == [200]
        assert set(await caller.statuses(*[f"/v1/aggregates/{quote(name)}/1/events" for name in others])) == {403}
        _, page = await caller.get("/v1/events?limit=1000")
        assert {event["aggregate_type"] for event in page["events"]} == {own}
        _, types = await caller.get("/v1/aggregate-types")
        assert [one["aggregate_type"] for one in types["aggregate_types"]] == [own]


async def test_paths_are_decoded_once_before_they_are_decided() -> None:
    async with both_servers() as servers, web(servers, "read:order") as caller:
        for name in ("order", "secret", "order/1", "%6Frder"):
            await _append(servers.store, name)
        assert await caller.statuses("/v1/aggregates/%6Frder/1/events", "/v1/aggregates/o%72der/1") == [200, 200]
        assert await caller.statuses(
            "/v1/aggregates/%73ecret/1/events", "/v1/aggregates/%256Frder/1/events",
            "/v1/aggregates/order%2F1/1/events", "/v1/aggregates/secret%00/1/events",
            "/v1/aggregates/$key/1", "/v1/aggregates/%24key/1",
        ) == [403, 403, 403, 400, 403, 403]  # fmt: skip
        assert await caller.statuses(
            "/v1/aggregates/order/../secret/1/events", "/v1/aggregates/order/..%2Fsecret/1/events",
            "/v1/aggregates/order/1/../../secret/1", "/v1/aggregates/order;secret/1/events",
        ) == [404, 404, 404, 403]  # fmt: skip


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_the_stores_own_events_are_for_those_who_may_all(transport: str) -> None:
    async with both_servers() as servers:
        key, order = await _append(servers.store, "$key"), await _append(servers.store, "order")
        async with servers.client(transport, "read:* append:* consume:*") as user:
            assert [event.event_id for event in (await user.read_feed()).events] == [order.event_id]
            for refused in (
                user.read_aggregate("$key", "1"), user.get_snapshot("$key", "1"),
                user.list_aggregates(aggregate_type="$key"), user.read_feed(EventQuery.of(aggregate_types=["$key"])),
            ):  # fmt: skip
                with pytest.raises(Forbidden, match=r"admin:\*"):
                    await refused
        found = SearchQuery(event_types=("Happened",))
        for granted in ("read:*", "read:* admin:*"):
            async with servers.client(transport, granted) as user:
                page = await user.search(found, wait_for=(await servers.store.head()).cursor)
                assert [event.event_id for event in page.events] == [order.event_id]
        for granted in ("read:$*", "read:$key", "admin:$*", "admin:$key"):
            async with servers.client(transport, granted) as user:
                with pytest.raises(Forbidden):
                    await user.read_aggregate("$key", "1")
        async with servers.client(transport, "read:* append:* admin:*") as admin:
            assert [event.event_id for event in (await admin.read_feed()).events] == [key.event_id, order.event_id]
            assert (await admin.read_aggregate("$key", "1")).count == 1
            with pytest.raises(InvalidRequest, match="the store's own"):
                await admin.append("$key", "1", [NewEvent("Forged")])


async def test_groups_give_nobody_the_stores_own_events() -> None:
    async with both_servers() as servers:
        await _append(servers.store, "$key")
        await _append(servers.store, "order")
        async with servers.client("http", "consume:* admin:*") as admin:
            await admin.groups.create("every")
            await admin.groups.create("keys", EventQuery.of(aggregate_types=["$key"]))
            every = await admin.groups.pull("every", wait_s=1)
            assert [one.event.aggregate_type for one in every] == ["order"]
            assert [one.event.aggregate_type for one in await admin.groups.pull("keys", wait_s=1)] == ["$key"]
        async with servers.client("http", "consume:*") as member:
            with pytest.raises(GroupNotFound):
                await member.groups.pull("keys")


# --- Cursors ---------------------------------------------------------------------------------------------------------


async def test_cursors_of_another_principal() -> None:
    """A cursor is a place, and opens nothing: what is behind it is decided anew."""
    async with both_servers() as servers:
        for number in range(6):
            await _append(servers.store, ("order", "secret")[number % 2], str(number), event_data={"total": number})
        async with servers.client("http", "read:* admin:*") as admin, servers.client("http", "read:order") as caller:
            cursor = (await admin.read_feed(limit=2)).cursor
            assert [one.aggregate_type for one in (await caller.read_feed(after=cursor)).events] == ["order"] * 2
            listed = (await admin.list_aggregates(limit=4)).cursor
            assert "secret" in _decoded(listed)
            assert (await caller.list_aggregates(after=listed)).aggregates == ()
            wait_for, query = (await admin.head()).cursor, SearchQuery(event_types=("Happened",))
            found = (await admin.search(query, limit=1, wait_for=wait_for)).cursor
            with pytest.raises(InvalidRequest, match="is of another search"):
                await caller.search(query, cursor=found)


async def test_pages_of_a_search_go_on_where_a_type_is_new() -> None:
    """One that the caller may read, by a prefix."""
    async with both_servers() as servers, servers.client("http", "read:bill*") as caller:
        stored = [(await _append(servers.store, "bill_eu", str(number))).event_id for number in range(3)]
        wait_for = (await servers.store.head()).cursor
        events = await caller.search(SearchQuery(), limit=1, wait_for=wait_for)
        aggregates = await caller.search(SearchQuery(), limit=1, aggregates=True, wait_for=wait_for)
        await _append(servers.store, "bill_us")
        wait_for = (await servers.store.head()).cursor
        page = await caller.search(SearchQuery(), cursor=events.cursor, wait_for=wait_for)
        assert [one.event_id for one in page.events] == stored[1::-1]
        page = await caller.search(SearchQuery(), aggregates=True, cursor=aggregates.cursor, wait_for=wait_for)
        assert [one.stream for one in page.aggregates] == ["bill_eu-1", "bill_eu-2", "bill_us-1"]
        async with servers.client("http", "read:bill* read:other") as other:
            with pytest.raises(InvalidRequest, match="is of another search"):
                await other.search(SearchQuery(), cursor=events.cursor)


async def test_cursors_name_nothing_that_may_not_be_read() -> None:
    async with both_servers() as servers:
        for number in range(8):
            await _append(servers.store, ("a", "hidden", "z", "$key")[number % 4], f"of-{number}")
        async with servers.client("http", "read:a read:z*") as caller:
            for limit in (1, 2, 3):
                page = await caller.list_aggregates(limit=limit)
                while not page.at_end:
                    assert "hidden" not in _decoded(page.cursor)
                    assert "key" not in _decoded(page.cursor)
                    page = await caller.list_aggregates(limit=limit, after=page.cursor)


def _decoded(cursor: str) -> str:
    return urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


# --- Counting, and inferring -----------------------------------------------------------------------------------------


async def test_searches_count_nothing_that_may_not_be_read() -> None:
    """Neither events nor aggregates, nor whether there is another page, whatever is asked of the fields."""
    async with both_servers() as servers:
        await _append(servers.store, "order", event_data={"total": 1})
        for number in range(20):
            await _append(servers.store, "secret", str(number), event_data={"total": 7})
        wait_for = (await servers.store.head()).cursor
        for granted in ("read:order", "read:order*"):
            async with servers.client("http", granted) as caller:
                of_seven = SearchQuery(where=(Where("event_data.total", "=", 7.0),))
                for aggregates in (False, True):
                    page = await caller.search(of_seven, limit=1, aggregates=aggregates, wait_for=wait_for)
                    assert (page.count, page.cursor, page.events) == (0, None, ())
                with pytest.raises(Forbidden):
                    await caller.search(SearchQuery(aggregate_types=("order", "secret")))


async def test_events_that_may_not_be_read_are_answered_as_if_they_were_not_there() -> None:
    async with both_servers() as servers, web(servers, "read:order") as caller:
        hidden = (await _append(servers.store, "secret")).event_id
        missing = uuid4()
        status, there = await caller.get(f"/v1/events/{hidden}")
        other_status, not_there = await caller.get(f"/v1/events/{missing}")
        assert (status, other_status) == (404, 404)
        assert json.dumps(there).replace(str(hidden), "") == json.dumps(not_there).replace(str(missing), "")
        # Whether an aggregate exists is not told either.
        _, there = await caller.get("/v1/aggregates/secret/1")
        _, not_there = await caller.get("/v1/aggregates/secret/2")
        assert there == not_there


async def test_an_id_that_is_taken_tells_of_nothing_else(tmp_path: Path) -> None:
    """That it is taken cannot be hidden. By what can: content or place, another aggregate or the same."""
    async with open_local_store(f"sqlite:{tmp_path}/log.db") as store:
        grants = Principal.of("somebody", ["append:order", "append:bill", "read:order"]).grants
        caller = AuthorisedStore(store, grants)
        hidden, own = await _append(store, "secret"), await _append(store, "bill")
        told = set()
        for aggregate_type, event in (
            ("order", hidden), ("order", own), ("bill", NewEvent("Other", event_id=own.event_id)),
        ):  # fmt: skip
            append = AggregateAppend.of(aggregate_type, "1", [event])
            (outcome,) = await caller.append_each([append])
            assert isinstance(outcome, EventIdConflict)
            errors = [outcome]
            for call in (caller.append(aggregate_type, "1", [event]), caller.append_atomic([append])):
                with pytest.raises(EventIdConflict) as caught:
                    await call
                errors.append(caught.value)
            told |= {(error.message.replace(str(event.event_id), ""), *error.fields) for error in errors}
        assert told == {("event id  is stored already, as something else", "event_id")}
        again = await caller.append("bill", "1", [own])
        assert again.replayed


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_conditions_ask_about_nothing_that_may_not_be_read(transport: str) -> None:
    async with both_servers() as servers, servers.client(transport, "append:order read:order*") as caller:
        await _append(servers.store, "secret", tags=["course:1"])
        append = [AggregateAppend.of("order", "1", [NewEvent("Placed")])]
        for item in (
            QueryItem(tags=("course:1",)), QueryItem(event_types=("Happened",)), QueryItem(),
            QueryItem(aggregate_types=("order", "secret")), QueryItem(aggregate_types=("$key",)),
        ):  # fmt: skip
            with pytest.raises(Forbidden) as caught:
                await caller.append_atomic(
                    append, condition=AppendCondition((QueryItem(aggregate_types=("order",)), item))
                )
            assert caught.value.fields["permission"] == "read"
        assert (await servers.store.head()).position == 1
        condition = AppendCondition((QueryItem(aggregate_types=("order", "orders"), tags=("course:1",)),))
        await caller.append_atomic(append, condition=condition)
        await _append(servers.store, "orders", tags=["course:1"])
        with pytest.raises(ConditionFailed) as failed:
            await caller.append_atomic([AggregateAppend.of("order", "2", [NewEvent("Placed")])], condition=condition)
        assert failed.value.position == 3


async def test_conditions_pass_over_the_stores_own_events() -> None:
    """Whoever may read all but these asks of all but these, and the promise holds."""
    async with both_servers() as servers, servers.client("http", "append:* read:*") as caller:
        await _append(servers.store, "order", tags=["t"])
        after = (await caller.head()).cursor
        nothing_since = AppendCondition((QueryItem(),), after)
        for number in range(3):
            await _append(servers.store, "$audit", str(number), tags=["t"])
        done = await caller.append_atomic([AggregateAppend.of("order", "2", [NewEvent("A")])], condition=nothing_since)
        assert done.position == 5
        await _append(servers.store, "$audit", "9", tags=["t"])
        with pytest.raises(ConditionFailed) as failed:
            await caller.append_atomic([AggregateAppend.of("order", "3", [NewEvent("A")])], condition=nothing_since)
        assert failed.value.position == 5


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_groups_over_what_a_member_may_not_read(transport: str) -> None:
    async with both_servers() as servers:
        await _append(servers.store, "order")
        await _append(servers.store, "secret")
        async with servers.client(transport, "admin:*") as admin:
            await admin.groups.create("both", EventQuery.of(aggregate_types=["order", "secret"]))
            await admin.groups.create("every", EventQuery.of(event_types=["Happened"]))
            await admin.groups.create("orders", EventQuery.of(aggregate_types=["order"]))
        async with servers.client(transport, "consume:order* read:order* admin:order*") as member:
            assert [group.group for group in await member.groups.list()] == ["orders"]
            told = set()
            for group in ("both", "every", "missing"):
                for call in (
                    member.groups.pull(group), member.groups.get(group), member.groups.list_parked(group),
                    member.groups.list_in_flight(group), member.groups.ack(group, ["1-1"]), member.groups.delete(group),
                    member.groups.change(group, max_attempts=1), member.groups.reset(group, start="beginning"),
                ):  # fmt: skip
                    with pytest.raises(GroupNotFound) as caught:
                        await call
                    told.add(caught.value.message.replace(group, ""))
            assert len(told) == 1
            for query in (
                EventQuery(),
                EventQuery.of(event_types=["Happened"]),
                EventQuery.of(aggregate_types=["secret"]),
            ):
                with pytest.raises(Forbidden):
                    await member.groups.create("mine", query)
            (delivery,) = await member.groups.pull("orders")
            assert delivery.event.aggregate_type == "order"
            # The name comes to stand for another group: what it gives is looked at as well.
            await servers.store.groups.delete("orders")
            await servers.store.groups.create("orders", EventQuery.of(aggregate_types=["secret"]))
            with pytest.raises(GroupNotFound):
                await member.groups.pull("orders")
            assert await servers.store.groups.list_in_flight("orders") == ()


# --- What is shared --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson"])
async def test_subscribers_share_no_more_than_both_may_read(accept: str) -> None:
    """The same query from the same cursor, of callers with other grants, in any order."""
    async with both_servers() as servers, aiohttp.ClientSession() as session:
        for aggregate_type in ("order", "secret", "$key", "order"):
            await _append(servers.store, aggregate_type)

        async def seen(said: str) -> list[str]:
            headers = {**headers_of(said), "Accept": accept}
            found = []
            async with asyncio.timeout(60), session.get(f"{servers.urls['http']}/v1/events", headers=headers) as answer:
                async for line in answer.content:
                    if b"caught-up" in line:
                        break
                    if b"aggregate_type" in line:
                        found.append(json.loads(line.removeprefix(b"data: "))["aggregate_type"])
            return found

        for _ in range(2):
            assert await seen("read:* admin:*") == ["order", "secret", "$key", "order"]
            assert await seen("read:order") == await seen("read:ord*") == ["order", "order"]
            assert await seen("read:*") == ["order", "secret", "order"]
            assert await seen("read:secret") == ["secret"]


async def test_subscriptions_over_grpc_share_no_more_than_both_may_read() -> None:
    async with both_servers() as servers:
        for aggregate_type in ("order", "secret", "order"):
            await _append(servers.store, aggregate_type)
        for _ in range(2):
            for said, expected in (("read:*", 3), ("read:order", 2), ("read:sec*", 1)):
                async with servers.client("grpc", said) as caller:
                    found = 0
                    async for page in caller.follow():
                        found += page.count
                        if page.at_end:
                            break
                    assert (said, found) == (said, expected)


async def test_few_events_among_many_are_found_in_few_pages() -> None:
    """Whoever may read little pays for the rest with pages, not with one request for each event."""
    async with both_servers() as servers, servers.client("http", "read:ord*") as caller:
        await servers.store.append("secret", "1", [NewEvent("Happened") for _ in range(2_500)])
        await _append(servers.store, "order")
        await _append(servers.store, "orders")
        page = await caller.read_feed(limit=1)
        assert [one.aggregate_type for one in page.events] == ["order"]
        page = await caller.read_feed(limit=1, after=page.cursor)
        assert [one.aggregate_type for one in page.events] == ["orders"]
        assert page.at_end


async def test_what_is_taken_for_one_of_the_stores_own_events() -> None:
    """Data that reads like one of them hides nothing."""
    async with both_servers() as servers, servers.client("http", "read:*") as caller:
        await _append(servers.store, "order", event_data={"aggregate_type": "$key"})
        await _append(servers.store, "$key", event_data={"aggregate_type": "order"})
        assert [one.aggregate_type for one in (await caller.read_feed()).events] == ["order"]


async def test_each_append_of_a_batch_is_decided_alone() -> None:
    async with both_servers() as servers, web(servers, "append:order") as caller:
        event = {"event_type": "A", "event_data": 1}
        names = ("order", "secret", "$key", "bad-name")
        appends = [{"aggregate_type": name, "aggregate_id": "1", "events": [event]} for name in names]
        status, answer = await caller.post("/v1/batch", {"appends": appends})
        assert (status, [one["status"] for one in answer["results"]]) == (200, [201, 403, 400, 400])
        assert answer["results"][1]["body"]["aggregate_type"] == "secret"
        assert (await caller.post("/v1/append", {"appends": appends[:2]}))[0] == 403
        assert (await servers.store.head()).position == 1
