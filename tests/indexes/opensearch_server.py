"""A real OpenSearch node that tests start, kill and start again, on jars that ``make .opensearch/.fetched`` brings."""

import contextlib
import http.client
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from java_server import TIMEOUT_S, JavaServer, fetched, prepare
from postgres.server import free_port

_LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


class OpenSearchServer(JavaServer):
    """In ``folder``, which is empty; its port stays whatever is done to it."""

    home = fetched(".opensearch")

    def __init__(self, folder: Path, *, large: bool = False) -> None:
        super().__init__(folder)
        if large:
            self.jvm = ("-XX:+UseSerialGC", "-Xshare:auto")
        self._heap = "-Xmx512M" if large else "-Xmx384M"
        self.port, self._transport_port = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._numbers = itertools.count(1)
        (folder / "config").mkdir()
        (folder / "log4j2.properties").write_text(_LOGGING)

    def arguments(self) -> Sequence[str | Path]:
        return [
            self._heap, f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}", "-Dlog4j2.disable.jmx=true",
            "TestNode", self.folder, str(self.port), str(self._transport_port),
        ]  # fmt: skip

    def answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.call("GET", "/_cluster/health?timeout=1s&wait_for_status=yellow").get("timed_out") is False
        return False

    def call(self, method: str, path: str, body: object = None) -> Any:
        """What the node says, whatever the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"content-type": "application/json"})
            return json.loads(connection.getresponse().read() or b"{}")
        finally:
            connection.close()

    @contextlib.contextmanager
    def prefix(self) -> Iterator[str]:
        """That nobody has used. What has it is removed after, as each index makes all else slower."""
        prefix = f"t{next(self._numbers)}"
        try:
            yield prefix
        finally:
            self.call("DELETE", f"/{prefix}-*")

    def indices(self, prefix: str) -> list[str]:
        return sorted(self.call("GET", f"/{prefix}-*/_alias?expand_wildcards=all"))


@contextlib.contextmanager
def opensearch_server(*, large: bool = False) -> Iterator[OpenSearchServer]:
    """``large``: slower to start, and quicker then."""
    prepare(OpenSearchServer.home, OpenSearchServer)
    with tempfile.TemporaryDirectory() as folder:
        server = OpenSearchServer(Path(folder), large=large)
        server.start()
        try:
            yield server
        finally:
            server.close()
