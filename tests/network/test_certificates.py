"""The server's certificate: which files are taken, what is told of them, and how new ones are taken up."""

import asyncio
import ssl
import time
from pathlib import Path

import msgspec
import pytest
import structlog

from indelible.errors import InvalidRequest
from indelible.server import tls
from indelible.server.certificate_times import not_after
from indelible.server.config import load_settings
from indelible.server.network_settings import TlsSettings
from indelible.server.tls import Certificates
from network.authority import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def files(authority: Authority) -> TlsSettings:
    certificate, key = authority.certify("server", "127.0.0.1")
    return TlsSettings(str(certificate), str(key), str(authority.ca))


@pytest.mark.parametrize("days", [1, 30, 365 * 20, 365 * 40])
def test_when_a_certificate_expires(authority: Authority, days: int):
    """The last is beyond 2049, and so written otherwise."""
    certificate, _ = authority.certify("timed", "x", days=days)
    assert not_after(certificate) == pytest.approx(time.time() + days * 86_400, abs=60)


def _read(file: str) -> bytes:
    return Path(file).read_bytes()


def _write(file: Path | str, content: bytes) -> None:
    Path(file).write_bytes(content)


async def _refused(settings: TlsSettings) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        Certificates(settings)
    return caught.value


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
async def test_a_file_that_is_missing_is_named(files: TlsSettings, tmp_path: Path, name: str):
    error = await _refused(msgspec.structs.replace(files, **{name: str(tmp_path / "none.pem")}))
    assert error.pointer == f"/tls/{name}"
    assert "none.pem: No such file" in error.message


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
async def test_a_file_that_holds_something_else_is_named(files: TlsSettings, tmp_path: Path, name: str):
    (tmp_path / "bad.pem").write_text("-----BEGIN NOTHING-----\n")
    error = await _refused(msgspec.structs.replace(files, **{name: str(tmp_path / "bad.pem")}))
    assert (error.pointer, "bad.pem" in error.message) == (f"/tls/{name}", True)


async def test_a_key_of_another_certificate_is_refused(files: TlsSettings, authority: Authority):
    _, other = authority.certify("other", "127.0.0.1")
    error = await _refused(msgspec.structs.replace(files, key=str(other)))
    assert error.pointer == "/tls/key"
    assert "is not the key of the certificate" in error.message


async def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(files: TlsSettings, tmp_path: Path):
    assert files.key is not None
    encrypted = tmp_path / "encrypted.key"
    made = await asyncio.create_subprocess_exec(
        "openssl", "pkey", "-in", files.key, "-aes256", "-passout", "pass:secret", "-out", str(encrypted)
    )
    assert await made.wait() == 0
    error = await _refused(msgspec.structs.replace(files, key=str(encrypted)))
    assert (error.pointer, "is encrypted" in error.message) == ("/tls/key", True)


async def test_certificate_and_key_may_stand_in_one_file(files: TlsSettings, tmp_path: Path):
    both = tmp_path / "both.pem"
    assert files.key is not None
    _write(both, _read(files.certificate) + _read(files.key))
    Certificates(TlsSettings(str(both)))


async def test_an_expired_certificate_is_warned_of(authority: Authority):
    certificate, key = authority.certify("expired", "127.0.0.1", days=-1)
    with structlog.testing.capture_logs() as logs:
        found = Certificates(TlsSettings(str(certificate), str(key)))
        found.warn()
    assert found.why_not_valid is not None
    assert [(one["log_level"], "has expired" in one["event"]) for one in logs] == [("warning", True)]
    (family,) = found.gauges()
    assert family.samples[0].value == found.expires < time.time()


def test_what_the_table_may_not_say(tmp_path: Path):
    for table, pointer, message in (
        ('key = "k"', "/tls", "missing required field `certificate`"),
        ('certificate = "c"\nminimum_version = "1.1"', "/tls/minimum_version", "1.1"),
        ('certificate = "c"\ncyphers = "x"', "/tls", "cyphers"),
    ):
        (tmp_path / "bad.toml").write_text(f"[tls]\n{table}\n")
        with pytest.raises(InvalidRequest) as caught:
            load_settings(config_file=tmp_path / "bad.toml", environ={})
        assert caught.value.pointer == pointer
        assert message in caught.value.message


async def test_what_is_offered(files: TlsSettings):
    context = Certificates(files).context("h2")
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert context.verify_mode == ssl.CERT_OPTIONAL
    off = ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    assert context.options & off == off
    older = Certificates(msgspec.structs.replace(files, minimum_version="1.2")).context("h2")
    assert older.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_new_files_are_taken_up_and_bad_ones_are_not(
    files: TlsSettings, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tls, "TLS_FILES_LOOK_S", 0.01)
    certificates = Certificates(files)
    first = certificates.context("h2")
    keeping_up = asyncio.create_task(certificates.keep_up())

    async def until(event: str) -> None:
        for _ in range(6_000):
            if any(event in one["event"] for one in logs):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(logs)

    with structlog.testing.capture_logs() as logs:
        authority.certify("server", "127.0.0.1", days=60)
        await until("a new certificate is used")
        second = certificates.context("h2")
        assert second is not first
        _write(files.certificate, b"half of")
        await until("the old one stays")
        assert certificates.context("h2") is second
        logs.clear()
        authority.certify("server", "127.0.0.1", days=90)
        await until("a new certificate is used")
        logs.clear()
        # SIGHUP: the same files are read again.
        before = certificates.context("h2")
        certificates.look_now()
        await until("a new certificate is used")
        assert certificates.context("h2") is not before
    assert certificates.expires == pytest.approx(time.time() + 90 * 86_400, abs=60)
    keeping_up.cancel()
