"""``/``: what the server has, for people and for programs, and for each what it may see."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from access.servers import Servers, both_servers, headers_of
from indelible import EventQuery, NewEvent
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import Unavailable
from indelible.limits import OVERVIEW_ROWS_MAX
from indelible.server.http.overview import LINKS, Overview, render
from indelible.server.overview import StoreViews

HOSTILE = "<script>alert(1)</script>&\"'\u202e{content}{links}"
Look = Callable[..., Awaitable[tuple[str, dict[str, str], Any]]]


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with both_servers() as servers:
        await servers.store.append("order", "1", [NewEvent("Placed"), NewEvent("Paid")])
        await servers.store.append("bill", "1", [NewEvent(HOSTILE)])
        await servers.store.groups.create("mails", EventQuery.of(aggregate_types=["order"]))
        await servers.store.groups.create("everything")
        await servers.store.relays.claim("kafka", "me")
        yield servers


@pytest.fixture
async def look(servers: Servers) -> AsyncIterator[Look]:
    """The page as a caller with these grants sees it, the answer's headers, and the same as JSON."""
    async with aiohttp.ClientSession() as session:

        async def look(said: str | None) -> tuple[str, dict[str, str], Any]:
            url = servers.urls["http"] + "/"
            async with session.get(url, headers=headers_of(said)) as page:
                assert (page.status, page.content_type) == (200, "text/html")
                text, headers = await page.text(), {name.lower(): value for name, value in page.headers.items()}
            async with session.get(url, headers={**headers_of(said), "accept": "application/json"}) as answer:
                assert (answer.status, answer.content_type) == (200, "application/json")
                return text, headers, await answer.json()

        yield look


async def test_who_may_read_all_sees_all(look: Look):
    page, headers, found = await look("read:*")
    view = found["store"]
    assert view["head"]["position"] == 3
    assert view["aggregate_types"]["first"][0] == {"aggregate_type": "order", "aggregates": 1, "events": 2}
    assert {(one["event_type"], one["events"]) for one in view["event_types"]["first"]} == {
        ("Placed", 1), ("Paid", 1), (HOSTILE, 1),
    }  # fmt: skip
    assert [(one["group"], one["lag"]) for one in view["groups"]["first"]] == [("mails", 3), ("everything", 3)]
    assert [one["relay"] for one in view["relays"]["first"]] == ["kafka"]
    assert (found["is_ready"], found["links"]) == (True, dict(LINKS))
    for name in ("Placed", "order", "mails", "everything", "kafka", "ready"):
        assert name in page
    assert all(f'href="{path[1:]}"' in page for path in LINKS.values())
    assert headers["vary"] == "accept, authorization"


async def test_names_are_text_and_nothing_is_run(look: Look):
    page, headers, _ = await look("read:*")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;\\u202e{content}{links}" in page
    assert "<script" not in page
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy.pop("style-src").startswith("'sha256-")
    assert policy.pop("img-src") == "data:"
    assert set(policy) == {"default-src", "base-uri", "form-action", "frame-ancestors"}
    assert set(policy.values()) == {"'none'"}
    assert re.findall(r"(?:src|href)=\"(?!data:,)([^\"]*)", page) == [path[1:] for path in LINKS.values()]


async def test_what_a_caller_may_not_see_is_not_there(look: Look):
    page, _, found = await look("read:order")
    view = found["store"]
    assert [one["aggregate_type"] for one in view["aggregate_types"]["first"]] == ["order"]
    assert [one["group"] for one in view["groups"]["first"]] == ["mails"]
    assert "relays" not in view
    assert not {"bill", "everything", "kafka", "Relays"} & set(re.findall(r"\w+", page))
    page, _, found = await look("nothing")
    assert found["store"] == {}
    assert "Your grants let you see nothing" in page


@pytest.mark.parametrize("role", [None, "nonsense"])
async def test_who_does_not_say_who_it_is_sees_nothing(servers: Servers, role: str | None):
    headers = headers_of(role)
    async with aiohttp.ClientSession() as session:
        async with session.get(servers.urls["http"] + "/", headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "unauthenticated")
        async with session.get(servers.urls["http"] + "/livez", headers=headers) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("*/*", "text/html"),
        ("image/png", "text/html"),
        ("application/json, text/plain;q=0.5", "application/json"),
        ("application/json;q=0.9, text/html", "text/html"),
    ],
)
async def test_which_of_both(servers: Servers, accept: str, kind: str):
    async with (
        aiohttp.ClientSession() as session,
        session.get(servers.urls["http"] + "/", headers={"accept": accept, **headers_of("read:*")}) as answer,
    ):
        assert (answer.status, answer.content_type) == (200, kind)


async def test_a_huge_catalogue_is_cut_to_what_says_most():
    async with LocalEventStore(MemoryEngine()) as store:
        for number in range(OVERVIEW_ROWS_MAX * 3):
            await store.append("thing", "1", [NewEvent(f"Type{number}")])
        await store.append("thing", "1", [NewEvent("Often"), NewEvent("Often")])
        view = await StoreViews().of(store)
    assert view.event_types is not None
    assert view.event_types.total == OVERVIEW_ROWS_MAX * 3 + 1
    assert len(view.event_types.first) == OVERVIEW_ROWS_MAX
    assert view.event_types.first[0].event_type == "Often"
    page = render(Overview(service="indelible", links=LINKS, version="1.0", is_ready=True, store=view)).decode()
    assert f"the first {OVERVIEW_ROWS_MAX} of {OVERVIEW_ROWS_MAX * 3 + 1}" in page


class _BusyStore(LocalEventStore):
    async def event_types(self, *, prefix: str = "") -> Any:
        raise Unavailable(f"it is busy {prefix}<b>")


async def test_what_does_not_answer_is_said_and_the_rest_is_shown():
    async with _BusyStore(MemoryEngine()) as store:
        await store.append("order", "1", [NewEvent("Placed")])
        view = await StoreViews().of(store)
    assert view.event_types is None
    assert view.problems == {"event_types": "it is busy <b>"}
    assert view.head is not None
    page = render(Overview(service="indelible", links=LINKS, version="1.0", is_ready=True, store=view)).decode()
    assert "it is busy &lt;b&gt;" in page
    assert ">order<" in page
