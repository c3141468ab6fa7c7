"""Makes git repositories whose histories hold what real ones hold, and what hardly any does.

Renames, mode changes, symbolic links, submodules, deletions, merges, empty commits, files that become directories, and
paths with every kind of byte. The same arguments give the same commits, to the last bit.
"""

import random
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

ODD_PATHS = (
    b"with space", b"trailing space ", b" leading", b'quo"te', b"back\\slash", b"tab\there", b"new\nline",
    b"bell\a\b\v\f\r", b"control \x01\x1f", b"delete \x7f", "c1 \u0085".encode(), b"latin \xe9", b"broken \xff\xfe",
    b"half \xe2\x82", "ünïcödé/文件/ملف".encode(), "emoji 🗂".encode(), "decomposed e\u0301".encode(), b"-dash", b"--",
    b"sha256:" + b"0" * 64, b"percent%2Fencoded", b"question?hash#", b"a.b", b"a-b", b"a0", b"A", b"...", b".gitignore",
    b"'single'", b"$HOME `id`", b"/".join([b"long" * 20] * 5), b"x" * 255, b"y" * 256, "ü".encode() * 200,
)  # fmt: skip
AUTHORS = (
    (b"Ada", b"ada@example.org"), (b"Gr\xe9goire", b"gregoire@example.org"), ("Łukasz".encode(), b"lukasz@example.org"),
    (b"No Mail", b""), (b"Long Mail", b"m" * 300 + b"@example.org"), (b"Odd Mail", b"caf\xe9 \x01@example.org"),
)  # fmt: skip
MODES = (b"100644", b"100644", b"100644", b"100755", b"120000", b"160000")


def environment() -> dict[str, str]:
    """For git, so that no configuration of the machine plays a part."""
    return {"PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


def git(repository: Path, *arguments: str, given: bytes | None = None) -> bytes:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True, env=environment()).stdout


def make_repository(
    path: Path, *, commits: int, seed: int = 1, files_in_first: int = 0, object_format: str = "sha1"
) -> Path:
    """A bare repository with ``commits`` first-parent commits on its branch main."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--bare", "--initial-branch=main", f"--object-format={object_format}")
    stream = _Stream(random.Random(seed), id_length=64 if object_format == "sha256" else 40)
    git(path, "fast-import", "--quiet", given=stream.written(commits, files_in_first))
    return path


def quoted(path: bytes) -> bytes:
    return b'"%b"' % b"".join(b"\\%03o" % byte for byte in path)


class _Stream:
    """Writes the commands of git fast-import."""

    def __init__(self, rng: random.Random, id_length: int) -> None:
        self._rng = rng
        self._id_length = id_length
        self._out = BytesIO()
        self._mark = 0
        self._paths: dict[bytes, None] = {}

    def written(self, commits: int, files_in_first: int) -> bytes:
        # These stay as they are, so they need not be kept track of.
        first = [b"M 100644 inline generated/%06d\ndata 1\n.\n" % number for number in range(files_in_first)]
        first += [self._put(path, b"100644") for path in ODD_PATHS]
        tip = self._commit(b"refs/heads/main", None, None, first)
        for _ in range(commits - 1):
            tip = self._next(tip)
        return self._out.getvalue()

    def _next(self, tip: int) -> int:
        """One more commit on main; one in ten merges a side branch."""
        if self._rng.random() < 0.1:
            side = self._commit(b"refs/heads/side", tip, None, changes := list(self._changes()))
            return self._commit(b"refs/heads/main", tip, side, changes)
        return self._commit(b"refs/heads/main", tip, None, list(self._changes()))

    def _commit(self, branch: bytes, parent: int | None, merged: int | None, changes: list[bytes]) -> int:
        self._mark += 1
        name, email = self._rng.choice(AUTHORS)
        who = b"%b <%b> %d %+05d" % (name, email, 1_000_000_000 + self._mark * 61, self._rng.choice((0, 100, -730)))
        self._out.write(b"commit %b\nmark :%d\nauthor %b\ncommitter %b\n" % (branch, self._mark, who, who))
        self._out.write(b"data 2\nm\n")
        if parent is not None:
            self._out.write(b"from :%d\n" % parent)
        if merged is not None:
            self._out.write(b"merge :%d\n" % merged)
        self._out.writelines(changes)
        self._out.write(b"\n")
        return self._mark

    def _changes(self) -> Iterator[bytes]:
        for _ in range(self._rng.choice((0, 1, 1, 2, 3, 5, 8))):
            choice = self._rng.random()
            if choice < 0.15 and self._paths:
                yield self._delete(self._rng.choice(list(self._paths)))
            elif choice < 0.25 and self._paths:
                yield self._rename(self._rng.choice(list(self._paths)), self._new_path())
            else:
                yield self._put(self._new_path(), self._rng.choice(MODES))

    def _new_path(self) -> bytes:
        """One that is there, an odd one, or one that may turn a file into a directory."""
        name = self._rng.choice((self._rng.choice(ODD_PATHS), b"dir%d" % self._rng.randrange(20)))
        return name if self._rng.random() < 0.5 else b"%b/%d" % (name, self._rng.randrange(30))

    def _put(self, path: bytes, mode: bytes) -> bytes:
        self._forget_below(path)
        for end in (index for index, byte in enumerate(path) if byte == ord("/")):
            self._paths.pop(path[:end], None)
        self._paths[path] = None
        if mode == b"160000":
            commit = b"%0*x" % (self._id_length, self._rng.getrandbits(150) + 1)
            return b"M %b %b %b\n" % (mode, commit, quoted(path))
        content = b"content %d" % self._rng.randrange(1_000_000)
        return b"M %b inline %b\ndata %d\n%b\n" % (mode, quoted(path), len(content), content)

    def _delete(self, path: bytes) -> bytes:
        self._paths.pop(path)
        return b"D %b\n" % quoted(path)

    def _rename(self, old: bytes, new: bytes) -> bytes:
        """Of a file, to a path that does not lie below or above the old one."""
        if new == old or new.startswith(old + b"/") or old.startswith(new + b"/"):
            return self._delete(old)
        self._paths.pop(old)
        self._put(new, b"100644")
        return b"R %b %b\n" % (quoted(old), quoted(new))

    def _forget_below(self, path: bytes) -> None:
        for other in [other for other in self._paths if other.startswith(path + b"/")]:
            del self._paths[other]
