"""``indelible relay run`` as processes of their own, that tests kill, stop and start again."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from cli.running import COMMAND, TIMEOUT_S, environment


class RelayProcess:
    """One that publishes the store with the ``url`` to a sink, as a relay whose name all of them have."""

    def __init__(self, folder: Path, url: str, to: str, name: str, relay: str = "orders") -> None:
        self.log = folder / f"{name}.log"
        self._command = [COMMAND, "relay", "run", relay, "--url", url, "--to", to]
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environment())

    def owns(self, owner: str) -> bool:
        """Whether an owner's name is its."""
        return f" {self.process.pid} " in owner

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)


@contextlib.contextmanager
def relay_processes(
    folder: Path, url: str, to: str, *names: str, relay: str = "orders"
) -> Iterator[list[RelayProcess]]:
    """They are killed at the end."""
    relays = [RelayProcess(folder, url, to, name, relay) for name in names]
    try:
        yield relays
    finally:
        for one in relays:
            one.signal(signal.SIGCONT)
            one.kill()
