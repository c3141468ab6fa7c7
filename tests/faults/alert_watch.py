"""A real Prometheus with the deployed alert rules, and a real Alertmanager that tells this process what fires."""

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from deploy.rules import RULES
from postgres.server import free_port

START_TIMEOUT_S = 60.0
THRESHOLDS = {
    "indelible_index_lag_seconds) > 120": "indelible_index_lag_seconds) > 2",
    "indelible_relay_lag_seconds) > 60": "indelible_relay_lag_seconds) > 2",
    'indelible_search_index_lag_seconds{generation="serving"}) > 60': (
        'indelible_search_index_lag_seconds{generation="serving"}) > 2'
    ),
    "indelible_wal_size_bytes) > 512 * 1024 * 1024": "indelible_wal_size_bytes) > 6 * 1024 * 1024",
}
"""That are times, or would take much space: a test need not wait for so much. The others stay."""


def hastened(rules: str) -> str:
    """The rules for whoever cannot wait: what has to last lasts for a second, and what is looked back on is shorter."""
    rules = re.sub(r"\bfor: \d+\w", "for: 1s", rules)
    rules = re.sub(r"\[15m\]", "[60s]", rules)
    rules = re.sub(r"\[(\d+)[mh]\]", "[10s]", rules)
    for usual, lower in THRESHOLDS.items():
        assert usual in rules, usual
        rules = rules.replace(usual, lower)
    return rules


class AlertWatch:
    """What has fired since the watch began: by alert, the labels of each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._targets = folder / "targets.json"
        self._fired: list[Mapping[str, str]] = []
        self._news = asyncio.Event()

    def watch(self, *urls: str) -> None:
        """These servers, and no others any more."""
        parts = [urlsplit(url) for url in urls]
        targets = [{"targets": [one.netloc], "labels": {"__scheme__": one.scheme}} for one in parts]
        written = self._targets.with_suffix(".new")
        written.write_text(json.dumps(targets))
        written.rename(self._targets)

    def hear(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        self._fired += [alert["labels"] for alert in alerts if alert["status"] == "firing"]
        self._news.set()

    def fired(self, name: str = "", **labels: str) -> list[Mapping[str, str]]:
        wanted = labels.items() | ({("alertname", name)} if name else set())
        return [one for one in self._fired if wanted <= one.items()]

    async def until_fired(self, name: str, timeout_s: float = 150.0, **labels: str) -> float:
        """How long it took from now, in seconds."""
        began = time.monotonic()
        async with asyncio.timeout(timeout_s):
            while not self.fired(name, **labels):
                self._news.clear()
                await self._news.wait()
        return time.monotonic() - began


@contextlib.asynccontextmanager
async def alert_watch(folder: Path) -> AsyncIterator[AlertWatch]:
    """Both programs run in ``folder`` while the context is open."""
    watch = AlertWatch(folder)
    watch.watch()
    hook, prometheus, alertmanager = free_port(), free_port(), free_port()
    (folder / "alerts.yml").write_text(hastened(RULES.read_text("utf-8")))
    (folder / "prometheus.yml").write_text(
        # A server whose database is gone takes two waits for its answer.
        "global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s}\n"
        "rule_files: [alerts.yml]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}\n"
        "scrape_configs: [{job_name: indelible, tls_config: {insecure_skip_verify: true}, "
        "file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]}]\n"
    )
    (folder / "alertmanager.yml").write_text(
        "route: {receiver: test, group_by: ['...'], group_wait: 0s, group_interval: 1s}\n"
        f"receivers: [{{name: test, webhook_configs: [{{url: 'http://127.0.0.1:{hook}/'}}]}}]\n"
    )
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(_hearing(watch, hook))
        stack.enter_context(
            _running(
                folder, "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alertmanager",
                f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address=",
            )
        )  # fmt: skip
        stack.enter_context(
            _running(
                folder, "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=prometheus",
                f"--web.listen-address=127.0.0.1:{prometheus}", "--enable-feature=exemplar-storage",
            )
        )  # fmt: skip
        for port in (alertmanager, prometheus):
            await _listening(port)
        yield watch


@contextlib.asynccontextmanager
async def _hearing(watch: AlertWatch, port: int) -> AsyncIterator[None]:
    async def hear(request: web.Request) -> web.Response:
        watch.hear((await request.json())["alerts"])
        return web.Response()

    app = web.Application()
    app.router.add_post("/", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def _running(folder: Path, name: str, *arguments: str) -> Any:
    command = shutil.which(name)
    assert command is not None, f"install {name}"
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([command, *arguments], cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def _listening(port: int) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)
