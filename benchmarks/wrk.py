"""HTTP load by wrk, on one thread so that it takes little of the cores that it shares with the server."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.server import Server
from benchmarks.stores import Options

SCRIPT = Path(__file__).with_name("requests.lua")
TIMEOUT_S = 60
"""What is slow is seen in the latencies; an error is what is not answered at all."""
DURATION_MOST_S = 64
"""A load that got no answer at all, on a busy machine, is put on again for twice as long, up to this."""


class Load(NamedTuple):
    """What wrk measured. ``errors`` counts answers that are not 2xx or 3xx, broken connections and time-outs."""

    requests: int
    duration_s: float
    received_bytes: int
    errors: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    server_cpu: float
    """Cores that the server used."""

    @property
    def per_s(self) -> float:
        return self.requests / self.duration_s

    @property
    def server_use(self) -> str:
        """What a request cost the server: this stays the same when other programs take turns on the cores."""
        cpu_us = self.server_cpu * self.duration_s / max(self.requests, 1) * 1e6
        return f"the server used {self.server_cpu:.2f} cores, {cpu_us:,.0f} µs a request"

    @property
    def latencies_ms(self) -> dict[str, float]:
        return {"p50": self.p50_ms, "p99": self.p99_ms, "p99.9": self.p999_ms, "max": self.max_ms}


def load(
    server: Server,
    options: Options,
    method: str,
    paths: Iterable[str],
    *,
    connections: int,
    body: bytes | None = None,
    accept: str | None = None,
    token: str | None = None,
) -> Load:
    """Requests to random paths, after a warm-up. ``EVENT_ID`` in the body becomes a fresh UUID, ``PATH_NUMBER`` the
    number of the path."""
    with tempfile.TemporaryDirectory(prefix="indelible-wrk-") as folder:
        arguments = [method, f"{folder}/paths"]
        Path(arguments[1]).write_text("\n".join(paths) + "\n", "ascii")
        if body is not None:
            arguments.append(f"{folder}/body")
            Path(arguments[2]).write_bytes(body)
        headers = ["--header", f"Accept: {accept}"] if accept else []
        headers += ["--header", f"Authorization: Bearer {token}"] if token else []
        if options.warm_up_s:
            _wrk(server, connections, options.warm_up_s, headers, arguments)
        cpu_s = server.cpu_s()
        result = _wrk(server, connections, options.duration_s, headers, arguments)
        return Load(**result, server_cpu=(server.cpu_s() - cpu_s) / result["duration_s"])


def _wrk(server: Server, connections: int, duration_s: int, headers: list[str], arguments: list[str]) -> dict[str, Any]:
    program = shutil.which("wrk")
    if program is None:
        raise FileNotFoundError("wrk is not installed; Debian has it in the package wrk")
    command = [program, "--threads", "1", "--connections", str(connections), "--duration", f"{duration_s}s"]
    command += ["--timeout", f"{TIMEOUT_S}s", "--script", str(SCRIPT), *headers, server.url, "--", *arguments]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    result: dict[str, Any] = json.loads(printed.partition("RESULT ")[2])
    if result["requests"] == 0 and 0 < 2 * duration_s <= DURATION_MOST_S:
        return _wrk(server, connections, 2 * duration_s, headers, arguments)
    return result
