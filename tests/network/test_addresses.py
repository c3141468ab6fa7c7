"""Where a server may listen without saying who may come."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from indelible.errors import InvalidRequest
from indelible.server.config import Address, EsdbSettings, WireSettings
from indelible.server.network_settings import TlsSettings, check_addresses

TLS = TlsSettings("certificate.pem")
HERE, EVERYWHERE = Address("127.0.0.1", 8080), Address("0.0.0.0", 8080)


def _settings(**given: object) -> SimpleNamespace:
    usual = {"http": HERE, "grpc": None, "wire": WireSettings(), "insecure": False, "tls": None, "access": None}
    return SimpleNamespace(**{**usual, **given})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_alone(host: str):
    check_addresses(_settings(http=Address(host, 1), grpc=Address(host, 2)))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "example.org", "::ffff:192.0.2.1"])
def test_addresses_that_others_reach(host: str):
    with pytest.raises(InvalidRequest, match=r"no \[access\] and no \[tls\].*--insecure") as caught:
        check_addresses(_settings(grpc=Address(host, 1)))
    assert caught.value.pointer == "/grpc"
    with pytest.raises(InvalidRequest) as caught:
        check_addresses(_settings(wire=WireSettings(EsdbSettings(Address(host, 1)))))
    assert caught.value.pointer == "/wire/esdb/address"


@pytest.mark.parametrize(("given", "missing"), [({"tls": TLS}, "access"), ({"access": object()}, "tls")])
def test_one_of_both_is_not_enough(given: dict[str, object], missing: str):
    with pytest.raises(InvalidRequest, match=rf"has no \[{missing}\] to keep"):
        check_addresses(_settings(http=EVERYWHERE, **given))


@pytest.mark.parametrize("given", [{"tls": TLS, "access": object()}, {"insecure": True}])
def test_both_or_a_word_that_it_is_meant(given: dict[str, object]):
    check_addresses(_settings(http=EVERYWHERE, grpc=EVERYWHERE, **given))


def test_the_command_says_what_to_do(tmp_path: Path):
    made = subprocess.run(
        [Path(sys.executable).with_name("indelible"), "serve", "--store", "memory:", "--http", "0.0.0.0:0"],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert made.returncode == 2
    assert made.stderr.startswith("indelible: http: other machines can reach 0.0.0.0:0")
