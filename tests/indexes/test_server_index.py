"""The query index of a server's configuration: its settings, its files, its part and its metrics."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cli.running import indelible, server
from indelible import Client, NewEvent, SearchQuery, Where
from indelible.errors import InvalidRequest
from indelible.server.config import IndexSettings, Settings, load_settings
from indelible.server.index import check_index, index_url

PATIENCE_S = 60


def loaded(tmp_path: Path, toml: str) -> Settings:
    file = tmp_path / "indelible.toml"
    file.write_text(toml)
    return load_settings(environ={}, config_file=file).settings


# --- Settings --------------------------------------------------------------------------------------------------------


def test_there_is_no_index_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").index is None
    assert loaded(tmp_path, "[index]").index == IndexSettings()


def test_fields_by_path_with_quotation_marks_and_without(tmp_path: Path) -> None:
    index = loaded(
        tmp_path,
        """
        [index]
        store = "memory:"
        [index.fields]
        event_data.total = "number"
        "event_data.customer.id" = "string"
        metadata.due = "time"
        """,
    ).index
    assert index is not None
    assert index.store == "memory:"
    assert index.fields == {
        "event_data.total": "number", "event_data.customer.id": "string", "metadata.due": "time",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("toml", "pointer", "says"),
    [
        ("index = 5", "/index", "must be a table"),
        ("[index]\nfile = 'x'", "/index", "unknown field `file`"),
        ("[index]\nstore = 5", "/index", "Expected `str"),
        ("[index]\nstore = 'kafka:x'", "/index/store", "must start with one of dynamodb:, "),
        ("[index.fields]\ntotal = 'number'", "/index/fields", "'total' must be a path such as event_data.customer.id"),
        ("[index.fields]\nevent_data.n = 'int'", "/index/fields/event_data.n", "must be one of string, number"),
        ("[index.fields]\nevent_data.n = 5", "/index/fields/event_data.n", "must be the name of a type"),
        ("[index]\nfields = 'x'", "/index/fields/", "must be the name of a type"),
        (
            "[index.fields]\n" + "\n".join(f"event_data.f{n} = 'string'" for n in range(65)),
            "/index/fields", "at most 64 fields, not 65",
        ),
    ],
)  # fmt: skip
def test_bad_settings_are_named(tmp_path: Path, toml: str, pointer: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        loaded(tmp_path, toml)
    assert caught.value.pointer == pointer
    assert says in caught.value.message
    ran = indelible("config", "show", cwd=tmp_path)
    assert (ran.code, says in ran.err) == (2, True), ran.err


def test_where_the_index_is(tmp_path: Path) -> None:
    default = IndexSettings()
    assert index_url(Settings(store="memory:"), default) == "memory:"
    assert index_url(Settings(store=f"sqlite:{tmp_path}/x.db"), default) == f"sqlite:{tmp_path}/x.db-search"
    assert index_url(Settings(store="sqlite:x.db"), IndexSettings("memory:")) == "memory:"
    for store, beside in (
        ("postgresql://me@db/x", "postgresql://me@db/x?schema=indelible_search"),
        ("postgres:///x?host=/run&schema=shop", "postgres:///x?host=%2Frun&schema=shop_search"),
        ("postgresql://db/x?synchronous_commit=off", "postgresql://db/x?schema=indelible_search"),
    ):
        check_index(Settings(store=store, index=default))
        assert index_url(Settings(store=store), default) == beside
    for settings in (
        Settings(store="postgresql://db/x", index=IndexSettings("memory:"), workers=2),
        Settings(index=IndexSettings("postgresql://db/x?schema=Shop")),
        Settings(index=IndexSettings("postgresql://db/x?schema=pg_shop")),
        Settings(index=IndexSettings("postgresql://db/x?color=red")),
        Settings(index=IndexSettings("sqlite:")),
        Settings(index=IndexSettings(f"sqlite:{tmp_path}")),
        Settings(index=IndexSettings("memory:x")),
    ):
        with pytest.raises(InvalidRequest) as caught:
            check_index(settings)
        assert caught.value.pointer == "/index/store"
    check_index(Settings())


def test_a_server_with_bad_settings_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "indelible.toml").write_text(f"[index]\nstore = 'sqlite:{tmp_path}'")
    ran = indelible("serve", "--store", "sqlite:x.db", "--http", "127.0.0.1:0", cwd=tmp_path)
    assert (ran.code, "index/store" in ran.err, (tmp_path / "x.db").exists()) == (2, True, False), ran.err


# --- A server --------------------------------------------------------------------------------------------------------


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return answer.read().decode()


def found(client: Client, field: str) -> int:
    query = SearchQuery(where=(Where(field, "exists"),))
    return client.search(query, wait_for=client.head().cursor, wait_s=PATIENCE_S).count


def test_the_index_outlives_the_server_and_follows_its_fields(tmp_path: Path) -> None:
    configuration = tmp_path / "indelible.toml"
    configuration.write_text("[index.fields]\nevent_data.n = 'number'")
    with server(tmp_path) as (url, _), Client(url) as client:
        client.append("order", "1", [NewEvent("Placed", {"n": n, "m": n}) for n in range(3)])
        assert found(client, "event_data.n") == 3
        parts = {one["name"]: one for one in json.loads(get(f"{url}/readyz?verbose"))["parts"]}
        assert (parts["query index"]["state"], parts["query index"]["is_vital"]) == ("running", False)
        metrics = get(f"{url}/metrics")
        for line in (
            'indelible_search_index_lag_events{generation="serving"} 0.0',
            'indelible_search_index_documents{generation="serving"} 3.0',
            "indelible_search_ready 1.0",
            "indelible_search_indexed_total 3.0",
            "indelible_search_index_failing 0.0",
            "indelible_search_duration_seconds_count 1.0",
        ):
            assert line in metrics.splitlines(), metrics
    assert (tmp_path / "x.db-search").exists()
    with server(tmp_path) as (url, _), Client(url) as client:
        assert found(client, "event_data.n") == 3
        serving = client.index.status().serving
        assert serving is not None
        assert (serving.number, serving.documents) == (1, 3)
        assert "indelible_search_indexed_total 0.0" in get(f"{url}/metrics").splitlines(), "nothing is indexed again"
    configuration.write_text("[index.fields]\nevent_data.m = 'number'")
    with server(tmp_path) as (url, _), Client(url) as client:
        deadline = time.monotonic() + PATIENCE_S
        while (serving := client.index.status().serving) is None or serving.number == 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert found(client, "event_data.m") == 3
        with pytest.raises(InvalidRequest):
            found(client, "event_data.n")
