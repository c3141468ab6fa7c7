"""The server's log: structured lines on standard error."""

import contextlib
import logging
import os
import sys
from typing import Final, TextIO, cast

import structlog

from indelible.server.config import LogFormat, LogLevel

_STANDARD_ERROR: Final = 2
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

# Without the values of variables: those hold callers' events.
_to_dict: Final = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def configure_logs(log_format: LogFormat, log_level: LogLevel, *, worker: int | None = None) -> None:
    """``console`` is for people, ``json`` gives one JSON object a line. A ``worker``'s lines carry its number."""
    renderer: structlog.typing.Processor
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer()
        exceptions = [structlog.processors.ExceptionRenderer(_to_dict)]
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=os.isatty(_STANDARD_ERROR), exception_formatter=structlog.dev.plain_traceback
        )
        exceptions = []
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            *([] if worker is None else [_add_worker(worker)]),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *exceptions,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[log_level]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _StandardError())),
    )
    logging.basicConfig(handlers=[_IntoStructlog()], level=logging.WARNING, force=True)


def _add_worker(worker: int) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["worker"] = worker
        return event

    return add


class _StandardError:
    """Standard error, a line at a time. What it does not take is lost: a log that nobody reads any more, or a full
    disk under it, must not keep the server from answering, nor from stopping when it must. No buffer, because what
    stays in one raises again later, the last time when the interpreter exits."""

    def write(self, text: str) -> None:
        if sys.__stderr__ is None:
            # It was closed when Python started, so its descriptor may be somebody's socket now.
            return
        with contextlib.suppress(OSError):
            os.write(_STANDARD_ERROR, text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        pass


class _IntoStructlog(logging.Handler):
    """What libraries log, as lines of the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(record.name)
        logger.log(record.levelno, record.getMessage().strip(), logger=record.name, exc_info=record.exc_info)
