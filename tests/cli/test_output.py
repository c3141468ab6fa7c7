"""What people see on a terminal, and what programs get through a pipe."""

import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.running import COMMAND, Ran, environment, indelible

STORE = ("--store", "sqlite:x.db")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(*args: str, cwd: Path, columns: int = 40) -> str:
    """All that a terminal of that width is sent when it is the command's stdout and stderr."""
    ours, theirs = pty.openpty()
    env = environment(COLUMNS=str(columns), LINES="24", TERM="xterm-256color")
    env.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [COMMAND, *args], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    received = bytearray()

    def receive() -> None:
        # Linux answers EIO once the other side is closed.
        try:
            while chunk := os.read(ours, 65536):
                received.extend(chunk)
        except OSError:
            pass

    reader = threading.Thread(target=receive)
    reader.start()
    assert process.wait(timeout=60) == 0
    reader.join(timeout=60)
    os.close(ours)
    return received.decode()


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A directory with a store that holds one event with a long id."""
    assert indelible("append", "order", "i" * 200, "Placed", '{"a":1}', *STORE, cwd=tmp_path).code == 0
    return tmp_path


def test_long_names_are_never_wrapped_or_cut(stored: Path) -> None:
    stream = f"order-{'i' * 200}"
    assert f"  {stream} 1  Placed" in indelible("feed", *STORE, cwd=stored, COLUMNS="40").out
    assert f"  {stream} 1  Placed" in ESCAPES.sub("", on_terminal("feed", *STORE, cwd=stored))
    assert "i" * 200 in indelible("aggregates", *STORE, cwd=stored, COLUMNS="40").out
    assert "i" * 200 in ESCAPES.sub("", on_terminal("aggregates", *STORE, cwd=stored))


def test_a_terminal_gets_colour_and_a_pipe_does_not(stored: Path) -> None:
    assert ESCAPES.search(on_terminal("feed", *STORE, cwd=stored))
    assert not ESCAPES.search(indelible("feed", *STORE, cwd=stored, TERM="xterm-256color").out)


def test_a_terminal_gets_a_progress_bar_and_a_pipe_does_not(stored: Path) -> None:
    for command, description in (("verify", "verifying"), ("export", "exporting"), ("import", "importing")):
        file = () if command == "verify" else ("out.ndjson",)
        assert description in on_terminal(command, *file, *STORE, cwd=stored)
        ran = indelible(command, *file, *STORE, cwd=stored)
        assert (ran.code, description in ran.err) == (0, False)


def test_stored_text_cannot_steer_the_terminal(run: Run) -> None:
    run("append", "order", "1", "Placed", '"[bold]\x7f\x9b31m\\u001b[31m:smile:"', *STORE)
    shown = run("read", "order", "1", *STORE).out
    assert shown.endswith('"[bold]\\u007f\\u009b31m\\u001b[31m:smile:"\n')


def test_output_that_the_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    indelible("append", "order", "ż", "Placed", *STORE, cwd=tmp_path)
    ran = indelible("feed", *STORE, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert ran.code == 0
    assert "order-\\u017c 1" in ran.out
    ran = indelible("read", "order", "ź", *STORE, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert ran == Ran(4, "", "indelible: no aggregate order-\\u017a\n")


def test_help_of_every_command_has_an_example_and_leads_no_heavy_imports(run: Run) -> None:
    names = ["serve", "append", "read", "feed", "aggregates", "import", "export", "verify", "bench", "info"]
    listed = run("--help").out
    for name in [*names, "group"]:
        assert re.search(rf"^  {name} ", listed, re.MULTILINE), name
    for command in (*([name] for name in names), ["snapshot", "save"], ["snapshot", "show"], ["config", "show"]):
        ran = run(*command, "--help")
        assert ran.code == 0
        assert re.search(rf"^  .*\bindelible {' '.join(command)}", ran.out.partition("\n")[2], re.MULTILINE), command
    assert run() == run("--help")


def test_the_command_line_loads_nothing_heavy_before_it_is_needed() -> None:
    heavy = {"aiohttp", "apsw", "rich", "starlette", "structlog", "httptools", "uvloop", "prometheus_client"}
    program = f"import sys, indelible.cli.main; print(sorted({heavy!r} & sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"


def test_version(run: Run) -> None:
    assert re.fullmatch(r"indelible \d+\.\d+\.\d+\n", run("--version").out)


def test_shells_complete_commands_and_options() -> None:
    def completed(words: str) -> list[str]:
        count = len(words.split()) - 1
        env = {"_INDELIBLE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(count)}
        return indelible(**env).out.split()

    assert completed("indelible ver") == ["verify"]
    assert completed("indelible feed --agg") == ["--aggregate-type"]
    assert completed("indelible group par") == ["parked"]
    assert completed("indelible group create g --start e") == ["end"]
