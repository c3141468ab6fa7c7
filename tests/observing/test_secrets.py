"""Nothing that callers wrote, and nothing that is secret, gets into a log: not of a busy run with every kind of
trouble, at the most talkative level."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp

from cli.running import environment
from faults.server_process import ServerProcess
from indelible import AsyncClient, NewEvent
from indelible.errors import IndelibleError
from indelible.search import SearchQuery
from observing.collector import until
from postgres.server import free_port

DATA, METADATA, TAG, STATE, REASON = (f"canary-{what}" for what in ("data", "metadata", "tag", "state", "reason"))
TOKEN, COOKIE, QUERY, PASSWORD = (f"canary-{what}" for what in ("token", "cookie", "query", "password"))
CANARIES = (DATA, METADATA, TAG, STATE, REASON, TOKEN, COOKIE, QUERY, PASSWORD)
TOLD = {"serving", "request", "the relay's broker does not take events", "the query index does not go on"}
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Cookie": f"session={COOKIE}"}


def event() -> NewEvent:
    return NewEvent("Placed", {"text": DATA}, metadata={"who": METADATA}, tags=[TAG])


async def appends_and_conflicts(client: AsyncClient) -> None:
    await client.append("order", "1", [event()])
    await client.append_atomic([])
    await client.append("order", "1", [event()], expected_version=7)


async def groups(client: AsyncClient) -> None:
    await client.groups.create("billing", max_attempts=1)
    pulled = await client.groups.pull("billing", limit=1)
    await client.groups.nack("billing", [one.delivery_id for one in pulled], reason=REASON, park=True)


async def snapshots(client: AsyncClient) -> None:
    await client.save_snapshot("order", "1", version=1, state={"text": STATE})
    await client.save_snapshot("order", "none", version=9, state={"text": STATE})


async def searches(client: AsyncClient) -> None:
    await client.search(SearchQuery(DATA))


async def bad_bodies(url: str) -> None:
    """Each refused in another way, and one caller who goes away in the middle."""
    route = f"{url}/v1/aggregates/order/1/events"
    bodies = (
        f'{{"events": [{{"event_type": "A", "event_data": "{DATA}"', f'["{DATA}"]', f'{{"{DATA}": 1}}', DATA,
        f'{{"events": [{{"event_type": "{DATA}\\u0000", "event_data": 1, "tags": ["{TAG}", 7]}}]}}',
        json.dumps({"events": [{"event_type": "A", "event_data": DATA * 200_000}]}),
    )  # fmt: skip
    async with aiohttp.ClientSession(headers={**HEADERS, "Content-Type": "application/json"}) as session:
        for body in bodies:
            async with session.post(route, data=body) as answer:
                assert answer.status in (400, 413)
        async with session.get(f"{url}/v1/events", params={"tag": TAG, "nothing": QUERY}) as answer:
            assert answer.status == 400
    _, writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"))
    writer.write(
        f"POST /v1/append HTTP/1.1\r\nHost: x\r\nAuthorization: {TOKEN}\r\nContent-Length: 99\r\n\r\n{DATA}".encode()
    )
    await writer.drain()
    writer.close()


async def test_no_log_has_events_nor_secrets(tmp_path: Path) -> None:
    nowhere, grpc = free_port(), f"127.0.0.1:{free_port()}"
    settings = tmp_path / "indelible.toml"
    settings.write_text(
        'access_log = true\nlog_level = "debug"\nverify_every_h = 0.001\n'
        f'[otel]\nendpoint = "http://me:{PASSWORD}@127.0.0.1:{nowhere}"\nsample_ratio = 1\n'
        f'[relays.a]\nto = "nats://me:{PASSWORD}@127.0.0.1:{nowhere}?stream=A&create=true"\n'
        f'[relays.b]\nto = "amqp://me:{PASSWORD}@127.0.0.1:{nowhere}/%2F?exchange=b"\n'
        f'[index]\nstore = "opensearch://me:{PASSWORD}@127.0.0.1:{nowhere}/events"\n'
    )
    server = ServerProcess(
        tmp_path / "store.db", flags=("--config", str(settings), "--grpc", grpc),
        variables={
            "INDELIBLE_LOG_FORMAT": "json", "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "200",
        },
    )  # fmt: skip
    try:
        await server.start()
        for url in (server.url, f"grpc://{grpc}"):
            async with AsyncClient(url, retry_total_s=0, headers=HEADERS) as client:
                for ask in (appends_and_conflicts, groups, snapshots, searches):
                    with contextlib.suppress(IndelibleError):
                        await ask(client)
        await bad_bodies(server.url)
        # What goes on beside the requests comes when it likes.
        await asyncio.to_thread(until, lambda: _told(server.log.read_text("utf-8")) >= TOLD)
        server.terminate()
        assert await server.exit_code() == 0
    finally:
        await server.kill()
    _check(server.log.read_text("utf-8"))


def _told(log: str) -> set[str]:
    """By whole lines."""
    return {json.loads(line)["event"] for line in log[: log.rfind("\n") + 1].splitlines()}


def _check(log: str) -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    assert _told(log) >= TOLD
    assert {line.get("code") for line in lines} >= {None, "invalid_request", "payload_too_large"}
    assert [line for line in log.splitlines() for canary in CANARIES if canary in line] == []


async def test_a_bug_is_told_without_what_it_was_busy_with(tmp_path: Path) -> None:
    """Its traceback has no values of variables."""
    port = free_port()
    program = (
        "import sys, indelible.wire.json_events as wire\n"
        "from indelible.cli.main import main\n"
        "def decode_append(body, *_, **__):\n    event = body.decode()\n    return event.missing\n"
        "wire.decode_append = decode_append\n"
        f"sys.argv = ['indelible', 'serve', '--store', 'memory:', '--http', '127.0.0.1:{port}']\nmain()\n"
    )
    with (tmp_path / "log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stderr=log, env=environment())
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(60):
            while True:
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    body = {"events": [{"event_type": "A", "event_data": DATA}]}
                    async with session.post(
                        f"http://127.0.0.1:{port}/v1/aggregates/order/1/events", json=body
                    ) as answer:
                        assert answer.status == 500
                        break
                await asyncio.sleep(0.05)
    finally:
        server.kill()
        await server.wait()
    text = (tmp_path / "log").read_text()
    assert "AttributeError" in text
    assert DATA not in text
