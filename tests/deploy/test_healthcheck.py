"""What the image asks its own server by."""

import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "docker" / "healthcheck.py"
TOKEN = "the one"


class _Handler(BaseHTTPRequestHandler):
    """/livez is open; /readyz is for those with the token."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == f"Bearer {TOKEN}"
        self.send_response(200 if self.path == "/livez" or (self.path == "/readyz" and known) else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def server(*, with_tls: bool) -> Iterator[int]:
    listener = HTTPServer(("127.0.0.1", 0), _Handler)
    if with_tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("indelible.internal").configure_cert(context)
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    serving = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield int(listener.server_port)
    finally:
        listener.shutdown()
        serving.join()
        listener.server_close()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """With more patience: the server here has to share its process with the tests."""
    text, patient = SCRIPT.read_text("utf-8"), tmp_path / SCRIPT.name
    assert "\nTIMEOUT_S = 2\n" in text
    patient.write_text(text.replace("\nTIMEOUT_S = 2\n", "\nTIMEOUT_S = 50\n"), "utf-8")
    return patient


def exit_code(script: Path, port: int, *arguments: str, token: str = "") -> int:
    environ = {**os.environ, "INDELIBLE_HTTP": f"0.0.0.0:{port}", "INDELIBLE_TOKEN": token}
    command = [sys.executable, "-I", str(script), *arguments]
    return subprocess.run(command, env=environ, timeout=120, check=False).returncode


@pytest.mark.parametrize("with_tls", [False, True])
def test_a_server_that_answers_well_is_told_from_one_that_does_not(script: Path, *, with_tls: bool) -> None:
    with server(with_tls=with_tls) as port:
        assert exit_code(script, port) == 0
        assert exit_code(script, port, "/readyz") == 1
        assert exit_code(script, port, "/readyz", token=TOKEN) == 0
    assert exit_code(script, port) == 1
