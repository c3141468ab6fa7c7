"""Several events from a file: all of them or none, and an error that names the line."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cli.conftest import Run
from cli.running import indelible

STORE = ("--store", "sqlite:x.db")


def write(*events: Any, name: str = "events.ndjson") -> str:
    Path(name).write_text("".join(one if isinstance(one, str) else f"{json.dumps(one)}\n" for one in events))
    return name


def placed(n: int = 1, **more: Any) -> dict[str, Any]:
    return {"event_type": "OrderPlaced", "event_data": {"n": n}, **more}


def stored(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("read", "order", "1", "--json", *STORE).out.splitlines()]


def test_a_line_is_an_event(run: Run) -> None:
    event_id = str(uuid4())
    binary = {"event_type": "Photo", "event_data_base64": "AP8=", "content_type": "image/png"}
    file = write(placed(1, event_id=event_id, tags=["a"], metadata={"by": 1}), "\n", binary, "  \n")
    ran = run("append", "order", "1", "--file", file, "--expected-version", "none", *STORE)
    assert ran.out == "order-1 versions 1 to 2 are stored: positions 1 to 2\n"
    first, second = stored(run)
    assert (first["event_id"], first["tags"], first["metadata"]) == (event_id, ["a"], {"by": 1})
    assert (second["event_data_base64"], second["content_type"]) == ("AP8=", "image/png")


def test_an_array_is_taken_too_and_repeated_once(run: Run) -> None:
    ids = [str(uuid4()) for _ in range(2)]
    Path("a.json").write_text(json.dumps([placed(n, event_id=one) for n, one in enumerate(ids)], indent=2))
    first = json.loads(run("append", "order", "1", "--file", "a.json", "--json", *STORE).out)
    assert [one["event_id"] for one in first["events"]] == ids
    again = run("append", "order", "1", "--file", "a.json", *STORE)
    assert again.out == "order-1 versions 1 to 2 were stored before: positions 1 to 2\n"


def test_stdin_is_a_file() -> None:
    line = json.dumps(placed()).encode()
    ran = indelible("append", "order", "1", "--file", "-", "--store", "memory:", stdin=line)
    assert re.fullmatch(r"order-1 version 1 is stored: position 1, event [0-9a-f-]{36}\n", ran.out)


SAME = str(uuid4())


# In one test: each would make a store of its own.
WRONG: list[tuple[tuple[Any, ...], str]] = [
    ((placed(), {"event_type": "X"}), "line 2: event_data: is missing; null is allowed"),
    ((placed(), "\n", {"event_data": 1}), "line 3: event_type: is missing"),
    ((placed(), "{\n"), "line 2: not JSON: "),
    ((placed(kind=1),), "line 1: kind: is not a known field"),
    ((placed(), placed(event_id="x")), "line 2: event_id: must be a UUID"),
    ((placed(), {"event_type": "", "event_data": 1}), "line 2: event_type: must"),
    ((placed(), "null\n"), "line 2: must be an object, not null"),
    ((placed(), "[]\n"), "line 2: must be an object, not array"),
    ((placed(event_id=SAME), placed(event_id=SAME)), "line 2: event_id: the event id stands twice"),
    (('{"event_type": "X", "event_type": "Y", "event_data": 1}\n',), 'line 1: event_type: the key "event_type"'),
    (("[{}, 1]",), "event 1: event_type: is missing"),
    (("[{",), "not JSON: "),
    (("[]",), "holds no event"),
    (("\n\n",), "holds no event"),
    ((), "is empty"),
    ((*[placed()] * 10_001,), "holds 10001 events, more than 10000"),
]


def test_what_is_wrong_is_named_and_nothing_is_stored(run: Run) -> None:
    run("append", "order", "0", "X", *STORE)
    for events, says in WRONG:
        refused = run("append", "order", "1", "--file", write(*events), *STORE)
        assert (refused.code, refused.out) == (2, ""), says
        assert refused.err.startswith("indelible: file: "), says
        assert says in refused.err
    assert run("read", "order", "1", *STORE).code == 4


def test_a_conflict_stores_none(run: Run) -> None:
    run("append", "order", "1", "X", *STORE)
    conflict = run("append", "order", "1", "--file", write(placed(), placed()), "--expected-version", "5", *STORE)
    assert conflict.code == 3
    assert len(stored(run)) == 1


@pytest.mark.parametrize("more", [("X",), ("X", "1"), ("--tag", "a"), ("--metadata", "{}"), ("--event-id", SAME)])
def test_one_event_does_not_stand_next_to_a_file(run: Run, more: tuple[str, ...]) -> None:
    refused = run("append", "order", "1", *more, "--file", write(placed()), *STORE)
    assert (refused.code, "must not stand next to --file" in refused.err) == (2, True)
    assert not Path("x.db").exists()


def test_neither_is_a_mistake(run: Run) -> None:
    refused = run("append", "order", "1", *STORE)
    assert (refused.code, refused.err) == (
        2, "indelible: event_type: is missing; give what happened, such as OrderPlaced, or --file\n",
    )  # fmt: skip


def test_an_unknown_outcome_tells_how_to_find_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from indelible import errors
    from indelible.core.store import LocalEventStore

    async def unknown(*_: object, **__: object) -> None:
        raise errors.OutcomeUnknown("the commit failed")

    monkeypatch.setattr(LocalEventStore, "append", unknown)
    ran = run("append", "order", "1", "--file", write(placed(), placed()), "--store", "memory:", "--json")
    problem = json.loads(ran.err)
    assert ran.code == 75
    assert f"indelible event {problem['event_id']}" in problem["detail"]
