"""The git example against git itself: rebuilt trees are what ``git ls-tree -r`` prints."""

import importlib.util
import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from examples.synthetic_repository import git, make_repository
from indelible import Client

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "git_history.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=300)


def printed(*arguments: str | Path) -> bytes:
    result = run(*arguments)
    assert (result.returncode, result.stderr) == (0, b"")
    return result.stdout


def chain(repository: Path, revision: str = "main") -> list[str]:
    """First-parent commits, newest first."""
    return git(repository, "rev-list", "--first-parent", revision).decode().split()


def assert_same_trees(repository: Path, url: str, commits: list[str]) -> None:
    for commit in commits:
        assert printed("tree", commit, "--url", url) == git(repository, "ls-tree", "-r", commit), commit


def head(url: str) -> int:
    with Client(url) as client:
        return client.head().position


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'store.db'}"


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("git") / "small.git", commits=60)


def test_trees_of_a_long_history_are_what_git_prints(tmp_path: Path, url: str) -> None:
    repository = make_repository(tmp_path / "long.git", commits=2_100)
    commits = chain(repository)
    assert len(commits) == 2_100
    assert f"{commits[0]}: 2100 commits imported" in printed("import", repository, "--url", url).decode()
    some = random.Random(2).sample(commits[1:], 8)
    assert_same_trees(repository, url, [commits[0], commits[1], commits[-1], *some])


def test_the_history_holds_what_can_go_wrong(small: Path) -> None:
    """Guards the tests here: a tame repository would prove little."""
    raw = git(small, "log", "main", "--first-parent", "-m", "--raw", "-r", "--root", "--no-renames", "--format=")
    changes = {(line.split()[0], line.split()[1], line.split()[4]) for line in raw.decode().splitlines()}
    modes = {"100644", "100755", "120000", "160000"}
    assert {new for _, new, status in changes if status == "A"} == modes
    assert {status for _, _, status in changes} == {"A", "M", "T", "D"}
    assert re.search(rb"\sR100\s", git(small, "log", "main", "--raw", "-r", "-M", "--format="))
    assert git(small, "rev-list", "--merges", "main")
    commits = chain(small)
    trees = [git(small, "rev-parse", f"{commit}^{{tree}}") for commit in commits]
    assert len(set(trees)) < len(trees), "no empty commit"


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_every_tree_of_a_history_is_what_git_prints(tmp_path: Path, url: str, object_format: str) -> None:
    repository = make_repository(tmp_path / "repository.git", commits=12, seed=7, object_format=object_format)
    printed("import", repository, "--url", url)
    assert_same_trees(repository, url, chain(repository))


def test_a_second_import_adds_what_is_new_and_nothing_else(small: Path, url: str) -> None:
    commits = chain(small)
    assert b" 20 commits imported" in printed("import", small, "--revision", commits[40], "--url", url)
    assert b" 0 commits imported as 0 events, 20 were there" in printed(
        "import", small, "--revision", commits[40], "--url", url
    )
    assert b" 40 commits imported" in printed("import", small, "--url", url)
    before = head(url)
    assert b" 0 commits imported as 0 events, 60 were there" in printed("import", small, "--url", url)
    assert head(url) == before
    assert_same_trees(small, url, [commits[0], commits[40]])


@pytest.fixture
def server_url(tmp_path: Path) -> Iterator[str]:
    """A real server on a port that the system chose."""
    command = [sys.executable, "-m", "indelible.cli.main", "serve", "--store", f"sqlite:{tmp_path / 'served.db'}"]
    command += ["--http", "127.0.0.1:0", "--log-format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        yield next(found["url"] for line in process.stdout if "url" in (found := json.loads(line)))
        process.terminate()
        process.stdout.read()
    assert process.returncode == 0


def test_a_killed_import_goes_on_where_it_stopped(small: Path, url: str, server_url: str) -> None:
    printed("import", small, "--url", url)
    whole = head(url)
    rounds = 0
    with Client(server_url) as client:
        for position in range(20, whole, whole // 5):
            command = [sys.executable, PROGRAM, "import", small, "--url", server_url]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            while process.poll() is None and client.head().position < position:
                time.sleep(0.001)
            process.kill()
            rounds += process.wait() == -signal.SIGKILL
    assert rounds > 0
    assert b" 0 were there before" not in printed("import", small, "--url", server_url)
    assert head(server_url) == whole
    assert_same_trees(small, server_url, chain(small)[::25])


def test_branches_and_other_repositories_share_a_store(small: Path, url: str, tmp_path: Path) -> None:
    """The side branch left main some commits ago; the other history changes the same paths."""
    other = make_repository(tmp_path / "other.git", commits=15, seed=3)
    printed("import", small, "--url", url)
    printed("import", other, "--url", url)
    printed("import", small, "--revision", "side", "--url", url)
    assert chain(small, "side")[0] not in chain(small)
    assert_same_trees(small, url, [chain(small)[0], chain(small, "side")[0]])
    assert_same_trees(other, url, [chain(other)[0]])


def test_a_shallow_clone_beside_the_whole_history(small: Path, url: str, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow.git"
    git(tmp_path, "clone", "--quiet", "--bare", "--depth=5", f"file://{small}", str(shallow))
    printed("import", shallow, "--url", url)
    printed("import", small, "--url", url)
    assert len(chain(shallow)) == 5
    assert_same_trees(small, url, [chain(small)[0], chain(small)[3], chain(small)[30]])


def load_program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("git_history_program", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def test_a_huge_commit_is_whole_or_not_there(tmp_path: Path, url: str) -> None:
    """A commit beyond what one request holds; the first run was killed between two of its appends."""
    program = load_program()
    repository = make_repository(tmp_path / "huge.git", commits=2, files_in_first=11_000)
    links = program.first_parents(repository, "main")
    root = links[0].commit
    parts = list(program.Appends(root, links[0], next(program.read_commits(repository, links[:1]))))
    assert len(parts) == 3
    with Client(url) as client:
        client.append_atomic(parts[0])
    result = run("tree", root, "--url", url)
    assert (result.returncode, result.stdout) == (1, b"")
    assert f"the store has no commit {root}" in result.stderr.decode()
    assert b" 2 commits imported" in printed("import", repository, "--url", url)
    assert_same_trees(repository, url, chain(repository))
    with Client(url) as client:
        files = client.get_event(program.event_id(root, root)).event_data["files"]
    assert files == sum(map(len, parts)) - 1 == git(repository, "ls-tree", "-r", root).count(b"\n")


def test_each_path_is_an_aggregate_with_its_history(small: Path, url: str) -> None:
    printed("import", small, "--url", url)
    path = re.findall(r"\t(dir\d+/\d+)$", git(small, "ls-tree", "-r", "main").decode(), re.MULTILINE)[0]
    with Client(url) as client:
        events = list(client.iter_aggregate("GitFile", path))
    log = git(small, "log", "--first-parent", "-m", "--reverse", "--format=%H", "main", "--", path)
    assert [event.event_data["commit"] for event in events] == log.decode().split()
    assert events[0].event_type == "FileAdded"
    assert set(events[0].event_data) == {"path", "mode", "blob_id", "commit", "author", "date"}
    tags = dict(tag.split(":", 1) for tag in events[0].tags)
    assert tags["root"] == chain(small)[-1]
    assert tags["commit"] == events[0].event_data["commit"]
    assert tags["author"] in events[0].event_data["author"] or tags["author"].startswith("sha256:")


def test_it_reads_the_named_repository_even_within_a_hook(
    small: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert b" 60 commits imported" in printed("import", small, "--url", url)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import", "nowhere"), "nowhere"),
        (("import", "{small}", "--revision", "none"), "none"),
        (("tree", "HEAD"), "the store has no commit HEAD"),
    ],
)
def test_refusals_are_one_clear_line(small: Path, url: str, arguments: tuple[str, ...], message: str) -> None:
    result = run(*(argument.format(small=small) for argument in arguments), "--url", url)
    assert result.returncode == 1
    assert result.stderr.startswith(b"git_history: ")
    assert message in result.stderr.decode()
    assert b"Traceback" not in result.stderr
