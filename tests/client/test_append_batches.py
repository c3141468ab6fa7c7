"""What travels together, and when."""

import asyncio

import pytest

from indelible.batching import Batcher, in_bounds
from indelible.client.calls import Calls, Retry
from indelible.client.remote import BATCH, append_batcher
from indelible.errors import InternalError, OutcomeUnknown, Overloaded, StorageFull, Unavailable, VersionConflict
from indelible.eventstore import AppendResult
from indelible.limits import (
    CLIENT_BATCH_APPENDS_MAX,
    CLIENT_BATCH_APPENDS_MIN,
    CLIENT_BATCH_SIZE_BYTES_MAX,
    REQUEST_EVENTS_MAX,
)


class Wire:
    """Takes batches and keeps each until it is told to answer."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.answers: list[asyncio.Future] = []

    async def send(self, appends):
        self.batches.append(list(appends))
        self.answers.append(asyncio.get_running_loop().create_future())
        outcome = await self.answers[-1]
        return [_result(body) for body in appends] if outcome is None else outcome

    def answer(self, number: int, outcome=None) -> None:
        if isinstance(outcome, Exception):
            self.answers[number].set_exception(outcome)
        else:
            self.answers[number].set_result(outcome)

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


def _result(body: bytes) -> AppendResult:
    return AppendResult("T", body.decode(), 1, 1, ())


@pytest.fixture
async def wire() -> Wire:
    return Wire()


@pytest.fixture
async def batches(wire: Wire) -> Batcher:
    return append_batcher(wire.send)


def start(batches: Batcher, count: int, event_count: int = 1, body: bytes | None = None) -> list[asyncio.Task]:
    async def append(body: bytes) -> AppendResult:
        return await batches.put(body, event_count, len(body))

    return [asyncio.create_task(append(body or b"%d" % n), name=str(n)) for n in range(count)]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_append_leaves_at_once(batches: Batcher, wire: Wire):
    (task,) = start(batches, 1)
    await settle()
    assert wire.sizes == [1]
    wire.answer(0)
    assert (await task).aggregate_id == "0"


async def test_tasks_that_are_ready_together_travel_together(batches: Batcher, wire: Wire):
    tasks = start(batches, CLIENT_BATCH_APPENDS_MIN)
    await settle()
    assert wire.sizes == [CLIENT_BATCH_APPENDS_MIN]
    wire.answer(0)
    results = await asyncio.gather(*tasks)
    assert [result.aggregate_id for result in results] == [str(n) for n in range(CLIENT_BATCH_APPENDS_MIN)]


async def test_many_are_shared_out_among_the_free_slots(batches: Batcher, wire: Wire):
    tasks = start(batches, 65)
    await settle()
    assert wire.sizes == [33, 32]
    tasks += start(batches, 65)
    wire.answer(0)
    await settle()
    assert wire.sizes == [33, 32, 65]
    wire.answer(1)
    wire.answer(2)
    await asyncio.gather(*tasks)


async def test_what_comes_while_all_slots_are_taken_forms_the_next_batch(batches: Batcher, wire: Wire):
    tasks = []
    for _ in range(10):
        tasks += start(batches, 3)
        await settle()
    assert wire.sizes == [3, 3]
    wire.answer(1)
    await settle()
    assert wire.sizes == [3, 3, 24]
    wire.answer(0)
    wire.answer(2)
    await asyncio.gather(*tasks)
    assert wire.sizes == [3, 3, 24]


async def test_bounded_by_appends(batches: Batcher, wire: Wire):
    tasks = start(batches, 2 * CLIENT_BATCH_APPENDS_MAX + 5)
    await settle()
    assert wire.sizes == [CLIENT_BATCH_APPENDS_MAX, CLIENT_BATCH_APPENDS_MAX]
    wire.answer(0)
    await settle()
    assert wire.sizes[2:] == [5]
    wire.answer(1)
    wire.answer(2)
    await asyncio.gather(*tasks)


async def test_bounded_by_events(batches: Batcher, wire: Wire):
    start(batches, 5, event_count=REQUEST_EVENTS_MAX // 3)
    await settle()
    assert wire.sizes == [3, 2]


async def test_bounded_by_bytes_but_one_always_goes(batches: Batcher, wire: Wire):
    start(batches, 1, body=bytes(CLIENT_BATCH_SIZE_BYTES_MAX + 1))
    start(batches, 3, body=bytes(CLIENT_BATCH_SIZE_BYTES_MAX // 2))
    await settle()
    assert wire.sizes == [1, 2]


async def test_each_gets_its_own_outcome(batches: Batcher, wire: Wire):
    conflict = VersionConflict("no", expected_version=1, actual_version=2)
    good, bad = start(batches, 2)
    await settle()
    wire.answer(0, [_result(b"0"), conflict])
    assert (await good).version == 1
    with pytest.raises(VersionConflict) as caught:
        await bad
    assert caught.value.actual_version == 2


async def test_a_batch_that_fails_as_a_whole_fails_for_each(batches: Batcher, wire: Wire):
    tasks = start(batches, 3)
    await settle()
    wire.answer(0, Overloaded("busy", retry_after_s=1))
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in errors] == [Overloaded] * 3
    assert [error.fields for error in errors] == [{"retry_after_s": 1}] * 3
    assert len({id(error) for error in errors}) == 3


@pytest.mark.parametrize("outcome", [RuntimeError("broken"), [], [_result(b"0")] * 3])
async def test_a_bug_in_sending_or_a_wrong_count_hangs_nobody(batches: Batcher, wire: Wire, outcome):
    tasks = start(batches, 2)
    await settle()
    wire.answer(0, outcome)
    errors = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
    assert [type(error) for error in errors] == [InternalError] * 2
    (later,) = start(batches, 1)
    await settle()
    wire.answer(1)
    assert (await later).version == 1


async def test_a_cancelled_append_that_has_not_left_stays(batches: Batcher, wire: Wire):
    for _ in range(2):
        start(batches, 1)
        await settle()
    waiting = start(batches, 3)
    await settle()
    waiting[1].cancel()
    await settle()
    wire.answer(0)
    await settle()
    assert wire.batches[2] == [b"0", b"2"]


async def test_cancelling_one_that_has_left_does_not_touch_the_others(batches: Batcher, wire: Wire):
    first, second = start(batches, 2)
    await settle()
    first.cancel()
    await settle()
    wire.answer(0)
    assert (await second).version == 1
    assert first.cancelled()


# --- Independent appends of one call ---------------------------------------------------------------------------------


class Server:
    """Answers each batch as it is told to: an outcome for each body, or an error for the whole."""

    def __init__(self, *answers) -> None:
        self.batches: list[list[bytes]] = []
        self.answers = list(answers)

    async def send(self, appends):
        self.batches.append(list(appends))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [answer.get(body, _result(body)) for body in appends]


async def append_each(server: Server, retry_total_s: float = 5.0):
    return await Calls(Retry(retry_total_s)).append_each([b"1", b"2", b"3"], server.send)


async def test_what_may_succeed_later_is_sent_again_in_its_order():
    server = Server({b"1": Overloaded("full"), b"2": VersionConflict("no"), b"3": OutcomeUnknown("?")}, {})
    first, refused, last = await append_each(server)
    assert server.batches == [[b"1", b"2", b"3"], [b"1", b"3"]]
    assert (first, last) == (_result(b"1"), _result(b"3"))
    assert isinstance(refused, VersionConflict)


async def test_a_request_that_is_lost_is_sent_again_whole():
    server = Server(OutcomeUnknown("lost"), {})
    assert await append_each(server) == [_result(b"1"), _result(b"2"), _result(b"3")]
    assert server.batches == [[b"1", b"2", b"3"]] * 2


async def test_what_is_given_up_says_what_is_known_of_it():
    first, second, third = await append_each(Server({b"1": StorageFull("full"), b"3": Overloaded("busy")}))
    assert [type(one) for one in (first, second, third)] == [StorageFull, AppendResult, Overloaded]
    server = Server(OutcomeUnknown("lost"), {b"1": VersionConflict("no"), b"2": StorageFull("full")})
    outcomes = await append_each(server)
    assert [type(one) for one in outcomes] == [VersionConflict, OutcomeUnknown, AppendResult]
    outcomes = await append_each(Server(Unavailable("away")), retry_total_s=0)
    assert [type(one) for one in outcomes] == [Unavailable] * 3
    assert len(set(map(id, outcomes))) == 3


async def test_an_answer_that_makes_no_sense_leaves_the_outcomes_unknown():
    outcomes = await append_each(Server(InternalError("broken")))
    assert [type(one) for one in outcomes] == [OutcomeUnknown] * 3
    outcomes = await append_each(Server({b"2": InternalError("broken")}))
    assert [type(one) for one in outcomes] == [AppendResult, OutcomeUnknown, AppendResult]

    async def too_few(appends):
        return [_result(appends[0])]

    outcomes = await Calls(Retry(5.0)).append_each([b"1", b"2"], too_few)
    assert [type(one) for one in outcomes] == [OutcomeUnknown] * 2


def test_lots_are_bounded():
    def sizes(*appends: tuple[bytes, int]) -> list[int]:
        return [len(lot) for lot in in_bounds([(body, events, len(body)) for body, events in appends], BATCH)]

    assert sizes(*[(b"x", 1)] * (CLIENT_BATCH_APPENDS_MAX + 1)) == [CLIENT_BATCH_APPENDS_MAX, 1]
    large = b"x" * (CLIENT_BATCH_SIZE_BYTES_MAX // 2)
    assert sizes(*[(large, 1)] * 3, (large * 3, 1), (b"x", 1)) == [2, 1, 1, 1]
    assert sizes(*[(b"x", REQUEST_EVENTS_MAX // 2)] * 3) == [2, 1]
    assert sizes() == []
