"""Health and metrics."""

import re
from typing import Any

import pytest

from rest.calls import Api, event, events, new_path


def test_health(api: Api):
    for path in ("/livez", "/readyz"):
        answer = api.get(path)
        assert (answer.status, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("query", ["verbose", "verbose=", "verbose=true"])
def test_readiness_part_by_part(api: Api, query: str):
    answer = api.get(f"/readyz?{query}")
    assert answer.status == 200
    assert answer.json == {"status": "ok", "parts": [_state("store"), _state("store appends")]}


def _state(name: str, because: str | None = None) -> dict[str, Any]:
    return {
        "name": name, "state": "running" if because is None else "failed", "is_vital": True,
        "not_ready_because": because, "restarts": 0, "last_error": None,
    }  # fmt: skip


def test_readiness_is_not_told_part_by_part_unless_asked_for(api: Api):
    assert api.get("/readyz?verbose=false").json == {"status": "ok"}


@pytest.mark.parametrize(
    ("query", "pointer", "detail"),
    [
        ("verbose=yes", "/verbose", "true or false"),
        ("verbose&verbose", "/verbose", "only once"),
        ("x=1", "/x", "verbose"),
    ],
)
def test_what_is_not_understood_is_refused(api: Api, query: str, pointer: str, detail: str):
    problem = api.get(f"/readyz?{query}").problem(400, "invalid_request")
    assert problem["pointer"] == pointer
    assert detail in problem["detail"]


def _samples(api: Api) -> dict[str, float]:
    answer = api.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_requests_are_counted_by_route_and_status(api: Api):
    def count(samples: dict[str, float], method: str, route: str, status: int) -> float:
        labels = f'{{method="{method}",route="{route}",status="{status}"}}'
        return samples.get(f"indelible_http_request_seconds_count{labels}", 0)

    route = "/v1/aggregates/{aggregate_type}/{aggregate_id}/events"
    before = _samples(api)
    path = new_path()
    api.post(f"{path}/events", {"expected_version": 0, **events(3)})
    api.post(f"{path}/events", {"expected_version": 0, **events(3)})
    api.get("/v1/unheard-of")
    after = _samples(api)
    for key in (("POST", route, 201), ("POST", route, 409), ("GET", "none", 404)):
        assert count(after, *key) == count(before, *key) + 1, key
    assert not any("unheard-of" in name or path in name for name in after)


def test_what_is_measured(api: Api):
    api.post(f"{new_path()}/events", {"events": [event()]})
    samples = _samples(api)
    assert samples["indelible_append_seconds_count"] >= 1
    assert samples["indelible_head_position"] == api.head_position()
    assert samples["indelible_ready"] == 1
    assert {"indelible_queue_depth", "indelible_storage_size_bytes"} <= set(samples)
    buckets = [value for name, value in samples.items() if name.startswith("indelible_append_seconds_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == samples["indelible_append_seconds_count"]


def test_metric_names_have_help_and_type(api: Api):
    text = api.get("/metrics").body.decode()
    for name in ("append_seconds", "commit_seconds", "batch_events", "batch_requests"):
        assert re.search(rf"^# HELP indelible_{name} \S", text, re.MULTILINE)
        assert f"# TYPE indelible_{name} histogram\n" in text
