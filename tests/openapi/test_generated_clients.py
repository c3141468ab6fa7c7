"""Generators of clients make good ones of ``/openapi.json``: they type-check, and append, read and consume."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import npm
from house.source import ROOT
from indelible.core.open import open_local_store
from serving import serving_in_a_thread

FOLDER = Path(__file__).with_name("clients")
LOCK = ROOT / "requirements" / "generators.txt"
TIMEOUT_S = 240
PRINTED = """\
appended version 1 false
replayed true
refused at version 1
appended version 2
position 3
condition failed at 3
outcome 409 version_conflict
page OrderPlaced 2
read OrderPlaced {"total":42.5} ada
after the cursor 0 true
404 aggregate_not_found
group billing 5
delivered OrderPlaced 1
acknowledged 1
delivered OrderPaid 1
acknowledged 1
"""
"""What each program says of an empty store."""


@pytest.fixture
def url() -> Iterator[str]:
    with serving_in_a_thread(open_local_store("memory:")) as url:
        yield url


def with_document(folder: Path, document: dict[str, Any]) -> Path:
    (folder / "openapi.json").write_text(json.dumps(document), "utf-8")
    return folder


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]) -> Path:
    """The folder with what Node.js needs, and the document."""
    return with_document(npm.installed(FOLDER, tmp_path_factory.mktemp("node")), document)


def run(*command: str, cwd: Path) -> str:
    return npm.run(*command, cwd=cwd, timeout_s=TIMEOUT_S)


def test_a_client_in_typescript(node: Path, url: str):
    run("npx", "--no-install", "openapi-typescript", "openapi.json", "--output", "schema.d.ts", cwd=node)
    run("npx", "--no-install", "tsc", cwd=node)
    assert run("node", "orders.js", url, cwd=node) == PRINTED


def test_the_document_is_clean(node: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
    monkeypatch.setenv("REDOCLY_TELEMETRY", "off")
    run("npx", "--no-install", "redocly", "lint", "openapi.json", "--config", "lint.yaml", cwd=node)


def test_a_client_in_python(document: dict[str, Any], url: str, tmp_path: Path):
    """In an environment of its own, as a user's would be."""
    folder = with_document(tmp_path, document)
    (folder / "orders.py").write_bytes((FOLDER / "orders.py").read_bytes())
    python = environment(folder / "venv")
    command = ["-m", "openapi_python_client", "generate", "--path", "openapi.json", "--output-path", "indelible_api"]
    options = ["--meta", "none", "--fail-on-warning", "--config", str(FOLDER / "openapi_python_client.yaml")]
    run(python, *command, *options, cwd=folder)
    checked = ["-m", "mypy", "--strict", "--python-executable", python, "indelible_api", "orders.py"]
    run(sys.executable, *checked, cwd=folder)
    assert run(python, "orders.py", url, cwd=folder) == PRINTED


def environment(folder: Path) -> str:
    """The interpreter of a new environment with what is locked."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=TIMEOUT_S)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check"]
    install = [*pip, "install", "--no-deps", "--require-hashes", "--no-compile", "-r", LOCK]
    subprocess.run(
        install, check=True, timeout=npm.INSTALL_TIMEOUT_S, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    )
    return str(python)
