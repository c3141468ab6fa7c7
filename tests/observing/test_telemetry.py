"""Traces and metrics over OTLP, of one server that traces a part of its requests."""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

from cli.running import COMMAND, environment
from indelible import AsyncClient, NewEvent
from indelible.errors import InvalidRequest
from indelible.server.config import OtelSettings, load_settings
from indelible.server.telemetry import sample_ratio
from observing.collector import Collector, collector, until
from postgres.server import free_port
from relays.nats_server import nats_server

REMOTE = "00-{trace}-00f067aa0ba902b7-{flags}"


class Traced(NamedTuple):
    url: str
    grpc: str
    collected: Collector
    log: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("traced")
    with nats_server(folder) as broker, collector() as (collected, endpoint):
        settings = f'[otel]\nendpoint = "{endpoint}"\nsample_ratio = 0\n[relays.orders]\nto = "{broker.to()}"\n'
        with serving(folder, settings, OTEL_BSP_SCHEDULE_DELAY="100", OTEL_METRIC_EXPORT_INTERVAL="300") as urls:
            yield Traced(*urls, collected, folder / "log")


@contextlib.contextmanager
def serving(folder: Path, settings: str, **variables: str) -> Iterator[tuple[str, str]]:
    url, grpc = (f"127.0.0.1:{free_port()}" for _ in range(2))
    (folder / "indelible.toml").write_text(settings)
    command = [COMMAND, "serve", "--store", "memory:", "--http", url, "--grpc", grpc, "--access-log"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stderr=log, env=environment(**variables))
    try:
        until(lambda: process.poll() is not None or _answers(f"http://{url}/livez"))
        yield f"http://{url}", f"grpc://{grpc}"
        process.terminate()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=60):
        return True
    return False


@pytest.fixture(scope="module")
def tracer() -> Tracer:
    """Of a program that traces and uses the client."""
    return TracerProvider().get_tracer("program")


def ask(url: str, body: Any = None, **headers: str) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, {"content-type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_an_append_is_one_trace_from_the_caller_to_the_commit(
    server: Traced, tracer: Tracer, transport: str
) -> None:
    async with AsyncClient(server.url if transport == "http" else server.grpc) as client:
        with tracer.start_as_current_span("order") as span:
            await client.append("order", transport, [NewEvent("Placed", {"n": 1}), NewEvent("Paid", {"n": 2})])
            here = span.get_span_context()
    trace_id = f"{here.trace_id:032x}"
    name = "POST /v1/append" if transport == "http" else "AppendAtomic"
    (request,) = await asyncio.to_thread(until, lambda: server.collected.named(name, trace_id))
    assert request.parent_span_id.hex() == f"{here.span_id:016x}"
    ((waited,), (commit,)) = (server.collected.named(one, trace_id) for one in ("queue wait", "commit"))
    assert {waited.parent_span_id, commit.parent_span_id} == {request.span_id}
    assert request.start_time_unix_nano <= waited.start_time_unix_nano <= waited.end_time_unix_nano
    assert waited.end_time_unix_nano == commit.start_time_unix_nano <= commit.end_time_unix_nano
    assert commit.end_time_unix_nano <= request.end_time_unix_nano
    sizes = {one.key: one.value.int_value for one in commit.attributes}
    assert sizes == {"indelible.batch.requests": 1, "indelible.batch.events": 2}
    assert server.collected.resources[-1].items() >= {("service.name", "indelible")}


async def test_what_a_relay_publishes_is_linked_to_the_traces_that_its_events_tell_of(
    server: Traced, tracer: Tracer
) -> None:
    producer = REMOTE.format(trace="5" * 32, flags="01")
    event = NewEvent(
        "Placed", {"traceparent": REMOTE.format(trace="6" * 32, flags="01")}, metadata={"traceparent": producer}
    )
    odd = NewEvent("Placed", 1, metadata={"traceparent": [1]})
    async with AsyncClient(server.url) as client:
        await client.append("linked", "1", [odd, event])
    spans = await asyncio.to_thread(
        until, lambda: [span for span in server.collected.spans if span.name == "publish orders"]
    )
    assert [[link.trace_id.hex() for link in span.links] for span in spans] == [["5" * 32]]


def test_who_says_nothing_is_sampled_by_the_ratio_and_who_does_by_their_word(server: Traced) -> None:
    kept, dropped = "7" * 32, "8" * 32
    ask(f"{server.url}/v1/head")
    ask(f"{server.url}/v1/head", traceparent=REMOTE.format(trace=dropped, flags="00"))
    ask(f"{server.url}/v1/head", traceparent=REMOTE.format(trace=kept, flags="01"))
    until(lambda: server.collected.named("GET /v1/head", kept))
    assert [span.trace_id.hex() for span in server.collected.spans if span.name == "GET /v1/head"] == [kept]
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    logged = [line.get("trace_id") for line in lines if line.get("request") == "GET /v1/head"]
    assert logged == [None, dropped, kept]


def test_a_request_that_is_traced_is_an_example_of_its_time(server: Traced) -> None:
    trace_id = "9" * 32
    body = {"events": [{"event_type": "Placed", "event_data": 1}]}
    ask(f"{server.url}/v1/aggregates/order/9/events", body, traceparent=REMOTE.format(trace=trace_id, flags="01"))
    text = ask(f"{server.url}/metrics", accept="application/openmetrics-text; version=1.0.0").decode()
    assert text.endswith("# EOF\n")
    pattern = rf'^indelible_append_seconds_bucket.* # \{{trace_id="{trace_id}"\}} 0\.\d+'
    assert re.search(pattern, text, re.MULTILINE)
    assert trace_id not in ask(f"{server.url}/metrics").decode()


def test_metrics_that_are_sent_are_those_that_prometheus_gets(server: Traced) -> None:
    ask(f"{server.url}/v1/aggregates/order/m/events", {"events": [{"event_type": "Placed", "event_data": 1}]})

    def caught_up() -> bool:
        text = ask(f"{server.url}/metrics").decode()
        (count,) = re.findall(r"^indelible_append_seconds_count (\S+)", text, re.MULTILINE)
        metric = server.collected.metrics.get("indelible_append_seconds")
        return metric is not None and metric.histogram.data_points[0].count == float(count)

    until(caught_up)
    (point,) = server.collected.metrics["indelible_append_seconds"].histogram.data_points
    assert (sum(point.bucket_counts), len(point.explicit_bounds)) == (point.count, len(point.bucket_counts) - 1)
    assert point.sum > 0
    assert server.collected.metrics["indelible_append_outcomes"].sum.is_monotonic
    assert server.collected.metrics["indelible_head_position"].gauge.data_points[0].as_double >= 1


def test_a_collector_that_is_away_holds_up_nothing(tmp_path: Path) -> None:
    """Nor the server's end: what is not sent by then is lost."""
    settings = f'[otel]\nendpoint = "http://127.0.0.1:{free_port()}"\nsample_ratio = 1\n'
    with serving(tmp_path, settings, OTEL_BSP_SCHEDULE_DELAY="50", OTEL_METRIC_EXPORT_INTERVAL="50") as (url, _):
        for number in range(200):
            ask(f"{url}/v1/aggregates/order/{number}/events", {"events": [{"event_type": "Placed", "event_data": 1}]})
        assert json.loads(ask(f"{url}/v1/head"))["position"] == 200


def test_nothing_of_opentelemetry_is_imported_unless_it_is_asked_for() -> None:
    modules = "indelible.server.compose, indelible.client, indelible.server.grpc.server"
    program = f"import sys, {modules}; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('endpoint = "collector:4318"', "otel.endpoint: must be a URL"), ("sample_ratio = 2", "sample_ratio"),
        ("ratio = 1", "unknown field `ratio`"),
    ],
)  # fmt: skip
def test_the_settings_say_what_is_wrong_with_them(tmp_path: Path, table: str, said: str) -> None:
    file = tmp_path / "indelible.toml"
    file.write_text(f"[otel]\n{table}\n")
    with pytest.raises(InvalidRequest, match=said):
        load_settings(environ={}, config_file=file)


@pytest.mark.parametrize(
    ("sampler", "argument", "ratio"),
    [("", "", 0.01), ("always_on", "", 1), ("parentbased_always_off", "0.5", 0), ("traceidratio", "0.25", 0.25)],
)
def test_the_standard_variables_say_what_the_settings_do_not(
    monkeypatch: pytest.MonkeyPatch, sampler: str, argument: str, ratio: float
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    assert sample_ratio(OtelSettings()) == ratio
    assert sample_ratio(OtelSettings(sample_ratio=0.75)) == 0.75
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "many")
    with pytest.raises(InvalidRequest, match="OTEL_TRACES_SAMPLER_ARG"):
        sample_ratio(OtelSettings())
