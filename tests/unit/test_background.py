"""What runs beside the requests: started, started again, stopped, and shown."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
import structlog

from indelible import keeping
from indelible.core.open import open_local_store
from indelible.errors import ShuttingDown, Unavailable
from indelible.keeping import Backoff
from indelible.limits import BACKGROUND_RESTART_WAIT_MAX_S, BACKGROUND_RESTART_WAIT_MIN_S
from indelible.server import background
from indelible.server.background import Background, Part, PartState, any_left_behind
from indelible.server.compose import make_services
from indelible.server.metrics import Metrics
from indelible.server.services import Services


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "BACKGROUND_RESTART_WAIT_MIN_S", 0.01)
    monkeypatch.setattr(background, "BACKGROUND_STOP_S", 0.1)


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with open_local_store("memory:") as store:
        yield make_services(store)


async def until(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.005)


class Relay:
    """Fails as often as it is told to, and then goes on until it is cancelled."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures = list(failures)
        self.runs = 0
        self.was_cancelled = False
        self.problem: str | None = None

    async def run(self) -> None:
        self.runs += 1
        if self.failures:
            raise self.failures.pop(0)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise

    def why_not_ready(self) -> str | None:
        return self.problem


async def test_a_part_that_fails_is_started_again_and_shown() -> None:
    error = "ZeroDivisionError; the log has the details"
    relay = Relay(Unavailable("no broker"), ZeroDivisionError("the secret reason"))
    metrics = Metrics()
    with structlog.testing.capture_logs() as logged:
        async with Background(metrics) as host:
            host.add(Part("relay", relay.run))
            await until(lambda: relay.runs == 3)
            assert host.states() == [PartState("relay", "running", False, None, restarts=2, last_error=error)]
            text = (await metrics.text()).decode()
    assert 'indelible_background_running{part="relay"} 1.0' in text
    assert 'indelible_background_restarts_total{part="relay"} 2.0' in text
    assert [(line["part"], line["error"]) for line in logged] == [
        ("relay", "no broker"), ("relay", error),
    ]  # fmt: skip
    assert relay.was_cancelled
    assert host.states()[0].state == "ended"
    assert not any_left_behind(asyncio.get_running_loop())


async def test_something_cancelled_within_a_part_is_a_failure_like_others() -> None:
    relay = Relay(asyncio.CancelledError())
    async with Background(Metrics()) as host:
        host.add(Part("relay", relay.run))
        await until(lambda: relay.runs == 2)


async def test_a_part_that_returns_has_done_its_work() -> None:
    async def build() -> None:
        pass

    host = Background(Metrics())
    host.add(Part("build", build, is_vital=True))
    async with host:
        await until(lambda: host.states()[0].state == "ended")
        await asyncio.sleep(0.05)
        assert host.states() == [PartState("build", "ended", True)]


async def test_a_part_that_fails_as_it_stops_is_logged() -> None:
    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise Unavailable("no broker")

    with structlog.testing.capture_logs() as logged:
        async with Background(Metrics()) as host:
            host.add(Part("relay", run))
            await asyncio.sleep(0)
    assert [(line["error"], line["restarted_in_s"]) for line in logged] == [("no broker", None)]
    assert host.states() == [PartState("relay", "ended", False, last_error="no broker")]


async def test_a_part_that_never_ends_is_left_behind() -> None:
    is_let_go = False

    async def stubborn() -> None:
        while not is_let_go:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    relay = Relay()
    with structlog.testing.capture_logs() as logged:
        async with asyncio.timeout(60), Background(Metrics()) as host:
            host.add(Part("stubborn", stubborn))
            host.add(Part("relay", relay.run))
            await until(lambda: relay.runs == 1)
    assert relay.was_cancelled
    assert [(line["log_level"], line["part"]) for line in logged] == [("error", "stubborn")]
    assert any_left_behind(asyncio.get_running_loop())
    is_let_go = True
    await until(lambda: not any_left_behind(asyncio.get_running_loop()))


def test_waits_grow_within_bounds_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now)
    backoff = Backoff(BACKGROUND_RESTART_WAIT_MIN_S, BACKGROUND_RESTART_WAIT_MAX_S)
    waits = []
    for _ in range(12):
        backoff.started()
        waits.append(backoff.wait_s())
    assert waits[:3] == [BACKGROUND_RESTART_WAIT_MIN_S * factor for factor in (1, 2, 4)]
    assert waits == sorted(waits)
    assert waits[-3:] == [BACKGROUND_RESTART_WAIT_MAX_S] * 3
    backoff.started()
    now += BACKGROUND_RESTART_WAIT_MAX_S
    assert backoff.wait_s() == BACKGROUND_RESTART_WAIT_MIN_S


async def test_a_vital_part_makes_the_server_not_ready(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "BACKGROUND_RESTART_WAIT_MIN_S", 60.0)
    aside, vital = Relay(Unavailable("no broker")), Relay()
    async with services.background:
        services.background.add(Part("aside", aside.run))
        services.background.add(Part("vital", vital.run, is_vital=True, why_not_ready=vital.why_not_ready))
        await until(lambda: vital.runs == 1)
        parts = await services.check_ready(verbose=True)
        assert [(part.name, part.state) for part in parts] == [
            ("store", "running"), ("store appends", "running"), ("aside", "failed"), ("vital", "running"),
        ]  # fmt: skip
        vital.problem = "it reads its checkpoint"
        with pytest.raises(Unavailable, match="vital is not ready: it reads its checkpoint") as caught:
            await services.check_ready()
        assert set(caught.value.fields) == {"retry_after_s"}
        vital.problem = None
        services.background.add(Part("broken", Relay(Unavailable("no index")).run, is_vital=True))
        await until(lambda: services.background.states()[-1].state == "failed")
        with pytest.raises(Unavailable, match="broken has failed: no index"):
            await services.check_ready()
        assert "\nindelible_ready 0.0\n" in (await services.metrics_text()).decode()


async def test_a_server_that_stops_tells_of_its_parts_too(services: Services) -> None:
    services.not_ready_because = "received SIGTERM"
    with pytest.raises(ShuttingDown) as caught:
        await services.check_ready(verbose=True)
    assert [part.name for part in caught.value.fields["parts"]] == ["store", "store appends"]
