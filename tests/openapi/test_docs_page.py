"""The page is read, searched and tried in a browser, and needs nothing but its server; so does the one at ``/``."""

import json
import re
from pathlib import Path
from typing import Any

import npm
from house.source import PACKAGE, ROOT
from indelible.core.open import open_local_store
from rest.calls import Api, connected
from serving import serving_in_a_thread

VISIT = Path(__file__).with_name("docs_page")
VIEWER = PACKAGE / "server" / "http" / "swagger_ui"
BROWSER_TIMEOUT_S = 240
HOSTILE = "<img src=x onerror=alert(1)>"
"""A name that is to be read, and nothing else."""


def test_a_person_reads_searches_and_tries(tmp_path: Path, operations: dict[str, Any]):
    folder = npm.installed(VISIT, tmp_path)
    picture = tmp_path / "page.png"
    with serving_in_a_thread(open_local_store("memory:")) as url, connected(url) as api:
        api.post("/v1/aggregates/thing/1/events", {"events": [{"event_type": HOSTILE, "event_data": 1}]})
        seen = json.loads(npm.run("node", "visit.mjs", url, str(picture), cwd=folder, timeout_s=BROWSER_TIMEOUT_S))
        assert api.head_position() == 3
    assert seen["requests"] == [f"GET {url}/docs", f"GET {url}/openapi.json", f"POST {url}/v1/batch"]
    assert seen["complaints"] == []
    assert sorted(seen["operations"]) == sorted(name.split()[1] for name in operations)
    assert seen["found"] == ["/v1/groups/{group}/ack"]
    assert seen["status"] == "200"
    assert [result["status"] for result in json.loads(seen["answer"])["results"]] == [201, 201]
    assert seen["overview_requests"] == [f"GET {url}/", f"GET {url}/openapi.json"]
    overview = seen["overview"]
    assert (overview["is_cut"], overview["back"], overview["elements"]) == (False, "rgb(21, 23, 26)", 0)
    assert overview["headings"] == ["Aggregate types", "Event types", "Consumer groups", "Relays"]
    assert HOSTILE in overview["names"]


def test_nothing_else_in_it_is_run(api: Api):
    answer = api.get("/docs")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy.pop("default-src") == policy.pop("frame-ancestors") == "'none'"
    assert policy.pop("connect-src") == "'self'"
    for kind in ("script-src", "style-src"):
        assert all(source.startswith("'sha256-") for source in policy.pop(kind).split())
    page = answer.body.decode()
    assert len(re.findall(r"</script\b", page)) == 2
    assert len(re.findall(r"</style\b", page)) == 1


def test_callers_keep_it(api: Api):
    tag = api.get("/docs").headers["etag"]
    kept = api.call("GET", "/docs", headers={"if-none-match": tag})
    assert (kept.status, kept.body) == (304, b"")


def test_the_viewer_is_what_its_makers_published(tmp_path: Path):
    published = npm.installed(ROOT / "tools" / "docs_viewer", tmp_path) / "node_modules" / "swagger-ui-dist"
    names = {path.name for path in VIEWER.iterdir()}
    assert names > {"LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"}
    assert {name for name in names if (VIEWER / name).read_bytes() != (published / name).read_bytes()} == set()
