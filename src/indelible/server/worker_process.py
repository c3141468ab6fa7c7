"""The program of one worker: ``python -m indelible.server.worker_process``. Only a supervisor starts it."""

import os
import signal
import sys
import threading
import time
from typing import Final

import msgspec
import structlog

from indelible.errors import IndelibleError, StorageFailure
from indelible.server.compose import run
from indelible.server.process import EXIT_STORAGE_FAILURE
from indelible.server.worker import Worker, WorkerOrder, WorkerReport, stop_s

_FAILED: Final = 1
_STANDARD_INPUT, _STANDARD_OUTPUT, _STANDARD_ERROR = 0, 1, 2


def main() -> int:
    """Serve as the order on standard input says; returns the exit code."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=WorkerOrder)
    threading.Thread(target=_end_with_supervisor, args=(stop_s(order.settings),), daemon=True).start()
    report = _Report()
    try:
        return run(order.settings, on_ready=lambda _: report.write(WorkerReport()), worker=Worker(order))
    except IndelibleError as error:
        report.write(WorkerReport.of(error))
        return EXIT_STORAGE_FAILURE if isinstance(error, StorageFailure) else _FAILED


class _Report:
    """What the supervisor hears: once, whether this worker serves. What goes wrong later is in the log."""

    _is_written = False

    def write(self, report: WorkerReport) -> None:
        if self._is_written:
            structlog.get_logger(__name__).error("stopped with an error", code=report.code, error=report.message)
            return
        self._is_written = True
        os.write(_STANDARD_OUTPUT, report.encoded())
        # Nobody reads standard output any more; what is printed from now on goes where the log goes.
        os.dup2(_STANDARD_ERROR, _STANDARD_OUTPUT)


def _end_with_supervisor(stop_within_s: float) -> None:
    """Stop when standard input ends. A thread and a signal: the event loop may not run yet, or not any more."""
    while os.read(_STANDARD_INPUT, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(stop_within_s)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
