"""The documentation as a site: every page is in it and found, and reading it asks no other host for anything."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import npm
from docs.pages import ROOT, pages

BUILD_TIMEOUT_S = 600
BROWSER_TIMEOUT_S = 240
BROWSER = ROOT / "tests" / "openapi" / "docs_page"
ROOT_PAGES = {"README": "index", "CHANGELOG": "changes", "CONTRIBUTING": "contributing"}
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""Of tags, the attribute by which a browser loads something unasked."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As make docs builds it: a link that leads nowhere fails."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
        timeout=BUILD_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def of_site(page: Path) -> str:
    """The name of a page's file in the site."""
    if page.parent == ROOT:
        return f"{ROOT_PAGES[page.stem]}.html"
    return str(page.relative_to(ROOT / "docs").with_suffix(".html"))


class Tags(HTMLParser):
    """What a page loads, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in LOADED and (url := values.get(LOADED[tag])):
            self.loaded.append(url)
        if tag == "a":
            self.links.add(str(values.get("href")))


def texts(site: Path, *suffixes: str) -> Iterator[tuple[Path, str]]:
    return ((path, path.read_text("utf-8")) for path in site.rglob("*") if path.suffix in suffixes)


def test_every_page_is_led_to_from_the_first_in_its_part(site: Path):
    linked = {
        os.path.normpath(path.parent / link.partition("#")[0]) for path, text in texts(site, ".html")
        if "repository" not in path.parts for link in Tags(text).links
    }  # fmt: skip
    assert [str(page) for page in pages() if not (site / of_site(page)).is_file()] == []
    assert [of_site(page) for page in pages() if str(site / of_site(page)) not in linked] == []


def test_nothing_comes_from_another_host(site: Path):
    loaded = {url for _, text in texts(site, ".html") for url in Tags(text).loaded}
    assert len(loaded) >= 5
    assert {url for url in loaded if re.match(r"(\w+:)?//", url)} == set()
    styles = [text for _, text in texts(site, ".css")]
    assert len(styles) >= 3
    assert [found for text in styles for found in re.findall(r"(?:@import|url\()[^;)]*//[^;)]*", text)] == []


def test_what_pages_link_to_in_the_repository_is_shown(site: Path):
    shown = (site / "repository" / "deploy" / "prometheus" / "alerts.yml.html").read_text("utf-8")
    assert "InstanceIsDown" in shown
    assert (site / "repository" / "deploy" / "kubernetes" / "index.html").is_file()


def test_a_person_searches_from_a_disk(site: Path, tmp_path: Path):
    folder = npm.installed(BROWSER, tmp_path)
    program = ("node", "search_site.mjs", (site / "index.html").as_uri(), "redrive parked")
    seen = json.loads(npm.run(*program, cwd=folder, timeout_s=BROWSER_TIMEOUT_S))
    assert (seen["foreign"], seen["complaints"], seen["wider"]) == ([], [], False)
    assert str(site / "how-to" / "consume-with-groups.html") in seen["found"]
