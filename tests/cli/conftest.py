"""Commands in this process, for speed, and where they work."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.running import Ran, environment, server
from indelible.cli.main import main

Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs one command in an empty directory, with no setting in the environment but those given."""
    monkeypatch.chdir(tmp_path)

    def run(*args: object, **env: str) -> Ran:
        with monkeypatch.context() as patch:
            for name in [name for name in environment() if name.startswith("INDELIBLE_")]:
                patch.delenv(name)
            patch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
            for name, value in env.items():
                patch.setenv(name, value)
            # Of servers that ran in this process before, there may be some that write to standard error.
            root = logging.getLogger()
            patch.setattr(root, "handlers", [one for one in root.handlers if type(one).__module__ == "_pytest.logging"])
            code = main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("server")) as (url, _):
        yield url


@pytest.fixture(params=["store", "server"])
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The flags that name a store: an empty local one, and a server's that a module's tests share."""
    if request.param == "store":
        return ("--store", "sqlite:x.db")
    return ("--url", request.getfixturevalue("url"))
