"""Errors that a working store never shows: overload, a full disk, a bug."""

import asyncio
import logging
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

import pytest
from structlog.testing import capture_logs

from indelible.core import append_queue
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import Overloaded, StorageFull
from indelible.limits import REQUEST_EVENTS_MAX
from rest.calls import Api, connected, events, new_path
from serving import serving_in_a_thread


class BreakingEngine(MemoryEngine):
    """Does what the test wants instead of reading the head or appending."""

    head_error: Exception | None = None
    append_error: Exception | None = None
    is_held = False

    async def head(self) -> Any:
        if self.head_error is not None:
            raise self.head_error
        return await super().head()

    async def append(self, batch: Any) -> Any:
        while self.is_held:  # noqa: ASYNC110 - another thread lets it go
            await asyncio.sleep(0.01)
        if self.append_error is not None:
            raise self.append_error
        return await super().append(batch)


@pytest.fixture
def engine() -> BreakingEngine:
    return BreakingEngine()


@pytest.fixture
def api(engine: BreakingEngine):
    with serving_in_a_thread(LocalEventStore(engine)) as url, connected(url) as api:
        yield api


def test_a_bug_is_logged_and_not_shown(engine: BreakingEngine, api: Api):
    engine.head_error = ZeroDivisionError("the secret reason")
    with capture_logs() as logs:
        answer = api.get("/v1/head")
        # The request's own line comes once its answer is sent.
        give_up_at = time.monotonic() + 60
        while len(logs) < 2 and time.monotonic() < give_up_at:
            time.sleep(0.01)
    problem = answer.problem(500, "internal_error")
    assert "secret" not in str(problem)
    bug, request = logs
    assert (bug["log_level"], bug["path"], str(bug["exc_info"])) == ("error", "/v1/head", "the secret reason")
    assert (request["log_level"], request["request"], request["status"], request["code"]) == (
        "warning", "GET /v1/head", 500, "internal_error",
    )  # fmt: skip
    engine.head_error = None
    assert api.get("/v1/head").status == 200


def test_a_full_disk_is_told_and_not_the_end(engine: BreakingEngine, api: Api):
    engine.append_error = StorageFull("no space is left", retry_after_s=1)
    answer = api.post(f"{new_path()}/events", events(1))
    answer.problem(507, "storage_full")
    assert answer.headers["retry-after"] == "1"
    assert api.get("/readyz").status == 503
    told = api.get("/readyz?verbose").problem(503, "unavailable")
    assert [(part["name"], part["not_ready_because"]) for part in told["parts"]] == [
        ("store", None), ("store appends", "the store takes no appends: no space is left"),
    ]  # fmt: skip
    assert told["detail"] == "the store takes no appends: no space is left"
    engine.append_error = None
    assert api.post(f"{new_path()}/events", events(1)).status == 201
    assert api.get("/readyz").status == 200
    appends = api.get("/readyz?verbose").json["parts"][1]
    assert (appends["state"], appends["last_error"]) == ("running", "no space is left")


def test_overload_says_when_to_come_back(engine: BreakingEngine, api: Api):
    engine.head_error = Overloaded("too many reads are waiting", retry_after_s=3)
    answer = api.get("/v1/events")
    answer.problem(503, "overloaded")
    assert answer.headers["retry-after"] == "3"


def test_a_full_queue_refuses_a_call_whole(engine: BreakingEngine, api: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(append_queue, "QUEUE_REQUESTS_MAX", 6)
    # Each appends by turns, and waits for the rest of its own while the other comes.
    monkeypatch.setattr(append_queue, "QUEUE_TURN_EVENTS_MAX", 1)
    engine.is_held = True
    appends = [{"aggregate_type": "a", "aggregate_id": str(i), **events(1)} for i in range(6)]

    def statuses() -> list[int]:
        with connected(api.address) as caller:
            return [one["status"] for one in caller.post("/v1/batch", {"appends": appends}).json["results"]]

    with ThreadPoolExecutor() as threads:
        calls = [threads.submit(statuses) for _ in range(2)]
        # Nothing is stored before the one that comes too late has been told so.
        wait(calls, timeout=60, return_when=FIRST_COMPLETED)
        engine.is_held = False
        answers = sorted(call.result() for call in calls)
    assert answers == [[201] * 6, [503] * 6]
    assert api.head_position() == 6


def test_a_batch_as_large_as_the_api_allows_is_stored(engine: BreakingEngine, api: Api):
    appends = [{"aggregate_type": "a", "aggregate_id": "1", **events(1)}] * REQUEST_EVENTS_MAX
    results = api.post("/v1/batch", {"appends": appends}).json["results"]
    assert {one["status"] for one in results} == {201}
    assert [one["body"]["version"] for one in results] == list(range(1, REQUEST_EVENTS_MAX + 1))


def test_the_event_loop_has_nothing_to_complain_about(api: Api, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING), capture_logs() as logs:
        api.get("/v1/nope")
        api.call("HEAD", "/v1/events", headers={"accept": "application/x-ndjson"})
        api.call("HEAD", "/v1/events")
    assert (caplog.records, logs) == ([], [])
