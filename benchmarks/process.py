"""What the system knows about a process that is measured."""

import os
from pathlib import Path


class Process:
    """``pid`` must be set."""

    pid: int

    def memory_bytes(self) -> dict[str, int]:
        """Resident memory: now, and the most since the start."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return {"now": _kib(fields["VmRSS"]), "most": _kib(fields["VmHWM"])}

    def cpu_s(self) -> float:
        """Processor time of all threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _kib(text: str) -> int:
    return int(text.split(maxsplit=1)[0]) * 1024
