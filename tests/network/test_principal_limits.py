"""What a principal may do at most, over both APIs."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from indelible.access import EVERYBODY, Principal
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.errors import RateLimited
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend
from indelible.server import principal_limits
from indelible.server.network_settings import LimitSettings, PrincipalLimit
from indelible.server.principal_limits import Bucket, PrincipalLimits, Use
from network.callers import Callers, callers
from serving import serving_in_a_thread


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(principal_limits, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Connection:
    """Of a caller at some address."""

    def __init__(self, address: str = "192.0.2.1") -> None:
        self.use: Use | None = None
        self.address = address


def _taken(use: Use, counts: list[int]) -> list[int]:
    """Those that were not refused."""
    found = []
    for count in counts:
        try:
            use.take_events(count)
        except RateLimited:
            continue
        found.append(count)
    return found


def test_a_second_gives_as_much_as_it_may_and_no_more(clock: Clock):
    use = Use("a", PrincipalLimit(requests_per_s=5))
    for second in range(3):
        clock.now = 1_000.0 + second
        for _ in range(5):
            use.take_request()
        with pytest.raises(RateLimited, match="5 requests a second") as caught:
            use.take_request()
        assert caught.value.fields == {"retry_after_s": 1}


def test_a_batch_that_is_larger_than_the_rate_is_taken_and_paid_for(clock: Clock):
    """Over a while nobody gets more, whatever the size of the batches."""
    for size in (1, 7, 100, 950):
        clock.now = 2_000.0
        use, taken = Use("a", PrincipalLimit(events_per_s=100)), 0
        for step in range(10_000):
            clock.now = 2_000.0 + step / 100
            taken += sum(_taken(use, [size, size]))
        assert 100 * 99 <= taken <= 100 * 100 + 100 + size


def test_how_long_to_wait_is_true(clock: Clock):
    use = Use("a", PrincipalLimit(events_per_s=10))
    use.take_events(45)
    with pytest.raises(RateLimited) as caught:
        use.take_events(1)
    assert caught.value.fields["retry_after_s"] == 4
    clock.now += 4
    use.take_events(1)


def test_less_than_one_a_second(clock: Clock):
    bucket = Bucket(0.1)
    assert bucket.wait_s() == 0
    bucket.take(1)
    assert bucket.wait_s() == pytest.approx(10)
    clock.now += 10
    assert bucket.wait_s() == 0


def test_each_principal_has_its_own_and_some_have_others(clock: Clock):
    settings = LimitSettings(requests_per_s=1, connections=2, principals={"big": PrincipalLimit(requests_per_s=3)})
    limits = PrincipalLimits(settings)
    for name, count in (("small", 1), ("big", 3)):
        connection = Connection()
        for _ in range(count):
            limits.begin_request(Principal(name), connection)
        with pytest.raises(RateLimited, match=f"^{name} may have"):
            limits.begin_request(Principal(name), connection)
    # What its own table does not say holds as for all.
    assert settings.of("big") == PrincipalLimit(requests_per_s=3, connections=2)


def test_nobody_in_particular_is_told_apart_by_address(clock: Clock):
    limits = PrincipalLimits(LimitSettings(requests_per_s=1))
    for host in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"):
        limits.begin_request(EVERYBODY, Connection(host))
    for host in ("192.0.2.1", "::ffff:192.0.2.2", "2001:db8::2", "2001:db8:0:1:ffff::1"):
        with pytest.raises(RateLimited, match=r"^address "):
            limits.begin_request(EVERYBODY, Connection(host))


def test_a_connection_counts_for_who_asks_on_it(clock: Clock):
    limits = PrincipalLimits(LimitSettings(connections=1))
    first, second = Connection(), Connection()
    use = limits.begin_request(Principal("a"), first)
    with pytest.raises(RateLimited, match="1 connections at once"):
        limits.begin_request(Principal("a"), second)
    limits.begin_request(Principal("b"), first)
    assert use.connections == 0
    limits.begin_request(Principal("a"), second)


def test_who_is_silent_is_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(principal_limits, "PRINCIPALS_COUNTED_MAX", 10)
    limits = PrincipalLimits(LimitSettings(requests_per_s=2))
    for number in range(100):
        clock.now += 1
        connection = Connection()
        use = limits.begin_request(Principal(str(number)), connection)
        use.connections -= 1  # it closes
    assert len(limits._uses) <= 10


# --- Over the APIs ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _limited(transport: str, **limits: float) -> AsyncIterator[Callers]:
    settings = LimitSettings(**limits)  # type: ignore[arg-type]  # those with whole numbers get them
    with serving_in_a_thread(open_local_store("memory:"), transport, limits=settings) as url:
        async with callers(url) as found:
            yield found


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_requests(transport: str):
    async with _limited(transport, requests_per_s=0.01) as found:
        await found.client.head()
        with pytest.raises(RateLimited) as caught:
            await found.client.head()
        assert 50 <= caught.value.fields["retry_after_s"] <= 100
        await found.check_probes()


async def test_how_it_looks_over_http():
    async with _limited("http", requests_per_s=0.01) as found:
        async with found.session.get(f"{found.url}/v1/head") as answer:
            assert answer.status == 200
        async with found.session.get(f"{found.url}/v1/head") as answer:
            problem = await answer.json()
            assert (answer.status, problem["code"]) == (429, "rate_limited")
            assert answer.headers["Retry-After"] == str(problem["retry_after_s"])
            assert 50 <= problem["retry_after_s"] <= 100


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_events(transport: str):
    async with _limited(transport, events_per_s=0.05) as found:
        await found.client.append_atomic([AggregateAppend.of("a", "1", [NewEvent("E", n) for n in "123"])])
        with pytest.raises(RateLimited, match=r"0\.05 events a second"):
            await found.client.append_atomic([AggregateAppend.of("a", "2", [NewEvent("E", 1)])])
        assert (await found.client.head()).position == 3


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_subscriptions(transport: str):
    async with _limited(transport, subscriptions=2) as found, AsyncExitStack() as stack:
        await found.client.append("a", "1", [NewEvent("E", 1)])
        subscriptions = [found.client.subscribe(retry_total_s=0) for _ in range(3)]
        for each in subscriptions:
            stack.push_async_callback(each.aclose)
        for each in subscriptions[:2]:
            assert (await anext(each)).aggregate_id == "1"
        with pytest.raises(RateLimited, match="2 subscriptions at once"):
            await anext(subscriptions[2])
        await subscriptions[0].aclose()
        async with asyncio.timeout(60):
            while True:
                again = found.client.subscribe(retry_total_s=0)
                try:
                    assert (await anext(again)).aggregate_id == "1"
                    break
                except RateLimited:
                    await asyncio.sleep(0.02)
                finally:
                    await again.aclose()


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_connections(transport: str):
    async with _limited(transport, connections=1) as found:
        await found.client.head()
        async with AsyncClient(found.url, retry_total_s=0) as other:
            with pytest.raises(RateLimited, match="1 connections at once"):
                await other.head()
        await found.client.head()


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_clients_wait_as_they_are_told_and_streams_are_slowed_down(transport: str):
    async with _limited(transport, events_per_s=20) as found, AsyncClient(found.url) as patient:
        began = time.monotonic()
        for number in range(3):
            await patient.append_each([AggregateAppend.of("a", f"{number}-{n}", [NewEvent("E", n)]) for n in range(20)])
        assert time.monotonic() - began > 0.9
        assert (await patient.head()).position == 60


def test_an_import_is_slowed_down_and_loses_nothing(tmp_path: Path):
    line = '{"aggregate_type":"a","aggregate_id":"%d","event_id":"%s","event_type":"E","event_data":1}\n'
    (tmp_path / "events.ndjson").write_text("".join(line % (number, uuid4()) for number in range(900)))
    limits = LimitSettings(events_per_s=600)
    with serving_in_a_thread(open_local_store("memory:"), limits=limits) as url:
        made = subprocess.run(
            [Path(sys.executable).with_name("indelible"), "import", "events.ndjson", "--url", url],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert (made.returncode, "900" in made.stdout) == (0, True), made.stderr
