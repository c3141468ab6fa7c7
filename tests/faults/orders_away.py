"""The example's order service while its event store is away, asked all the while::

    PYTHONPATH=tests .venv/bin/python -m faults.orders_away --away-s 300

Callers place orders and ask for their payment. What the service refuses they ask again, as its README says. Exits with
1 when an order that the service took is not in the log, or is there twice, or was not paid exactly once, when the
service did not say that its store was away, or was not well again by itself.
"""

import argparse
import asyncio
import importlib
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import msgspec

import programs
from faults.server_process import ServerProcess
from indelible import AsyncClient

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "orders"
CALLERS = 8
PATIENCE_S = 60.0
ONCE = {"OrderPlaced": 1, "PaymentRequested": 1, "OrderPaid": 1}


class Figures(msgspec.Struct):
    away_s: float
    orders: int = 0
    """That the service took, and whose payment it took on."""
    refused: int = 0
    """Answers 503, each of which a caller met and repeated."""
    noticed_after_s: float = 0.0
    """From the store's end until /health said so."""
    well_after_s: float = 0.0
    """From the store's return until /health said that all is well."""
    messages: list[str] = []
    """What the client logged of the outage."""
    problems: list[str] = []


class Run:
    """``calm_s`` is how long callers go on before and after."""

    def __init__(self, folder: Path, away_s: float, calm_s: float) -> None:
        self._server = ServerProcess(folder / "orders.db")
        self._calm_s = calm_s
        self._figures = Figures(away_s)
        self._taken: list[str] = []
        self._is_over = False
        self._api: httpx.AsyncClient

    async def run(self) -> Figures:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._server.kill)
            await self._server.start()
            stack.enter_context(_heard(self._figures.messages))
            self._api = await stack.enter_async_context(_service(self._server.url))
            async with asyncio.TaskGroup() as callers:
                for number in range(CALLERS):
                    callers.create_task(self._call(number))
                await asyncio.sleep(self._calm_s)
                await self._be_away()
                await asyncio.sleep(self._calm_s)
                self._is_over = True
            await self._settled()
            await self._check()
        return self._figures

    async def _be_away(self) -> None:
        self._server.terminate()
        began = time.monotonic()
        assert await self._server.exit_code() == 0
        self._figures.noticed_after_s = await self._health(503)
        await asyncio.sleep(began + self._figures.away_s - time.monotonic())
        await self._server.start()
        self._figures.well_after_s = await self._health(200)

    async def _health(self, status: int) -> float:
        """Wait until the service says so; how long that took, in seconds."""
        began = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            while (await self._api.get("/health")).status_code != status:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def _call(self, number: int) -> None:
        count = 0
        while not self._is_over:
            count += 1
            order_id = f"o-{number}-{count}"
            await self._ask("PUT", f"/orders/{order_id}", {"customer": f"c-{number}", "total_cents": count})
            await self._ask("POST", f"/orders/{order_id}/payment", {"card": "4000"})
            self._taken.append(order_id)
            await asyncio.sleep(0.02)

    async def _ask(self, method: str, path: str, body: dict[str, object]) -> None:
        while not (answer := await self._api.request(method, path, json=body)).is_success:
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                self._figures.problems.append(f"{method} {path}: {answer.status_code} {answer.text}")
                return
            self._figures.refused += 1
            await asyncio.sleep(0.1)

    async def _settled(self) -> None:
        """Until the group has paid for all."""
        async with AsyncClient(self._server.url) as client, asyncio.timeout(PATIENCE_S):
            while (group := await client.groups.get("payments")).lag or group.in_flight:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
            while (await self._api.get("/open-orders")).json():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)

    async def _check(self) -> None:
        seen: dict[str, Counter[str]] = {}
        async with AsyncClient(self._server.url) as client:
            async for event in client.iter_feed():
                seen.setdefault(event.aggregate_id, Counter())[event.event_type] += 1
            parked = (await client.groups.get("payments")).parked
        problems, self._figures.orders = self._figures.problems, len(self._taken)
        problems += [f"{order_id} is not in the log" for order_id in self._taken if order_id not in seen]
        problems += [f"{order_id} has {dict(events)}" for order_id, events in seen.items() if events != ONCE]
        problems += [f"{parked} events are parked"] if parked else []
        if len(self._figures.messages) != 2:
            problems.append("the outage is to be told once when it begins and once when it ends")


@asynccontextmanager
async def _service(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Within this process; what is started beside its requests too."""
    if str(EXAMPLE) not in sys.path:
        sys.path.append(str(EXAMPLE))
    app = importlib.import_module("service").make_app(url)
    caller = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://orders")
    async with app.router.lifespan_context(app), caller as api:
        yield api


@contextmanager
def _heard(messages: list[str]) -> Iterator[None]:
    """What the client says of outages, as it says it to any application that has a handler for its log."""

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, hearing = logging.getLogger("indelible.client.outages"), Hearing()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(hearing)
    try:
        yield
    finally:
        logger.removeHandler(hearing)
        logger.setLevel(level)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--away-s", type=float, default=300.0, help="how long the store is away (%(default)s)")
    arguments = parser.parse_args()
    programs.take_charge()
    with tempfile.TemporaryDirectory() as name:
        figures = asyncio.run(Run(Path(name), arguments.away_s, calm_s=5.0).run())
    print(msgspec.json.format(msgspec.json.encode(figures)).decode())
    return 1 if figures.problems else 0


if __name__ == "__main__":
    sys.exit(main())
