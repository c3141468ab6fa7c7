"""Filters of $all: what they match, what the store can look up of them, and how foreign patterns are bounded."""

import contextlib
import itertools
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest
from kurrentdbclient import DEFAULT_EXCLUDE_FILTER
from kurrentdbclient.common import construct_filter_exclude_regex, construct_filter_include_regex

from held import held_at_most
from indelible.access import EVERYBODY, Grant, Principal
from indelible.errors import InvalidRequest
from indelible.events import RecordedEvent
from indelible.limits import ESDB_FILTER_LENGTH_MAX, ESDB_FILTER_PREFIXES_MAX
from indelible.queries import EVERYTHING, EventQuery
from indelible.server.esdb.filters import filter_of
from indelible.wire.esdb.pb import shared_pb2 as pb
from indelible.wire.esdb.stream_names import aggregate_of

SYSTEM = "^(?!([$].+$|PersistentConfig[0-9]+$|Result$))"


def event(event_type: str = "Placed", stream: str = "order-1") -> RecordedEvent:
    key = aggregate_of(stream)
    return recorded(event_type, key.aggregate_type, key.aggregate_id)


def recorded(event_type: str, aggregate_type: str, aggregate_id: str) -> RecordedEvent:
    return RecordedEvent(
        event_id=uuid4(), event_type=event_type, aggregate_type=aggregate_type, aggregate_id=aggregate_id, version=1,
        position=1, timestamp=datetime.now(UTC), metadata_raw=msgspec.Raw(b"{}"), tags=(), content_type="", hash="",
    )  # fmt: skip


def of_types(regex: str = "", *prefixes: str) -> pb.FilterOptions:
    return pb.FilterOptions(event_type=pb.FilterOptions.Expression(regex=regex, prefix=prefixes))


def of_streams(regex: str = "", *prefixes: str) -> pb.FilterOptions:
    return pb.FilterOptions(stream_identifier=pb.FilterOptions.Expression(regex=regex, prefix=prefixes))


def has(options: pb.FilterOptions | None, *names: str) -> list[bool]:
    is_by_type = options is None or options.HasField("event_type")
    wanted = filter_of(options)
    return [wanted.matches(event(name) if is_by_type else event(stream=name)) for name in names]


@pytest.mark.parametrize("options", [None, of_types(), of_streams()])
def test_who_asks_for_nothing_gets_all_but_the_store_s_own_events(options: pb.FilterOptions | None):
    wanted = filter_of(options)
    assert wanted.matches(event("$metadata", "$$order-1"))
    assert not wanted.matches(recorded("SchemaRegistered", "$schemas", "1"))
    assert wanted.query == EVERYTHING


@pytest.mark.parametrize(
    "options", [of_types("^P", "Q"), of_types("", "P", "R"), of_types("^(P|R)"), of_types("^P|^R")]
)
def test_types_are_told_by_their_beginnings(options: pb.FilterOptions):
    assert has(options, "Placed", "Sent", "XP", "P") == [True, False, False, True]


def test_the_client_s_own_filters_mean_what_they_say():
    excluded = of_types(construct_filter_exclude_regex(DEFAULT_EXCLUDE_FILTER))
    names = ("Placed", "$metadata", "PersistentConfig1", "PersistentConfig", "Result", "Results", "$")
    assert has(excluded, *names) == [True, False, False, True, False, True, True]
    included = of_types(construct_filter_include_regex(["Placed", "Sent"]))
    assert has(included, "Placed", "Sent", "Other", "PlacedTwice") == [True, True, False, True]
    assert has(of_types(construct_filter_include_regex(["Placed"])), "Placed", "PlacedTwice") == [True, False]


@pytest.mark.parametrize("pattern", ["^[^$].*", r"^[^\$].*", "^[^$]", r"^(?!\$)"])
def test_events_of_the_system_are_left_out(pattern: str):
    assert has(of_types(pattern), "Placed", "$metadata", "A$") == [True, False, True]
    assert has(of_streams(pattern), "order-1", "$$order-1", "$settings") == [True, False, False]


def test_a_pattern_without_an_anchor_is_looked_for_anywhere():
    assert has(of_streams("der-[0-9]$"), "order-1", "order-a", "tender-2") == [True, False, True]


@pytest.mark.parametrize(
    ("options", "query"),
    [
        (of_types("^Placed$"), EventQuery.of(event_types=["Placed"])),
        (of_types("^Placed$|^Sent$"), EventQuery.of(event_types=["Placed", "Sent"])),
        (of_types("", "Placed"), EVERYTHING),
        (of_types("^Placed$|^Sent"), EVERYTHING),
        (of_streams("^order-1$"), EventQuery.of(aggregate_types=["order"])),
        (of_streams(r"^order\-1$"), EventQuery.of(aggregate_types=["order"])),
        (of_streams("", "$$"), EventQuery.of(aggregate_types=["~"])),
        (of_streams("", "order"), EVERYTHING),
        (of_streams("^" + "$|^".join(f"a{i}-1" for i in range(200)) + "$"), EVERYTHING),
        (of_streams(SYSTEM), EVERYTHING),
    ],
)
def test_the_store_looks_up_what_it_can(options: pb.FilterOptions, query: EventQuery):
    assert filter_of(options).query == query


def test_what_the_store_looks_up_leaves_out_nothing_that_matches():
    parts = ("order", "-", "~", "$", "1")
    names = ["".join(some) for length in (1, 2, 3, 4) for some in itertools.product(parts, repeat=length)]
    for prefix in names:
        wanted = filter_of(of_streams("", prefix))
        for one in (event(stream=name) for name in names if name.startswith(prefix)):
            assert wanted.matches(one)
            assert wanted.query.matches(one.event_type, one.aggregate_type, ())


def test_a_query_names_no_type_that_its_caller_may_not_read_but_for_the_only_one():
    reader = Principal("reader", (Grant("read", "order"),))
    wanted = filter_of(of_streams("^order-|^cart-1$"))
    assert wanted.query_for(reader) == EventQuery.of(aggregate_types=["order"])
    assert wanted.query_for(EVERYBODY) == wanted.query
    only = filter_of(of_streams("^cart-1$"))
    assert only.query_for(reader) == only.query == EventQuery.of(aggregate_types=["cart"])
    assert filter_of(of_types("^Placed$")).query_for(reader) == EventQuery.of(event_types=["Placed"])
    assert filter_of(None).query_for(reader) == EVERYTHING


# --- Foreign patterns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        "(a", "a)", "[a", "*", "\\", "(?R)", "(a(?1)*)+", "(?V1)a", "(?x)a", "(?#a)", "a{e<=3}", "(*SKIP)a", r"\k<n>",
        "(?P<n>a)", "[a-z-[aeiou]]", "[[:alpha:]]", r"\L<names>", "(?(1)a|b)", "(?e)(?:abc){e}",
    ],
)  # fmt: skip
def test_what_is_no_pattern_here_is_refused_by_name(pattern: str):
    with pytest.raises(InvalidRequest) as refused:
        filter_of(of_types(pattern))
    assert refused.value.pointer == "/filter/event_type/regex"


@pytest.mark.parametrize(
    "pattern", [r"^\p{Lu}\w+$", "(?i)^placed$", "^(?<name>P)l", "(?<!x)Placed", "(?i:p)laced", r"[^\]]+d$", "P.{4,5}d"]
)
def test_what_dotnet_has_too_is_taken(pattern: str):
    assert has(of_types(pattern), "Placed", "$1") == [True, False]


def test_filters_are_bounded_in_size():
    with pytest.raises(InvalidRequest, match=f"at most {ESDB_FILTER_LENGTH_MAX} characters"):
        filter_of(of_types("a" * (ESDB_FILTER_LENGTH_MAX + 1)))
    with pytest.raises(InvalidRequest, match=f"at most {ESDB_FILTER_PREFIXES_MAX} prefixes"):
        filter_of(of_types("", *["a"] * (ESDB_FILTER_PREFIXES_MAX + 1)))
    with pytest.raises(InvalidRequest) as refused:
        filter_of(of_streams("", "a", "a" * 300))
    assert refused.value.pointer == "/filter/stream_identifier/prefix/1"
    with pytest.raises(InvalidRequest, match="must have stream_identifier or event_type"):
        filter_of(pb.FilterOptions())


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:" * 40 + "a" + "){1,9}" * 40,
        "(" * 900 + ")" * 900,
        "(?:" * 8 + "a" + "){1,9}" * 8,
        "|".join(f"word{i}" for i in range(220)),
        "(?i)[" + "".join(chr(200 + 2 * i) for i in range(1_900)) + "]",
        r"\p{L}" * 390,
        "a*" * 990 + "b",
        "[" * 2_000,
        "[a" * 1_000,
        "a{3000}",
        "(?:a*){3}",
        "(?:" * 8 + "a*" + "){2}" * 8,
        "(?:" * 7 + "a?" + "){3}" * 7,
        "a{9}" * 440,
    ],
)
def test_no_pattern_takes_long_to_be_looked_at(pattern: str):
    with held_at_most(0.1), contextlib.suppress(InvalidRequest):
        filter_of(of_types(pattern)).matches(event("a" * 254 + "!"))


@pytest.mark.parametrize(
    "pattern",
    [
        "a{1000000}",
        "a{9000000}",
        "(?:a{1000}){3000}",
        "(?:(?:a{100}){100}b){100}",
        "(?:" * 8 + "a" + "){9}" * 8,
        "(?:){1000000}",
        "x{5000,}",
        r"\d{9}" * 300,
        "[ab]{1000}{1000}",
        f"a{{{'9' * 1_900}}}",
    ],
)
def test_a_pattern_that_repeats_a_few_characters_very_often_is_refused_unseen(pattern: str, monkeypatch):
    monkeypatch.setattr("regex.compile", None)
    with pytest.raises(InvalidRequest, match="when its repeats are written out"):
        filter_of(of_types(pattern))


def test_what_repeats_within_reason_is_taken():
    assert has(of_types("^(?:[a-z]{1,10}-?){5,25}$"), "placed-twice", "Placed") == [True, False]
    assert has(of_streams("^order-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$"), f"order-{uuid4()}") == [True]
    assert has(of_types("a{0}b{1000}?|^c"), "c") == [True]


@pytest.mark.parametrize("pattern", ["(a|aa)+$", "(?=(a+)+b)", "(a?){255}a{255}$", "(.*a){20}b"])
def test_a_pattern_that_would_take_for_ever_is_refused_in_time(pattern: str):
    wanted = filter_of(of_types(pattern))
    with held_at_most(0.1), pytest.raises(InvalidRequest, match="takes too long") as refused:
        wanted.matches(event("a" * 254 + "!"))
    assert refused.value.pointer == "/filter/event_type/regex"


def test_a_pattern_that_is_slow_on_every_name_is_refused_before_it_holds_others_up():
    wanted = filter_of(of_streams("(a|b|ab)*(c|d)$"))
    events = [event(stream="ab" * 11 + f"-{i}") for i in range(1_000)]
    with held_at_most(0.1), pytest.raises(InvalidRequest, match="takes too long"):
        any(map(wanted.matches, events))
