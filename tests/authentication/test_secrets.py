"""Secrets are told once, to who made them: no log, no error, no list of processes and no setting shows them."""

import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from authentication.issuer import AUDIENCE, ISSUER, SECRET, token
from cli.running import COMMAND, Ran, environment, server
from indelible.cli.main import main
from indelible.errors import InvalidRequest
from indelible.keys import is_key, key_id_of, make_key
from indelible.server.config import load_settings

CONFIG = f"""
log_level = "debug"
[access.jwt]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
secret_file = "secret"
"""
Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, with this token in its environment."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str, bearer: str = "") -> Ran:
        monkeypatch.setenv("INDELIBLE_TOKEN", bearer)
        code = main(args)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


def asked(url: str, bearer: str) -> str:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {bearer}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text: bytes = answer.read()
    except urllib.error.HTTPError as error:
        text = error.read()
    return text.decode()


def command_lines() -> str:
    """As ``ps`` shows them."""
    return subprocess.run(["ps", "-eo", "args", "-ww"], capture_output=True, text=True, check=True).stdout


def test_a_server_shows_no_secret(tmp_path: Path, run: Run):
    store = f"sqlite:{tmp_path}/x.db"
    (tmp_path / "indelible.toml").write_text(CONFIG)
    (tmp_path / "secret").write_bytes(SECRET.raw_value)
    made = run("key", "create", "--store", store, "--name", "root", "--grant", "admin:*")
    admin = made.out.strip()
    assert is_key(admin)
    assert admin not in made.err
    stranger, jwt, forged = make_key()[0], token(SECRET, "HS256"), token(SECRET, "HS256", aud="others")
    with server(tmp_path, "--grpc", "127.0.0.1:0") as (url, _):
        told = [asked(f"{url}/v1/head", one) for one in (admin, stranger, jwt, forged, admin + "x")]
        told += [asked(f"{url}/metrics", admin), asked(f"{url}/readyz?verbose", admin)]
        child = subprocess.Popen(
            [COMMAND, "tail", "--url", url, "--after", "0", "--aggregate-type", "$key"], cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(INDELIBLE_TOKEN=admin),
        )  # fmt: skip
        assert child.stdout is not None
        told += [child.stdout.readline(), command_lines()]
        child.terminate()
        told.append(child.communicate(timeout=60)[0])
        assert "indelible tail" in told[-2]
        for command in (
            ("key", "list"),
            ("audit",),
            ("feed", "--json"),
            ("config", "show"),
            ("config", "show", "--json"),
        ):
            place = () if command[0] == "config" else ("--url", url)
            for bearer in (admin, stranger):
                ran = run(*command, *place, bearer=bearer)
                assert (ran.code == 0) is (bearer == admin or command[0] == "config"), ran
                told += [ran.out, ran.err]
    log = (tmp_path / "server.err").read_text()
    assert "serving" in log
    for secret in (admin, stranger, jwt, forged, SECRET.raw_value.decode()):
        for text in [*told, log]:
            assert secret not in text
    assert key_id_of(admin) in "".join(told)


def test_a_token_in_the_settings_is_checked_and_not_shown(tmp_path: Path):
    (tmp_path / "c.toml").write_text('token = "two words"')
    with pytest.raises(InvalidRequest) as refused:
        load_settings({}, config_file=tmp_path / "c.toml", environ={})
    assert refused.value.pointer == "/token"
    assert "two words" not in str(refused.value)


def test_a_key_of_a_store(tmp_path: Path, run: Run):
    """Offline, for the first one."""
    place = ("--store", f"sqlite:{tmp_path}/x.db")
    for wrong in ("90", "d", "1.5h", "-1d", "0d", "99999999d"):
        refused = run("key", "create", *place, "--name", "a", "--grant", "read:*", "--expires", wrong)
        assert (refused.code, refused.out) == (2, ""), wrong
        assert "expires" in refused.err
    made = run("key", "create", *place, "--name", "a", "--grant", "read:*", "--expires", "90d", "--json")
    key_id = key_id_of(made.out.split('"')[3])
    assert f"{key_id}  a     valid  read:*" in run("key", "list", *place).out
    assert run("key", "revoke", key_id, *place).out == f"key {key_id} (a) is revoked\n"
    assert run("key", "revoke", "0" * 16, *place).code == 4
    assert run("audit", *place).out == ""
