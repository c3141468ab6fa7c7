"""What an application keeps running: started again, shown, given up, ended."""

import asyncio
import logging

import pytest

from indelible import InvalidRequest, Supervisor, Unavailable
from indelible.client import supervisor as module

PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUPERVISOR_WAIT_MIN_S", 0.01)
    monkeypatch.setattr(module, "SUPERVISOR_WAIT_MAX_S", 0.05)


class Projection:
    """Raises one error after the other, then goes on until it is cancelled."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures = list(failures)
        self.runs = 0
        self.goes_on = asyncio.Event()
        self.was_cancelled = False

    async def __call__(self) -> None:
        self.runs += 1
        if self.failures:
            raise self.failures.pop(0)
        self.goes_on.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


async def until_well(supervisor: Supervisor) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while supervisor.failing:  # noqa: ASYNC110 - it is time alone that is waited for
            await asyncio.sleep(0.005)


async def test_a_task_that_fails_is_started_again_logged_and_shown(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    # Long enough for it to be seen that it is not well yet.
    monkeypatch.setattr(module, "SUPERVISOR_WAIT_MIN_S", 0.1)
    monkeypatch.setattr(module, "SUPERVISOR_WAIT_MAX_S", 1.0)
    projection = Projection(Unavailable("no server"), asyncio.CancelledError(), ZeroDivisionError("a bug"))
    other = Projection()
    async with Supervisor() as supervisor:
        supervisor.start("totals", projection)
        supervisor.start("mails", other)
        assert supervisor.failing == {}
        await projection.goes_on.wait()
        # One that has only just been started again may fail again at once.
        assert supervisor.failing == {"totals": "ZeroDivisionError: a bug"}
        await until_well(supervisor)
    assert (projection.runs, projection.was_cancelled, other.was_cancelled) == (4, True, True)
    assert [(record.name, record.levelno) for record in caplog.records] == [
        ("indelible.client.supervisor", logging.ERROR)
    ] * 3
    first, _, last = caplog.records
    assert first.getMessage() == "task totals has failed, and is started again in 0.1 s: no server"
    assert first.exc_info is None
    assert last.exc_info is not None


async def test_arguments_go_to_the_function_and_what_returns_is_done():
    given: list[object] = []

    async def fill(client: str, *, page: int) -> None:
        given.append((client, page))

    async with Supervisor() as supervisor:
        supervisor.start("fill", fill, "client", page=3)
        await supervisor.wait()
        supervisor.start("fill", fill, "again", page=4)
        await supervisor.wait()
        assert supervisor.failing == {}
    assert given == [("client", 3), ("again", 4)]


async def test_what_fails_for_too_long_is_given_up_and_ends_all():
    other = Projection()

    async def body() -> None:
        async with Supervisor(give_up_after_s=0.1) as supervisor:
            supervisor.start("totals", Projection(*[Unavailable("no server")] * 99))
            supervisor.start("mails", other)
            await asyncio.Event().wait()

    with pytest.raises(Unavailable, match="no server"):
        await asyncio.wait_for(body(), PATIENCE_S)
    assert other.was_cancelled


async def test_failures_that_are_far_apart_are_not_added_up():
    runs = 0

    async def project() -> None:
        nonlocal runs
        runs += 1
        if runs < 6:
            await asyncio.sleep(0.06)
            raise Unavailable("no server")

    async with asyncio.timeout(PATIENCE_S), Supervisor(give_up_after_s=0.1) as supervisor:
        supervisor.start("totals", project)
        await supervisor.wait()
    assert runs == 6


async def test_an_error_of_the_body_comes_out_and_ends_the_tasks():
    projection = Projection()

    async def body() -> None:
        async with Supervisor() as supervisor:
            supervisor.start("totals", projection)
            await projection.goes_on.wait()
            raise LookupError("of the body")

    with pytest.raises(LookupError, match="of the body"):
        await body()
    assert projection.was_cancelled


async def test_one_name_is_one_task():
    async with Supervisor() as supervisor:
        supervisor.start("totals", Projection())
        with pytest.raises(InvalidRequest) as caught:
            supervisor.start("totals", Projection())
    assert caught.value.pointer == "/name"


async def test_what_is_given_before_begins_with_it():
    projection = Projection()
    supervisor = Supervisor()
    supervisor.start("totals", projection)
    with pytest.raises(InvalidRequest):
        supervisor.start("totals", projection)
    assert (projection.runs, supervisor.failing) == (0, {})
    async with supervisor:
        await projection.goes_on.wait()
    assert (projection.runs, projection.was_cancelled) == (1, True)
