"""What URLs of relays to Kafka say, and what names they lead to; no broker is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible.errors import InvalidRequest
from indelible.relays.kafka.target import Target
from indelible.relays.sink import make_sink

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=120)
TYPES = NAMES.map(lambda name: name.replace("-", "_"))
LEGAL = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("kafka://h:9092", "must name a topic"),
        ("kafka://h:9092?topic=", "must name a topic"),
        ("kafka://h:9092?topic=a/b", "must name a topic"),
        ("kafka://h:9092?topic=..", "must name a topic"),
        ("kafka://h:9092?topic=ü", "must name a topic"),
        ("kafka://h:9092?topic={event_type}", "must name a topic"),
        (f"kafka://h:9092?topic={'x' * 250}", "must name a topic"),
        (f"kafka://h:9092?topic={'x' * 230}{{aggregate_type}}", "must name a topic"),
        ("kafka://h?topic=a", "must be like kafka://HOST:PORT"),
        ("kafka://h:9092,?topic=a", "must be like kafka://HOST:PORT"),
        ("kafka://h:9092,k?topic=a", "must be like kafka://HOST:PORT"),
        ("kafka://?topic=a", "must be like kafka://HOST:PORT"),
        ("kafka://h:9092/path?topic=a", "must be like kafka://HOST:PORT"),
        ("kafka://h:9092?topic=a#b", "must be like kafka://HOST:PORT"),
        ("kafka://[::1:9092?topic=a", "is not a URL"),
        ("kafka://h:9092?topic=a&topic=b", "has topic twice"),
        ("kafka://h:9092?topic=a&create=maybe", "true or false for create"),
        ("kafka://h:9092?topic=a&tls=1", "true or false for tls"),
        ("kafka://h:9092?topic=a&partitions=0", "number from 1 to 10000 for partitions"),
        ("kafka://h:9092?topic=a&replication=-1", "number from 1 to 10000 for replication"),
        ("kafka://h:9092?topic=a&partitions=٣", "number from 1 to 10000 for partitions"),
        (
            "kafka://h:9092?topic=a&key=none",
            "must have one of stream, aggregate_id, aggregate_type, event_type for key",
        ),
        ("kafka://h:9092?topic=a&mode=odd", "binary or structured"),
        ("kafka://h:9092?topic=a&cursor_topic=a", "another topic for cursor_topic"),
        ("kafka://h:9092?topic=a&cursor_topic=a b", "another topic for cursor_topic"),
        ("kafka://h:9092?topic=a&sasl=MAGIC", "must have one of PLAIN, .* for sasl"),
        ("kafka://h:9092?topic=a&sasl=PLAIN", "must name user and password"),
        ("kafka://me@h:9092?topic=a", "must name user and password"),
        ("kafka://h:9092?topic=a&colour=red", "unknown parameter, colour"),
        ("kafka://h:9092?topic=a&plugin.library.paths=x", "unknown parameter, plugin.library.paths"),
        ("kafka://h:9092?topic=a&acks=1", "must not set acks"),
        ("kafka://h:9092?topic=a&enable.idempotence=false", "must not set enable.idempotence"),
        ("kafka://h:9092?topic=a&transactional.id=x", "must not set transactional.id"),
        ("kafka://h:9092?topic=a&retries=0", "must not set retries"),
        ("kafka://h:9092?topic=a&isolation.level=read_uncommitted", "must not set isolation.level"),
        ("kafka://h:9092?topic=a&linger.ms=soon", "settings that do not work: .*"),
        ("kafka://h:9092?topic=a&compression.type=odd", "settings that do not work: .*compression"),
        ("kafka://h:9092?topic=a&tls=true&ssl.ca.location=/none/there", "settings that do not work: .*ssl.ca.location"),
    ],
)
def test_urls_that_name_nothing_are_refused(url: str, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem) as caught:
        make_sink(url)
    assert caught.value.pointer == "/to"


def test_a_url_names_all_there_is() -> None:
    found = Target.of(
        "kafka://me%40x:s%3A%2F@k1:9092,[::1]:9093?topic=shop.{aggregate_type}&create=true&partitions=6&replication=3"
        "&key=aggregate_id&mode=structured&cursor_topic=mine&tls=true&sasl=SCRAM-SHA-512&linger.ms=1"
    )
    assert found == (
        "shop.{aggregate_type}", "mine", True, 6, 3, "aggregate_id", "structured",
        {
            "bootstrap.servers": "k1:9092,[::1]:9093", "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "me@x", "sasl.password": "s:/", "linger.ms": "1",
        },
    )  # fmt: skip
    assert found.cursor_topic_of("orders") == "mine"


def test_little_need_be_said() -> None:
    found = Target.of("kafka://h:9092?topic=a")
    client = {"bootstrap.servers": "h:9092", "security.protocol": "PLAINTEXT"}
    assert found == ("a", "", False, None, None, "stream", "binary", client)
    assert found.cursor_topic_of("orders-to.kafka") == "indelible-relay-orders-to.2Ekafka"


def test_tokens_need_no_password() -> None:
    client = Target.of("kafka://h:9092?topic=a&sasl=OAUTHBEARER&sasl.oauthbearer.method=oidc").client
    assert (client["security.protocol"], client["sasl.oauthbearer.method"]) == ("SASL_PLAINTEXT", "oidc")


@given(TYPES, TYPES)
def test_types_have_topics_of_their_own_whatever_they_are(one: str, other: str) -> None:
    target = Target.of("kafka://h:9092?topic=shop.{aggregate_type}.v1")
    topics = [target.topic_of(kind) for kind in (one, other)]
    assert (topics[0] == topics[1]) == (one == other)
    for topic in topics:
        assert len(topic) <= 249
        assert set(topic) <= LEGAL
        assert topic.startswith("shop.")
        assert topic.endswith(".v1")


@given(NAMES, NAMES)
def test_relays_have_cursor_topics_of_their_own(one: str, other: str) -> None:
    target = Target.of("kafka://h:9092?topic=events")
    topics = [target.cursor_topic_of(relay) for relay in (one, other)]
    assert (topics[0] == topics[1]) == (one == other)
    for topic in topics:
        assert len(topic) <= 249
        assert set(topic) <= LEGAL
