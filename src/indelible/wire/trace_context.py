"""W3C Trace Context: which request an event came from, kept as ``traceparent`` and ``tracestate`` in metadata."""

import re
from collections.abc import Mapping
from typing import Final

from indelible.errors import PayloadTooLarge
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend

_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TRACESTATE: Final = re.compile(rb"[ -~]{1,512}")


def trace_context(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """What the headers say, as members of metadata. Nothing when they are not as they should be: the specification has
    such headers ignored."""
    traceparent = headers.get(b"traceparent", b"")
    if not _TRACEPARENT.fullmatch(traceparent):
        return {}
    found = {"traceparent": traceparent.decode("ascii")}
    tracestate = headers.get(b"tracestate", b"")
    if _TRACESTATE.fullmatch(tracestate):
        found["tracestate"] = tracestate.decode("ascii")
    return found


def traced(append: AggregateAppend, context: Mapping[str, str]) -> AggregateAppend:
    """The append, whose events carry the context unless they carry one already."""
    if not context:
        return append
    events = tuple(_traced(event, context) for event in append.events)
    return AggregateAppend(append.key, events, append.expected_version)


def _traced(event: NewEvent, context: Mapping[str, str]) -> NewEvent:
    metadata = event.metadata
    if "traceparent" in metadata:
        return event
    more = {name: value for name, value in context.items() if name not in metadata}
    try:
        return event.with_more_metadata(more)
    except PayloadTooLarge:
        return event  # a header that the caller may know nothing of must not make an append fail
