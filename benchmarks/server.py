"""A server in a process of its own, as users start it, and what the system knows about that process."""

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit


class Server:
    """``indelible serve`` on the database file, or the store with the URL, ``store``. Use as a context manager."""

    def __init__(self, store: Path | str, *flags: str) -> None:
        url = store if isinstance(store, str) else f"sqlite:{store}"
        self._command = [sys.executable, "-m", "indelible.cli.main", "serve", "--store", url]
        self._command += ["--http", "127.0.0.1:0", "--log-format", "json", *flags]

    def __enter__(self) -> Self:
        started = time.perf_counter()
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = self._wait_for_urls()
        self.url = str(said["url"])
        self.grpc_url = str(said["grpc"])
        if self.get("/readyz") is None:
            raise RuntimeError("the server is not ready")
        self.start_s = time.perf_counter() - started
        """From the start of the process to the first answer."""
        return self

    def _wait_for_urls(self) -> dict[str, object]:
        assert self._process.stdout is not None
        printed = []
        for line in self._process.stdout:
            printed.append(line)
            if '"url"' in line:
                found: dict[str, object] = json.loads(line)
                return found
        raise RuntimeError("the server did not start:\n" + "".join(printed))

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        assert self._process.stdout is not None
        said = self._process.stdout.read()
        if self._process.wait() != 0:
            print(f"the server ended with {self._process.returncode}:\n{said}", file=sys.stderr)

    @property
    def pid(self) -> int:
        return self._process.pid

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"GET {path} gave {response.status}: {body[:200]!r}")
        return body

    def head(self) -> int:
        return int(json.loads(self.get("/v1/head"))["position"])

    def memory_bytes(self) -> dict[str, int]:
        """Resident memory: now, and the most since the start."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return {"now": _kib(fields["VmRSS"]), "most": _kib(fields["VmHWM"])}

    def cpu_s(self) -> float:
        """Processor time of all threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _kib(text: str) -> int:
    return int(text.split(maxsplit=1)[0]) * 1024
