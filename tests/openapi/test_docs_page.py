"""The page is whole, needs nothing from elsewhere, and its commands work."""

import html
import re
import subprocess
from typing import Any

import pytest

from indelible.core.open import open_local_store
from indelible.limits import VERSION_MAX
from indelible.server.http.docs_schema import constraints, type_words
from openapi.parking import park_events
from rest.calls import Api, connected
from serving import serving_in_a_thread

SERVER = "http://127.0.0.1:8080"


@pytest.fixture
def page(api: Api) -> str:
    answer = api.get("/docs")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.body.decode()


def test_it_loads_nothing_from_elsewhere(page: str):
    assert re.findall(r"<(?:script|link|img|iframe|object|embed)\b", page) == []
    assert re.findall(r"@import|url\(", page) == []
    assert {target for target in re.findall(r"href=[\"']([^\"']*)", page) if not target.startswith("#")} == {
        "openapi.json"
    }


def test_every_link_leads_somewhere(page: str):
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_everything_is_in_it(page: str, document: dict[str, Any], operations: dict[str, Any]):
    text = html.unescape(page.replace("<wbr>", ""))
    for name, operation in operations.items():
        assert f'id="{operation["operationId"]}"' in page
        assert name.split()[1] in text
        assert all(f"<code>{parameter['name']}</code>" in page for parameter in operation["parameters"])
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name}"' in page


def test_tags_are_balanced(page: str):
    for tag in ("table", "tr", "th", "td", "article", "section", "ul", "li", "small", "code", "pre", "p", "a"):
        assert len(re.findall(rf"<{tag}\b", page)) == page.count(f"</{tag}>"), tag


def test_its_commands_work(page: str, operations: dict[str, Any]):
    commands = [html.unescape(text) for text in re.findall(r"<pre>(curl .*?)</pre>", page, re.DOTALL)]
    assert len(commands) == len(operations)
    # What is read has to be written first, and must not be deleted before.
    commands.sort(key=lambda command: (" -X DELETE " in command, " --json " not in command))
    with serving_in_a_thread(open_local_store("memory:")) as url, connected(url) as api:
        for command in commands:
            assert SERVER in command
            if "/parked/skip" in command:
                park_events(api)
            run = subprocess.run(
                command.replace(SERVER, url).replace("curl -s", "curl -sS --fail-with-body"),
                shell=True, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert run.returncode == 0, command + run.stdout + run.stderr
        assert api.head_position() == 3


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 255}, "string · 1 to 255 characters"),
        ({"type": "string", "maxLength": 127}, "string · 0 to 127 characters"),
        ({"type": "integer", "minimum": 0}, "integer · at least 0"),
        ({"type": "integer", "minimum": 1, "maximum": VERSION_MAX}, "integer · 1 to 2<sup>53</sup> − 1"),
        ({"type": "integer", "default": 100}, "integer · default <code>100</code>"),
        ({"type": "string", "format": "uuid"}, "string (uuid)"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 32}, "list of string · 0 to 32 elements"),
        ({"$ref": "#/components/schemas/Event"}, '<a href="#schema-Event">Event</a>'),
        ({"anyOf": [{"type": "integer"}, {"enum": ["any"]}]}, "integer or <code>any</code>"),
        ({"const": "<&>"}, "<code>&lt;&amp;&gt;</code>"),
        ({}, "any JSON value"),
    ],
)
def test_a_schema_in_words(schema: dict[str, Any], words: str):
    assert " · ".join([type_words(schema), *constraints(schema)]) == words
