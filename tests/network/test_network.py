"""A server that other machines reach, seen from another machine: a network namespace with an address of its own."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest

import measured
from indelible.server.config import NAMES
from indelible.server.grpc.handlers import SERVICES
from indelible.server.http.routes import ROUTES
from network.authority import Authority

HERE, THERE = "10.233.0.1", "10.233.0.2"
"""The server's address, and that of who probes it."""
PORT = 8443
INDELIBLE: Final = Path(sys.executable).with_name("indelible")
_PROBE = """
import json, ssl, sys, urllib.error, urllib.request
url, asked, ca, *certificate = sys.argv[1:]
context = ssl.create_default_context(cafile=ca) if ca else None
if certificate:
    context.load_cert_chain(*certificate)
found = {}
for one in json.loads(asked):
    method, _, path = one.rpartition(" ")
    request = urllib.request.Request(url + path, method=method or "GET", data=b"{}" if method == "POST" else None)
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            found[one] = answer.status
    except urllib.error.HTTPError as error:
        found[one] = error.code
    except OSError as error:
        found[one] = str(error)
print(json.dumps(found))
"""
_PROBE_GRPC = """
import json, sys, grpc
target, asked, ca = sys.argv[1:]
channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(open(ca, "rb").read()))
found = {}
for path in json.loads(asked):
    call = channel.stream_stream(path, lambda message: message, lambda message: message)
    try:
        found[path] = [str(answer) for answer in call(iter([b""]), timeout=30)]
    except grpc.RpcError as error:
        found[path] = error.code().name
print(json.dumps(found))
"""


class Network(NamedTuple):
    """Two namespaces that are joined, each by the id of a process within it."""

    server: int
    prober: int

    def inside(self, at: int, *command: object) -> list[str]:
        return ["nsenter", "--net", "--target", str(at), *map(str, command)]

    def probe(
        self, url: str, asked: Sequence[str], ca: object = "", *certificate: object, by: str = _PROBE
    ) -> dict[str, object]:
        """What each answers: a status, or why there is none."""
        command = self.inside(self.prober, sys.executable, "-c", by, url, json.dumps(asked), ca, *certificate)
        made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        found: dict[str, object] = json.loads(made.stdout)
        return found


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    holders = [subprocess.Popen(["unshare", "--net", "sleep", "3600"], stderr=subprocess.PIPE) for _ in range(2)]
    try:
        server, prober = (holder.pid for holder in holders)
        _wait_for_namespaces(holders)
        found = Network(server, prober)
        for command in (
            ["ip", "link", "add", "here", "netns", server, "type", "veth", "peer", "name", "there", "netns", prober],
            found.inside(server, "ip", "address", "add", f"{HERE}/24", "dev", "here"),
            found.inside(server, "ip", "link", "set", "here", "up"),
            found.inside(server, "ip", "link", "set", "lo", "up"),
            found.inside(prober, "ip", "address", "add", f"{THERE}/24", "dev", "there"),
            found.inside(prober, "ip", "link", "set", "there", "up"),
        ):
            made = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
            if made.returncode:
                pytest.skip(f"network namespaces cannot be joined here: {made.stderr.strip()}")
        yield found
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()


def _wait_for_namespaces(holders: list[subprocess.Popen[bytes]]) -> None:
    own = Path("/proc/self/ns/net").readlink()
    for holder in holders:
        give_up_at = time.monotonic() + 60
        while Path(f"/proc/{holder.pid}/ns/net").readlink() == own:
            if holder.poll() is not None:
                assert holder.stderr is not None
                pytest.skip(f"network namespaces are not allowed here: {holder.stderr.read().decode().strip()}")
            assert time.monotonic() < give_up_at
            time.sleep(0.01)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def _serve(network: Network, folder: Path, *flags: str) -> "subprocess.Popen[bytes]":
    command = network.inside(network.server, INDELIBLE, "serve", "--store", "memory:", *flags)
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env={**os.environ, **measured.environment()}
        )


def _wait_until_reached(network: Network, url: str, ca: object, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(60):
        if process.poll() is None and network.probe(url, ["/livez"], ca) == {"/livez": 200}:
            return
    raise AssertionError("the server is not reached")


@pytest.mark.parametrize("table", ["", "[tls]"])
def test_a_fresh_server_does_not_listen_where_others_reach_it(
    network: Network, authority: Authority, tmp_path: Path, table: str
):
    if table:
        certificate, key = authority.certify("server", HERE)
        (tmp_path / "indelible.toml").write_text(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n')
    with _serve(network, tmp_path, "--http", f"0.0.0.0:{PORT}") as process:
        assert process.wait(timeout=120) == 2
    assert "[access]" in (tmp_path / "server.log").read_text()
    refused = network.probe(f"http://{HERE}:{PORT}", ["/livez"])
    assert "refused" in str(refused["/livez"])


def test_what_listens_on_this_machine_alone_is_not_reached(network: Network, tmp_path: Path):
    with _serve(network, tmp_path, "--http", f"127.0.0.1:{PORT}") as process:
        try:
            log = tmp_path / "server.log"
            for _ in range(6_000):
                if "serving" in log.read_text():
                    break
                time.sleep(0.01)
            assert "refused" in str(network.probe(f"http://{HERE}:{PORT}", ["/livez"])["/livez"])
        finally:
            process.terminate()


def test_who_says_that_it_is_meant_is_served_over_tls(network: Network, authority: Authority, tmp_path: Path):
    certificate, key = authority.certify("server", HERE)
    (tmp_path / "indelible.toml").write_text(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n')
    with _serve(network, tmp_path, "--http", f"{HERE}:{PORT}", "--insecure") as process:
        try:
            _wait_until_reached(network, f"https://{HERE}:{PORT}", authority.ca, process)
            plain = network.probe(f"http://{HERE}:{PORT}", ["/livez", "/v1/head"])
            assert all(isinstance(found, str) for found in plain.values())
        finally:
            process.terminate()


GUARDED = """
[tls]
certificate = "{certificate}"
key = "{key}"
client_ca = "{ca}"

[access.certificates]
reporting = ["read:*"]
"""


@pytest.mark.skipif("access" not in NAMES, reason="there is no access control yet")
def test_a_fresh_server_that_is_guarded_shows_nothing_but_that_it_is_alive(
    network: Network, authority: Authority, tmp_path: Path
):
    certificate, key = authority.certify("server", HERE)
    configuration = GUARDED.format(certificate=certificate, key=key, ca=authority.ca)
    (tmp_path / "indelible.toml").write_text(configuration)
    everywhere = ("--http", f"0.0.0.0:{PORT}", "--grpc", f"0.0.0.0:{PORT + 1}")
    with _serve(network, tmp_path, *everywhere) as process:
        try:
            url = f"https://{HERE}:{PORT}"
            _wait_until_reached(network, url, authority.ca, process)
            asked = [f"{one.operation.method} {re.sub('{.*?}', 'x', one.operation.path)}" for one in ROUTES]
            asked += [
                "GET /",
                "GET /nothing",
                "GET /v1",
                "OPTIONS /v1/head",
                "GET /livez/",
                "GET //livez",
                "GET /LIVEZ",
            ]
            found = network.probe(url, asked, authority.ca)
            assert found.pop("GET /livez") == 200
            assert {one: status for one, status in found.items() if status != 401} == {}
            methods = [f"/{service}/{method.name}" for service, own in SERVICES.items() for method in own]
            methods += [
                "/grpc.health.v1.Health/Check",
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                "/x/y",
            ]
            over_grpc = network.probe(f"{HERE}:{PORT + 1}", methods, authority.ca, by=_PROBE_GRPC)
            assert {one: status for one, status in over_grpc.items() if status != "UNAUTHENTICATED"} == {}
            # Who shows a certificate that the configuration knows is somebody.
            own = authority.certify("reporting", common_name="reporting")
            assert network.probe(url, ["/v1/head", "/v1/keys"], authority.ca, *own) == {
                "/v1/head": 200,
                "/v1/keys": 403,
            }
        finally:
            process.terminate()
