"""Which host a store's connections are tried at first."""

import pytest

from indelible.engines.postgres.connections import parse_address
from indelible.engines.postgres.hosts import Hosts, Place


def hosts(url: str) -> Hosts:
    return Hosts(parse_address(url).conninfo)


@pytest.mark.parametrize(
    ("url", "place", "then"),
    [
        ("postgresql://a:1,b:2,c/events", ("a", "1"), ("b,c,a", "2,,1")),
        ("postgresql://a:1,b:2,c/events", ("c", "5432"), ("a,b,c", "1,2,")),
        ("postgresql://a:1,b:2,c/events", ("d", "1"), ("a,b,c", "1,2,")),
        ("postgresql://a:1,a:2/events", ("a", "1"), ("a,a", "2,1")),
        ("postgresql:///events?host=a,b&port=7000", ("a", "7000"), ("b,a", "7000,7000")),
        ("postgresql://a:1/events", ("a", "1"), ("a", "1")),
        ("postgresql:///events?host=/run/postgresql", ("/run/postgresql", "5432"), ("/run/postgresql", None)),
        ("postgresql:///events", ("", "5432"), (None, None)),
    ],
)
def test_one_that_failed_comes_last(url: str, place: Place, then: tuple[str | None, str | None]) -> None:
    found = hosts(url)
    found.failed(place)
    assert (found.parameters.get("host"), found.parameters.get("port")) == then


def test_each_fails_in_turn() -> None:
    found = hosts("postgresql://a:1,b:2,c:3/events")
    order = []
    for place in (("a", "1"), ("b", "2"), ("c", "3"), ("b", "2")):
        found.failed(place)
        order.append(found.parameters["host"])
    assert order == ["b,c,a", "c,a,b", "a,b,c", "a,c,b"]
