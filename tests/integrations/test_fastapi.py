"""A service by FastAPI on a store in memory: its life, its answers, and its rules as endpoints."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, HTTPException
from httpx import ASGITransport, Response
from httpx import AsyncClient as Caller
from pydantic import BaseModel

from indelible import (
    AsyncClient,
    EventIdConflict,
    EventRegistry,
    InvalidRequest,
    OutcomeUnknown,
    Overloaded,
    TypedEvent,
)
from indelible.integrations.fastapi import attach, command, state

PATIENCE_S = 60.0


class Noted(BaseModel):
    text: str


EVENTS = EventRegistry().add(Noted)
Notes = list[str]


def apply(notes: Notes, event: TypedEvent[Noted]) -> Notes:
    return [*notes, event.event_data.text] if isinstance(event.event_data, Noted) else notes


def who() -> str:
    return "ada"


def note(notes: Notes, noted: Noted, by: Annotated[str, Depends(who)], *, twice: bool = False) -> list[Noted]:
    """Write it down, unless it is the last one."""
    if noted.text == "secret":
        raise HTTPException(403, "that is secret")
    return [] if notes[-1:] == [noted.text] else [Noted(text=f"{noted.text} {by}")] * (2 if twice else 1)


def make_app(client: AsyncClient) -> FastAPI:
    app = FastAPI()
    attach(app, client)
    notes = client.typed(EVENTS).repository("notes", apply, Notes)
    app.put("/notes/{aggregate_id}", status_code=204)(command(notes, note, may_create=True))
    app.post("/notes/{aggregate_id}", status_code=202)(command(notes, note))
    app.get("/notes/{aggregate_id}", response_model=Notes)(state(notes))
    return app


@asynccontextmanager
async def calling(app: FastAPI) -> AsyncIterator[Caller]:
    caller = Caller(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://notes")
    async with app.router.lifespan_context(app), caller:
        yield caller


async def test_rules_are_endpoints(event_store: AsyncClient):
    async with calling(make_app(event_store)) as api:
        for answer in (await api.get("/notes/1"), await api.post("/notes/1", json={"text": "a"})):
            assert (answer.status_code, answer.json()) == (404, {"detail": "no aggregate notes-1"})
        made = await api.put("/notes/1", json={"text": "a"})
        assert (made.status_code, made.content) == (204, b"")
        assert (await api.post("/notes/1?twice=true", json={"text": "b"})).status_code == 202
        assert (await api.post("/notes/1", json={"text": "b ada"})).status_code == 202
        assert (await api.get("/notes/1")).json() == ["a ada", "b ada", "b ada"]


async def test_callers_are_told_what_is_wrong(event_store: AsyncClient):
    async with calling(make_app(event_store)) as api:
        assert (await api.put("/notes/1", json={"txt": "a"})).status_code == 422
        refused = await api.put("/notes/1", json={"text": "secret"})
        assert (refused.status_code, refused.json()) == (403, {"detail": "that is secret"})
        for answer in (await api.get("/notes/%00"), await api.put("/notes/" + "x" * 2000, json={"text": "a"})):
            assert (answer.status_code, answer.json()["detail"][:13]) == (422, "aggregate_id:")
        assert (await event_store.head()).position == 0


async def test_the_description_has_what_the_rule_says(event_store: AsyncClient):
    called = make_app(event_store).openapi()["paths"]["/notes/{aggregate_id}"]["put"]
    assert called["summary"] == "Note"
    assert called["description"] == "Write it down, unless it is the last one."
    assert {parameter["name"] for parameter in called["parameters"]} == {"aggregate_id", "twice"}
    assert called["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Noted")


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (EventIdConflict("one id for two"), 409, None),
        (Overloaded("too much", retry_after_s=3), 503, "3"),
        (OutcomeUnknown("no answer"), 503, None),
        (InvalidRequest("a mistake of the service"), 500, None),
    ],
)
async def test_errors_of_the_store(event_store: AsyncClient, error: Exception, status: int, retry_after: str | None):
    app = make_app(event_store)

    @app.get("/failing")
    async def fail() -> None:
        raise error

    async with calling(app) as api:
        answer = await api.get("/failing")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry_after)
    if status != 500:
        assert answer.json() == {"detail": str(error)}


async def test_what_runs_beside_the_requests_is_shown_and_ends_with_the_service(event_store: AsyncClient):
    ended: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, str]]:
        assert (await event_store.head()).position == 0
        yield {"of": "its own"}
        # The store is open still.
        ended.append(f"lifespan at {(await event_store.head()).position}")

    async def project() -> None:
        raise ZeroDivisionError("a bug")

    async def go_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    app = FastAPI(lifespan=lifespan)
    supervisor = attach(app, event_store, health="/well")
    supervisor.start("totals", project)
    supervisor.start("others", go_on)
    async with calling(app) as api:
        answer = await _until(api, 503)
        assert answer.json() == {"totals": "ZeroDivisionError: a bug"}
    assert ended == ["lifespan at 0", "task"]


async def test_a_store_that_is_away_is_shown():
    client = AsyncClient("http://127.0.0.1:1", retry_total_s=None)
    app = FastAPI()
    attach(app, client).start("head", client.head)
    async with calling(app) as api:
        answer = await _until(api, 503, "/health")
        assert "connection refused" in answer.json()["store"]


async def _until(api: Caller, status: int, path: str = "/well") -> Response:
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await api.get(path)).status_code != status:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    return answer
