"""The pages that follow from the code are what the code says now."""

import asyncio
import functools
import importlib.util
import re
import tempfile

import pytest

import indelible
from docs.pages import ROOT
from indelible.core.open import open_local_store
from indelible.server.compose import make_services, verifying
from indelible.server.config import Address, EsdbSettings, IndexSettings, Settings
from indelible.server.esdb.server import serving_esdb
from indelible.server.grpc.server import serving_grpc
from indelible.server.http.app import HttpApp
from indelible.server.http.routes import ROUTES
from indelible.server.index import ServerIndex

ANY_PORT = Address("127.0.0.1", 0)

_spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
assert _spec is not None
assert _spec.loader is not None
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_page_is_up_to_date(name: str):
    written = (reference.DIRECTORY / name).read_text("utf-8")
    assert written == reference.PAGES[name](), "run: python tools/reference.py"


def test_every_route_stands_in_the_rest_reference():
    page = (reference.DIRECTORY / "rest-api.md").read_text("utf-8")
    assert [route.operation.http for route in ROUTES if route.operation.path not in page] == []


@functools.cache
def metric_names() -> list[str]:
    async def of_a_server(folder: str) -> str:
        async with open_local_store(f"sqlite:{folder}/store.db") as store:
            services = make_services(store)
            settings = Settings(index=IndexSettings("memory:"))
            assert settings.index is not None
            ServerIndex(settings, settings.index, store, indexes_here=True).add_metrics(services.metrics)
            verifying(store, 1.0, services.metrics)
            HttpApp(services, ROUTES)
            async with (
                serving_grpc(services, ANY_PORT, shutdown_grace_s=5),
                serving_esdb(services, EsdbSettings(ANY_PORT), shutdown_grace_s=5),
            ):
                return (await services.metrics_text()).decode()

    with tempfile.TemporaryDirectory() as folder:
        text = asyncio.run(of_a_server(folder))
    return re.findall(r"^# HELP (\w+)", text, re.MULTILINE)


def test_every_metric_stands_in_the_rest_reference():
    page = (reference.DIRECTORY / "rest-api.md").read_text("utf-8")
    assert len(metric_names()) >= 6
    assert [name for name in metric_names() if f"`{name}`" not in page] == []


OF_TLS = {"indelible_certificate_expires_timestamp_seconds"}
"""There with TLS alone."""


@pytest.mark.parametrize("file", ["prometheus/alerts.yml", "grafana/indelible.json"])
def test_what_is_deployed_watches_metrics_that_exist(file: str):
    watched = set(re.findall(r"\bindelible_\w+", (ROOT / "deploy" / file).read_text("utf-8")))
    series = {f"{name}{part}" for name in metric_names() for part in ("", "_bucket", "_count", "_sum")}
    assert len(watched) >= 5
    assert watched - series - OF_TLS == set()


def test_every_public_class_has_a_docstring():
    public = {name: getattr(indelible, name) for name in indelible.__all__}
    assert [name for name, value in public.items() if isinstance(value, type) and not value.__doc__] == []


@pytest.mark.parametrize("kind", [indelible.AsyncClient, indelible.Client])
def test_every_method_of_the_clients_stands_in_the_client_reference(kind: type):
    page = (reference.DIRECTORY / "python-client.md").read_text("utf-8")
    methods = [name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))]
    assert [name for name in methods if f"`{name}(" not in page and f" {name}(" not in page] == []
    of_groups = [name for name in dir(indelible.ConsumerGroups) if not name.startswith("_")]
    assert [name for name in of_groups if f"`groups.{name}(" not in page] == []
