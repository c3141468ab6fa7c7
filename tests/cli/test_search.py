"""indelible search and indelible index …, on a server of its own with an index."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from cli.running import server, wait_until
from indelible.cli.search import parse_where
from indelible.errors import InvalidRequest
from indelible.search import Where

CONFIGURATION = """
[index.fields]
event_data.total = "number"
"event_data.customer.id" = "string"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("searched")


@pytest.fixture(scope="module")
def searched(folder: Path) -> Iterator[str]:
    (folder / "indelible.toml").write_text(CONFIGURATION)
    with server(folder) as (url, _):
        yield url


@pytest.fixture
def orders(run: Run, searched: str) -> str:
    """Appended again by each test, which changes nothing."""
    for n, data in enumerate(
        (
            {"total": 250, "customer": {"id": "c-1"}, "note": "Handle with care"},
            {"total": 40, "customer": {"id": "c-2"}, "note": "No care"},
            {"total": 75.5, "customer": {"id": "c-1"}},
        )
    ):
        ran = run(
            "append", "order", f"o-{n}", "Placed", json.dumps(data), "--url", searched,
            "--event-id", f"01890a5d-ac96-774b-bcce-b302099a805{n}", "--tag", f"n:{n}",
        )  # fmt: skip
        assert ran.code == 0, ran.err
    return searched


def found(run: Run, url: str, *args: object) -> list[str]:
    ran = run("search", *args, "--wait-for", "head", "--json", "--url", url)
    assert ran.code == 0, ran.err
    return [json.loads(line)["aggregate_id"] for line in ran.out.splitlines()]


def test_what_is_found(run: Run, orders: str) -> None:
    assert found(run, orders, "care") == ["o-1", "o-0"]
    assert found(run, orders, '"with care"') == ["o-0"]
    assert found(run, orders, "care", "--order", "oldest") == ["o-0", "o-1"]
    assert found(run, orders, "--where", "event_data.total >= 75.5", "--where", "event_data.customer.id=c-1") == [
        "o-2",
        "o-0",
    ]
    assert found(run, orders, "--tag", "n:1", "--event-type", "Placed", "--aggregate-type", "order") == ["o-1"]
    assert found(run, orders, "--since", "2020-01-31T00:00:00Z", "--limit", "2") == ["o-2", "o-1"]
    assert found(run, orders, "--until", "2020-01-31T00:00:00Z") == []
    text = run("search", "care", "--limit", "1", "--url", orders).out
    assert re.fullmatch(r'2  \S+  order-o-1 1  Placed  {"total":40,.*}  \[n:1\]\n', text), text


def test_aggregates(run: Run, orders: str) -> None:
    where = ("--where", "event_data.customer.id in c-1, c-2", "--aggregates", "--wait-for", "head")
    assert run("search", *where, "--url", orders).out.split() == [
        "aggregate_type", "aggregate_id", "order", "o-0", "order", "o-1", "order", "o-2"
    ]  # fmt: skip
    ran = run("search", *where, "--limit", "1", "--json", "--url", orders)
    assert json.loads(ran.out) == {"aggregate_type": "order", "aggregate_id": "o-0"}


def test_what_is_refused(run: Run, orders: str) -> None:
    for args, says in (
        (("--where", "event_data.total"), "where/0: must be FIELD OPERATOR VALUE such as"),
        (("--where", "event_data.total >"), "where/0: needs a value behind >"),
        (("--where", "version = 1", "--where", "event_data.x = 1"), "where/1/field: event_data.x is no field"),
        (("--where", "event_data.total = c-1"), "where/0/value: must be a number"),
        (("--wait-for", "10000"), "wait_for: is past the head"),
        (("--since", "some day"), "since: must be 2h or"),
        (("?!",), "query: has no word to look for"),
    ):
        ran = run("search", *args, "--url", orders)
        assert (ran.code, ran.out) == (2, "")
        assert says in ran.err, ran.err


def test_the_index_is_looked_after(run: Run, orders: str) -> None:
    assert found(run, orders, "care")
    text = run("index", "status", "--url", orders).out
    for line in (
        r"serving   generation \d+: 3 events, 0 positions behind, 0.0 s",
        "building  none",
        r"fields    event_data.customer.id \(string\), event_data.total \(number\)",
        "problem   none",
    ):
        assert re.search(f"^{line}$", text, re.MULTILINE), text
    before = status(run, orders)["serving"]["number"]
    assert run("index", "rebuild", "--url", orders).code == 0
    until_serving(run, orders, before + 1)
    assert "rejected  0" in run("index", "retry", "--url", orders).out
    assert run("index", "drop", "--url", orders).out == "the query index is dropped; it is built anew\n"
    until_serving(run, orders, before + 2)
    assert found(run, orders, "care") == ["o-1", "o-0"]


def status(run: Run, url: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(run("index", "status", "--json", "--url", url).out)
    return shown


def until_serving(run: Run, url: str, number: int) -> None:
    def serves() -> bool:
        serving = status(run, url)["serving"]
        return serving is not None and serving["number"] >= number

    wait_until(serves, "the index is not built")


def test_of_a_local_store_the_index_beside_it(run: Run, orders: str, folder: Path) -> None:
    asked = ("care", "--where", "event_data.total >= 100", "--wait-for", "head")
    by_server = run("search", *asked, "--url", orders)
    local = ("--store", f"sqlite:{folder}/x.db")
    beside = run("search", *asked, *local)
    assert (beside.code, beside.out) == (0, by_server.out), beside.err
    assert "o-0" in beside.out
    status = run("index", "status", *local).out
    assert re.search(r"^serving   generation \d+: 3 events, 0 positions behind", status, re.MULTILINE), status
    for command in ("rebuild", "retry", "drop"):
        ran = run("index", command, *local)
        assert (ran.code, "is only read here" in ran.err) == (1, True), ran.err


def test_without_an_index(run: Run, tmp_path: Path) -> None:
    run("append", "order", "1", "Placed", "--store", "sqlite:x.db")
    for command in (
        ("search", "care"),
        ("index", "status"),
        ("index", "rebuild"),
        ("index", "retry"),
        ("index", "drop"),
    ):
        ran = run(*command, "--store", "sqlite:x.db")
        assert (ran.code, "a table [index]" in ran.err) == (1, True), ran.err


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("a.b = 1", Where("a.b", "=", 1)),
        ("a.b=1.5", Where("a.b", "=", 1.5)),
        ("a.b != c-1", Where("a.b", "!=", "c-1")),
        ("a.b<=-3", Where("a.b", "<=", -3)),
        ("a.b >= 2026-01-31T12:00:00Z", Where("a.b", ">=", "2026-01-31T12:00:00Z")),
        ("a.b < 5", Where("a.b", "<", 5)),
        (" a.b  >  5 ", Where("a.b", ">", 5)),
        ('a.b = "1"', Where("a.b", "=", "1")),
        ('a.b = ""', Where("a.b", "=", "")),
        ("a.b = true", Where("a.b", "=", True)),
        ("a.b = two words = three", Where("a.b", "=", "two words = three")),
        ("a.b in 1, 2,x", Where("a.b", "in", [1, 2, "x"])),
        ('a.b in ["1, 2", 3]', Where("a.b", "in", ["1, 2", 3])),
        ('a.b in "Smith, J", x', Where("a.b", "in", ["Smith, J", "x"])),
        ('a.b in x , "1" ,"a \\" b, c",2', Where("a.b", "in", ["x", "1", 'a " b, c', 2])),
        ('a.b in 5" pipe, "a" b, "c', Where("a.b", "in", ['5" pipe', '"a" b', '"c'])),
        ("a.b in x,,y,", Where("a.b", "in", ["x", "", "y", ""])),
        ("a.b prefix c-", Where("a.b", "prefix", "c-")),
        ("a.b exists", Where("a.b", "exists", True)),
        ("a.b not exists", Where("a.b", "exists", False)),
    ],
)
def test_conditions_as_people_write_them(text: str, condition: Where) -> None:
    assert parse_where(text, "/where/0") == condition


@pytest.mark.parametrize("text", ["", "a", "= 1", "a.b", "a.b =", "a.b in ", "a.b ~ 1", "a.b like x", "exists"])
def test_conditions_that_are_none(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_where(text, "/where/3")
    assert caught.value.pointer == "/where/3"
