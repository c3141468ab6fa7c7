"""What a shell is given for a word: names that the store knows; quickly, or none."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cli.conftest import Run
from indelible.cli import completion
from indelible.core.open import open_local_store
from indelible.limits import COMPLETION_TIMEOUT_S
from serving import serving_in_a_thread

Completed = Callable[[str], list[str]]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is: names come in time, and nothing ends the process that runs the tests."""
    monkeypatch.setattr(completion, "COMPLETION_TIMEOUT_S", 60.0)
    monkeypatch.setattr(completion, "_LEAVING_S", 60.0)


@pytest.fixture
def completed(run: Run, capfd: pytest.CaptureFixture[str]) -> Completed:
    """The words for the last one of a line, as bash is given them."""

    def completed(line: str) -> list[str]:
        words = line.split(" ")
        env = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_INDELIBLE_COMPLETE": "complete_bash"}
        with pytest.raises(SystemExit) as left:
            run(**env)
        assert left.value.code == 0
        out, err = capfd.readouterr()
        assert err == ""
        return out.split()

    return completed


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving_in_a_thread(open_local_store("memory:")) as url:
        yield url


@pytest.fixture
def names(run: Run, place: tuple[str, str]) -> str:
    """What the names in the store begin with."""
    name = f"n{uuid4().hex[:8]}"
    run("append", f"{name}order", f"{name}-o-1", f"{name}Placed", *place)
    run("append", f"{name}order", f"{name}-o-2", f"{name}Paid", *place)
    run("group", "create", f"{name}billing", *place)
    return name


def test_names_come_from_the_store_that_is_named(completed: Completed, place: tuple[str, str], names: str) -> None:
    where = " ".join(place)
    assert completed(f"indelible feed {where} --event-type {names}P") == [f"{names}Paid", f"{names}Placed"]
    assert completed(f"indelible feed {where} --event-type {names}Pl") == [f"{names}Placed"]
    assert completed(f"indelible feed {where} --aggregate-type {names}") == [f"{names}order"]
    assert completed(f"indelible read {where} {names}") == [f"{names}order"]
    assert completed(f"indelible read {where} {names}order {names}") == [f"{names}-o-1", f"{names}-o-2"]
    assert completed(f"indelible append {where} {names}order x {names}Pa") == [f"{names}Paid"]
    assert completed(f"indelible group show {where} {names}") == [f"{names}billing"]
    assert completed(f"indelible relay status {where} {names}") == []


def test_relays_and_contexts(completed: Completed, run: Run) -> None:
    import asyncio

    async def make_relay() -> None:
        async with open_local_store("sqlite:x.db") as store:
            await store.relays.claim("orders-to-nats", owner="me", lease_s=60)

    asyncio.run(make_relay())
    assert completed("indelible relay status --store sqlite:x.db or") == ["orders-to-nats"]
    for name in ("prod", "pre-prod", "dev"):
        run("context", "add", name, "http://127.0.0.1:9")
    assert completed("indelible context use p") == ["pre-prod", "prod"]
    assert completed("indelible feed --context d") == ["dev"]


@pytest.mark.parametrize(
    "where", ["--url http://127.0.0.1:9", "--store sqlite:none.db", "--url nonsense", "--context none", "--config none"]
)
def test_what_is_wrong_is_not_said(completed: Completed, where: str) -> None:
    assert completed(f"indelible feed {where} --event-type P") == []
    assert not Path("none.db").exists()


def test_a_server_that_says_nothing_is_not_waited_for(completed: Completed, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(completion, "COMPLETION_TIMEOUT_S", COMPLETION_TIMEOUT_S)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        port = silent.getsockname()[1]
        assert completed(f"indelible feed --url http://127.0.0.1:{port} --event-type P") == []
        assert time.monotonic() - began < 25, "far less than a client waits for an answer"
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
