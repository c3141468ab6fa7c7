"""What importing a part loads. import-linter checks the rest of the import rules."""

import subprocess
import sys

SERVER_ONLY = {"apsw", "prometheus_client", "httptools", "uvloop", "indelible.server", "indelible.engines"}


def _loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(result.stdout.split())


def test_the_client_loads_no_server():
    loaded = _loaded_by("import indelible.client, indelible.client.http")
    assert "aiohttp" in loaded
    assert loaded & SERVER_ONLY == set()


def test_only_who_asks_for_grpc_loads_it():
    loaded = _loaded_by("import indelible.client.http, indelible.server.compose, indelible.cli.main")
    assert {name for name in loaded if name.partition(".")[0] in ("grpc", "google")} == set()
    assert "grpc" in _loaded_by("import indelible.client.grpc")


def test_the_grpc_client_loads_no_server():
    assert _loaded_by("import indelible.client.grpc") & (SERVER_ONLY | {"aiohttp"}) == set()


def test_projections_load_no_driver():
    loaded = _loaded_by("import indelible.client, indelible.projections")
    assert loaded & (SERVER_ONLY | {"asyncpg", "psycopg", "sqlalchemy", "sqlite3"}) == set()


def test_a_client_of_a_local_store_loads_no_http_library():
    loaded = _loaded_by("import indelible, indelible.client.sync_client")
    assert "indelible.client.async_client" in loaded
    assert "aiohttp" not in loaded


def test_the_domain_loads_no_transport():
    loaded = _loaded_by("import indelible.eventstore")
    assert loaded & (SERVER_ONLY | {"aiohttp", "indelible.wire"}) == set()
