"""The sinks of this package by their URLs: what its entry points of the group ``indelible.sinks`` name.

Each loads its sink only when it is called: nobody needs the packages of a sink that is not used.
"""

from indelible.errors import InvalidRequest
from indelible.relays.sink import Sink


def make_nats(url: str) -> Sink:
    """``nats://HOST:PORT?stream=NAME``, see :class:`indelible.relays.nats.NatsSink`."""
    try:
        from indelible.relays.nats import NatsSink  # noqa: PLC0415 - see above
    except ImportError as error:
        message = f'needs more packages: pip install "indelible[nats]" ({error})'
        raise InvalidRequest(message, pointer="/to") from None
    return NatsSink.of(url)


def make_kafka(url: str) -> Sink:
    """``kafka://HOST:PORT?topic=NAME``, see :class:`indelible.relays.kafka.KafkaSink`."""
    try:
        from indelible.relays.kafka import KafkaSink  # noqa: PLC0415 - see above
    except ImportError as error:
        message = f'needs more packages: pip install "indelible[kafka]" ({error})'
        raise InvalidRequest(message, pointer="/to") from None
    return KafkaSink.of(url)


def make_rabbitmq(url: str) -> Sink:
    """``amqp://HOST:PORT/VHOST?exchange=NAME``, see :class:`indelible.relays.rabbitmq.RabbitSink`."""
    try:
        from indelible.relays.rabbitmq import RabbitSink  # noqa: PLC0415 - see above
    except ImportError as error:
        message = f'needs more packages: pip install "indelible[rabbitmq]" ({error})'
        raise InvalidRequest(message, pointer="/to") from None
    return RabbitSink.of(url)
