"""Servers by name: which one a command uses, and the file they are kept in."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from cli.running import Ran
from indelible.cli.contexts import Context, changing_contexts
from indelible.core.open import open_local_store
from serving import serving_in_a_thread

NOBODY = "http://127.0.0.1:9"
"""Nothing listens there."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".config" / "indelible" / "contexts.json"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "prod.token"
    path.write_text("secret-of-prod\n")
    path.chmod(0o600)
    return path


def target(run: Run, *args: str, **env: str) -> Any:
    """What a command would talk to, and what says so."""
    return json.loads(run("config", "show", "--json", *args, **env).out)


def test_a_context_stands_for_a_server(run: Run) -> None:
    with serving_in_a_thread(open_local_store("memory:")) as url:
        assert run("context", "add", "dev", url).out == (
            f"context dev is {url}; commands use it after: indelible context use dev\n"
        )
        assert run("append", "order", "1", "X", "--context", "dev").code == 0
        assert run("feed").code == 2, "nobody has said yet that it is to be used"
        assert run("context", "use", "dev") == Ran(0, f"commands use context dev: {url}\n", "")
        assert json.loads(run("feed", "--json").out)["event_type"] == "X"
        assert run("read", "order", "1", INDELIBLE_CONTEXT="dev").code == 0


def test_contexts_are_listed_shown_and_removed(run: Run, token: Path) -> None:
    assert run("context", "list") == Ran(0, "", "there are no contexts; make one: indelible context add NAME URL\n")
    run("context", "add", "prod", "https://prod:1", "--token-file", token, "--use")
    run("context", "add", "dev", "http://dev:1/")
    assert run("context", "list").out.splitlines() == [
        "current  context  url             token_file",
        "         dev      http://dev:1",
        f"*        prod     https://prod:1  {token}",
    ]
    assert [json.loads(line) for line in run("context", "list", "--json").out.splitlines()] == [
        {"context": "dev", "url": "http://dev:1", "is_current": False},
        {"context": "prod", "url": "https://prod:1", "token_file": str(token), "is_current": True},
    ]
    assert run("context", "show").out == f"context     prod\nurl         https://prod:1\ntoken file  {token}\n"
    assert "wins over" in run("context", "list", INDELIBLE_URL=NOBODY).err
    assert run("context", "remove", "prod").out == "context prod is removed; commands use none now\n"
    assert "no context is in use" in run("context", "show").err
    assert run("context", "show", "prod").err == (
        "indelible: context: there is no context 'prod'; there are: dev. Make one: indelible context add NAME URL\n"
    )
    assert run("context", "use", "--none").out == "commands use no context\n"


def test_a_name_is_given_once(run: Run) -> None:
    run("context", "add", "prod", "http://old:1")
    refused = run("context", "add", "prod", "http://new:1")
    assert (refused.code, refused.out) == (2, "")
    assert "there is a context prod already, for http://old:1; give another name, or --replace" in refused.err
    assert run("context", "show", "prod", "--json").out.count("old") == 1
    assert run("context", "add", "prod", "http://new:1", "--replace").code == 0
    assert run("context", "show", "prod", "--json").out.count("new") == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("a b", "http://x:1"), "must be 1 to 64 of"),
        (("-", "http://x:1"), "must be 1 to 64 of"),
        (("x" * 65, "http://x:1"), "must be 1 to 64 of"),
        (("a", "sqlite:x.db"), "a local store is named with --store"),
        (("a", "x:1"), "must be the URL of a server"),
        (("a", "http://"), "must be like"),
        (("a", "http://me:pw@x:1"), "must hold no user or password"),
        (("a", "http://x:1", "--token-file", "no"), "token_file: there is no file"),
        (("a", "http://x:1", "--token-file", "empty"), "holds no token"),
        (("a", "http://x:1", "--tls-ca", "no.pem"), "tls_ca: there is no file"),
    ],
)
def test_what_is_no_context_is_refused(run: Run, tmp_path: Path, file: Path, args: tuple[str, ...], says: str) -> None:
    (tmp_path / "empty").touch()
    refused = run("context", "add", *args)
    assert (refused.code, says in refused.err) == (2, True), refused.err
    assert not file.exists()


# --- Which one is used -----------------------------------------------------------------------------------------------


def test_the_stronger_place_wins(run: Run, tmp_path: Path) -> None:
    for name in ("current", "named", "flag"):
        run("context", "add", name, f"http://{name}:1")
    run("context", "use", "current")

    def url(*args: str, **env: str) -> tuple[str, str]:
        found = target(run, *args, **env)["url"]
        return found["value"], found["source"]

    assert url() == ("http://current:1", "context current")
    assert url(INDELIBLE_CONTEXT="named") == ("http://named:1", "context named")
    assert url("--context", "flag", INDELIBLE_CONTEXT="named") == ("http://flag:1", "context flag")
    assert url(INDELIBLE_CONTEXT="named", INDELIBLE_URL="http://env:1") == ("http://env:1", "INDELIBLE_URL")
    assert url("--url", "http://u:1") == ("http://u:1", "--url")
    assert url("--context", "flag", INDELIBLE_URL="http://env:1") == ("http://flag:1", "context flag")
    assert run("info", INDELIBLE_STORE="memory:").out == "store  memory:\nhead   0\n"
    (tmp_path / "indelible.toml").write_text('store = "memory:"\n')
    assert run("info").out == "store  memory:\nhead   0\n"
    assert url(INDELIBLE_CONTEXT="named") == ("http://named:1", "context named")
    refused = run("info", "--context", "flag", "--store", "memory:")
    assert (refused.code, "not both" in refused.err) == (2, True)
    assert "there is no context 'other'; there are: current, flag, named" in run("info", "--context", "other").err


def test_an_error_names_the_context_and_says_what_to_do(run: Run) -> None:
    run("context", "add", "prod", NOBODY, "--use")
    ran = run("feed")
    assert (ran.code, ran.out) == (75, "")
    assert f"; context prod names {NOBODY}; see: indelible context list\n" in ran.err
    assert "context" not in run("feed", "--url", NOBODY).err
    run("context", "use", "--none")
    assert run("feed").err.endswith("; name a store with --store, or a server with --url or --context\n")


def test_a_token_is_shown_to_its_own_server_alone(run: Run, token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from indelible.cli.command import Target

    def shown_to(url: str | None = None, context: str | None = None) -> tuple[str, str | None]:
        chosen = Target.chosen(url, None, None, context)
        return chosen.url, chosen.server["token"]

    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path.cwd() / ".config"))
    run("context", "add", "prod", "http://prod:1", "--token-file", token, "--use")
    run("context", "add", "dev", "http://dev:1")
    assert shown_to() == ("http://prod:1", "secret-of-prod")
    assert shown_to("http://dev:1") == ("http://dev:1", None)
    monkeypatch.setenv("INDELIBLE_TOKEN", "another")
    assert shown_to() == ("http://prod:1", "secret-of-prod")
    assert shown_to(context="dev") == ("http://dev:1", "another")
    token.write_text("newer")
    assert shown_to() == ("http://prod:1", "newer")
    token.unlink()
    gone = run("feed")
    assert (gone.code, gone.err) == (2, f"indelible: token_file: cannot read {token}: No such file or directory\n")


# --- The file --------------------------------------------------------------------------------------------------------


def test_the_file_is_the_users_alone_and_holds_no_secret(run: Run, file: Path, token: Path) -> None:
    token.chmod(0o644)
    told = run("context", "add", "prod", "http://prod:1", "--token-file", token)
    assert told.err == f"indelible: warning: others than you may get at {token}: chmod 600 {token}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "secret" not in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == ["contexts.json"]


def test_a_file_that_is_no_such_file_is_named(run: Run, file: Path) -> None:
    file.parent.mkdir(parents=True)
    for content in ("{", '{"contexts": []}', '{"other": 1}'):
        file.write_text(content)
        for command in (("context", "list"), ("context", "add", "a", "http://a:1"), ("feed",)):
            refused = run(*command)
            assert refused.code == 2
            assert f"cannot read the contexts of {file}" in refused.err
        assert file.read_text() == content
    assert run("info", "--store", "memory:").code == 0


def test_a_write_that_fails_leaves_what_was_there(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("context", "add", "dev", "http://dev:1")
    before = file.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    assert run("context", "add", "prod", "http://prod:1").code == 74
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["contexts.json"]


def test_those_who_change_it_at_once_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def add(number: int) -> None:
        with changing_contexts() as contexts:
            contexts.contexts[f"c{number}"] = Context(f"http://c:{number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(40)))
    with changing_contexts() as contexts:
        assert len(contexts.contexts) == 40
