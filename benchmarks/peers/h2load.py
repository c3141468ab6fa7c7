"""Load over HTTP/2 or HTTP/1.1 by h2load: one thread, and one body for all requests."""

import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.process import Process

GRPC: Final = ("content-type: application/grpc", "te: trailers")
GRPC_CONNECTIONS: Final = 4


class Done(NamedTuple):
    """What h2load measured, and what the server used meanwhile."""

    succeeded: int
    errors: int
    """Answers that are not 2xx, and requests without one. What gRPC says in trailers is not among them: so count what
    has been stored."""
    duration_s: float
    data_bytes: int
    """Of all answers' bodies."""
    cpu_s: float
    p99_ms: float

    @property
    def per_s(self) -> float:
        return self.succeeded / self.duration_s


def grpc_frame(message: bytes) -> bytes:
    """A message as it stands in a request's body: not compressed, its length before it."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def h2load(
    server: Process,
    url: str,
    *,
    clients: int = 1,
    streams: int = 1,
    requests: int | None = None,
    duration_s: int = 0,
    body: bytes | None = None,
    headers: Sequence[str] = (),
    http1: bool = False,
) -> Done:
    """So many requests, or as many as there is time for."""
    program = shutil.which("h2load")
    if program is None:
        raise FileNotFoundError("h2load is not installed; Debian has it in the package nghttp2-client")
    with tempfile.TemporaryDirectory(prefix="indelible-h2load-") as folder:
        log = Path(folder, "log")
        command = [program, "--threads=1", f"--clients={clients}", f"--max-concurrent-streams={streams}"]
        command += [f"--log-file={log}", *(f"--header={header}" for header in headers)]
        command += [f"--duration={duration_s}"] if requests is None else [f"--requests={requests}"]
        command += ["--no-tls-proto=http/1.1"] if http1 else []
        if body is not None:
            command.append(f"--data={folder}/body")
            Path(folder, "body").write_bytes(body)
        cpu_s = server.cpu_s()
        printed = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
        cpu_s = server.cpu_s() - cpu_s
        times_us = [int(line.rsplit("\t", 1)[1]) for line in log.read_text("ascii").splitlines()]
    return parse(printed, times_us, cpu_s)


def parse(printed: str, times_us: Sequence[int], cpu_s: float) -> Done:
    finished = re.search(r"finished in ([\d.]+)(us|ms|s|m)\b", printed)
    counts = {name: int(count) for count, name in re.findall(r"(\d+) (done|succeeded|failed|timeout)\b", printed)}
    data = re.search(r"\((\d+)\) data", printed)
    if finished is None or data is None or not counts.get("succeeded"):
        raise RuntimeError(f"h2load got no answer:\n{printed}")
    duration_s = float(finished[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[finished[2]]
    p99_us = statistics.quantiles(times_us, n=100)[98] if len(times_us) > 1 else times_us[0]
    return Done(
        counts["succeeded"], counts["failed"] + counts["timeout"], duration_s, int(data[1]), cpu_s, p99_us / 1_000
    )
