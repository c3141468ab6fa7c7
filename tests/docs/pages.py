"""The documentation's pages and the blocks in them that can be run.

What a block is, is said by its language, and by an HTML comment right above it:

- ``sh`` is run, and must succeed.
- ``console`` holds commands and the output of each, which must be what comes out. A command starts with ``$ `` and goes
  on in lines that start with four spaces. One that begins with ``sleep`` looks at what comes a little later: it is
  given again until it shows that, as a busy machine takes longer.
- ``python`` is run as a program; a ``text`` block right after it is its output.
- ``<!-- file: NAME -->`` writes the block to a file instead of running it.
- ``<!-- exit: N -->`` lets the block's last command exit with that code.
- ``<!-- serve -->`` starts the block's server, instead of one on an embedded store, until the page ends.
- ``<!-- not run: REASON -->`` leaves the block alone.

In output, ``…`` stands for anything, and ids, times and hashes are not compared.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("tutorial", "how-to", "reference", "explanation", "adr")
RUNNABLE = ("sh", "console", "python")
_BLOCK = re.compile(
    r"^(?:<!-- (?P<directive>[^\n]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_MASKS = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)"), "<time>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
)


class Block(NamedTuple):
    where: str
    language: str
    directive: str
    text: str

    @property
    def file(self) -> str | None:
        return self.directive.removeprefix("file: ") if self.directive.startswith("file: ") else None

    @property
    def exit_code(self) -> int:
        return int(self.directive.removeprefix("exit: ")) if self.directive.startswith("exit: ") else 0

    @property
    def is_server(self) -> bool:
        return self.directive == "serve"

    @property
    def is_run(self) -> bool:
        return self.language in RUNNABLE and not self.directive.startswith("not run: ")


def pages() -> list[Path]:
    """In the order in which somebody new reads them."""
    parts = [sorted((ROOT / "docs" / part).glob("*.md")) for part in _PARTS]
    every = [ROOT / "README.md", *(page for part in parts for page in part), ROOT / "CONTRIBUTING.md"]
    rest = set((ROOT / "docs").rglob("*.md")) - set(every)
    return [*every, *sorted(rest)]


def blocks(page: Path, *, before: str | None = None) -> list[Block]:
    """Those above the heading ``before``, if that is given."""
    text = page.read_text("utf-8")
    if before is not None:
        text = text[: text.index(f"\n## {before}\n")]
    return [
        Block(
            f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}",
            match["language"], match["directive"] or "", match["text"],
        )
        for match in _BLOCK.finditer(text)
    ]  # fmt: skip


def same_output(shown: str, actual: str) -> bool:
    """Whether the output is what the page shows, as far as that can be known beforehand."""
    pattern = re.escape(_masked(shown)).replace("…", ".*")
    return re.fullmatch(pattern, _masked(actual), re.DOTALL) is not None


def _masked(text: str) -> str:
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
