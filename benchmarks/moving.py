"""import --from: a whole store read through the wire of KurrentDB's clients into a new one, and then both compared."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.report import Figure
from benchmarks.server import Server
from benchmarks.stores import Options, empty, moved

CONFIG = '[wire.esdb]\naddress = "127.0.0.1:0"\n'


def moving(options: Options) -> Iterator[Figure]:
    """Two runs: one that imports, and one that finds all there and compares both sides, hash by hash."""
    source = moved(options)
    destination = empty(options, "moved")
    config = options.folder / "moving.toml"
    config.write_text(CONFIG)
    with Server(source, "--config", str(config)) as server:
        import_s, report = _import(server, destination, "--no-verify")
        compare_s, compared = _import(server, destination)
    verified = compared["verified"]
    events, streams, differ = verified["events"], verified["streams"], verified["different_streams"]
    is_whole = (report["imported"], events, differ) == (options.events_moved, options.events_moved, 0)
    note = f"{events} events of {streams} streams, {differ} of which differ"
    yield Figure("import through the wire", report["imported"] / import_s, "events/s", note=f"in {import_s:.0f} s")
    yield Figure("both sides read and compared", events / compare_s, "events/s", "equal", is_whole, note=note)


def _import(server: Server, destination: Path, *flags: str) -> tuple[float, dict[str, Any]]:
    command = [sys.executable, "-m", "indelible.cli.main", "import", "--from", server.esdb_url]
    command += ["--store", f"sqlite:{destination}", "--json", *flags]
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    report: dict[str, Any] = json.loads(done.stdout)
    return time.perf_counter() - started, report
