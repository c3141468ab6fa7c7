"""What mkdocs asks to make a site of the pages, which are written to be read where the repository lies (``make docs``).

- README, CHANGELOG and CONTRIBUTING become pages too.
- Files and folders outside ``docs`` that pages link to become pages that show them, below ``repository/``.
- The order is the README's: each point of its section "Documentation" is a group. Pages that it does not name are last.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
ROOT_PAGES = {"README.md": "index.md", "CHANGELOG.md": "changes.md", "CONTRIBUTING.md": "contributing.md"}
"""Where in the site they are."""
PARTS = {
    "tutorial": "Tutorial", "how-to": "How to", "reference": "Reference", "explanation": "Explanation",
    "adr": "Decisions",
}  # fmt: skip
SHOWN = "repository"
LANGUAGES = {
    ".cfg": "text", ".js": "javascript", ".json": "json", ".proto": "protobuf", ".py": "python", ".service": "ini",
    ".socket": "ini", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", "Dockerfile": "docker",
}  # fmt: skip
_NOT_SHOWN = re.compile(r"(^|/)(\.|node_modules/)|\.(pyc|whl)$")
_LINK = re.compile(r"(?<=\]\()(?P<target>[^)#\s]+)(?=[)#])")


# --- What mkdocs calls -----------------------------------------------------------------------------------------------


def on_config(config: MkDocsConfig) -> None:
    config.nav = [
        {"Overview": "index.md"},
        *({title: _navigation(part)} for part, title in PARTS.items()),
        {"Project": ["changes.md", "contributing.md"]},
    ]


def on_files(files: Files, config: MkDocsConfig) -> None:
    for name, uri in ROOT_PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / name)))
    files.append(File.generated(config, "adr/index.md", content=_decisions()))
    for path in sorted(_linked_files()):
        files.append(File.generated(config, f"{_uri(path)}", content=_shown(path)))


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links lead to pages of the site, in place of files of the repository."""
    # Neither would have a line, and the page needs the room.
    page.meta["hide"] = [*(["navigation"] if page.is_homepage else []), *(["toc"] if "\n## " not in markdown else [])]
    source = _source(page.file.src_uri)
    if source is None:
        return markdown

    def of_site(link: re.Match[str]) -> str:
        target = link["target"]
        if "://" in target or target.startswith("mailto:"):
            return target
        return posixpath.relpath(_uri(_resolved(source, target)), posixpath.dirname(page.file.src_uri) or ".")

    return _LINK.sub(of_site, markdown)


# --- Where things are, in the repository and in the site -------------------------------------------------------------


def _source(uri: str) -> Path | None:
    """The file of a page of the site; None when it was made here."""
    named = {site: name for name, site in ROOT_PAGES.items()}
    path = ROOT / named[uri] if uri in named else ROOT / "docs" / uri
    return path if path.is_file() else None


def _resolved(source: Path, target: str) -> Path:
    return Path(posixpath.normpath(source.parent / target))


def _uri(path: Path) -> str:
    """The page of the site that has what lies there."""
    name = path.relative_to(ROOT).as_posix()
    if name in ROOT_PAGES:
        return ROOT_PAGES[name]
    if name.startswith("docs/"):
        return name.removeprefix("docs/") + ("/index.md" if path.is_dir() else "")
    return f"{SHOWN}/{name}/index.md" if path.is_dir() else f"{SHOWN}/{name}.md"


def _sources() -> Iterator[Path]:
    yield from (ROOT / name for name in ROOT_PAGES)
    yield from (ROOT / "docs").rglob("*.md")


def _linked_files() -> set[Path]:
    """Files and folders outside docs that pages link to, and the files of those folders."""
    linked = set[Path]()
    for source in _sources():
        targets = (_resolved(source, link["target"]) for link in _LINK.finditer(source.read_text("utf-8")))
        linked.update(path for path in targets if path.exists() and _uri(path).startswith(f"{SHOWN}/"))
    return linked | {file for path in linked if path.is_dir() for file in _files_of(path)}


def _files_of(folder: Path) -> list[Path]:
    """Below it too, without what is hidden, installed or made."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if not _NOT_SHOWN.search(path.relative_to(folder).as_posix()))


# --- What is made here -----------------------------------------------------------------------------------------------


def _navigation(part: str) -> list[Any]:
    """The pages of a part, by group where the README has several."""
    groups = {label: pages for label, pages in _readme_groups() if pages[0].startswith(f"{part}/")}
    named = {page for pages in groups.values() for page in pages}
    every = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / part).glob("*.md"))
    rest = [page for page in every if page not in named]
    if part == "adr":
        return ["adr/index.md", *rest]
    if len(groups) == 1:
        return [*groups.popitem()[1], *rest]
    return [*({label: pages} for label, pages in groups.items()), *rest]


def _readme_groups() -> Iterator[tuple[str, list[str]]]:
    """Label and pages of each point of the README's section on documentation."""
    section = (ROOT / "README.md").read_text("utf-8").partition("\n## Documentation\n")[2].partition("\n## ")[0]
    for point in re.split(r"^- ", section, flags=re.MULTILINE)[1:]:
        pages = re.findall(r"\]\(docs/([^)#]+\.md)\)", point)
        if pages:
            label = point.partition("[")[0].strip(" :").removeprefix("How to ")
            yield label[:1].upper() + label[1:], pages


def _decisions() -> str:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    titles = [(page.name, page.read_text("utf-8").partition("\n")[0].removeprefix("# ")) for page in pages]
    # A number and a point would begin a list within the list.
    lines = [f"- [{title}]({name})" for name, title in titles]
    return "# Decisions\n\nWhy things are as they are: a record for each decision of meaning.\n\n" + "\n".join(lines)


def _shown(path: Path) -> str:
    """A page that shows a file, or what a folder holds."""
    head = f"---\nsearch:\n  exclude: true\n---\n# {path.relative_to(ROOT).as_posix()}\n\n"
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in _files_of(path)]
        read_me = (path / "README.md").read_text("utf-8").partition("\n")[2] if "README.md" in names else ""
        listed = [f"- [{name}]({name}.md)" for name in names if name != "README.md"]
        return f"{head}{read_me}\n## Files\n\n" + "\n".join(listed)
    language = LANGUAGES.get(path.suffix or path.name, "text")
    fence = "`" * 8
    return f"{head}{fence}{language}\n{path.read_text('utf-8')}{fence}\n"
