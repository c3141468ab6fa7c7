"""Times as people write them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from cli.conftest import Run
from indelible.cli.times import duration_s, parse_time
from indelible.errors import InvalidRequest


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("text", "is_utc"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00"),
        ("2026-01-31t12:00:00.123456z", "2026-01-31T12:00:00.123456"),
        ("2026-01-31T12:00:00.123456789+01:00", "2026-01-31T11:00:00.123456"),
        ("2026-01-31 12:00:00-02:30", "2026-01-31T14:30:00"),
        ("2026-01-31T12:00", "2026-01-31T11:00:00"),
        ("2026-07-31 12:00:30", "2026-07-31T10:00:30"),
        ("2026-01-31", "2026-01-30T23:00:00"),
        ("2026-03-29", "2026-03-28T23:00:00"),
        (" 2026-07-31 ", "2026-07-30T22:00:00"),
    ],
)
def test_what_names_no_zone_is_of_this_machine(text: str, is_utc: str) -> None:
    found = parse_time(text, "/since")
    assert found is not None
    assert found.astimezone(UTC).replace(tzinfo=None) == datetime.fromisoformat(is_utc)


@pytest.mark.usefixtures("berlin")
def test_days_begin_at_this_machines_midnight() -> None:
    before = datetime.now().astimezone().date()
    for text, days in (("today", 0), ("Yesterday", 1)):
        found = parse_time(text, "/since")
        assert found is not None
        local = found.astimezone()
        assert (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)
        assert local.date() - (before - timedelta(days=days)) in (timedelta(0), timedelta(days=1))


@pytest.mark.parametrize(("text", "ago_s"), [("now", 0), ("90s", 90), ("15m", 900), ("2h", 7_200), ("1d12h", 129_600)])
def test_durations_are_so_long_ago(text: str, ago_s: int) -> None:
    before = datetime.now(UTC)
    found = parse_time(text, "/since")
    assert found is not None
    assert before <= found + timedelta(seconds=ago_s) <= datetime.now(UTC)


def test_durations() -> None:
    assert [duration_s(text) for text in ("0s", "1w", "1h30m", "2h 5m", "h", "5", "-1d", "1.5h", "")] == [
        0, 604_800, 5_400, None, None, None, None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "2", "2 h", "-2h", "999999999w", "2026-02-30", "2026-1-1", "20260131", "2026-01-31T25:00",
        "0000-01-01", "2026-01-31T12", "2026-W05", "12:00", "²h",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_time(text, "/until")
    assert caught.value.pointer == "/until"
    assert "such as 2026-01-31" in caught.value.message
    assert repr(text) in caught.value.message


def test_commands_take_them(run: Run) -> None:
    store = ("--store", "sqlite:x.db")
    run("append", "order", "1", "X", *store)
    assert len(run("feed", "--since", "1h", *store).out.splitlines()) == 1
    assert run("feed", "--until", "today", *store).out == ""
    assert run("tail", "--since", "yesterday", "--limit", "1", *store).out.count(" X  null") == 1
    assert run("group", "create", "g", "--since", "now", *store).out == "group g is at position 1, 0 before the head\n"
    assert run("tail", "--since", "1h", "--from-start", *store).code == 2
