"""What is counted, what is told of consumer groups, and the metrics of several workers as one text."""

import asyncio
import socket
from datetime import UTC, datetime

import msgspec
import pytest
import structlog
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from indelible.core.store import LocalEventStore
from indelible.diagnostics import BatchMeasure, GroupMeasure
from indelible.engines.group_storage import GroupSummary
from indelible.engines.memory import MemoryEngine
from indelible.events import NewEvent
from indelible.groups import GroupInfo
from indelible.limits import GROUPS_MAX
from indelible.server import worker
from indelible.server.compose import make_services
from indelible.server.metrics import GroupCounts, Metrics, StoreMetrics, gauge, group_gauges
from indelible.server.worker import SharedMetrics, merged
from indelible.traced import TRACED, Traced

INFO = GroupInfo(
    group="billing", items=(), ack_timeout_s=30.0, max_attempts=5, max_in_flight=100,
    created=datetime(2026, 1, 31, tzinfo=UTC), cursor="7", position=7, lag=5, in_flight=3, waiting=2, parked=9,
    parked_aggregates=4, unreadable=1, is_stalled=False,
)  # fmt: skip


def _samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Those of groups: by name without ``indelible_group_``, and the values of the labels by their names' order."""
    return {
        (sample.name.removeprefix("indelible_group_"), *(sample.labels[name] for name in sorted(sample.labels))): float(
            sample.value
        )
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name.startswith("indelible_group_")
    }


def _metrics(*groups: GroupInfo, worker: int | None = None) -> StoreMetrics:
    """Of a store that has these groups."""
    metrics = StoreMetrics(Metrics(worker))
    metrics.registry.add(lambda: group_gauges(groups))
    return metrics


async def test_what_happens_is_added_up_by_group() -> None:
    metrics = StoreMetrics(Metrics())
    metrics.on_group("billing", GroupMeasure(5, 2, acks=3, nacks=1, timeouts=1, parked=1))
    metrics.on_group("mails", GroupMeasure(1))
    metrics.on_group("billing", GroupMeasure(4, 1, acks=4))
    samples = _samples(await metrics.registry.text())
    assert samples == {
        ("deliveries_total", "first", "billing"): 6, ("deliveries_total", "again", "billing"): 3,
        ("deliveries_total", "first", "mails"): 1, ("deliveries_total", "again", "mails"): 0,
        ("acks_total", "billing"): 7, ("acks_total", "mails"): 0,
        ("nacks_total", "billing"): 1, ("nacks_total", "mails"): 0,
        ("timeouts_total", "billing"): 1, ("timeouts_total", "mails"): 0,
        ("given_up_total", "billing"): 1, ("given_up_total", "mails"): 0,
        ("corrupted_total", "billing"): 0, ("corrupted_total", "mails"): 0,
    }  # fmt: skip


async def test_how_far_groups_have_come() -> None:
    stalled = msgspec.structs.replace(INFO, group="mails", is_stalled=True, lag=0)
    samples = _samples(await _metrics(INFO, stalled).registry.text())
    assert samples == {
        ("lag", "billing"): 5, ("lag", "mails"): 0,
        ("in_flight", "billing"): 3, ("in_flight", "mails"): 3,
        ("waiting", "billing"): 2, ("waiting", "mails"): 2,
        ("parked", "billing"): 9, ("parked", "mails"): 9,
        ("parked_aggregates", "billing"): 4, ("parked_aggregates", "mails"): 4,
        ("unreadable", "billing"): 1, ("unreadable", "mails"): 1,
        ("stalled", "billing"): 0, ("stalled", "mails"): 1,
    }  # fmt: skip


async def test_a_group_that_is_gone_is_not_told_of_any_more() -> None:
    groups = [INFO]
    metrics = Metrics()
    metrics.add(lambda: group_gauges(groups))
    assert _samples(await metrics.text()) != {}
    groups.clear()
    assert _samples(await metrics.text()) == {}


async def test_workers_count_each_for_itself_and_say_the_same_of_the_store() -> None:
    first, second = _metrics(INFO, worker=1), _metrics(INFO, worker=2)
    first.on_group("billing", GroupMeasure(acks=3))
    second.on_group("billing", GroupMeasure(acks=4))
    samples = _samples(merged([await first.registry.text(), await second.registry.text()]))
    assert [samples["acks_total", "billing", worker] for worker in ("1", "2")] == [3, 4]
    assert [samples["lag", "billing", worker] for worker in ("1", "2")] == [5, 5]


def _by_group(counts: GroupCounts, name: str) -> dict[str, float]:
    (family,) = [family for family in counts.collect() if family.name == f"indelible_group_{name}"]
    assert isinstance(family, Metric)
    return {
        sample.labels["group"]: sample.value for sample in family.samples if sample.labels.get("attempt") != "again"
    }


def test_counters_never_fall() -> None:
    """A delivery that reached nobody is taken back with the next save."""
    counts = GroupCounts()
    counts.add("billing", GroupMeasure(deliveries=2, redeliveries=1))
    before = _by_group(counts, "deliveries")
    counts.add("billing", GroupMeasure(deliveries=-1, redeliveries=-1))
    assert _by_group(counts, "deliveries") == before == {"billing": 1}


def test_groups_that_come_and_go_do_not_add_up() -> None:
    counts = GroupCounts()
    counts.add("first", GroupMeasure(acks=1))
    counts.add("second", GroupMeasure(acks=1))
    for n in range(GROUPS_MAX - 1):
        counts.add("first", GroupMeasure(acks=1))
        counts.add(f"other {n}", GroupMeasure(acks=1))
    counted = _by_group(counts, "acks")
    assert (len(counted), counted["first"], "second" in counted) == (GROUPS_MAX, GROUPS_MAX, False)


async def test_a_store_tells_what_its_groups_do() -> None:
    metrics = StoreMetrics(Metrics())
    async with LocalEventStore(MemoryEngine(), on_group=metrics.on_group) as store:
        services = make_services(store, metrics)
        await store.append("order", "1", [NewEvent("Placed", n) for n in range(3)])
        await store.groups.create("billing", max_attempts=1)
        (delivery,) = await store.groups.pull("billing")
        await store.groups.ack("billing", [delivery.delivery_id])
        (delivery,) = await store.groups.pull("billing")
        await store.groups.nack("billing", [delivery.delivery_id])
        samples = _samples(await services.metrics_text())
    assert {name for name, value in samples.items() if value == 0} == {
        ("deliveries_total", "again", "billing"), ("timeouts_total", "billing"), ("in_flight", "billing"),
        ("waiting", "billing"), ("lag", "billing"), ("stalled", "billing"), ("corrupted_total", "billing"),
        ("unreadable", "billing"),
    }  # fmt: skip
    assert samples["deliveries_total", "first", "billing"] == 2
    assert samples["parked", "billing"] == 2
    for name in ("acks_total", "nacks_total", "given_up_total", "parked_aggregates"):
        assert samples[name, "billing"] == 1


class SlowToAddUp(MemoryEngine):
    """A store whose groups take for ever to add up."""

    async def list_groups(self) -> tuple[GroupSummary, ...]:
        await asyncio.Event().wait()
        raise AssertionError


async def test_groups_that_take_too_long_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indelible.server.services.STORE_ANSWER_TIMEOUT_S", 2.0)
    async with LocalEventStore(SlowToAddUp()) as store:
        metrics = StoreMetrics(Metrics())
        services = make_services(store, metrics)
        metrics.on_group("billing", GroupMeasure(acks=1))
        text = await asyncio.wait_for(services.metrics_text(), 60)
    assert "\nindelible_ready 1.0\n" in text.decode()
    assert "\nindelible_head_position 0.0\n" in text.decode()
    samples = _samples(text)
    assert samples["acks_total", "billing"] == 1
    assert ("lag", "billing") not in samples


# --- Of several workers -----------------------------------------------------------------------------------------------


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
    monkeypatch.setattr(worker, "WORKER_METRICS_TIMEOUT_S", 3.0)

    async def first(*, is_openmetrics: bool = False) -> bytes:
        return await _text(1, 3)

    async def second(*, is_openmetrics: bool = False) -> bytes:
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


async def test_examples_of_all_workers_come_in_one_text() -> None:
    metrics = [StoreMetrics(Metrics(number)) for number in (1, 2)]
    for number, one in enumerate(metrics, 1):
        TRACED.set(Traced(f"{number:032x}", is_sampled=True))
        one.on_appends(0.002, {"stored": 1})
    TRACED.set(None)
    with socket.socket(socket.AF_UNIX) as answers:
        answers.bind("")
        answers.listen()
        other = SharedMetrics(metrics[1].registry.text, ())
        answering = asyncio.create_task(other.answer_others(answers))
        shared = SharedMetrics(metrics[0].registry.text, [answers.getsockname().decode("ascii")])
        plain, text = (await shared.text()).decode(), (await shared.text(is_openmetrics=True)).decode()
        answering.cancel()
        await asyncio.wait({answering})
    assert (text.count("# EOF\n"), text.endswith("# EOF\n"), "# EOF" in plain, "trace_id" in plain) == (
        1,
        True,
        False,
        False,
    )
    (family,) = [one for one in openmetrics_families(text) if one.name == "indelible_append_seconds"]
    examples = {one.labels["worker"]: one.exemplar.labels for one in family.samples if one.exemplar is not None}
    assert examples == {str(number): {"trace_id": f"{number:032x}"} for number in (1, 2)}


@pytest.mark.parametrize("told", [b"", b"# HELP indelible_queue_depth \xe2", b"all but the end"])
async def test_a_worker_that_dies_while_it_tells_is_left_out(told: bytes) -> None:
    async def first(*, is_openmetrics: bool = False) -> bytes:
        return await _text(1, 3)

    if told.startswith(b"all"):
        told = (await _text(2, 4))[:-1]

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.write(told)
        writer.close()

    with socket.socket(socket.AF_UNIX) as dies:
        dies.bind("")
        address = dies.getsockname().decode("ascii")
        async with await asyncio.start_unix_server(tell, sock=dies):
            with structlog.testing.capture_logs() as logged:
                text = await SharedMetrics(first, [address]).text()
    assert b'worker="1"' in text
    assert b'worker="2"' not in text
    assert [line["error"] for line in logged] == ["it has not told all"]
