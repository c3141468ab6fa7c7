"""The sinks of this package by their URLs: what its entry points of the group ``indelible.sinks`` name.

Each loads its sink only when it is called: nobody needs the packages of a sink that is not used.
"""

from indelible.errors import InvalidRequest
from indelible.relays.sink import Sink


def make_nats(url: str) -> Sink:
    """``nats://HOST:PORT?stream=NAME``, see :class:`indelible.relays.nats.sink.NatsSink`."""
    try:
        from indelible.relays.nats.sink import NatsSink  # noqa: PLC0415 - see above
    except ImportError as error:
        raise InvalidRequest.of_extra("nats", error, pointer="/to") from None
    return NatsSink.of(url)


def make_kafka(url: str) -> Sink:
    """``kafka://HOST:PORT?topic=NAME``, see :class:`indelible.relays.kafka.sink.KafkaSink`."""
    try:
        from indelible.relays.kafka.sink import KafkaSink  # noqa: PLC0415 - see above
    except ImportError as error:
        raise InvalidRequest.of_extra("kafka", error, pointer="/to") from None
    return KafkaSink.of(url)


def make_rabbitmq(url: str) -> Sink:
    """``amqp://HOST:PORT/VHOST?exchange=NAME``, see :class:`indelible.relays.rabbitmq.sink.RabbitSink`."""
    try:
        from indelible.relays.rabbitmq.sink import RabbitSink  # noqa: PLC0415 - see above
    except ImportError as error:
        raise InvalidRequest.of_extra("rabbitmq", error, pointer="/to") from None
    return RabbitSink.of(url)
