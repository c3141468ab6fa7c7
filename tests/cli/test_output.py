"""What people see on a terminal, and what programs get through a pipe."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.running import COMMAND, TIMEOUT_S, Ran, environment, indelible

STORE = ("--store", "sqlite:x.db")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(*args: str, cwd: Path, columns: int = 40, **more: str) -> str:
    """All that a terminal of that width is sent when it is the command's stdout and stderr."""
    ours, theirs = pty.openpty()
    env = environment(COLUMNS=str(columns), LINES="24", TERM="xterm-256color")
    env.pop("NO_COLOR", None)
    env |= more
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
    assert process.wait(timeout=TIMEOUT_S) == 0
    reader.join(timeout=TIMEOUT_S)
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


COLOURED = re.compile(r"\x1b\[[0-9;]*3[0-9]")


def test_no_color_is_heard(stored: Path) -> None:
    assert not COLOURED.search(on_terminal("feed", "--pretty", *STORE, cwd=stored, NO_COLOR="1"))


def test_tables_fit_a_narrow_terminal(run: Run, tmp_path: Path) -> None:
    for n in range(2):
        run("append", "order", f"o-{n}", "Placed", *STORE)
    lines = ESCAPES.sub("", on_terminal("aggregates", *STORE, cwd=tmp_path, columns=60)).split("\r\n")
    assert [line.split()[0] for line in lines[:3]] == ["aggregate_type", "order", "order"]
    assert max(map(len, lines)) <= 60


def test_an_event_is_shown_whole(run: Run) -> None:
    data = '{"total":12.50,"lines":[{"sku":"a"},{"sku":"b"}],"note":"' + "x" * 80 + '"}'
    appended = json.loads(
        run("append", "order", "1", "Placed", data, "--tag", "b", "--tag", "a", "--json", *STORE, COLUMNS="60").out
    )
    event_id = appended["events"][0]["event_id"]
    shown = run("event", event_id, *STORE, COLUMNS="60").out.splitlines()
    assert shown[0] == "order-1 1  Placed"
    assert [line.split()[0] for line in shown[1:8]] == [
        "position", "timestamp", "event_id", "tags", "hash", "metadata", "event_data",
    ]  # fmt: skip
    assert shown[4] == "  tags          a, b"
    assert shown[6] == "  metadata      {}"
    assert shown[8:] == [
        "    {", '      "total": 12.50,', '      "lines": [{"sku": "a"}, {"sku": "b"}],',
        '      "note": "' + "x" * 80 + '"', "    }",
    ]  # fmt: skip
    assert run("feed", "--pretty", *STORE, COLUMNS="60").out.splitlines() == shown
    line = run("event", event_id, "--json", *STORE).out
    assert line == run("feed", "--json", *STORE).out
    assert run("event", "x", *STORE).code == 2
    assert run("event", event_id.replace(event_id[0], "f"), *STORE).code == 4
    assert run("feed", "--pretty", "--json", *STORE).code == 2


def test_bytes_are_shown_by_their_size(run: Run) -> None:
    Path("photo").write_bytes(b"\xff" * 7)
    with Path("photo").open("rb") as photo:
        shown = indelible("append", "a", "1", "Photo", "-", "--content-type", "image/png", *STORE, stdin=photo.read())
    assert shown.code == 0
    lines = run("feed", "--pretty", *STORE).out.splitlines()
    assert "  content_type  image/png" in lines
    assert lines[-1] == "  event_data    (7 bytes of image/png)"


def test_a_terminal_gets_a_progress_bar_and_a_pipe_does_not(stored: Path) -> None:
    for command, description in (("verify", "verifying"), ("export", "exporting"), ("import", "importing")):
        file = () if command == "verify" else ("out.ndjson",)
        shown = on_terminal(command, *file, *STORE, cwd=stored)
        assert description in shown
        # One that moves while nobody knows how much there is has colours that change along it.
        assert len(set(re.findall(r"\x1b\[([0-9;]*)m━", shown.partition("0/?")[0]))) == 1
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
    program = f"import sys, indelible.cli.commands; print(sorted({heavy!r} & sys.modules.keys()))"
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
