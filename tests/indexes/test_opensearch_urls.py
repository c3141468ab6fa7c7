"""URLs of indexes in OpenSearch and Elasticsearch."""

import builtins
import sys
from pathlib import Path
from typing import Any

import pytest

from indelible.errors import InvalidRequest
from indelible.indexes.makers import make_index
from indelible.indexes.opensearch.address import Address


def test_all_that_a_url_says(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    url = f"opensearch+https://me:p%40ss%3A@h1:9200,[::1]:9201/my-events?shards=3&replicas=0&ca={ca}"
    assert Address.of(url) == Address(
        "opensearch", ("https://h1:9200", "https://[::1]:9201"), "me", "p@ss:", "my-events", str(ca), 3, 0
    )
    assert Address.of("elasticsearch://localhost:9200/e") == Address(
        "elasticsearch", ("http://localhost:9200",), "", "", "e", None, 1, None
    )


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("opensearch://h:9200", "prefix"), ("opensearch://h:9200/", "prefix"), ("opensearch://h:9200/A", "prefix"),
        ("opensearch://h:9200/a/b", "prefix"), ("opensearch://h:9200/-a", "prefix"),
        ("opensearch://h:9200/a-12", "prefix"),
        ("opensearch://h:9200/" + "a" * 201, "prefix"), ("opensearch:h", "must be like"),
        ("opensearch://h/a", "must be like"), ("opensearch://h:1,/a", "must be like"),
        ("opensearch://h:9200/a#b", "must be like"), ("opensearch://[::1/a", "is not a URL"),
        ("opensearch://me@h:9200/a", "user and password"), ("opensearch://:p@h:9200/a", "user and password"),
        ("opensearch://h:9200/a?shard=1", "unknown parameter, shard"),
        ("opensearch://h:9200/a?shards=0", "from 1 to 1000"), ("opensearch://h:9200/a?shards=x", "from 1 to 1000"),
        ("opensearch://h:9200/a?replicas=1001", "from 0 to 1000"),
        ("opensearch://h:9200/a?shards=1&shards=2", "shards twice"),
        ("opensearch://h:9200/a?ca=x", "goes with"), ("opensearch+https://h:9200/a?ca=/none/x.pem", "is no file"),
        ("elasticsearch://h:9200", "elasticsearch://HOST:PORT/PREFIX"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(url: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        make_index(url)
    assert caught.value.pointer == "/index/store"


@pytest.mark.parametrize(("kind", "package"), [("opensearch", "opensearchpy"), ("elasticsearch", "elasticsearch")])
def test_without_the_extra(kind: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    imported: Any = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name == package:
            raise ImportError(name)
        return imported(name, *args)

    monkeypatch.delitem(sys.modules, f"indelible.indexes.opensearch.{kind}_client", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InvalidRequest, match=rf"indelible\[{kind}\]") as caught:
        make_index(f"{kind}://127.0.0.1:9200/x")
    assert caught.value.pointer == "/index/store"
