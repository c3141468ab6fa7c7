"""What is repeated, how long, and which error comes out."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from client.own_time import in_own_time
from indelible.client import calls as module
from indelible.client.calls import Calls, Retry
from indelible.errors import (
    IndelibleError,
    OutcomeUnknown,
    Overloaded,
    ShuttingDown,
    StorageFull,
    Unavailable,
    VersionConflict,
)
from indelible.limits import CLIENT_RETRY_WAIT_MAX_S


class Attempts:
    """Fails with the given errors, one an attempt, then succeeds."""

    def __init__(self, *errors: IndelibleError) -> None:
        self.errors = list(errors)
        self.count = 0
        self.times: list[float] = []

    async def __call__(self) -> str:
        self.count += 1
        self.times.append(asyncio.get_running_loop().time())
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def retried(total_s: float, attempt: Callable[[], Awaitable[str]], wait_s: float = 0.0) -> str:
    return await Retry(total_s).call(attempt, wait_s=wait_s)


@pytest.mark.parametrize("error", [Unavailable("x"), Overloaded("x"), ShuttingDown("x"), OutcomeUnknown("x")])
async def test_what_may_succeed_later_is_repeated(error: IndelibleError):
    attempts = Attempts(error, error)
    assert await Retry(10).call(attempts) == "done"
    assert attempts.count == 3


@pytest.mark.parametrize("error", [VersionConflict("x"), StorageFull("x"), IndelibleError("x")])
async def test_what_will_not_is_not(error: IndelibleError):
    attempts = Attempts(error)
    with pytest.raises(type(error)):
        await Retry(10).call(attempts)
    assert attempts.count == 1


def test_the_last_error_comes_out_when_given_up():
    attempts = Attempts(Overloaded("first"), ShuttingDown("second"), ShuttingDown("third"), *[Overloaded("x")] * 50)
    with pytest.raises(Overloaded, match=r"x \(given up after \d+ attempts\)"):
        in_own_time(retried(1.0, attempts))
    assert 3 < attempts.count < 10


def test_one_attempt_that_may_be_stored_makes_it_unknown():
    attempts = Attempts(Overloaded("x"), OutcomeUnknown("cut off"), *[Unavailable("no connection")] * 50)
    with pytest.raises(OutcomeUnknown, match="no connection"):
        in_own_time(retried(0.4, attempts))


async def test_after_an_unknown_outcome_a_full_disk_is_unknown_too():
    with pytest.raises(OutcomeUnknown):
        await Retry(10).call(Attempts(OutcomeUnknown("cut off"), StorageFull("full")))


async def test_a_definite_answer_ends_the_doubt():
    with pytest.raises(VersionConflict):
        await Retry(10).call(Attempts(OutcomeUnknown("cut off"), VersionConflict("lost")))


async def test_zero_means_never():
    attempts = Attempts(Unavailable("no connection"))
    with pytest.raises(Unavailable, match=r"^no connection$"):
        await Retry(0).call(attempts)
    assert attempts.count == 1


async def test_the_server_may_ask_for_a_longer_wait():
    attempts = Attempts(Overloaded("busy", retry_after_s=0.3))
    await Retry(10).call(attempts)
    assert attempts.times[1] - attempts.times[0] > 0.29


async def test_a_server_that_stops_asks_for_no_wait_of_those_behind_the_same_address():
    attempts = Attempts(ShuttingDown("the server stops", retry_after_s=5))
    assert await asyncio.wait_for(Retry(2).call(attempts), 60) == "done"
    assert attempts.count == 2


async def test_a_wait_that_does_not_fit_is_not_begun():
    attempts = Attempts(Overloaded("busy", retry_after_s=90))
    with pytest.raises(Overloaded) as caught:
        await asyncio.wait_for(Retry(2).call(attempts), 60)
    assert caught.value.fields == {"retry_after_s": 90}


async def test_stopping_wakes_those_who_wait_for_a_last_attempt():
    retry = Retry(60)
    attempts = Attempts(*[Unavailable("no connection", retry_after_s=30)] * 9)
    call = asyncio.create_task(retry.call(attempts))
    await asyncio.sleep(0.05)
    retry.stopped.set()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(call, 20)
    assert attempts.count == 2


def test_waits_grow_to_a_bound_and_differ():
    error = Unavailable("x")
    waits = [module._wait_s(number, error) for number in range(1, 33)]
    assert 0.05 <= waits[0] <= 0.075
    assert waits[3] > waits[1]
    assert all(wait <= CLIENT_RETRY_WAIT_MAX_S * 1.5 for wait in waits)
    assert len({module._wait_s(9, error) for _ in range(20)}) > 10


async def test_what_must_not_be_done_twice_is_repeated_until_it_may_be_done():
    attempts = Attempts(Unavailable("no connection"), OutcomeUnknown("cut off"))
    with pytest.raises(OutcomeUnknown, match="cut off"):
        await Retry(10).call(attempts, may_repeat_unknown=False)
    assert attempts.count == 2


async def test_who_polls_for_ever_does_not_wait_for_events_until_the_server_is_back():
    """Else nobody would be told that it is, until an event comes."""
    waited_s = list[float]()

    async def attempt(left_s: float) -> str:
        waited_s.append(left_s)
        return await attempts()

    calls = Calls(Retry(0)).lasting(None)
    attempts = Attempts(*[Unavailable("no connection")] * 2)
    assert await calls.poll(attempt, 1_000) == "done"
    assert await calls.poll(attempt, 1_000) == "done"
    assert [round(seconds, -2) for seconds in waited_s] == [1_000, 1_000, 0, 1_000]


def test_waiting_as_asked_is_not_failing():
    async def attempt() -> str:
        await asyncio.sleep(0.6)
        return await attempts()

    attempts = Attempts(Unavailable("cut off"))
    assert in_own_time(retried(0.3, attempt, wait_s=1)) == "done"
    # No more of it than was asked for.
    attempts = Attempts(*[Unavailable("cut off")] * 50)
    with pytest.raises(Unavailable):
        in_own_time(retried(0.3, attempt, wait_s=1))
    assert 2 <= attempts.count <= 3
