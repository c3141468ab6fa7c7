"""Without the packages of ``indelible[grpc]``, what needs them says how to get them; everything else works."""

import subprocess
import sys
from pathlib import Path

WITHOUT = """
import sys
for name in ("grpc", "google", "grpc_health", "grpc_reflection"):
    sys.modules[name] = None
"""
CLIENT = """
import asyncio
from indelible import AsyncClient, InvalidRequest
try:
    asyncio.run(AsyncClient("grpc://127.0.0.1:1").head())
except InvalidRequest as error:
    print(error)
"""
SERVER = """
from indelible.errors import InvalidRequest
from indelible.server.compose import run
from indelible.server.config import Address, Settings
try:
    run(Settings(store="sqlite:data/x.db", http=Address("127.0.0.1", 0), grpc=Address("127.0.0.1", 0)))
except InvalidRequest as error:
    print(error.pointer, error)
"""


def said_by(program: str, directory: Path) -> str:
    command = [sys.executable, "-c", WITHOUT + program]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_client_says_what_to_install(tmp_path: Path) -> None:
    assert 'pip install "indelible[grpc]"' in said_by(CLIENT, tmp_path)


def test_the_server_says_what_to_install_before_it_opens_anything(tmp_path: Path) -> None:
    said = said_by(SERVER, tmp_path)
    assert said.startswith("/grpc needs more packages")
    assert 'pip install "indelible[grpc]"' in said
    # Nor has it served: it would have logged where.
    assert "serving" not in said
    assert list(tmp_path.iterdir()) == []
