"""Flags override INDELIBLE_* variables, those override a TOML file, that the defaults."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from indelible.errors import InvalidRequest
from indelible.server.config import NAMES, Address, Settings, load_settings

DEFAULTS = Settings()


def shown(run: Run, *args: str, **env: str) -> dict[str, Any]:
    ran = run("config", "show", "--json", *args, **env)
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_defaults(run: Run) -> None:
    found = shown(run)
    assert tuple(found) == NAMES
    assert {one["source"] for one in found.values()} == {"default"}
    assert found["store"]["value"] == "sqlite:data/indelible.db"
    assert found["http"]["value"] == "127.0.0.1:8080"


def test_precedence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "indelible.toml").write_text('store = "sqlite:toml.db"\nlog_level = "error"\nshutdown_grace_s = 3\n')
    env = {"INDELIBLE_STORE": "sqlite:env.db", "INDELIBLE_HTTP": "[::1]:81", "INDELIBLE_LOG_FORMAT": ""}
    found = shown(run, "--store", "sqlite:flag.db", **env)
    assert found == {
        "store": {"value": "sqlite:flag.db", "source": "--store"},
        "url": {"value": None, "source": "default"},
        "http": {"value": "[::1]:81", "source": "INDELIBLE_HTTP"},
        "grpc": {"value": None, "source": "default"},
        "wire": {"value": None, "source": "default"},
        "workers": {"value": 1, "source": "default"},
        "log_format": {"value": "auto", "source": "default"},
        "log_level": {"value": "error", "source": "indelible.toml"},
        "access_log": {"value": False, "source": "default"},
        "verify_every_h": {"value": 0.0, "source": "default"},
        "shutdown_grace_s": {"value": 3.0, "source": "indelible.toml"},
        "drain_delay_s": {"value": 0.0, "source": "default"},
        "insecure": {"value": False, "source": "default"},
        "tls": {"value": None, "source": "default"},
        "limits": {"value": None, "source": "default"},
        "tls_ca": {"value": None, "source": "default"},
        "tls_certificate": {"value": None, "source": "default"},
        "tls_key": {"value": None, "source": "default"},
        "partition_keys": {"value": None, "source": "default"},
        "relays": {"value": None, "source": "default"},
        "index": {"value": None, "source": "default"},
        "otel": {"value": None, "source": "default"},
        "access": {"value": None, "source": "default"},
        "token": {"value": None, "source": "default"},
    }
    assert shown(run, **env)["store"] == {"value": "sqlite:env.db", "source": "INDELIBLE_STORE"}
    assert shown(run)["store"] == {"value": "sqlite:toml.db", "source": "indelible.toml"}


def test_tables_are_shown_in_short(run: Run, tmp_path: Path) -> None:
    (tmp_path / "indelible.toml").write_text(
        '[tls]\ncertificate = "c.pem"\n[limits]\nevents_per_s = 5\n[limits.principals.big]\nevents_per_s = 9\n'
    )
    found = shown(run)
    assert (found["tls"]["value"], found["limits"]["value"]) == ("c.pem", "events_per_s 5.0, principals big")


def test_the_file_that_is_named_is_read(run: Run, tmp_path: Path) -> None:
    for name in ("indelible", "env", "flag"):
        (tmp_path / f"{name}.toml").write_text(f'store = "sqlite:{name}.db"')
    assert shown(run)["store"]["source"] == "indelible.toml"
    assert shown(run, INDELIBLE_CONFIG="env.toml")["store"]["source"] == "env.toml"
    assert shown(run, "--config", "flag.toml", INDELIBLE_CONFIG="env.toml")["store"]["source"] == "flag.toml"


@pytest.mark.parametrize(
    ("store", "value"),
    [
        ("postgresql://me:sec@ret@db/x?schema=y", "postgresql://me:***@db/x?schema=y"),
        ("postgresql://me@db/x?password=secret&schema=y", "postgresql://me@db/x?password=***&schema=y"),
        ("postgresql://me@[::1]:5432/x", "postgresql://me@[::1]:5432/x"),
        ("sqlite:a:b@c.db", "sqlite:a:b@c.db"),
    ],
)
def test_no_password_is_shown(run: Run, store: str, value: str) -> None:
    assert shown(run, "--store", store)["store"]["value"] == value


def test_people_see_a_table(run: Run) -> None:
    rows = [line.split() for line in run("config", "show", INDELIBLE_HTTP="0.0.0.0:80").out.splitlines()]
    assert rows[0] == ["setting", "value", "source"]
    assert ["http", "0.0.0.0:80", "INDELIBLE_HTTP"] in rows
    assert ["url", "-", "default"] in rows


@pytest.mark.parametrize(
    ("toml", "pointer", "says"),
    [
        ('stor = "x"', "/stor", "unknown setting 'stor'; allowed are store, url, http"),
        ("store = 7", "/store", "must be a store URL"),
        ("[store]", "/store", "must be a store URL"),
        ("store = ", "/config", "cannot read indelible.toml"),
        ("shutdown_grace_s = true", "/shutdown_grace_s", "must be a number of seconds from 0 to 3600, not True"),
    ],
)
def test_a_bad_file_is_refused(run: Run, tmp_path: Path, toml: str, pointer: str, says: str) -> None:
    (tmp_path / "indelible.toml").write_text(toml)
    ran = run("config", "show", "--json")
    problem = json.loads(ran.err)
    assert (ran.code, problem["pointer"], problem["source"]) == (2, pointer, "indelible.toml")
    assert says in problem["detail"]
    assert "indelible.toml" in problem["detail"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("store", "data.db"), ("store", "unheard-of:x"), ("store", ":x"), ("store", "http://x"),
        ("url", "127.0.0.1:8080"), ("url", "ftp://x"), ("url", "http://"), ("url", "http://x:99999"),
        ("url", "http://x?q=1"), ("url", "http://[::1"), ("url", "grpc://x"), ("url", "grpc://x:1/y"), ("url", 5),
        ("http", "8080"), ("http", ":8080"), ("http", "x:65536"), ("http", "x:-1"), ("http", "::1:80"), ("http", 80),
        ("http", "[x]:80"), ("http", "x:²"),
        ("workers", "0"), ("workers", 65), ("workers", "two"), ("workers", True), ("workers", 1.0), ("workers", "²"),
        ("log_level", "loud"), ("log_format", "xml"),
        ("shutdown_grace_s", "soon"), ("shutdown_grace_s", "nan"), ("shutdown_grace_s", -1), ("shutdown_grace_s", 3601),
    ],
)  # fmt: skip
def test_bad_values_name_the_setting_what_is_allowed_and_the_source(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        load_settings({name: value}, environ={})
    flag = f"--{name.replace('_', '-')}"
    assert caught.value.fields == {"pointer": f"/{name}", "source": flag}
    assert caught.value.message.startswith(f"{name} (from {flag}) must be ")
    assert repr(value) in caught.value.message


@pytest.mark.parametrize("given", ["4", 4])
def test_workers(given: object) -> None:
    assert load_settings({"workers": given}, environ={}).settings.workers == 4


@pytest.mark.parametrize(
    ("text", "address"),
    [("x:0", ("x", 0)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:65535", ("::1", 65535))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    http = load_settings({"http": text}, environ={}).settings.http
    assert http == Address(*address)
    assert str(http) == text


def test_a_missing_file_is_named(run: Run) -> None:
    assert run("config", "show", "--config", "no.toml").err == "indelible: --config: no such file: no.toml\n"
    ran = run("config", "show", INDELIBLE_CONFIG="no.toml")
    assert (ran.code, ran.err) == (2, "indelible: INDELIBLE_CONFIG: no such file: no.toml\n")


def test_other_variables_are_let_be(run: Run) -> None:
    assert shown(run, INDELIBLE_PORT="tcp://10.0.0.1:80", INDELIBLE_SERVICE_HOST="10.0.0.1") == shown(run)


class TestWhereCommandsGo:
    """``store`` and ``url`` may both be set; the stronger place wins, and ``url`` within one place."""

    def test_a_flag_wins_over_the_environment(self, run: Run) -> None:
        ran = run("info", "--store", "memory:", INDELIBLE_URL="http://127.0.0.1:9")
        assert ran.out == "store  memory:\nhead   0\n"

    def test_url_wins_within_the_environment(self, run: Run) -> None:
        ran = run("info", INDELIBLE_STORE="memory:", INDELIBLE_URL="http://127.0.0.1:9")
        assert (ran.code, "127.0.0.1:9" in ran.err) == (75, True)

    def test_the_environment_wins_over_the_file(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "indelible.toml").write_text('url = "http://127.0.0.1:9"')
        assert run("info", INDELIBLE_STORE="memory:").code == 0

    def test_both_flags_are_refused(self, run: Run) -> None:
        ran = run("info", "--store", "memory:", "--url", "http://127.0.0.1:9")
        assert (ran.code, "not both" in ran.err) == (2, True)


def test_what_a_relay_is_to_do_about_refusals_is_checked(run: Run, tmp_path: Path) -> None:
    (tmp_path / "indelible.toml").write_text('[relays.orders]\nto = "nats://127.0.0.1?stream=S"\non_refusal = "skip"\n')
    ran = run("config", "show")
    assert (ran.code, "relays.orders: Invalid enum value 'skip' - at `$.on_refusal`" in ran.err) == (2, True), ran.err


# --- config check ----------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "indelible.toml").write_text(
        'store = "mongodb://x"\nhtp = 1\ngrcp = 2\nworkers = 0\n[relays.mail]\nfrom = "x"\n'
    )
    ran = run("config", "check", "--json", INDELIBLE_LOG_LEVEL="loud")
    assert ran.code == 2
    bad = json.loads(ran.out)["bad"]
    assert {(one["setting"], one["source"]) for one in bad if one["setting"] != "relays/mail"} == {
        ("store", "indelible.toml"),
        ("htp", "indelible.toml"),
        ("grcp", "indelible.toml"),
        ("workers", "indelible.toml"),
        ("log_level", "INDELIBLE_LOG_LEVEL"),
    }
    assert len(bad) == 6
    lines = run("config", "check").err.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("indelible: ") for line in lines)
    (tmp_path / "indelible.toml").write_text('http = "0.0.0.0:80"\n[tls]\ncertificate = "c.pem"\n')
    assert "the configuration has no [access] to keep them out" in run("config", "check").err
    (tmp_path / "indelible.toml").write_text("store = [")
    assert "cannot read indelible.toml" in run("config", "check").err


@pytest.mark.parametrize(
    ("to", "problem"),
    [("pigeon:post", "must start with one of"), ("nats://me:pa55word@127.0.0.1:4222", "must name a stream")],
)
def test_a_broker_s_url_that_names_nothing_is_named(run: Run, tmp_path: Path, to: str, problem: str) -> None:
    good = "kafka://127.0.0.1:9092?topic=orders"
    (tmp_path / "indelible.toml").write_text(f'[relays.good]\nto = "{good}"\n[relays.mail]\nto = "{to}"\n')
    ran = run("config", "check", "--json")
    (bad,) = json.loads(ran.out)["bad"]
    assert (ran.code, bad["setting"], bad["source"]) == (2, "relays/mail/to", "indelible.toml")
    assert bad["message"].startswith(f"relays.mail.to: {problem}")
    ran = run("serve", "--store", "memory:", "--http", "127.0.0.1:0")
    assert (ran.code, f"relays.mail.to: {problem}" in ran.err) == (2, True)
    assert "pa55word" not in ran.err


def test_a_server_of_several_partitions_says_at_once_that_it_takes_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "indelible.toml").write_text('[relays.orders]\nto = "nats://127.0.0.1:9?stream=A"\n')
    ran = run("serve", "--store", "sqlite:x.db sqlite:y.db", "--http", "127.0.0.1:0")
    assert (ran.code, "relays need a store of one partition" in ran.err) == (2, True)
    assert not list(tmp_path.glob("*.db*"))


def test_good_settings_are_good(run: Run, tmp_path: Path) -> None:
    (tmp_path / "indelible.toml").write_text('store = "sqlite:x.db"\ndrain_delay_s = 5\n')
    assert run("config", "check") == (0, "all settings are good\n", "")
    assert run("config", "check", "--config", "nowhere.toml").code == 2
