"""indelible schema …, and imports into a store that has schemas."""

import io
import json
from pathlib import Path
from uuid import uuid4

import pytest

from cli.conftest import Run

STORE = ("--store", "sqlite:x.db")
SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}, "additionalProperties": False}


def test_from_the_first_version_to_the_end(run: Run, monkeypatch: pytest.MonkeyPatch):
    Path("one.json").write_text(json.dumps(SCHEMA, indent=2))
    assert run("schema", "register", "Placed", "one.json", *STORE).out == (
        "version 1 of the schema of Placed is active, backward\n"
    )
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(SCHEMA | {"title": "An order"}).encode())))
    asked = run("schema", "register", "Placed", "-", "--dry-run", "--json", *STORE)
    assert (json.loads(asked.out)["version"] if asked.code == 0 else asked.err) == 2
    assert json.loads(run("schema", "get", "Placed", *STORE).out) == SCHEMA
    told = json.loads(run("schema", "get", "Placed", "--version", "1", "--json", *STORE).out)
    assert (told["schema"], told["state"]) == (SCHEMA, "active")
    assert run("schema", "set-compatibility", "Placed", "full", *STORE).out == "the schema of Placed is full\n"
    lines = run("schema", "list", *STORE).out.splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [["Placed", "1", "full", "active"]]
    assert run("schema", "versions", "Placed", *STORE).out.splitlines()[0] == lines[0]
    assert run("schema", "retire", "Placed", *STORE).out == "the schema of Placed is retired\n"


def test_exit_codes(run: Run):
    Path("one.json").write_text(json.dumps(SCHEMA))
    Path("other.json").write_text(json.dumps(SCHEMA | {"required": ["total"]}))
    Path("none.json").write_text('{"type": "text"}')
    Path("large.json").write_text(" " * 300_000)
    assert run("schema", "register", "Placed", "one.json", *STORE).code == 0
    assert run("schema", "get", "Other", *STORE).code == 4
    assert run("schema", "register", "Placed", "other.json", "--dry-run", *STORE).code == 3
    for file in ("none.json", "large.json"):
        assert run("schema", "register", "Placed", file, *STORE).code == 2
    assert run("schema", "register", "Placed", "one.json", "--compatibility", "some", *STORE).code == 2
    assert run("append", "order", "1", "Placed", '{"total": "x"}', *STORE).code == 2


def test_imports_are_checked(run: Run):
    Path("one.json").write_text(json.dumps(SCHEMA))
    run("schema", "register", "Placed", "one.json", *STORE)
    events = [("1", {"total": 1}), ("2", {"total": "x"}), ("3", {"total": 3})]
    lines = [
        json.dumps(
            {"event_id": str(uuid4()), "aggregate_type": "order", "aggregate_id": of, "event_type": "Placed"}
            | {"event_data": data}
        )
        for of, data in events
    ]
    Path("events.ndjson").write_text("\n".join(lines))
    imported = run("import", "events.ndjson", *STORE)
    assert imported.code == 1
    assert "must fit type" in imported.err
    found = [json.loads(line) for line in run("feed", "--aggregate-type", "order", "--json", *STORE).out.splitlines()]
    assert [one["aggregate_id"] for one in found] == ["1", "3"]
