"""The trace that the caller is in, for the server: W3C Trace Context. OpenTelemetry is asked for it where the program
has imported it, and is never imported here."""

import sys
from typing import Any


def trace_headers(*, only_sampled: bool = False) -> dict[str, str]:
    """``traceparent``, and ``tracestate`` if there is one, of the current span; nothing where there is none.
    ``only_sampled``: nor where nobody keeps the trace."""
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None:
        return {}
    context = api.get_current_span().get_span_context()
    if not context.is_valid or (only_sampled and not context.trace_flags.sampled):
        return {}
    headers = {"traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"}
    state = context.trace_state.to_header()
    return {**headers, "tracestate": state} if state else headers
