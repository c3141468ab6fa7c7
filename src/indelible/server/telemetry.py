"""What a server sends over OTLP, as its settings say: nothing, and nothing of OpenTelemetry imported, without
``[otel]``."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from indelible.errors import InvalidRequest
from indelible.eventstore import FeedPage
from indelible.limits import TRACE_STOP_S
from indelible.server.background import Part
from indelible.server.config import OtelSettings
from indelible.server.services import Services
from indelible.server.tracing import Tracing

SAMPLE_RATIO_DEFAULT: Final = 0.01
"""Of requests whose callers do not say."""

OnPage = Callable[[str, FeedPage, int], None]
"""Hears of each page that a relay has published: the relay, the page, and when that began, in nanoseconds."""


def check_otel(settings: OtelSettings | None) -> None:
    """Raises ``InvalidRequest`` where its packages are missing, before anything is opened."""
    if settings is not None:
        try:
            import indelible.server.otel_metrics  # noqa: F401, PLC0415 - needs packages of an extra
        except ImportError as error:
            raise InvalidRequest.of_extra("otel", error, pointer="/otel") from None
        sample_ratio(settings)


@asynccontextmanager
async def telemetry(settings: OtelSettings | None, services: Services) -> AsyncIterator[OnPage | None]:
    """Before the transports are made; what is left to send is sent at the end, for a while. Gives what is to hear of
    the pages that relays publish; None where nobody is."""
    if settings is None or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        yield None
        return
    from indelible.server.otel_metrics import MetricsPush  # noqa: PLC0415 - needs packages of an extra
    from indelible.server.otel_traces import OtelTracer, resource_of  # noqa: PLC0415 - needs packages of an extra

    resource = resource_of(settings, secrets.token_hex(8))
    if settings.metrics:
        services.background.add(Part("otel metrics", MetricsPush(settings, resource, services.metrics).run))
    if not settings.traces:
        yield None
        return
    tracer = OtelTracer(settings, resource)
    services.tracing = Tracing(tracer, sample_ratio(settings))
    try:
        yield tracer.on_page
    finally:
        await asyncio.to_thread(tracer.stop().join, TRACE_STOP_S)


def sample_ratio(settings: OtelSettings) -> float:
    """As the settings say, else the standard variables. Raises ``InvalidRequest``."""
    if settings.sample_ratio is not None:
        return settings.sample_ratio
    sampler = os.environ.get("OTEL_TRACES_SAMPLER", "").removeprefix("parentbased_")
    if sampler in ("always_on", "always_off"):
        return float(sampler == "always_on")
    argument = os.environ.get("OTEL_TRACES_SAMPLER_ARG", "")
    try:
        ratio = float(argument or SAMPLE_RATIO_DEFAULT)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise InvalidRequest(
            f"otel: OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not {argument!r}",
            pointer="/otel/sample_ratio",
        )
    return ratio
