"""What the URL of a relay to RabbitMQ may say."""

import pytest

from indelible.errors import InvalidRequest
from indelible.relays.rabbitmq.sink import Target
from indelible.relays.sink import make_sink


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ("", "must name an exchange"),
        ("?exchange=", "must name an exchange"),
        (f"?exchange={'a' * 128}", "bad exchange: at most 127 of "),
        ("?exchange=%C3%BC", "bad exchange"),
        ("?exchange=a&create=true&queue=a%25", "bad queue"),
        (f"?exchange=a&routing_key={'%C3%BC' * 128}", "routing_key of more than 255 bytes"),
        ("?exchange=a&routing_key={event_id}", "bad routing_key"),
        ("?exchange=a&create=maybe", "true or false for create"),
        ("?exchange=a&strict=1", "true or false for strict"),
        ("?exchange=a&mode=odd", "binary or structured"),
        ("?exchange=a&queue=b", "has queue, which says what is to be made; that needs create=true"),
        ("?exchange=a&exchange_type=topic", "has exchange_type, .* needs create=true"),
        ("?exchange=a&create=true&exchange_type=headers", "one of topic, direct, fanout"),
        ("?exchange=a&create=true&queue=b&queue_type=odd", "one of quorum, stream, classic"),
        ("?exchange=a&create=true&queue_type=quorum", "queue_type without queue"),
        ("?exchange=a&create=true&queue=b&exchange_type=direct&routing_key={aggregate_type}", "a topic exchange can"),
        ("?exchange=a&colour=red", "unknown parameter, colour"),
        ("?exchange=a&exchange=b", "has exchange twice"),
        ("?exchange=a&cacertfile=b", "that needs amqps://"),
        ("/a/b?exchange=a", "must be like amqp://"),
        ("/a?exchange=a#b", "must be like amqp://"),
        ("x/?exchange=a", "is not a URL"),
        (f"/{'a' * 128}?exchange=a", "virtual host of more than 127 characters"),
    ],
)
def test_urls_that_name_nothing_are_refused(rest: str, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem) as caught:
        make_sink(f"amqp://127.0.0.1:5672{rest}")
    assert caught.value.pointer == "/to"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ("cacertfile=/nowhere", "files for TLS that cannot be used: .*No such file"),
        ("keyfile=a", "keyfile without certfile"),
    ],
)
def test_files_for_tls_that_are_not_there(files: str, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        make_sink(f"amqps://127.0.0.1?exchange=a&{files}")


def test_a_url_names_all_there_is() -> None:
    found = Target.of(
        "amqp://me:se%2Fcret@host:1/v%2Fh?exchange=e&exchange_type=topic&routing_key=a.{aggregate_type}.b&create=true"
        "&queue=q&queue_type=stream&mode=structured&strict=true"
    )
    address = ("host", 1, "v/h", "me", "se/cret", None)
    assert found == (address, "e", "a.{aggregate_type}.b", "structured", True, True, "topic", "q", "stream")
    assert found.pattern == "a.*.b"


def test_what_a_url_leaves_out_is_as_everywhere() -> None:
    assert Target.of("amqp://host?exchange=e").address == ("host", 5672, "/", "guest", "guest", None)
    address = Target.of("amqps://[::1]/?exchange=e").address
    assert address == ("::1", 5671, "/", "guest", "guest", (None, None, None))
