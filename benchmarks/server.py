"""A server in a process of its own, as users start it, and what it says."""

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from benchmarks.process import Process


class Server(Process):
    """``indelible serve`` on the database file, or the store with the URL, ``store``. Use as a context manager."""

    def __init__(self, store: Path | str, *flags: str) -> None:
        url = store if isinstance(store, str) else f"sqlite:{store}"
        self._command = [sys.executable, "-m", "indelible.cli.main", "serve", "--store", url]
        self._command += ["--http", "127.0.0.1:0", "--log-format", "json", *flags]

    def __enter__(self) -> Self:
        started = time.perf_counter()
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.pid = self._process.pid
        said = self._wait_for_urls()
        self.url = str(said["url"])
        self.grpc_url = str(said["grpc"])
        self.esdb_url = str(said["esdb"])
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

    def get(self, path: str, accept: str = "*/*") -> bytes:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"GET {path} gave {response.status}: {body[:200]!r}")
        return body

    def post(self, path: str, body: bytes) -> int:
        """The answer's status."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
        connection.close()
        return status

    def head(self) -> int:
        return int(json.loads(self.get("/v1/head"))["position"])
