"""Metrics of several workers as one text."""

import asyncio
import socket

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from indelible.diagnostics import BatchMeasure
from indelible.server import worker
from indelible.server.metrics import Metrics, StoreMetrics, gauge
from indelible.server.worker import SharedMetrics, merged


async def _text(worker: int, batches: int) -> bytes:
    registry = Metrics(worker)
    of_store = StoreMetrics(registry)
    for _ in range(batches):
        of_store.on_batch(BatchMeasure(requests=1, events=2, commit_s=0.1))
    registry.histogram("indelible_http_request_seconds", "…", "method", "route", "status").observe(
        0.1, "GET", "/route", 200
    )
    registry.add(lambda: [gauge("indelible_queue_depth", "…", worker)])
    return await registry.text()


async def test_families_of_all_stand_together() -> None:
    text = merged([await _text(1, 3), b"", await _text(2, 4)]).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert text.count("# TYPE indelible_commit_seconds histogram\n") == 1
    assert text.count("# HELP indelible_commit_seconds ") == 1
    counts = {
        sample.labels["worker"]: sample.value
        for sample in families["indelible_commit_seconds"].samples
        if sample.name == "indelible_commit_seconds_count"
    }
    assert counts == {"1": 3, "2": 4}
    requests = families["indelible_http_request_seconds"].samples[0].labels
    assert requests.items() >= {"worker": "1", "method": "GET", "route": "/route", "status": "200"}.items()
    assert {sample.labels["worker"] for sample in families["process_cpu_seconds"].samples} == {"1", "2"}


async def test_one_text_stays_as_it_is() -> None:
    assert merged([text := await _text(1, 3)]) == text


async def test_a_worker_that_hangs_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "WORKER_METRICS_TIMEOUT_S", 0.3)

    async def first() -> bytes:
        return await _text(1, 3)

    async def second() -> bytes:
        return await _text(2, 4)

    with socket.socket(socket.AF_UNIX) as answers, socket.socket(socket.AF_UNIX) as hangs:
        for listener in (answers, hangs):
            listener.bind("")
            listener.listen()
        addresses = [listener.getsockname().decode("ascii") for listener in (answers, hangs)]
        answering = asyncio.create_task(SharedMetrics(second, ()).answer_others(answers))
        with structlog.testing.capture_logs() as logged:
            text = await SharedMetrics(first, [*addresses, "\0nobody-listens-here"]).text()
        answering.cancel()
        await asyncio.wait({answering})
    assert merged([text]) == text
    assert text.count(b'indelible_queue_depth{worker="1"} 1.0') == 1
    assert text.count(b'indelible_queue_depth{worker="2"} 2.0') == 1
    assert [line["log_level"] for line in logged] == ["warning", "warning"]
    await asyncio.sleep(0)
