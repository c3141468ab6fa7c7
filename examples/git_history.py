"""A git repository's history as events, and its trees rebuilt from nothing but the events.

    python examples/git_history.py import REPO --url http://127.0.0.1:8080
    python examples/git_history.py tree COMMIT --url http://127.0.0.1:8080

``import`` follows the first parents from ``--revision`` back to the root commit. Each file path is an aggregate
(``GitFile``) with the events ``FileAdded``, ``FileModified`` and ``FileDeleted``. One commit is one atomic append to
all the paths that it changed and to an aggregate of its own (``GitCommit``), whose event ``CommitImported`` says that
the commit is stored whole. Run it again at any time: event ids follow from root, commit and path, and it goes on where
the store's history ends. Several repositories and branches may share a store; a shallow clone counts as a repository
of its own, because its history begins elsewhere.

``tree`` prints what ``git ls-tree -r COMMIT`` prints, byte for byte (core.quotePath being true, its default).

``--url`` takes what a client takes: a server, or ``sqlite:PATH`` for a database file that no server has open.
"""

import argparse
import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from indelible import AggregateAppend, Client, EventNotFound, EventQuery, IndelibleError, NewEvent, RecordedEvent

FILE = "GitFile"
COMMIT = "GitCommit"
EVENT_TYPE_OF_STATUS = {"A": "FileAdded", "M": "FileModified", "T": "FileModified", "D": "FileDeleted"}
"""git's status letters; T is a change of kind, such as a file that became a symbolic link."""

ID_LENGTH_MAX = 255
"""Characters in an aggregate id or a tag."""

# A commit beyond these is split into several appends, always in the same way: a run that was killed between two of them
# sends the same appends again. Both are half of what one request may hold.
APPEND_FILES_MAX = 5_000
APPEND_SIZE_BYTES_MAX = 8 * 1024 * 1024
EVENT_OVERHEAD_BYTES = 1_024
"""Ids, names and tags of one event at the most."""

EVENT_IDS = UUID("6f0f8a3c-52a7-5f0e-9f3c-0c5e8a4b7d11")
"""Namespace of the event ids (UUID version 5)."""


OTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
"""Variables that git sets for its hooks."""


class GitError(Exception):
    """git refused; the message is its own."""


class Link(NamedTuple):
    """A commit and its first parent."""

    commit: str
    parent: str | None


class FileChange(NamedTuple):
    """What a commit did to one path. ``mode`` and ``blob_id`` are the new ones, None where the path is gone."""

    path: bytes
    event_type: str
    mode: str | None
    blob_id: str | None


class Commit(NamedTuple):
    commit: str
    author: str
    email: str
    date: str
    changes: list[FileChange]


# --- Reading git -----------------------------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """This process's, without what would lead git to another repository than the one that is asked for."""
    return {name: value for name, value in os.environ.items() if name not in OTHER_REPOSITORY}


def git_command(repository: Path, *arguments: str) -> list[str]:
    return ["git", "--no-replace-objects", "-C", os.fspath(repository), *arguments]


def first_parents(repository: Path, revision: str) -> list[Link]:
    """The chain from the root commit to ``revision``, oldest first."""
    command = git_command(
        repository, "rev-list", "--first-parent", "--parents", "--reverse", "--end-of-options", f"{revision}^{{commit}}"
    )
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    if result.returncode:
        raise GitError(result.stderr.strip())
    lines = (line.split() for line in result.stdout.splitlines())
    return [Link(ids[0], ids[1] if len(ids) > 1 else None) for ids in lines]


def read_commits(repository: Path, links: Sequence[Link]) -> Iterator[Commit]:
    """What each commit changed against its first parent. git works ahead by as much as a pipe holds."""
    command = git_command(
        repository, "diff-tree", "--stdin", "--always", "--root", "-r", "-z", "--raw", "--no-abbrev", "--no-renames",
        "--ignore-submodules=none", "-O/dev/null", "--encoding=UTF-8", "--format=%H%x00%an%x00%ae%x00%aI",
    )  # fmt: skip
    with tempfile.TemporaryFile() as wanted:
        # diff-tree takes the parents that it is given for the commit's own.
        wanted.writelines(" ".join(filter(None, link)).encode() + b"\n" for link in links)
        wanted.seek(0)
        with subprocess.Popen(command, stdin=wanted, stdout=subprocess.PIPE, env=environment()) as process:
            assert process.stdout is not None
            yield from parse_commits(read_fields(process.stdout))
        if process.returncode:
            raise GitError(f"git diff-tree ended with {process.returncode}")


def read_fields(stream: IO[bytes]) -> Iterator[bytes]:
    """The fields of a stream, each ended by a zero byte."""
    rest = b""
    while chunk := stream.read1(65_536):  # type: ignore[attr-defined]  # a pipe is a BufferedReader
        *fields, rest = (rest + chunk).split(b"\0")
        yield from fields


def parse_commits(fields: Iterator[bytes]) -> Iterator[Commit]:
    """Four fields of a commit, then two for each path, the first of which begins with a colon."""
    field = next(fields, None)
    while field is not None:
        author, email, date = (text(next(fields)) for _ in range(3))
        commit = Commit(field.decode(), author, email, date, [])
        while (field := next(fields, None)) is not None and (change := field.lstrip(b"\n")).startswith(b":"):
            commit.changes.append(parse_change(change, next(fields)))
        yield commit


def parse_change(field: bytes, path: bytes) -> FileChange:
    """``:OLD_MODE NEW_MODE OLD_ID NEW_ID STATUS``."""
    _, mode, _, blob_id, status = field.decode().split(" ")
    is_gone = status == "D"
    return FileChange(path, EVENT_TYPE_OF_STATUS[status], None if is_gone else mode, None if is_gone else blob_id)


def text(raw: bytes) -> str:
    """Names of people are for people: bytes that are not UTF-8 are shown as the replacement character."""
    return raw.decode("utf-8", "replace")


# --- From git to events ----------------------------------------------------------------------------------------------


def event_id(root: str, commit: str, path: bytes = b"") -> UUID:
    """UUID version 5, made by hand because :func:`uuid.uuid5` takes no bytes that are not UTF-8."""
    name = b"%b %b %b" % (root.encode(), commit.encode(), path)
    return UUID(bytes=hashlib.sha1(EVENT_IDS.bytes + name, usedforsecurity=False).digest()[:16], version=5)


def short_id(raw: bytes, prefix: str = "") -> str:
    """``prefix`` and the text, where that may be an aggregate id or a tag; else ``prefix`` and a digest of the text."""
    try:
        readable = raw.decode("utf-8")
    except UnicodeDecodeError:
        readable = ""
    is_plain = not any(unicodedata.category(character) == "Cc" for character in readable)
    if readable and is_plain and len(prefix + readable) <= ID_LENGTH_MAX and not readable.startswith("sha256:"):
        return prefix + readable
    return f"{prefix}sha256:{hashlib.sha256(raw).hexdigest()}"


def path_fields(path: bytes) -> dict[str, str]:
    """The path without loss; git allows any byte but zero."""
    try:
        return {"path": path.decode("utf-8")}
    except UnicodeDecodeError:
        return {"path_base64": base64.b64encode(path).decode()}


def path_of(event_data: dict[str, str]) -> bytes:
    if "path" in event_data:
        return event_data["path"].encode("utf-8")
    return base64.b64decode(event_data["path_base64"])


class Appends:
    """The atomic appends that one commit becomes."""

    def __init__(self, root: str, link: Link, commit: Commit) -> None:
        self._root = root
        self._link = link
        self._commit = commit
        self._tags = [f"root:{root}", f"commit:{commit.commit}", short_id(commit.email.encode(), "author:")]
        self._by_whom = {"commit": commit.commit, "author": f"{commit.author} <{commit.email}>", "date": commit.date}

    def __iter__(self) -> Iterator[list[AggregateAppend]]:
        """Usually one; the event that says that the commit is whole comes with the last."""
        part: list[AggregateAppend] = []
        size_bytes = 0
        for change in self._commit.changes:
            event = self._file_event(change)
            size_bytes += event.size_bytes + EVENT_OVERHEAD_BYTES
            if part and (len(part) >= APPEND_FILES_MAX or size_bytes > APPEND_SIZE_BYTES_MAX):
                yield part
                part, size_bytes = [], event.size_bytes + EVENT_OVERHEAD_BYTES
            part.append(AggregateAppend.of(FILE, short_id(change.path), [event]))
        yield [*part, AggregateAppend.of(COMMIT, self._commit.commit, [self._commit_event()])]

    def _file_event(self, change: FileChange) -> NewEvent:
        data = path_fields(change.path)
        if change.mode is not None and change.blob_id is not None:
            data |= {"mode": change.mode, "blob_id": change.blob_id}
        return NewEvent(
            change.event_type,
            data | self._by_whom,
            event_id=event_id(self._root, self._commit.commit, change.path),
            tags=self._tags,
        )

    def _commit_event(self) -> NewEvent:
        data = self._by_whom | {"parent": self._link.parent, "root": self._root, "files": len(self._commit.changes)}
        return NewEvent("CommitImported", data, event_id=event_id(self._root, self._commit.commit), tags=self._tags)


# --- import ----------------------------------------------------------------------------------------------------------


def count_imported(client: Client, links: Sequence[Link]) -> int:
    """How many commits of the chain the store holds. They are its oldest: a commit is appended after its parent."""
    low, high = 0, len(links)
    while low < high:
        middle = (low + high) // 2
        if is_imported(client, links[0].commit, links[middle].commit):
            low = middle + 1
        else:
            high = middle
    return low


def is_imported(client: Client, root: str, commit: str) -> bool:
    try:
        client.get_event(event_id(root, commit))
    except EventNotFound:
        return False
    return True


def import_history(client: Client, repository: Path, revision: str) -> None:
    links = first_parents(repository, revision)
    root = links[0].commit
    done = count_imported(client, links)
    left = links[done:]
    events = 0
    with progress_bar() as bar:
        task = bar.add_task("importing commits", completed=done, total=len(links))
        for link, commit in zip(left, read_commits(repository, left), strict=True):
            for appends in Appends(root, link, commit):
                # A commit means something only after its parent, so this waits for every append.
                client.append_atomic(appends)
                events += len(appends)
            bar.advance(task)
    print(f"{links[-1].commit}: {len(left)} commits imported as {events} events, {done} were there before")


def progress_bar() -> Progress:
    """On a terminal; silent elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


# --- tree ------------------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    mode: str
    blob_id: str


class ImportedCommit(NamedTuple):
    root: str
    parent: str | None
    position: int


def print_tree(client: Client, revision: str) -> None:
    tree = rebuild_tree(client, revision)
    lines = (ls_tree_line(path, entry) for path, entry in sorted(tree.items()))
    sys.stdout.buffer.writelines(lines)


def rebuild_tree(client: Client, revision: str) -> dict[bytes, Entry]:
    """The tree at a commit (an id of which as many digits as make it unique are enough): replay the commits that lead
    to it."""
    commits = imported_commits(client)
    commit = full_commit_id(commits, revision)
    last = commits[commit][0]
    chain = ancestry(commits, commit, last.root)
    tree: dict[bytes, Entry] = {}
    of_root = EventQuery.of(aggregate_types=[FILE], tags=[f"root:{last.root}"])
    for event in client.iter_feed(of_root):
        if event.position > last.position:
            break
        apply(tree, event, chain)
    return tree


def imported_commits(client: Client) -> dict[str, list[ImportedCommit]]:
    """By commit id. A commit stands in several histories where one of them comes from a shallow clone."""
    commits: dict[str, list[ImportedCommit]] = {}
    for event in client.iter_feed(EventQuery.of(event_types=["CommitImported"])):
        data = event.event_data
        imported = ImportedCommit(data["root"], data["parent"], event.position)
        commits.setdefault(data["commit"], []).append(imported)
    return commits


def full_commit_id(commits: dict[str, list[ImportedCommit]], revision: str) -> str:
    found = [commit for commit in commits if commit.startswith(revision.lower())]
    if len(found) != 1 or len(revision) < 4:
        what = "has no commit" if not found else "has more than one commit (or needs four digits)"
        raise LookupError(f"the store {what} {revision}")
    return found[0]


def ancestry(commits: dict[str, list[ImportedCommit]], commit: str, root: str) -> set[str]:
    """The commit and its first parents up to the root."""
    chain: set[str] = set()
    following: str | None = commit
    while following is not None:
        chain.add(following)
        following = next(imported.parent for imported in commits[following] if imported.root == root)
    return chain


def apply(tree: dict[bytes, Entry], event: RecordedEvent, chain: set[str]) -> None:
    """Other branches of the same history are passed over."""
    data = event.event_data
    if data["commit"] not in chain:
        return
    if event.event_type == "FileDeleted":
        tree.pop(path_of(data), None)
    else:
        tree[path_of(data)] = Entry(data["mode"], data["blob_id"])


def ls_tree_line(path: bytes, entry: Entry) -> bytes:
    kind = "commit" if entry.mode == "160000" else "blob"
    return b"%b %b %b\t%b\n" % (entry.mode.encode(), kind.encode(), entry.blob_id.encode(), quote_path(path))


ESCAPED = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}


def quote_path(path: bytes) -> bytes:
    """As git prints a path: in quotes with C escapes when a byte of it is unusual."""
    if all(0x20 <= byte < 0x7F and byte not in ESCAPED for byte in path):
        return path
    return b'"%b"' % b"".join(map(quote_byte, path))


def quote_byte(byte: int) -> bytes:
    if byte in ESCAPED:
        return f"\\{ESCAPED[byte]}".encode()
    return bytes([byte]) if 0x20 <= byte < 0x7F else f"\\{byte:03o}".encode()


# --- The command line ------------------------------------------------------------------------------------------------


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument("--url", default="http://127.0.0.1:8080", help="server or store (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    importing = commands.add_parser("import", parents=[store], help="append a repository's first-parent history")
    importing.add_argument("repository", metavar="REPO", type=Path, help="a git repository on this machine")
    importing.add_argument("--revision", default="HEAD", help="the newest commit to import (default: %(default)s)")
    tree = commands.add_parser("tree", parents=[store], help="print the tree at a commit, as git ls-tree -r does")
    tree.add_argument("commit", metavar="COMMIT", help="a commit id; its first digits are enough")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when done, 1 with a line on stderr when not, 130 when interrupted."""
    given = parse_arguments(arguments)
    try:
        with Client(given.url) as client:
            if given.command == "import":
                import_history(client, given.repository, given.revision)
            else:
                print_tree(client, given.commit)
    except (IndelibleError, GitError, LookupError) as error:
        print(f"git_history: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("git_history: interrupted; run it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
